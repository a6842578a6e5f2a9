"""The table of phases and inputs, and what may be read off it."""

import itertools

from tocsin_escalator.core.incident import OVER, Phase
from tocsin_escalator.core.lifecycle import DEADLINES, TABLE, Answer, Input, answer
from tocsin_escalator.core.on_command import INCIDENT_COMMANDS
from tocsin_schemas import DeadlineKind

_PAGES = {
    Answer.OPEN, Answer.JOIN, Answer.TELL, Answer.MISS_AND_TELL, Answer.REPEAT, Answer.RAISE, Answer.ASK,
    Answer.REFRESH, Answer.PAGE, Answer.CHANGE,
}  # fmt: skip


def test_every_pair_of_phase_and_input_is_decided() -> None:
    assert set(TABLE) == set(itertools.product(Phase, Input))
    assert all(answer(phase, given) is TABLE[phase, given] for phase, given in TABLE)


def test_every_kind_of_deadline_is_an_input() -> None:
    assert set(DEADLINES) == set(DeadlineKind)


def test_a_resolved_or_closed_incident_pages_for_nothing_but_a_reopening() -> None:
    for given in Input:
        for phase in OVER:
            paging = TABLE[phase, given] in _PAGES
            assert not paging, (phase, given)
        assert TABLE[Phase.CLOSED, given] in (Answer.NOTHING, Answer.REJECT)


def test_a_watched_incident_is_not_escalated_by_the_clock() -> None:
    by_the_clock = (Input.ESCALATE_DUE, Input.RAISE_DUE, Input.ACKNOWLEDGE_DUE, Input.RESOLVE_DUE, Input.UPDATE_DUE)
    assert not _PAGES & {TABLE[Phase.MONITORING, given] for given in by_the_clock}


def test_a_command_is_always_answered() -> None:
    commands = list(Input)[list(Input).index(Input.ACKNOWLEDGE) :]
    assert len(commands) == len(INCIDENT_COMMANDS)
    assert all(TABLE[phase, given] is not Answer.NOTHING for phase in Phase for given in commands)


def test_what_does_not_exist_yet_is_only_opened_by_an_alert() -> None:
    doing = {given for given in Input if TABLE[Phase.NONE, given] not in (Answer.NOTHING, Answer.REJECT)}
    assert doing == {Input.ALERT_FIRED}
