"""Deadlines that are long due wait for what has queued up, and for those of more severe incidents; not for ever."""

from datetime import timedelta

import pytest
from escalator_shell import MovableClock, Shell, ShelvedPlaybooks
from escalator_world import fired

from tocsin_escalator.after_outage import AfterOutage
from tocsin_runtime import Connection
from tocsin_schemas import TimerDue

LONG = timedelta(hours=1)


@pytest.fixture
def waits(clock: MovableClock) -> AfterOutage:
    return AfterOutage(clock)


def ask(waits: AfterOutage, clock: MovableClock, place: int, rank: int, tries: int, late: timedelta = LONG) -> object:
    return waits.put_off(place, rank, clock.now() - late, tries, clock.now())


def test_who_rings_in_time_waits_for_nobody(waits: AfterOutage, clock: MovableClock) -> None:
    assert ask(waits, clock, 1, 0, 1) == 1.0
    assert ask(waits, clock, 2, 1, 1, late=timedelta(seconds=5)) is None


def test_who_is_late_waits_once_for_what_has_queued_up(waits: AfterOutage, clock: MovableClock) -> None:
    assert ask(waits, clock, 1, 0, 1) == 1.0
    assert ask(waits, clock, 1, 0, 2) is None


def test_less_severe_ones_wait_until_the_severe_ones_are_told(waits: AfterOutage, clock: MovableClock) -> None:
    for place, rank in ((1, 2), (2, 0), (3, 1)):
        assert ask(waits, clock, place, rank, 1) == 1.0
    assert ask(waits, clock, 1, 2, 2) == 0.5
    assert ask(waits, clock, 3, 1, 2) == 0.5
    assert ask(waits, clock, 2, 0, 2) is None
    assert ask(waits, clock, 1, 2, 3) == 0.5, "that of rank 1 is still to come"
    assert ask(waits, clock, 3, 1, 3) is None
    assert ask(waits, clock, 1, 2, 4) is None


def test_what_another_replica_was_given_is_not_waited_for_for_ever(waits: AfterOutage, clock: MovableClock) -> None:
    ask(waits, clock, 1, 0, 1)
    ask(waits, clock, 2, 1, 1)
    clock.move(15.9)
    assert ask(waits, clock, 2, 1, 2) == 0.5
    clock.move(0.5)
    assert ask(waits, clock, 2, 1, 3) is None


def test_nobody_is_put_off_more_than_ten_times(waits: AfterOutage, clock: MovableClock) -> None:
    ask(waits, clock, 1, 0, 1)
    assert ask(waits, clock, 2, 1, 10) == 0.5
    assert ask(waits, clock, 2, 1, 11) is None


def test_deadlines_that_another_replica_was_given_are_forgotten(waits: AfterOutage, clock: MovableClock) -> None:
    for place in range(10):
        ask(waits, clock, place, 1, 1)
        clock.move(20)
    assert {rank: set(places) for rank, places in waits._expected.items()} == {1: {9}}


async def test_an_alert_that_waits_for_its_playbook_is_no_outage_that_does_not_end(
    connection: Connection, clock: MovableClock
) -> None:
    shell, behind = Shell(connection, ShelvedPlaybooks(), clock), []
    message = shell.envelope(fired(at=clock.now()))
    for tries in range(1, 50):
        assert await shell.deliver([message], tries=tries) == [2.0]
        behind.append(shell.handlers.after_outage.is_behind())
        clock.move(2)
    assert [behind.index(True), behind[::-1].index(True)] == [3, 16]
    clock.move(10)
    await shell.deliver([message], tries=50)
    assert shell.handlers.after_outage.is_behind(), "after a rest it may be another outage"


async def test_the_most_severe_are_told_of_first(shell: Shell) -> None:
    for severity, service in (("P3", "web"), ("P0", "database"), ("P2", "search")):
        await shell.handle(fired(severity=severity, at=shell.clock.now(), service=service))
    clocks = [TimerDue(incident=i, deadline=d, due_at=at) for (i, d), at in shell.shelf.armed.items()]
    shell.clock.move(100_000)
    deliveries = [shell.envelope(clock) for clock in clocks]
    assert set(await shell.deliver(deliveries)) == {1.0}
    pauses = await shell.deliver(deliveries, tries=2)
    severe = [clock.incident for clock, pause in zip(clocks, pauses, strict=True) if pause is None]
    opened = {name: (await shell.events(name))[0] for name in {clock.incident for clock in clocks}}
    assert {getattr(opened[name], "severity", "") for name in severe} == {"P0"}
