"""Muted incidents on a real log: a cause and its consequences in one batch, in two replicas, and after a restart."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from escalator_shell import Shell, ShelvedPlaybooks
from escalator_world import ended, fired, person, rulebook
from test_escalator_muting import BOOK, UPGRADE

from tocsin_escalator.core.grouping import group_of
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.bus.log import Append
from tocsin_schemas import Event
from tocsin_schemas.commands import Resolve
from tocsin_schemas.events import AlertFired, IncidentMuted, IncidentUnmuted, ResponderPaged
from tocsin_schemas.ids import incident_id

TEXT = BOOK % ("0s", "[]")
RULES = rulebook(TEXT)


@pytest.fixture
def playbooks() -> ShelvedPlaybooks:
    return ShelvedPlaybooks(TEXT)


def database(shell: Shell) -> AlertFired:
    return fired("DatabaseDown", "P1", at=shell.clock.now(), service="database", region="eu")


def web(shell: Shell, name: str = "Errors") -> AlertFired:
    return fired(name, "P1", at=shell.clock.now(), tier="web", region="eu")


def incident_of(alert: AlertFired) -> str:
    return incident_id(group_of(alert, RULES).key, 0)


async def said(shell: Shell, alert: AlertFired, *kinds: type[Event]) -> list[str]:
    return [type(event).__name__ for event in await shell.events(incident_of(alert)) if isinstance(event, kinds)]


async def pages(shell: Shell, alert: AlertFired) -> int:
    return len(await said(shell, alert, ResponderPaged))


async def test_of_a_storm_in_one_batch_only_the_cause_pages(shell: Shell) -> None:
    cause, consequences = database(shell), [web(shell, f"Errors{number}") for number in range(3)]
    await shell.handle(cause, *consequences)
    assert [await pages(shell, alert) for alert in (cause, *consequences)] == [1, 0, 0, 0]
    muted = [event for event in await shell.events(incident_of(consequences[0])) if isinstance(event, IncidentMuted)]
    assert [event.explained_by for event in muted] == [incident_of(cause)]


async def test_when_the_cause_ends_what_still_fires_is_told_in_the_same_batch(shell: Shell) -> None:
    cause, still, recovered = database(shell), web(shell), web(shell, "Slow")
    await shell.handle(cause, still, recovered)
    await shell.follow(*map(incident_of, (cause, still, recovered)))
    await shell.handle(ended(recovered, shell.clock.now()))
    await shell.follow(incident_of(recovered))
    await shell.handle(ended(cause, shell.clock.now()))
    assert [await pages(shell, alert) for alert in (still, recovered)] == [1, 0]
    assert shell.shelf.armed
    again = shell.envelope(ended(cause, shell.clock.now()))
    await shell.deliver([again])
    assert await pages(shell, still) == 1


@pytest.mark.parametrize("written", [0, 1, 2])
async def test_whoever_was_muted_is_told_although_the_log_took_a_part_of_that_or_nothing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """The log takes the end of the cause, and so many events of what follows from it; then the message comes again."""
    cause, still = database(shell), web(shell)
    await shell.handle(cause, still)
    await shell.follow(incident_of(cause), incident_of(still))
    append = shell.log.append

    async def torn(appends: Sequence[Append]) -> object:
        whole = [each for each in appends if each.incident == incident_of(cause)]
        parts = [replace(each, events=each.events[:written]) for each in appends if each not in whole]
        await append([*whole, *(part for part in parts if part.events)])
        raise BusUnavailableError("no answer")

    message = shell.envelope(ended(cause, shell.clock.now()))
    monkeypatch.setattr(shell.log, "append", torn)
    with pytest.raises(BusUnavailableError):
        await shell.deliver([message])
    monkeypatch.undo()
    assert await pages(shell, still) == 0
    await shell.follow(incident_of(cause), incident_of(still))
    await shell.deliver([message], tries=2)
    assert await pages(shell, still) == 1
    await shell.follow(incident_of(cause), incident_of(still))
    assert shell.handlers.explanations.muted_by(incident_of(cause)) == ()


async def test_a_replica_that_comes_up_knows_what_explains_what(shell: Shell, connection: Connection) -> None:
    cause, consequence = database(shell), web(shell)
    await shell.handle(cause)
    other = Shell(connection, shell.playbooks, shell.clock)
    await other.follow(incident_of(cause))
    await other.handle(consequence)
    assert await pages(other, consequence) == 0
    third = Shell(connection, shell.playbooks, shell.clock)
    await third.follow(incident_of(cause), incident_of(consequence))
    await third.handle(ended(cause, shell.clock.now()))
    assert await pages(third, consequence) == 1


async def test_the_audit_tells_of_consequences_whose_cause_a_person_has_resolved(shell: Shell) -> None:
    cause, consequence = database(shell), web(shell)
    await shell.handle(cause, consequence)
    await shell.follow(incident_of(cause), incident_of(consequence))
    await shell.audit.once()
    assert await pages(shell, consequence) == 0
    await shell.handle(Resolve(incident=incident_of(cause), by=person("ada")))
    await shell.follow(incident_of(cause))
    for _ in range(2):
        await shell.audit.once()
    assert await pages(shell, consequence) == 1
    assert await said(shell, consequence, IncidentMuted, IncidentUnmuted) == ["IncidentMuted", "IncidentUnmuted"]


async def test_the_audit_ends_a_silence_whose_clock_did_not_ring(
    shell: Shell, connection: Connection, playbooks: ShelvedPlaybooks
) -> None:
    playbooks.publish(BOOK % ("0s", UPGRADE))
    alert = web(shell)
    await shell.handle(alert)
    assert await pages(shell, alert) == 0
    await shell.follow(incident_of(alert))
    shell.shelf.armed.clear()
    shell.clock.move(3603)
    assert await shell.audit.once() == 1
    assert await pages(shell, alert) == 1


async def test_without_its_playbook_an_alert_may_explain_others_until_it_is_read(
    shell: Shell, connection: Connection
) -> None:
    cause, consequence = database(shell), web(shell)
    await shell.handle(cause)
    empty = ShelvedPlaybooks()
    other = Shell(connection, empty, shell.clock)
    await other.follow(incident_of(cause))
    empty.publish(TEXT)
    await other.handle(consequence)
    assert await pages(other, consequence) == 0
