"""Recorded decisions made again by the pure core alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from plugin_nights import ADA, CHECKOUT, OK, SHOP, a_night, acknowledge_alert, ask, minutes, shop

from tocsin_escalator.core.on_alert import decide_alert_fired
from tocsin_escalator.core.on_outcome import decide_outcome
from tocsin_rehearsal.deciding import again, fold_and_decide
from tocsin_rehearsal.outside.web import Behaviour
from tocsin_rehearsal.recorded import Recording, recorded_from
from tocsin_rehearsal.recording import Recorded
from tocsin_rehearsal.staging import Stage, quiet
from tocsin_rehearsal.world import World
from tocsin_schemas import Event, PlaybookRef
from tocsin_schemas.commands import Acknowledge, AcknowledgeAlert, Resolve
from tocsin_schemas.events import (
    AlertCleared,
    CommandRejected,
    DeadlineMissed,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentEscalated,
    IncidentOpened,
    IncidentReopened,
    ResponderPaged,
)
from tocsin_schemas.moments import format_moment


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with quiet():
        made = Stage(tmp_path)
        yield made
        made.close()


def changed(night: Recording, kind: type[Event], **fields: object) -> Recording:
    """As if the first event of this kind had said something else."""
    first = next(event for event in night.log if isinstance(event.data, kind))
    data = first.data.model_copy(update=fields)

    def said(message: Recorded) -> Recorded:
        is_it = message.stream == "INCIDENTS" and message.sequence == first.sequence
        return replace(message, data=data.to_json()) if is_it else message

    return Recording([said(message) for message in night.messages])


def without(night: Recording, leave_out: Callable[[Recorded], bool]) -> Recording:
    return Recording([message for message in night.messages if not leave_out(message)])


def told(night: Recording) -> list[str]:
    return [str(difference) for difference in fold_and_decide(night).differences]


# --- the same ---------------------------------------------------------------------------------------------------------


def test_alerts_clocks_commands_and_outcomes_are_all_decided_again(stage: Stage) -> None:
    """An alert that comes back after its incident was resolved, and again after it was closed."""
    world = shop(stage)
    world.web.answer("shop.example", Behaviour(fault="refused"))
    for begin in (1, 17, 60):
        world.at(minutes(begin), lambda: world.alert(CHECKOUT, lasts=minutes(12)))
    world.at(minutes(19), partial(ask, world, Acknowledge))
    world.run_until(minutes(120))
    night = Recording(recorded_from(world))
    kinds = {type(event.data) for event in night.log}
    assert kinds >= {IncidentOpened, IncidentReopened, IncidentEscalated, IncidentClosed, AlertCleared}
    owned = [event for event in night.log if event.data.OWNER == "escalator"]

    decided = fold_and_decide(night)

    assert decided.differences == []
    assert decided.undecided == []
    assert decided.decisions >= len({event.cause for event in owned})
    assert decided.messages == len(night.inputs.messages) + len(night.log)


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_command_about_an_alert_is_decided_again(stage: Stage, is_recorded: bool) -> None:
    """Also where it was not recorded itself: then it is built again from what answered it."""
    world, asked = shop(stage), list[Recorded]()
    world.at(minutes(1), lambda: world.alert(CHECKOUT, lasts=minutes(12)))
    world.at(minutes(3), lambda: asked.append(acknowledge_alert(world)))
    world.run_until(minutes(30))
    messages = sorted([*(asked if is_recorded else ()), *recorded_from(world)], key=lambda message: message.time)
    night = Recording(messages)
    (acknowledged,) = [event.data for event in night.log if isinstance(event.data, IncidentAcknowledged)]
    assert acknowledged.by == ADA
    (command,) = night.commands
    assert type(command.data) is (AcknowledgeAlert if is_recorded else Acknowledge)

    decided = fold_and_decide(night)

    assert (decided.differences, decided.undecided) == ([], [])


def test_alerts_of_many_groups_are_each_in_their_incident(stage: Stage) -> None:
    world = shop(stage)
    for number in range(6):
        labels = CHECKOUT | {"service": f"service-{number % 3}", "host": f"host-{number}"}
        world.at(minutes(number), partial(world.alert, labels, lasts=minutes(5)))
    world.run_until(minutes(60))

    assert told(Recording(recorded_from(world))) == []


def test_incidents_that_a_group_had_before_the_recording_count(stage: Stage) -> None:
    world = shop(stage)
    for begin in (1, 61):
        world.at(minutes(begin), lambda: world.alert(CHECKOUT, lasts=minutes(10)))
    world.run_until(minutes(120))
    since = format_moment(world.start + minutes(60))
    everything = Recording(recorded_from(world))
    second = without(everything, lambda message: message.time < since and message.stream != "PLAYBOOKS")
    (opened,) = [event.data for event in second.log if isinstance(event.data, IncidentOpened)]
    assert opened.episode == 1

    decided = fold_and_decide(second)

    assert (decided.differences, decided.undecided) == ([], [])
    assert decided.decisions > 0


def test_an_incident_is_decided_on_under_the_revision_that_it_was_opened_under(stage: Stage) -> None:
    later = SHOP.replace("after: 10m", "after: 2m")
    night = a_night(stage, prepare=lambda world: world.at(minutes(5), lambda: world.publish(later)))
    assert any(isinstance(event.data, IncidentEscalated) for event in night.log)

    assert told(night) == []


def test_a_log_that_names_the_causes_of_clocks_in_another_way_is_decided_again(stage: Stage) -> None:
    """As logs do that were written before a name was made otherwise."""
    night = a_night(stage)
    rung = {event.cause for event in night.log if isinstance(event.data, IncidentEscalated | DeadlineMissed)}

    def renamed(message: Recorded) -> Recorded:
        headers = tuple((name, f"was-{value}" if value in rung else value) for name, value in message.headers)
        return replace(message, headers=headers)

    old = Recording([renamed(message) for message in night.messages])
    assert rung.isdisjoint(event.cause for event in old.log)

    decided = fold_and_decide(old)

    assert (decided.differences, decided.undecided) == ([], [])
    assert decided.decisions == fold_and_decide(night).decisions


# --- what differs -----------------------------------------------------------------------------------------------------


def test_a_decision_that_was_another_is_named(stage: Stage) -> None:
    night = changed(a_night(stage), ResponderPaged, target="person:grace")

    (difference,) = told(night)
    assert "ResponderPaged: target was person:grace, is person:ada" in difference


def test_what_was_not_decided_then_and_is_now_is_additional(stage: Stage) -> None:
    night = a_night(stage)
    escalation = next(event for event in night.log if isinstance(event.data, IncidentEscalated))
    cause = [event.sequence for event in night.log if event.cause == escalation.cause]
    page = next(number for number in cause if number > escalation.sequence)
    cut = without(night, lambda message: message.stream == "INCIDENTS" and message.sequence == page)

    (difference,) = told(cut)
    assert "ResponderPaged: additional" in difference


def test_a_core_that_decides_nothing_misses_all(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    night = a_night(stage)
    monkeypatch.setattr(again, "decide_timer", lambda *_: ())

    missing = {difference.type for difference in fold_and_decide(night).differences if difference.kind == "missing"}

    assert {"IncidentEscalated", "DeadlineMissed", "IncidentClosed"} <= missing


def test_an_alert_from_which_nothing_followed_is_asked_about_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    night = a_night(stage, prepare=lambda world: world.web.answer("/health", OK))
    renewals = len(night.alerts) - len({event.cause for event in night.log} & {alert.id for alert in night.alerts})
    assert renewals > 0
    real = decide_alert_fired
    monkeypatch.setattr(again, "decide_alert_fired", lambda *given: real(*given) or (IncidentClosed(),))

    found = fold_and_decide(night).differences

    assert [difference.type for difference in found] == ["IncidentClosed"] * renewals


def test_an_outcome_from_which_nothing_followed_is_asked_about_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runbook ends without success after its outcome was unknown: of that people have been told already."""
    night = a_night(stage, prepare=lambda world: world.web.answer("/clear", Behaviour(500)))
    assert told(night) == []
    real = decide_outcome
    monkeypatch.setattr(again, "decide_outcome", lambda *given: real(*given) or (IncidentClosed(),))

    assert [difference.type for difference in fold_and_decide(night).differences] == ["IncidentClosed"]


