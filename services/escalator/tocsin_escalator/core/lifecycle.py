"""The incident's life as a table: what each input does in each phase. Every pair is decided; none is an error.

Read a row as a sentence: an alert that fires opens an incident where there is none, joins an open one, resumes a
watched one, reopens a resolved one, and does nothing to a closed one (the group's next incident takes it).
"""

from collections.abc import Mapping
from enum import Enum, auto

from tocsin_escalator.core.incident import Phase
from tocsin_schemas import DeadlineKind

__all__ = ["DEADLINES", "TABLE", "Answer", "Input", "answer"]


class Input(Enum):
    """What can come to an incident."""

    ALERT_FIRED = auto()  # a firing that the incident does not know
    ALERT_RENEWED = auto()  # one that it knows as firing
    ALERT_FIRED_LATE = auto()  # one that it knows as ended: the message is late
    ALERT_ENDED = auto()  # one that it knows as firing
    ALERT_ENDED_FIRST = auto()  # one that it does not know: the end has overtaken the beginning
    ACKNOWLEDGE_DUE = auto()
    RESOLVE_DUE = auto()
    ESCALATE_DUE = auto()
    RAISE_DUE = auto()  # the severity has lasted so long that it rises
    UPDATE_DUE = auto()
    WATCH_DUE = auto()
    CLOSE_DUE = auto()
    MUTE_DUE = auto()  # what mutes it may be over
    AUTOMATION_FAILED = auto()
    OUTCOME_UNKNOWN = auto()
    APPROVAL_NEEDED = auto()
    PAGE_FAILED = auto()
    ACKNOWLEDGE = auto()
    RESOLVE = auto()
    ESCALATE = auto()
    SET_SEVERITY = auto()
    ASSIGN_ROLE = auto()
    ADD_NOTE = auto()


class Answer(Enum):
    """What the escalator does about it."""

    NOTHING = auto()
    REJECT = auto()  # says why, to the person who asked
    OPEN = auto()
    JOIN = auto()
    RESUME = auto()
    REOPEN = auto()
    REFRESH = auto()  # the alert may have become more severe
    CLEAR = auto()
    MISS = auto()  # record that the deadline was missed
    MISS_AND_TELL = auto()  # … and tell the next level
    TELL = auto()  # tell the next level, or those of the level that was reached
    RAISE = auto()
    REMIND = auto()  # record that an update was due, and set the next
    RESOLVE = auto()
    CLOSE = auto()
    LOOK = auto()  # whether it is still muted; if not, people are told
    ASK = auto()  # page those of the level that was reached
    ACKNOWLEDGE = auto()
    CHANGE = auto()  # the severity, with all that hangs on it
    RECORD = auto()  # it stands in the log and changes nothing else


