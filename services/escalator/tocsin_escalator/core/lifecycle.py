"""The incident's life as a table: what each input does in each phase. Every pair is decided; none is an error.

Read a row as a sentence: an alert that fires opens an incident where there is none, joins an open one, resumes a
watched one, reopens one that is over, and does nothing to a closed one (the group's next incident takes it).
"""

from collections.abc import Mapping
from enum import Enum, unique

from tocsin_escalator.core.incident import HELD, OVER, WAITING, Phase
from tocsin_schemas import DeadlineKind

__all__ = ["DEADLINES", "TABLE", "Answer", "Input", "answer"]


@unique
class Input(Enum):
    """What can come to an incident; the values say it in words."""

    @property
    def meaning(self) -> str:
        """In words."""
        return str(self.value)

    ALERT_FIRED = "an alert fires that it does not know"
    ALERT_RENEWED = "an alert that it knows fires on"
    ALERT_FIRED_LATE = "an alert that it knows as ended is said to fire: the message is late"
    ALERT_ENDED = "an alert that it knows has ended"
    ALERT_ENDED_FIRST = "an alert that it does not know has ended: the end has overtaken the beginning"
    ACKNOWLEDGE_DUE = "the response target has passed"
    ACKNOWLEDGE_SOON_DUE = "the response target comes near"
    RESOLVE_DUE = "the resolution target has passed"
    RESOLVE_SOON_DUE = "the resolution target comes near"
    ESCALATE_DUE = "the next level of the plan is due"
    CONTACT_DUE = "who was paged has not answered, and has told us of another way"
    RAISE_DUE = "the severity has lasted so long that it rises"
    UPDATE_DUE = "a status update is due"
    WATCH_DUE = "the watch time is over"
    CLOSE_DUE = "the time in which a re-fire reopens it is over"
    MUTE_DUE = "what mutes it may be over"
    AUTOMATION_FAILED = "a runbook has no step left, or asks for a person"
    OUTCOME_UNKNOWN = "nobody can say whether an action was carried out"
    APPROVAL_NEEDED = "an action waits for a person"
    PAGE_FAILED = "no channel could deliver a page"
    PART_FOUND = "another incident turned out to be a part of this one"
    ACKNOWLEDGE = "a person is on it"
    TAKE_OVER = "a person is on it, and leads"
    DECLINE = "a person was told and cannot take it"
    ADD_RESPONDER = "a person asks for more people"
    UPDATE = "a person says how it stands, and how far the work is"
    RESOLVE = "a person says that it is over, or was nothing"
    REOPEN = "a person says that it is not over"
    ESCALATE = "a person asks for the next level"
    SET_SEVERITY = "a person sets the severity"
    RELEASE_SEVERITY = "a person lets the severity move by itself again"
    STATE_IMPACT = "a person says what it does to people"
    MERGE = "a person says that it is a part of another"
    SPLIT = "a person takes alerts out of it, or it out of another"
    LINK = "a person says that it has to do with another"
    ASSIGN_ROLE = "a person gives somebody a role"
    ADD_NOTE = "a person writes on the timeline"


@unique
class Answer(Enum):
    """What the escalator does about it; the values say it in words."""

    @property
    def meaning(self) -> str:
        """In words."""
        return str(self.value)

    NOTHING = "nothing follows"
    REJECT = "say why not, to the person who asked"
    OPEN = "open the incident, and tell who is to be told at once"
    JOIN = "the alert is part of it; the severity may rise"
    RESUME = "it goes on where it was, without a new storm of pages"
    REOPEN = "begin anew: targets, pages, the plan"
    REFRESH = "the alert may have become more severe"
    CLEAR = "the alert has ended; after the last one it is watched"
    WARN = "record that the target comes near"
    MISS = "record that the deadline was missed"
    MISS_AND_TELL = "record that it was missed, and tell the next level"
    TELL = "tell the next level, or those of the level that was reached"
    REPEAT = "tell the same person in their next way"
    RAISE = "it becomes more severe"
    REMIND = "record that an update was due, and set the next; the second in a row is told to the next level"
    RESOLVE = "it is over"
    CLOSE = "it is over for good"
    LOOK = "look whether it is still muted; if not, people are told"
    ASK = "page those of the level that was reached"
    ABSORB = "it becomes as severe as its part at least"
    ACKNOWLEDGE = "paging stops; where each of several people must answer, when the last one has"
    PAGE = "page those who were asked for"
    CHANGE = "the severity may move, with all that hangs on it"
    UPDATE = "say how it stands; the next update is due one cadence later"
    MERGE = "people are told of the other only"
    SPLIT = "some of its alerts are an incident of their own, or it is no part of another any more"
    RECORD = "write it down, and change nothing else"


