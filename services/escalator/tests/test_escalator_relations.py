"""Incidents that are one, and one that is two, on a real log: merged, split, linked, correlated."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from escalator_shell import Shell, ShelvedPlaybooks
from escalator_world import ended, fired, person, rulebook
from test_escalator_kin import TEXT

from tocsin_escalator.core.grouping import group_of
from tocsin_escalator.core.incident import IncidentState, Phase
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.bus.log import Append
from tocsin_schemas import Event
from tocsin_schemas.commands import Link, Merge, Resolve, Silence, Split, TakeOver
from tocsin_schemas.events import (
    AlertCleared,
    AlertFired,
    AlertMoved,
    CommandRejected,
    IncidentLinked,
    IncidentMuted,
    IncidentOpened,
    IncidentResolved,
    OriginSuspected,
    ResponderPaged,
    SeverityChanged,
)
from tocsin_schemas.ids import incident_id

RULES = rulebook(TEXT)
ADA = person("ada")


@pytest.fixture
def playbooks() -> ShelvedPlaybooks:
    return ShelvedPlaybooks(TEXT.replace("{name: ada}", "{name: ada, access: commander}"))


def alert(shell: Shell, service: str, rule: str = "Errors", severity: str = "P2", episode: str = "e1") -> AlertFired:
    return fired(rule, severity, episode=episode, at=shell.clock.now(), service=service)


def of(alert: AlertFired) -> str:
    return incident_id(group_of(alert, RULES).key, 0)


async def state(shell: Shell, incident: str) -> IncidentState:
    found: list[IncidentState] = []

    async def look(work, _):  # type: ignore[no-untyped-def]  # the types are the decider's
        found.append((await work.known(incident)).state)

    await shell.decider.many([0], look)
    return found[-1]


async def told(shell: Shell, incident: str, *kinds: type[Event]) -> list[Event]:
    return [event for event in await shell.events(incident) if isinstance(event, kinds)]


async def rejection(shell: Shell, incident: str) -> str:
    last = (await told(shell, incident, CommandRejected))[-1]
    assert isinstance(last, CommandRejected)
    return last.reason


async def two(shell: Shell, one: str = "mail", other: str = "loop") -> tuple[AlertFired, AlertFired]:
    """Two incidents that nothing connects."""
    alerts = alert(shell, one), alert(shell, other)
    await shell.handle(*alerts)
    await shell.follow(*map(of, alerts))
    return alerts


# --- merging ----------------------------------------------------------------------------------------------------------


async def test_of_a_merged_incident_nobody_is_told_and_the_other_takes_its_severity(shell: Shell) -> None:
    part, whole = await two(shell)
    await shell.handle(Merge(incident=of(part), into=of(whole), because="the same disk", by=ADA))
    await shell.follow(of(part), of(whole))
    assert (await state(shell, of(part))).part_of == of(whole)
    assert (await state(shell, of(whole))).parts == {of(part)}
    await shell.handle(alert(shell, "mail", rule="Worse", severity="P0"))
    assert len(await told(shell, of(part), ResponderPaged)) == 1, "only the page from before it was merged"
    changes = await told(shell, of(whole), SeverityChanged)
    assert [(change.after, change.why) for change in changes if isinstance(change, SeverityChanged)] == [
        ("P0", "merge")
    ]


async def test_when_the_whole_is_over_by_itself_what_still_fires_in_its_part_is_told(shell: Shell) -> None:
    part, whole = await two(shell)
    await shell.handle(Merge(incident=of(part), into=of(whole), by=ADA))
    await shell.follow(of(part), of(whole))
    await shell.handle(ended(whole, shell.clock.now()))
    await shell.follow(of(whole))
    before = len(await told(shell, of(part), ResponderPaged))
    shell.clock.move(301)
    await shell.ring()
    assert (await state(shell, of(whole))).phase is Phase.RESOLVED
    assert (await state(shell, of(part))).muted is None
    assert len(await told(shell, of(part), ResponderPaged)) == before + 1


async def test_who_resolves_the_whole_resolves_its_parts(shell: Shell) -> None:
    part, whole = await two(shell)
    await shell.handle(Merge(incident=of(part), into=of(whole), by=ADA))
    await shell.follow(of(part), of(whole))
    await shell.handle(Resolve(incident=of(whole), by=ADA, notes="one disk"))
    assert (await state(shell, of(part))).phase is Phase.RESOLVED


async def test_who_resolves_the_whole_resolves_what_another_replica_has_just_merged(
    shell: Shell, connection: Connection, playbooks: ShelvedPlaybooks
) -> None:
    part, whole = await two(shell)
    other = Shell(connection, playbooks, shell.clock)
    await other.handle(Merge(incident=of(part), into=of(whole), by=ADA))
    await shell.handle(Resolve(incident=of(whole), by=ADA))
    assert (await state(other, of(part))).part_of == of(whole)
    assert (await told(shell, of(part), IncidentResolved)) != []


async def test_a_part_takes_its_own_parts_along(shell: Shell) -> None:
    small, middle = await two(shell)
    large = alert(shell, "disk", "Full")
    await shell.handle(large)
    await shell.follow(of(large))
    await shell.handle(Merge(incident=of(small), into=of(middle), by=ADA))
    await shell.follow(of(small), of(middle))
    await shell.handle(Merge(incident=of(middle), into=of(large), by=ADA))
    assert [(await state(shell, of(each))).part_of for each in (small, middle)] == [of(large)] * 2


async def test_what_cannot_be_merged_is_said(shell: Shell) -> None:
    one, other = await two(shell)
    third = alert(shell, "disk", "Full")
    await shell.handle(third)
    await shell.follow(of(third))
    await shell.handle(Merge(incident=of(one), into=of(one), by=ADA))
    assert await rejection(shell, of(one)) == "an incident is no part of itself"
    await shell.handle(Merge(incident=of(one), into="nothere", by=ADA))
    assert await rejection(shell, of(one)) == "there is no incident nothere"
    await shell.handle(Merge(incident=of(one), into=of(other), by=ADA))
    await shell.follow(of(one), of(other))
    await shell.handle(Merge(incident=of(one), into=of(other), by=ADA))
    assert await rejection(shell, of(one)) == f"it is a part of {of(other)} already"
    await shell.handle(Merge(incident=of(other), into=of(one), by=ADA))
    assert await rejection(shell, of(other)) == f"{of(one)} is a part of this one itself"
    await shell.handle(Merge(incident=of(third), into=of(one), by=ADA))
    assert await rejection(shell, of(third)) == f"{of(one)} is a part of {of(other)} itself"
    await shell.handle(Resolve(incident=of(other), by=ADA))
    await shell.handle(Merge(incident=of(third), into=of(other), by=ADA))
    assert await rejection(shell, of(third)) == f"{of(other)} is over: nobody would be told"
    await shell.handle(Merge(incident=of(third), into=of(other), by=person("bob")))
    assert await rejection(shell, of(third)) == "bob is a responder; Merge asks for a commander"


async def test_who_leads_the_whole_may_take_a_part_in(shell: Shell) -> None:
    part, whole = await two(shell)
    await shell.handle(TakeOver(incident=of(whole), by=person("bob")))
    await shell.handle(Merge(incident=of(part), into=of(whole), by=person("bob")))
    assert (await state(shell, of(part))).part_of == of(whole)


async def test_the_same_command_again_says_nothing_more(shell: Shell) -> None:
    part, whole = await two(shell)
    message = shell.envelope(Merge(incident=of(part), into=of(whole), by=ADA))
    await shell.deliver([message])
    before = [await shell.said(of(each)) for each in (part, whole)]
    await shell.deliver([message], tries=2)
    assert [await shell.said(of(each)) for each in (part, whole)] == before


@pytest.mark.parametrize("written", [0, 1])
async def test_half_a_merge_is_completed_when_the_command_comes_again(
    shell: Shell, connection: Connection, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """The log takes what was decided on so many of the two incidents; then this replica dies, and another goes on."""
    part, whole = await two(shell)
    message = shell.envelope(Merge(incident=of(part), into=of(whole), by=ADA))
    append = shell.log.append

    async def torn(appends: Sequence[Append]) -> object:
        if written:
            await append(list(appends)[:written])
        raise BusUnavailableError("no answer")

    monkeypatch.setattr(shell.log, "append", torn)
    with pytest.raises(BusUnavailableError):
        await shell.deliver([message])
    other = Shell(connection, shell.playbooks, shell.clock)
    await other.follow(of(part), of(whole))
    await other.deliver([message], tries=2)
    assert (await state(other, of(part))).part_of == of(whole)
    assert [
        event.relation for event in await told(other, of(whole), IncidentLinked) if isinstance(event, IncidentLinked)
    ] == ["absorbed"]


# --- splitting --------------------------------------------------------------------------------------------------------


async def both_in_one(shell: Shell) -> tuple[AlertFired, AlertFired]:
    alerts = alert(shell, "disk", "Full"), alert(shell, "disk", "Slow", "P1")
    await shell.handle(*alerts)
    await shell.follow(of(alerts[0]))
    return alerts


async def test_an_alert_that_is_split_off_is_an_incident_of_its_own_for_good(shell: Shell) -> None:
    full, slow = await both_in_one(shell)
    message = shell.envelope(Split(incident=of(full), alerts=(slow.fingerprint,), because="another disk", by=ADA))
    await shell.deliver([message])
    (moved,) = await told(shell, of(full), AlertMoved)
    assert isinstance(moved, AlertMoved)
    assert await shell.said(moved.to) == [
        "IncidentOpened", "AlertGrouped", "IncidentLinked", "ResponderPaged",
    ]  # fmt: skip
    await shell.deliver([message], tries=2)
    assert len(await shell.said(moved.to)) == 4
    await shell.follow(of(full), moved.to)
    await shell.handle(ended(slow, shell.clock.now()))
    assert (await state(shell, moved.to)).phase is Phase.MONITORING
    assert (await state(shell, of(full))).phase is Phase.TRIGGERED


async def test_a_replica_whose_index_is_cold_finds_an_alert_where_it_was_moved(
    shell: Shell, connection: Connection
) -> None:
    full, slow = await both_in_one(shell)
    await shell.handle(Split(incident=of(full), alerts=(slow.fingerprint,), by=ADA))
    other = Shell(connection, shell.playbooks, shell.clock)
    await other.handle(ended(slow, shell.clock.now()))
    (moved,) = await told(shell, of(full), AlertMoved)
    assert isinstance(moved, AlertMoved)
    assert (await state(other, moved.to)).phase is Phase.MONITORING


async def test_a_replica_that_has_not_heard_of_the_split_ends_an_alert_where_it_was_moved(
    shell: Shell, connection: Connection, playbooks: ShelvedPlaybooks
) -> None:
    one, other = alert(shell, "mail"), alert(shell, "mail", "Worse")
    await shell.handle(one, other)
    await shell.follow(of(one))
    await Shell(connection, playbooks, shell.clock).handle(Split(incident=of(one), alerts=(other.fingerprint,), by=ADA))
    [moved] = await told(shell, of(one), AlertMoved)
    assert isinstance(moved, AlertMoved)
    assert await shell.handle(ended(other, shell.clock.now())) == [None]
    assert len(await told(shell, moved.to, AlertCleared)) == 1


@pytest.mark.parametrize("of_the_whole", [True, False])
async def test_half_a_split_is_completed_when_the_command_comes_again(
    shell: Shell, connection: Connection, monkeypatch: pytest.MonkeyPatch, of_the_whole: bool
) -> None:
    """The log takes what was decided on one of the two incidents; then this replica dies, and another goes on."""
    full, slow = await both_in_one(shell)
    message = shell.envelope(Split(incident=of(full), alerts=(slow.fingerprint,), by=ADA))
    append = shell.log.append

    async def torn(appends: Sequence[Append]) -> object:
        await append([each for each in appends if (each.incident == of(full)) is of_the_whole])
        raise BusUnavailableError("no answer")

    monkeypatch.setattr(shell.log, "append", torn)
    with pytest.raises(BusUnavailableError):
        await shell.deliver([message])
    other = Shell(connection, shell.playbooks, shell.clock)
    await other.follow(of(full))
    await other.deliver([message], tries=2)
    (moved,) = await told(other, of(full), AlertMoved)
    assert isinstance(moved, AlertMoved)
    assert (await other.said(moved.to)).count("ResponderPaged") == 1
    assert not await told(other, of(full), CommandRejected)


async def test_what_cannot_be_split_is_said(shell: Shell) -> None:
    full, slow = await both_in_one(shell)
    await shell.handle(Split(incident=of(full), alerts=("f" * 16,), by=ADA))
    assert await rejection(shell, of(full)) == f"none of these alerts fires in it: {'f' * 16}"
    await shell.handle(Split(incident=of(full), alerts=(full.fingerprint, slow.fingerprint), by=ADA))
    assert await rejection(shell, of(full)) == "these are all of its alerts: nothing would be left"
    await shell.handle(Split(incident=of(full), by=ADA))
    assert (await rejection(shell, of(full))).startswith("it is no part of another; name the alerts")
    assert len(await told(shell, of(full), IncidentOpened)) == 1


async def test_what_was_merged_stands_for_itself_again_when_it_is_split(shell: Shell) -> None:
    part, whole = await two(shell)
    await shell.handle(Merge(incident=of(part), into=of(whole), by=ADA))
    await shell.follow(of(part), of(whole))
    await shell.handle(Split(incident=of(part), by=ADA))
    assert (await state(shell, of(part))).part_of is None
    assert len(await told(shell, of(part), ResponderPaged)) == 2


# --- linking ----------------------------------------------------------------------------------------------------------


async def test_a_link_stands_in_the_log_and_changes_nothing(shell: Shell) -> None:
    one, other = await two(shell)
    await shell.handle(Link(incident=of(one), other=of(other), because="the same rack", by=ADA))
    assert (await shell.said(of(one)))[-1] == "IncidentLinked"
    await shell.handle(Link(incident=of(one), other="nothere", by=ADA))
    assert await rejection(shell, of(one)) == "there is no incident nothere"
    await shell.handle(Link(incident=of(one), other=of(one), by=ADA))
    assert await rejection(shell, of(one)) == "an incident always has to do with itself"


# --- correlation ------------------------------------------------------------------------------------------------------


async def test_a_storm_along_the_graph_is_one_incident_with_its_origin(shell: Shell) -> None:
    alerts = [alert(shell, name) for name in ("checkout", "search", "web", "mail")]
    await shell.handle(*alerts)
    pages = [len(await told(shell, of(each), ResponderPaged)) for each in alerts]
    assert pages == [1, 0, 0, 1]
    muted = await told(shell, of(alerts[1]), IncidentMuted)
    assert [(each.why, each.explained_by) for each in muted if isinstance(each, IncidentMuted)] == [
        ("correlation", of(alerts[0]))
    ]
    origins = await told(shell, of(alerts[0]), OriginSuspected)
    assert {event.service for event in origins if isinstance(event, OriginSuspected)} == {"database", "checkout"}


async def test_a_correlated_part_that_outlasts_the_whole_is_told_by_the_audit_at_the_latest(shell: Shell) -> None:
    whole, part = alert(shell, "database"), alert(shell, "checkout")
    await shell.handle(whole)
    await shell.follow(of(whole))
    await shell.handle(part)
    await shell.follow(of(part), of(whole))
    assert await told(shell, of(part), ResponderPaged) == []
    await shell.audit.once()
    assert await told(shell, of(part), ResponderPaged) == [], "as long as the whole is open it stays a part"
    await shell.handle(ended(whole, shell.clock.now()))
    shell.clock.move(301)
    await shell.follow(of(whole))
    await shell.ring()
    await shell.follow(of(whole), of(part))
    await shell.audit.once()
    assert len(await told(shell, of(part), ResponderPaged)) == 1


async def test_who_is_told_of_neither_is_told_of_the_part_when_the_whole_falls_silent(shell: Shell) -> None:
    whole, part = alert(shell, "database"), alert(shell, "checkout")
    await shell.handle(whole)
    await shell.follow(of(whole))
    await shell.handle(part)
    await shell.follow(of(part), of(whole))
    until = shell.clock.now() + timedelta(hours=1)
    await shell.handle(Silence(match=('service="database"',), until=until, because="known", by=ADA))
    await shell.follow(of(whole), of(part))
    await shell.audit.once()
    assert len(await told(shell, of(part), ResponderPaged)) == 1
