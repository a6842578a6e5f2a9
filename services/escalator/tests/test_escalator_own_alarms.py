"""Clocks that do not ring are an alarm of our own: raised once, never muted, ended when it has been quiet."""

from datetime import timedelta

import pytest
from escalator_playbooks import STOREFRONT, STOREFRONT_TEXT
from escalator_shell import Shell, ShelvedPlaybooks
from escalator_world import fired, person

from tocsin_escalator.core.grouping import group_of
from tocsin_escalator.own_alarms import RULE
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_schemas.commands import Resolve, Silence
from tocsin_schemas.events import AlertGrouped, IncidentMonitoring, IncidentMuted, ResponderPaged
from tocsin_schemas.ids import group_key_digest, incident_id

OWN = incident_id(group_key_digest((("alertname", RULE),), STOREFRONT.ref.name), 0)


@pytest.fixture
def playbooks() -> ShelvedPlaybooks:
    return ShelvedPlaybooks(STOREFRONT_TEXT)


async def incident_with_missed_clocks(shell: Shell) -> str:
    alert = fired(severity="P0", at=shell.clock.now())
    await shell.handle(alert)
    incident = incident_id(group_of(alert, STOREFRONT).key, 0)
    await shell.follow(incident)
    return incident


async def missed(shell: Shell, incident: str, rounds: int = 1) -> None:
    """So many times a deadline passes, and only the audit notices."""
    for _ in range(rounds):
        shell.clock.move(61)
        assert await shell.audit.once() > 0
        await shell.follow(incident, OWN)


async def test_clocks_that_do_not_ring_are_told_to_people_and_once(shell: Shell) -> None:
    incident = await incident_with_missed_clocks(shell)
    await missed(shell, incident, 2)
    assert await shell.said(OWN) == [], "soon after a start clocks may still be on their way"
    await missed(shell, incident)
    (alert,) = [event for event in await shell.events(OWN) if isinstance(event, AlertGrouped)]
    assert alert.alert.rule == RULE
    assert "found by the audit" in alert.alert.summary
    assert [event for event in await shell.events(OWN) if isinstance(event, ResponderPaged)]
    await missed(shell, incident, 3)
    assert (await shell.said(OWN)).count("AlertGrouped") == 1


async def test_no_silence_mutes_it(shell: Shell) -> None:
    incident = await incident_with_missed_clocks(shell)
    until = shell.clock.now() + timedelta(hours=20)
    await shell.handle(Silence(match=('alertname=~".+"',), until=until, because="quiet please", by=person("ada")))
    await missed(shell, incident, 3)
    assert [event for event in await shell.events(OWN) if isinstance(event, ResponderPaged)]
    assert not [event for event in await shell.events(OWN) if isinstance(event, IncidentMuted)]


async def test_it_ends_when_no_clock_was_missed_for_a_while(shell: Shell, connection: Connection) -> None:
    incident = await incident_with_missed_clocks(shell)
    await missed(shell, incident, 3)
    await shell.handle(Resolve(incident=incident, by=person("ada")))
    for _ in range(12):
        shell.clock.move(60)
        await shell.ring()
        await shell.follow(incident, OWN)
        await shell.audit.once()
    assert [event for event in await shell.events(OWN) if isinstance(event, IncidentMonitoring)]
    other = Shell(connection, shell.playbooks, shell.clock)
    await other.follow(incident, OWN)
    before = await shell.said(OWN)
    await other.audit._own.end_where_quiet()
    assert await shell.said(OWN) == before, "another replica says nothing more"


async def test_after_an_interruption_it_waits_again(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    incident = await incident_with_missed_clocks(shell)
    await missed(shell, incident, 2)
    rounds = 0

    async def once() -> int:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise BusUnavailableError("no answer")
        raise KeyboardInterrupt

    monkeypatch.setattr(shell.audit, "once", once)
    with pytest.raises(KeyboardInterrupt):
        await shell.audit.run()
    monkeypatch.undo()
    await missed(shell, incident)
    assert await shell.said(OWN) == []
