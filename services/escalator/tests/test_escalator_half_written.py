"""A disk that fills up within a decision: the rest of it is decided before anything else is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from escalator_shell import Shell, ShelvedPlaybooks
from escalator_world import fired, person
from test_escalator_handlers import FIRST, alert

from tocsin_escalator.core.fold import apply
from tocsin_escalator.half_written import PATIENCE
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.bus.log import Append
from tocsin_schemas import Event
from tocsin_schemas.commands import AddNote
from tocsin_schemas.events import AlertCleared, AlertFired, AlertGrouped, IncidentEscalated, ResponderPaged


@pytest.fixture
def disk(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> "Disk":
    return Disk(shell, monkeypatch)


class Disk:
    """The room that the log has."""

    def __init__(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        self._shell, self._monkeypatch, self._append = shell, monkeypatch, shell.log.append

    def has_room_for(self, written: int) -> None:
        async def torn(appends: Sequence[Append]) -> object:
            if not appends:
                return []
            if written:
                await self._append([replace(appends[0], events=appends[0].events[:written])])
            raise BusUnavailableError("no answer")

        self._monkeypatch.setattr(self._shell.log, "append", torn)

    def is_cleaned(self) -> None:
        self._monkeypatch.undo()


def pages(events: Sequence[Event]) -> int:
    return sum(isinstance(event, ResponderPaged) for event in events)


def another(shell: Shell) -> AlertFired:
    """An alert that the same incident takes."""
    return fired(host="web-2", severity="P1", at=shell.clock.now())


@pytest.mark.parametrize("written", [1, 2, 3, 5])
async def test_an_incident_of_which_the_beginning_was_written_pages_when_its_alert_comes_again(
    shell: Shell, disk: Disk, written: int
) -> None:
    message = shell.envelope(alert(shell))
    disk.has_room_for(written)
    with pytest.raises(BusUnavailableError):
        await shell.deliver([message])
    assert (len(await shell.events(FIRST)), pages(await shell.events(FIRST))) == (written, 0)
    disk.is_cleaned()
    shell.clock.move(30)
    assert await shell.deliver([message], tries=2) == [None]
    assert pages(await shell.events(FIRST)) == 1
    assert shell.shelf.armed
    assert await shell.deliver([message], tries=3) == [None]
    assert pages(await shell.events(FIRST)) == 1


async def test_what_comes_in_between_waits_for_the_rest_and_not_for_ever(shell: Shell, disk: Disk) -> None:
    message = shell.envelope(alert(shell))
    disk.has_room_for(2)
    with pytest.raises(BusUnavailableError):
        await shell.deliver([message])
    disk.is_cleaned()
    other, note = shell.envelope(another(shell)), shell.envelope(AddNote(incident=FIRST, text="?", by=person("ada")))
    for inputs in ([other], [note]):
        assert await shell.deliver(inputs) == [1.0]
    assert len(await shell.events(FIRST)) == 2
    assert await shell.deliver([other, message], tries=2) == [1.0, None]
    assert [await shell.deliver([each], tries=3) for each in (other, note)] == [[None], [None]]
    assert pages(await shell.events(FIRST)) == 1


async def test_who_waits_for_a_rest_notices_that_another_replica_has_added_it(
    shell: Shell, disk: Disk, connection: Connection, playbooks: ShelvedPlaybooks
) -> None:
    message, other = shell.envelope(alert(shell)), shell.envelope(another(shell))
    disk.has_room_for(2)
    with pytest.raises(BusUnavailableError):
        await shell.deliver([message])
    disk.is_cleaned()
    assert await shell.deliver([other]) == [1.0]
    assert await Shell(connection, playbooks, shell.clock).deliver([message], tries=2) == [None]
    assert await shell.deliver([other], tries=2) == [None]
    assert (await shell.said(FIRST)).count("AlertGrouped") == 2


async def test_when_the_rest_does_not_come_life_goes_on(shell: Shell, disk: Disk) -> None:
    disk.has_room_for(2)
    with pytest.raises(BusUnavailableError):
        await shell.handle(alert(shell))
    disk.is_cleaned()
    note = shell.envelope(AddNote(incident=FIRST, text="?", by=person("ada")))
    assert await shell.deliver([note]) == [1.0]
    shell.clock.move(PATIENCE)
    assert await shell.deliver([note], tries=100) == [None]
    assert "NoteAdded" in await shell.said(FIRST)


async def test_the_patience_begins_when_the_log_takes_something_again(shell: Shell, disk: Disk) -> None:
    message = shell.envelope(alert(shell))
    note = shell.envelope(AddNote(incident=FIRST, text="?", by=person("ada")))
    disk.has_room_for(2)
    with pytest.raises(BusUnavailableError):
        await shell.deliver([message])
    disk.has_room_for(0)
    assert await shell.deliver([note]) == [1.0]
    shell.clock.move(PATIENCE)
    with pytest.raises(BusUnavailableError):
        await shell.deliver([message], tries=9)
    disk.is_cleaned()
    assert await shell.deliver([note], tries=2) == [1.0]
    assert await shell.deliver([message], tries=10) == [None]


async def test_an_alert_that_is_said_to_fire_after_its_end_does_not(shell: Shell) -> None:
    await shell.handle(alert(shell))
    state = (await shell.decider.load(FIRST))[0].state
    [key] = state.firing
    grouped = next(each for each in await shell.events(FIRST) if isinstance(each, AlertGrouped))
    over = AlertCleared(fingerprint=key.fingerprint, episode=key.episode, rule="R", ends_at=shell.clock.now())
    for event in (over, grouped):
        state = apply(state, event, shell.clock.now())
    assert not state.firing


async def test_the_audit_finds_a_deadline_of_whose_consequences_a_part_was_written(shell: Shell, disk: Disk) -> None:
    """Its clock has rung, and nobody rings it again; as the log stands the deadline is over."""
    await shell.handle(alert(shell))
    before = await shell.events(FIRST)
    shell.clock.move(timedelta(minutes=10).total_seconds())
    disk.has_room_for(1)
    with pytest.raises(BusUnavailableError):
        await shell.ring(tries=100)
    torn = await shell.events(FIRST)
    assert len(torn) == len(before) + 1
    disk.is_cleaned()
    await shell.follow(FIRST)
    shell.clock.move(60)
    assert await shell.audit.once() > 0
    after = await shell.events(FIRST)
    assert pages(after) > pages(before)
    assert any(isinstance(event, IncidentEscalated) for event in after)
    await shell.follow(FIRST)
    assert await shell.audit.once() == 0