# --- what cannot be decided -------------------------------------------------------------------------------------------


def test_a_command_that_was_rejected_is_named_as_undecided(stage: Stage) -> None:
    def prepare(world: World) -> None:
        world.at(minutes(3), partial(ask, world, Resolve))
        world.at(minutes(4), partial(ask, world, Resolve))

    night = a_night(stage, prepare=prepare)
    (rejected,) = [event for event in night.log if isinstance(event.data, CommandRejected)]

    decided = fold_and_decide(night)

    assert decided.differences == []
    assert decided.undecided == [
        f"INCIDENTS {rejected.sequence}: CommandRejected: what it was decided on is not in the recording"
    ]


def test_an_incident_that_began_before_the_recording_is_left_out(stage: Stage) -> None:
    night = a_night(stage)
    later = without(night, lambda message: message.stream == "INCIDENTS" and message.sequence <= 3)

    decided = fold_and_decide(later)

    assert (decided.decisions, decided.differences, decided.undecided) == (0, [], [])


def test_an_incident_whose_playbook_is_not_there_is_named_as_undecided(stage: Stage) -> None:
    night = a_night(stage)
    decided = fold_and_decide(without(night, lambda message: message.stream == "PLAYBOOKS"))

    assert decided.decisions == 0
    assert decided.differences == []
    assert len(decided.undecided) == len({event.cause for event in night.log if event.data.OWNER == "escalator"})


def test_an_alert_that_names_a_playbook_that_is_not_there_is_decided_on_under_another(stage: Stage) -> None:
    night = a_night(stage)
    other = PlaybookRef(name="gone", revision="0" * 12)
    alerts = {alert.sequence: alert.data.model_copy(update={"playbook": other}) for alert in night.alerts}

    def renamed(message: Recorded) -> Recorded:
        return replace(message, data=alerts[message.sequence].to_json()) if message.stream == "ALERTS" else message

    assert told(Recording([renamed(message) for message in night.messages])) == []
