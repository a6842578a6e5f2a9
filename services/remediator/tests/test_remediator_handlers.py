"""Inputs: one task at a time works on an incident, no message is lost, and none holds a place for nothing."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from remediator_world import ADA, T0, opened

from tocsin_remediator.core.incident import Incident
from tocsin_remediator.core.moves import Trigger, Wait
from tocsin_remediator.handlers import Handlers, IncidentFold
from tocsin_remediator.mitigation import Halt
from tocsin_runtime import Decider, Delivery, NotYetError, RefusedError
from tocsin_runtime.bus.delivery import Position
from tocsin_runtime.topology import consumers_of
from tocsin_schemas import Event, Impact, caused_by
from tocsin_schemas.commands import Acknowledge
from tocsin_schemas.events import ImpactStated, NoteAdded
from tocsin_schemas.subjects import incident_subject

WAIT = Wait(T0 + timedelta(seconds=7), "waiting for approval")
NOTE = NoteAdded(text="x", by=ADA)


class StandingClock:
    passed = 0.0

    def now(self) -> Any:
        return T0

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


class FakeMitigator:
    """Works until it is let go, and answers what it is told to."""

    def __init__(self, *halts: Halt) -> None:
        self.halts = list(halts)
        self.triggers: list[Trigger] = []
        self.go = asyncio.Event()
        self.at_work = 0

    async def work(self, _: str, trigger: Trigger) -> Halt:
        self.triggers.append(trigger)
        self.at_work += 1
        assert self.at_work == 1, "two tasks at work on one incident"
        await self.go.wait()
        self.at_work -= 1
        return self.halts.pop(0)


def handlers(mitigator: FakeMitigator) -> Handlers:
    clock = StandingClock()
    decider: Decider[Incident] = Decider(
        log=None,  # type: ignore[arg-type]  # it must not be read here
        service="remediator",
        fold=IncidentFold(),
        clock=clock,
        reads="all",
    )
    return Handlers(decider, mitigator, None, clock, timedelta(hours=1))  # type: ignore[arg-type]  # a double, and none


def delivery(event: Event, incident: str = "inc") -> Any:
    envelope = caused_by("cause", 0, "escalator", incident, T0, event).at(1)
    return Delivery(envelope, incident_subject(incident, type(event)), Position("INCIDENTS", 1, 1), None)  # type: ignore[arg-type]  # it is not settled here


async def test_an_impact_that_is_stated_may_start_a_runbook_and_a_note_may_not() -> None:
    mitigator = FakeMitigator(Halt(None, moved=False), Halt(None, moved=False))
    mitigator.go.set()
    inputs = handlers(mitigator)
    await inputs.on_incidents([delivery(ImpactStated(impact=Impact(data_loss=True), by=ADA))])
    await inputs.on_incidents([delivery(NOTE)])
    assert [trigger.may_start for trigger in mitigator.triggers] == [True, False]


def test_the_remediator_is_shown_an_impact_that_is_stated() -> None:
    filters = {name for spec in consumers_of("remediator") for name in spec.filters}
    assert incident_subject("i", ImpactStated).replace(".i.", ".*.") in filters


async def test_a_message_that_may_start_a_runbook_comes_again_until_nothing_is_left() -> None:
    mitigator = FakeMitigator(Halt(WAIT, moved=False), Halt(None, moved=True))
    mitigator.go.set()
    inputs = handlers(mitigator)
    with pytest.raises(NotYetError, match="waiting for approval") as later:
        await inputs.on_incidents([delivery(opened())])
    assert later.value.seconds == 7
    await inputs.on_incidents([delivery(opened())])
    assert [trigger.may_start for trigger in mitigator.triggers] == [True, True]


async def test_any_other_message_does_not_wait_unless_it_was_the_one_that_did_something() -> None:
    mitigator = FakeMitigator(Halt(WAIT, moved=False), Halt(WAIT, moved=True))
    mitigator.go.set()
    inputs = handlers(mitigator)
    await inputs.on_incidents([delivery(NOTE)])
    with pytest.raises(NotYetError):
        await inputs.on_incidents([delivery(NOTE)])
    assert not mitigator.triggers[0].may_start


async def test_a_message_that_finds_another_at_work_makes_it_look_once_more_and_is_done() -> None:
    mitigator = FakeMitigator(Halt(None, moved=True), Halt(None, moved=False))
    inputs = handlers(mitigator)
    working = asyncio.create_task(inputs.on_incidents([delivery(opened())]))
    await asyncio.sleep(0)
    await inputs.on_incidents([delivery(NOTE)])
    with pytest.raises(NotYetError, match="is being worked on"):
        await inputs.on_incidents([delivery(opened())])
    mitigator.go.set()
    await working
    assert len(mitigator.triggers) == 2


@pytest.mark.parametrize(("busy", "pause"), [(0.0, 1.0), (0.2, 1.0), (7.0, 7.0), (1800.0, 30.0)])
async def test_a_message_waits_about_as_long_again_as_somebody_has_been_at_work(busy: float, pause: float) -> None:
    mitigator = FakeMitigator(Halt(None, moved=True), Halt(None, moved=False))
    inputs = handlers(mitigator)
    working = asyncio.create_task(inputs.on_incidents([delivery(opened())]))
    await asyncio.sleep(0)
    inputs._clock.passed = busy  # type: ignore[attr-defined]  # a double
    with pytest.raises(NotYetError) as later:
        await inputs.on_incidents([delivery(opened())])
    assert later.value.seconds == pause
    mitigator.go.set()
    await working


async def test_a_long_wait_is_looked_at_again_every_five_minutes_for_the_clock_may_have_been_set() -> None:
    mitigator = FakeMitigator(Halt(Wait(T0 + timedelta(hours=4), "waiting for approval"), moved=True))
    mitigator.go.set()
    with pytest.raises(NotYetError) as later:
        await handlers(mitigator).on_incidents([delivery(opened())])
    assert later.value.seconds == 300


async def test_other_incidents_are_not_held_up() -> None:
    mitigator, other = FakeMitigator(Halt(None, moved=False)), FakeMitigator(Halt(None, moved=False))
    inputs = handlers(mitigator)
    working = asyncio.create_task(inputs.on_incidents([delivery(opened())]))
    await asyncio.sleep(0)
    other.go.set()
    inputs._mitigator = other  # type: ignore[assignment]  # a double
    await inputs.on_incidents([delivery(opened(), "other")])
    assert len(other.triggers) == 1
    mitigator.go.set()
    await working


async def test_an_incident_is_free_again_after_a_failure() -> None:
    mitigator = FakeMitigator()
    mitigator.go.set()
    inputs = handlers(mitigator)
    with pytest.raises(IndexError):
        await inputs.on_incidents([delivery(opened())])
    mitigator.halts = [Halt(None, moved=False)]
    mitigator.at_work = 0
    await inputs.on_incidents([delivery(opened())])


async def test_a_command_for_somebody_else_is_an_error_that_names_it() -> None:
    command = Acknowledge(incident="inc", by=ADA)
    envelope = caused_by("c", 0, "operator", "", T0, command)
    foreign: Any = Delivery(envelope, "tocsin.commands.remediator.x", Position("COMMANDS", 1, 1), None)  # type: ignore[arg-type]  # it is not settled here
    with pytest.raises(RefusedError, match="the remediator has no such command"):
        await handlers(FakeMitigator()).on_commands([foreign])
