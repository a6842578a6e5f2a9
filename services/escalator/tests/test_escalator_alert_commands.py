"""Commands about an alert, from who does not know its incident: found, waited for, refused, and answered once."""

import pytest
from escalator_playbooks import STOREFRONT, STOREFRONT_TEXT
from escalator_shell import MovableClock, Shell, ShelvedPlaybooks
from escalator_world import ended, fired

from tocsin_escalator.alert_commands import PAUSES, UnknownAlertError
from tocsin_escalator.core.grouping import group_of
from tocsin_runtime import Connection
from tocsin_schemas import Actor
from tocsin_schemas.commands import AcknowledgeAlert, Split
from tocsin_schemas.events import AlertFired, AlertMoved, CommandRejected, IncidentAcknowledged
from tocsin_schemas.ids import incident_id

KEY = group_of(fired(), STOREFRONT).key
FIRST, SECOND = incident_id(KEY, 0), incident_id(KEY, 1)
SENDER = Actor.person("alertmanager", "pagerduty-events")


def alert(shell: Shell, episode: str = "e1") -> AlertFired:
    return fired(severity="P1", episode=episode, at=shell.clock.now())


def about(firing: AlertFired) -> AcknowledgeAlert:
    return AcknowledgeAlert(
        fingerprint=firing.fingerprint, episode=firing.episode, rule=firing.rule, labels=firing.labels, by=SENDER
    )


async def acknowledged(shell: Shell, incident: str = FIRST) -> list[Actor]:
    return [event.by for event in await shell.events(incident) if isinstance(event, IncidentAcknowledged)]


@pytest.mark.parametrize("is_known", [False, True])
async def test_the_incident_that_has_the_alert_is_acknowledged_by_who_asked(shell: Shell, is_known: bool) -> None:
    await shell.handle(alert(shell))
    if is_known:
        await shell.follow(FIRST)
    assert await shell.handle(about(alert(shell))) == [None]
    assert await acknowledged(shell) == [SENDER]


async def test_the_same_command_again_changes_nothing_also_in_another_replica(
    shell: Shell, connection: Connection, playbooks: ShelvedPlaybooks, clock: MovableClock
) -> None:
    await shell.handle(alert(shell))
    message = shell.envelope(about(alert(shell)))
    await shell.deliver([message])
    await shell.deliver([message])
    assert await Shell(connection, playbooks, clock).deliver([message], tries=2) == [None]
    assert await acknowledged(shell) == [SENDER]


async def test_what_another_replica_has_just_taken_in_is_found(
    shell: Shell, connection: Connection, playbooks: ShelvedPlaybooks, clock: MovableClock
) -> None:
    other, late = Shell(connection, playbooks, clock), fired(severity="P1", at=clock.now(), pod="late")
    await shell.handle(alert(shell))
    await other.handle(late)
    assert await shell.handle(about(late)) == [None]
    assert await acknowledged(shell) == [SENDER]


async def test_a_command_that_overtakes_its_alert_waits_for_it(shell: Shell) -> None:
    message = shell.envelope(about(alert(shell)))
    for tries, pause in enumerate(PAUSES, 1):
        assert await shell.deliver([message], tries=tries) == [pytest.approx(pause)]
    await shell.handle(alert(shell))
    assert await shell.deliver([message], tries=len(PAUSES) + 1) == [None]
    assert await acknowledged(shell) == [SENDER]


async def test_an_alert_that_no_incident_has_is_refused_in_one_line(shell: Shell) -> None:
    await shell.handle(alert(shell))
    with pytest.raises(UnknownAlertError, match=r"^no incident has this firing of CheckoutErrors$"):
        await shell.handle(about(alert(shell, "another")), tries=len(PAUSES) + 1)
    assert await acknowledged(shell) == []


async def test_without_a_playbook_it_waits(connection: Connection, clock: MovableClock) -> None:
    shelf = ShelvedPlaybooks()
    shell = Shell(connection, shelf, clock)
    message = shell.envelope(about(alert(shell)))
    assert await shell.deliver([message]) == [pytest.approx(PAUSES[0])]
    shelf.publish(STOREFRONT_TEXT)
    await shell.handle(alert(shell))
    assert await shell.deliver([message], tries=2) == [None]
    assert await acknowledged(shell) == [SENDER]


async def test_the_firing_counts_and_not_the_alert(shell: Shell) -> None:
    """An acknowledgement of the firing before does not answer for the one that has begun since."""
    before = alert(shell)
    await shell.handle(before)
    await shell.handle(ended(before, shell.clock.now()))
    for seconds in (30, 60, 3600):
        shell.clock.move(seconds)
        await shell.ring(tries=2)
    assert (await shell.said(FIRST))[-1] == "IncidentClosed"
    await shell.handle(alert(shell, "e2"))
    assert await shell.handle(about(before)) == [None]
    assert await acknowledged(shell, SECOND) == []
    rejected = [event for event in await shell.events(FIRST) if isinstance(event, CommandRejected)]
    assert [(each.command, each.reason, each.by) for each in rejected] == [
        ("Acknowledge", "the incident is closed", SENDER)
    ]
    assert await shell.handle(about(alert(shell, "e2"))) == [None]
    assert await acknowledged(shell, SECOND) == [SENDER]


async def test_an_alert_that_was_split_off_is_found_where_it_is_now(shell: Shell) -> None:
    one, other = alert(shell), fired(severity="P1", at=shell.clock.now(), pod="other")
    await shell.handle(one, other)
    await shell.handle(Split(incident=FIRST, alerts=(other.fingerprint,), by=Actor.person("ada", "cli")))
    (moved,) = [event for event in await shell.events(FIRST) if isinstance(event, AlertMoved)]
    await shell.handle(about(other))
    assert await acknowledged(shell) == []
    assert await acknowledged(shell, moved.to) == [SENDER]


async def test_who_may_not_is_refused_on_the_timeline(connection: Connection, clock: MovableClock) -> None:
    """The playbook says what somebody may, whatever door they come by."""
    text = STOREFRONT_TEXT.replace("oncall:\n", "oncall:\n  others: viewer\n", 1)
    assert text != STOREFRONT_TEXT
    shell = Shell(connection, ShelvedPlaybooks(text), clock)
    await shell.handle(alert(shell))
    await shell.handle(about(alert(shell)))
    assert await acknowledged(shell) == []
    assert (await shell.events(FIRST))[-1] == CommandRejected(
        command="Acknowledge", reason="alertmanager is a viewer; Acknowledge asks for a responder", by=SENDER
    )