_I, _A = Input, Answer
_PHASES = (Phase.NONE, Phase.TRIGGERED, Phase.ACKNOWLEDGED, Phase.MONITORING, Phase.RESOLVED, Phase.CLOSED)
_ROWS: Mapping[Input, tuple[Answer, Answer, Answer, Answer, Answer, Answer]] = {
    #                      none        triggered         acknowledged      monitoring      resolved    closed
    _I.ALERT_FIRED:       (_A.OPEN,    _A.JOIN,          _A.JOIN,          _A.RESUME,      _A.REOPEN,  _A.NOTHING),
    _I.ALERT_RENEWED:     (_A.NOTHING, _A.REFRESH,       _A.REFRESH,       _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.ALERT_FIRED_LATE:  (_A.NOTHING, _A.NOTHING,       _A.NOTHING,       _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.ALERT_ENDED:       (_A.NOTHING, _A.CLEAR,         _A.CLEAR,         _A.CLEAR,       _A.CLEAR,   _A.NOTHING),
    _I.ALERT_ENDED_FIRST: (_A.NOTHING, _A.CLEAR,         _A.CLEAR,         _A.CLEAR,       _A.CLEAR,   _A.NOTHING),
    _I.ACKNOWLEDGE_DUE:   (_A.NOTHING, _A.MISS,          _A.NOTHING,       _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.RESOLVE_DUE:       (_A.NOTHING, _A.MISS_AND_TELL, _A.MISS_AND_TELL, _A.MISS,        _A.NOTHING, _A.NOTHING),
    _I.ESCALATE_DUE:      (_A.NOTHING, _A.TELL,          _A.TELL,          _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.RAISE_DUE:         (_A.NOTHING, _A.RAISE,         _A.RAISE,         _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.UPDATE_DUE:        (_A.NOTHING, _A.REMIND,        _A.REMIND,        _A.REMIND,      _A.NOTHING, _A.NOTHING),
    _I.WATCH_DUE:         (_A.NOTHING, _A.NOTHING,       _A.NOTHING,       _A.RESOLVE,     _A.NOTHING, _A.NOTHING),
    _I.CLOSE_DUE:         (_A.NOTHING, _A.NOTHING,       _A.NOTHING,       _A.NOTHING,     _A.CLOSE,   _A.NOTHING),
    _I.MUTE_DUE:          (_A.NOTHING, _A.LOOK,          _A.LOOK,          _A.MISS,        _A.NOTHING, _A.NOTHING),
    _I.AUTOMATION_FAILED: (_A.NOTHING, _A.TELL,          _A.TELL,          _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.OUTCOME_UNKNOWN:   (_A.NOTHING, _A.TELL,          _A.TELL,          _A.TELL,        _A.NOTHING, _A.NOTHING),
    _I.APPROVAL_NEEDED:   (_A.NOTHING, _A.ASK,           _A.ASK,           _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.PAGE_FAILED:       (_A.NOTHING, _A.TELL,          _A.NOTHING,       _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.ACKNOWLEDGE:       (_A.REJECT,  _A.ACKNOWLEDGE,   _A.ACKNOWLEDGE,   _A.ACKNOWLEDGE, _A.REJECT,  _A.REJECT),
    _I.RESOLVE:           (_A.REJECT,  _A.RESOLVE,       _A.RESOLVE,       _A.RESOLVE,     _A.REJECT,  _A.REJECT),
    _I.ESCALATE:          (_A.REJECT,  _A.TELL,          _A.TELL,          _A.TELL,        _A.REJECT,  _A.REJECT),
    _I.SET_SEVERITY:      (_A.REJECT,  _A.CHANGE,        _A.CHANGE,        _A.CHANGE,      _A.RECORD,  _A.REJECT),
    _I.ASSIGN_ROLE:       (_A.REJECT,  _A.RECORD,        _A.RECORD,        _A.RECORD,      _A.RECORD,  _A.REJECT),
    _I.ADD_NOTE:          (_A.REJECT,  _A.RECORD,        _A.RECORD,        _A.RECORD,      _A.RECORD,  _A.REJECT),
}  # fmt: skip

TABLE: Mapping[tuple[Phase, Input], Answer] = {
    (phase, given): row[column] for given, row in _ROWS.items() for column, phase in enumerate(_PHASES)
}
"""The answer to every input in every phase."""

DEADLINES: Mapping[DeadlineKind, Input] = {
    DeadlineKind.ACKNOWLEDGE: Input.ACKNOWLEDGE_DUE,
    DeadlineKind.RESOLVE: Input.RESOLVE_DUE,
    DeadlineKind.ESCALATE: Input.ESCALATE_DUE,
    DeadlineKind.UPDATE: Input.UPDATE_DUE,
    DeadlineKind.WATCH: Input.WATCH_DUE,
    DeadlineKind.CLOSE: Input.CLOSE_DUE,
    DeadlineKind.MUTE: Input.MUTE_DUE,
}


def answer(phase: Phase, given: Input) -> Answer:
    """What is done about this input in this phase."""
    return TABLE[phase, given]