_I, _A = Input, Answer
_COLUMNS = (frozenset({Phase.NONE}), WAITING, HELD, frozenset({Phase.MONITORING}), OVER, frozenset({Phase.CLOSED}))
_ROWS: Mapping[Input, tuple[Answer, Answer, Answer, Answer, Answer, Answer]] = {
    #                         none        triggered,        acknowledged,     monitoring      resolved,   closed
    #                                     reopened          investigating,                    false alarm
    #                                                       identified,
    #                                                       mitigating
    _I.ALERT_FIRED:          (_A.OPEN,    _A.JOIN,          _A.JOIN,          _A.RESUME,      _A.REOPEN,  _A.NOTHING),
    _I.ALERT_RENEWED:        (_A.NOTHING, _A.REFRESH,       _A.REFRESH,       _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.ALERT_FIRED_LATE:     (_A.NOTHING, _A.NOTHING,       _A.NOTHING,       _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.ALERT_ENDED:          (_A.NOTHING, _A.CLEAR,         _A.CLEAR,         _A.CLEAR,       _A.CLEAR,   _A.NOTHING),
    _I.ALERT_ENDED_FIRST:    (_A.NOTHING, _A.CLEAR,         _A.CLEAR,         _A.CLEAR,       _A.CLEAR,   _A.NOTHING),
    _I.ACKNOWLEDGE_DUE:      (_A.NOTHING, _A.MISS,          _A.NOTHING,       _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.ACKNOWLEDGE_SOON_DUE: (_A.NOTHING, _A.WARN,          _A.NOTHING,       _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.RESOLVE_DUE:          (_A.NOTHING, _A.MISS_AND_TELL, _A.MISS_AND_TELL, _A.MISS,        _A.NOTHING, _A.NOTHING),
    _I.RESOLVE_SOON_DUE:     (_A.NOTHING, _A.WARN,          _A.WARN,          _A.WARN,        _A.NOTHING, _A.NOTHING),
    _I.ESCALATE_DUE:         (_A.NOTHING, _A.TELL,          _A.TELL,          _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.CONTACT_DUE:          (_A.NOTHING, _A.REPEAT,        _A.REPEAT,        _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.RAISE_DUE:            (_A.NOTHING, _A.RAISE,         _A.RAISE,         _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.UPDATE_DUE:           (_A.NOTHING, _A.REMIND,        _A.REMIND,        _A.REMIND,      _A.NOTHING, _A.NOTHING),
    _I.WATCH_DUE:            (_A.NOTHING, _A.NOTHING,       _A.NOTHING,       _A.RESOLVE,     _A.NOTHING, _A.NOTHING),
    _I.CLOSE_DUE:            (_A.NOTHING, _A.NOTHING,       _A.NOTHING,       _A.NOTHING,     _A.CLOSE,   _A.NOTHING),
    _I.MUTE_DUE:             (_A.NOTHING, _A.LOOK,          _A.LOOK,          _A.MISS,        _A.NOTHING, _A.NOTHING),
    _I.AUTOMATION_FAILED:    (_A.NOTHING, _A.TELL,          _A.TELL,          _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.OUTCOME_UNKNOWN:      (_A.NOTHING, _A.TELL,          _A.TELL,          _A.TELL,        _A.NOTHING, _A.NOTHING),
    _I.APPROVAL_NEEDED:      (_A.NOTHING, _A.ASK,           _A.ASK,           _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.PAGE_FAILED:          (_A.NOTHING, _A.TELL,          _A.TELL,          _A.NOTHING,     _A.NOTHING, _A.NOTHING),
    _I.PART_FOUND:           (_A.NOTHING, _A.ABSORB,        _A.ABSORB,        _A.ABSORB,      _A.NOTHING, _A.NOTHING),
    _I.ACKNOWLEDGE:          (_A.REJECT,  _A.ACKNOWLEDGE,   _A.ACKNOWLEDGE,   _A.ACKNOWLEDGE, _A.REJECT,  _A.REJECT),
    _I.TAKE_OVER:            (_A.REJECT,  _A.ACKNOWLEDGE,   _A.ACKNOWLEDGE,   _A.ACKNOWLEDGE, _A.REJECT,  _A.REJECT),
    _I.DECLINE:              (_A.REJECT,  _A.TELL,          _A.TELL,          _A.RECORD,      _A.REJECT,  _A.REJECT),
    _I.ADD_RESPONDER:        (_A.REJECT,  _A.PAGE,          _A.PAGE,          _A.PAGE,        _A.REJECT,  _A.REJECT),
    _I.UPDATE:               (_A.REJECT,  _A.UPDATE,        _A.UPDATE,        _A.UPDATE,      _A.RECORD,  _A.REJECT),
    _I.RESOLVE:              (_A.REJECT,  _A.RESOLVE,       _A.RESOLVE,       _A.RESOLVE,     _A.REJECT,  _A.REJECT),
    _I.REOPEN:               (_A.REJECT,  _A.REJECT,        _A.REJECT,        _A.REJECT,      _A.REOPEN,  _A.REJECT),
    _I.ESCALATE:             (_A.REJECT,  _A.TELL,          _A.TELL,          _A.TELL,        _A.REJECT,  _A.REJECT),
    _I.SET_SEVERITY:         (_A.REJECT,  _A.CHANGE,        _A.CHANGE,        _A.CHANGE,      _A.RECORD,  _A.REJECT),
    _I.RELEASE_SEVERITY:     (_A.REJECT,  _A.CHANGE,        _A.CHANGE,        _A.CHANGE,      _A.REJECT,  _A.REJECT),
    _I.STATE_IMPACT:         (_A.REJECT,  _A.CHANGE,        _A.CHANGE,        _A.CHANGE,      _A.RECORD,  _A.REJECT),
    _I.MERGE:                (_A.REJECT,  _A.MERGE,         _A.MERGE,         _A.MERGE,       _A.REJECT,  _A.REJECT),
    _I.SPLIT:                (_A.REJECT,  _A.SPLIT,         _A.SPLIT,         _A.SPLIT,       _A.REJECT,  _A.REJECT),
    _I.LINK:                 (_A.REJECT,  _A.RECORD,        _A.RECORD,        _A.RECORD,      _A.RECORD,  _A.REJECT),
    _I.ASSIGN_ROLE:          (_A.REJECT,  _A.RECORD,        _A.RECORD,        _A.RECORD,      _A.RECORD,  _A.REJECT),
    _I.ADD_NOTE:             (_A.REJECT,  _A.RECORD,        _A.RECORD,        _A.RECORD,      _A.RECORD,  _A.REJECT),
}  # fmt: skip

TABLE: Mapping[tuple[Phase, Input], Answer] = {
    (phase, given): row[column]
    for given, row in _ROWS.items()
    for column, phases in enumerate(_COLUMNS)
    for phase in phases
}
"""The answer to every input in every phase."""

DEADLINES: Mapping[DeadlineKind, Input] = {
    DeadlineKind.ACKNOWLEDGE: Input.ACKNOWLEDGE_DUE,
    DeadlineKind.ACKNOWLEDGE_SOON: Input.ACKNOWLEDGE_SOON_DUE,
    DeadlineKind.RESOLVE: Input.RESOLVE_DUE,
    DeadlineKind.RESOLVE_SOON: Input.RESOLVE_SOON_DUE,
    DeadlineKind.ESCALATE: Input.ESCALATE_DUE,
    DeadlineKind.CONTACT: Input.CONTACT_DUE,
    DeadlineKind.UPDATE: Input.UPDATE_DUE,
    DeadlineKind.WATCH: Input.WATCH_DUE,
    DeadlineKind.CLOSE: Input.CLOSE_DUE,
    DeadlineKind.MUTE: Input.MUTE_DUE,
}


def answer(phase: Phase, given: Input) -> Answer:
    """What is done about this input in this phase."""
    return TABLE[phase, given]
