"""Silences and overrides that people order, on a real log: once, whoever dies in between, and for all incidents."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from escalator_shell import MovableClock, Shell, ShelvedPlaybooks
from escalator_world import ended, fired, person

from tocsin_runtime import BusUnavailableError, Connection
from tocsin_schemas import Command, Envelope, Event, Payload
from tocsin_schemas.commands import Acknowledge, LiftOverride, LiftSilence, OverrideOnCall, Silence
from tocsin_schemas.events import (
    AlertFired,
    IncidentMuted,
    IncidentUnmuted,
    OrderRejected,
    OverrideSet,
    ResponderPaged,
    SilenceLifted,
    SilenceSet,
)
from tocsin_schemas.ids import group_key_digest, incident_id

TEXT = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P1, acknowledge_within: 5m}]
group: {by: [service]}
oncall:
  people: [{name: ada, access: commander}, {name: bob}, {name: eve}]
  schedules:
    - {name: primary, layers: [{people: [ada], starts: 2026-01-01}]}
escalate:
  - severities: [P1]
    levels: [{after: 0s, notify: ["schedule:primary"]}, {after: 10m, notify: ["person:eve"]}]
"""
ADA = person("ada")
HOUR = timedelta(hours=1)


@pytest.fixture
def playbooks() -> ShelvedPlaybooks:
    return ShelvedPlaybooks(TEXT)


@pytest.fixture
def second(connection: Connection, playbooks: ShelvedPlaybooks, clock: MovableClock) -> Shell:
    """Another replica."""
    return Shell(connection, playbooks, clock)


def incident_of(service: str) -> str:
    return incident_id(group_key_digest((("service", service),), "shop"), 0)


CHECKOUT = incident_of("checkout")


def alert(shell: Shell, service: str = "checkout", rule: str = "Errors") -> AlertFired:
    return fired(rule, "P1", at=shell.clock.now(), service=service)


def silence(shell: Shell, *match: str, starts: timedelta | None = None, lasts: timedelta = HOUR) -> Silence:
    now = shell.clock.now()
    return Silence(
        match=match or ('service="checkout"',),
        begins_at=None if starts is None else now + starts,
        until=now + (starts or timedelta()) + lasts,
        because="an upgrade",
        by=ADA,
    )


async def order(shell: Shell, command: Command) -> Event:
    """Give an order; the answer."""
    (later,) = await shell.handle(command)
    assert later is None
    return shell.orders.history()[-1].data


async def paged(shell: Shell, incident: str = CHECKOUT) -> list[str]:
    return [each.target for each in await shell.events(incident) if isinstance(each, ResponderPaged)]


async def kinds(shell: Shell, *wanted: type[Event], incident: str = CHECKOUT) -> list[str]:
    return [type(each).__name__ for each in await shell.events(incident) if isinstance(each, wanted)]


async def mutes(shell: Shell, incident: str = CHECKOUT) -> list[str]:
    return await kinds(shell, IncidentMuted, IncidentUnmuted, incident=incident)


# --- silences --------------------------------------------------------------------------------------------------------


async def test_an_alert_that_comes_under_a_silence_pages_nobody_until_it_is_lifted(shell: Shell) -> None:
    set_ = await order(shell, silence(shell))
    assert isinstance(set_, SilenceSet)
    await shell.handle(alert(shell))
    assert await mutes(shell) == ["IncidentMuted"]
    assert await paged(shell) == []
    await shell.follow(CHECKOUT)
    assert isinstance(await order(shell, LiftSilence(silence=set_.silence, by=ADA)), SilenceLifted)
    assert await paged(shell) == ["person:ada"]


async def test_an_incident_of_which_people_are_told_falls_silent_and_its_escalation_stops(shell: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.follow(CHECKOUT)
    await order(shell, silence(shell))
    muted = [each for each in await shell.events(CHECKOUT) if isinstance(each, IncidentMuted)]
    assert [(each.why, each.because) for each in muted] == [("silence", "an upgrade")]
    shell.clock.move(1200)
    await shell.ring()
    assert await paged(shell) == ["person:ada"]


async def test_when_the_silence_is_over_those_who_had_been_told_are_told_again(shell: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.follow(CHECKOUT)
    await order(shell, silence(shell))
    shell.clock.move(3600)
    await shell.ring()
    assert await mutes(shell) == ["IncidentMuted", "IncidentUnmuted"]
    assert await paged(shell) == ["person:ada", "person:ada"]


async def test_who_is_on_it_is_not_paged_when_the_silence_is_lifted(shell: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.handle(Acknowledge(incident=CHECKOUT, by=ADA))
    await shell.follow(CHECKOUT)
    set_ = await order(shell, silence(shell))
    assert isinstance(set_, SilenceSet)
    await shell.follow(CHECKOUT)
    await order(shell, LiftSilence(silence=set_.silence, by=ADA))
    assert await mutes(shell) == ["IncidentMuted", "IncidentUnmuted"]
    assert await paged(shell) == ["person:ada"]


async def test_an_incident_with_one_alert_that_is_not_silenced_goes_on(shell: Shell) -> None:
    await shell.handle(alert(shell), alert(shell, rule="Slow"))
    await shell.follow(CHECKOUT)
    await order(shell, silence(shell, 'alertname="Errors"'))
    assert await mutes(shell) == []


async def test_only_what_the_silence_is_about_falls_silent(shell: Shell) -> None:
    await shell.handle(alert(shell), alert(shell, "search"))
    await shell.follow(CHECKOUT, incident_of("search"))
    await order(shell, silence(shell))
    assert await mutes(shell, incident_of("search")) == []


async def test_the_systems_own_alarm_goes_on_under_every_silence(shell: Shell) -> None:
    await shell.handle(alert(shell, rule="TocsinSourceDown"))
    await shell.follow(CHECKOUT)
    await order(shell, silence(shell))
    assert await mutes(shell) == []


async def test_more_incidents_than_one_write_holds_fall_silent_together(shell: Shell) -> None:
    services = [f"s{number}" for number in range(520)]
    for start in range(0, len(services), 256):
        await shell.handle(*(alert(shell, service) for service in services[start : start + 256]))
    await shell.follow(*map(incident_of, services))
    await order(shell, silence(shell, 'service=~"s.*"'))
    assert [await mutes(shell, incident_of(service)) for service in (services[0], services[-1])] == [
        ["IncidentMuted"],
        ["IncidentMuted"],
    ]


async def test_where_another_silence_goes_on_the_incident_stays_silent(shell: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.follow(CHECKOUT)
    longer = await order(shell, silence(shell, lasts=2 * HOUR))
    shorter = await order(shell, silence(shell, 'alertname="Errors"'))
    assert isinstance(longer, SilenceSet)
    assert isinstance(shorter, SilenceSet)
    await shell.follow(CHECKOUT)
    await order(shell, LiftSilence(silence=longer.silence, by=ADA))
    muted = [each for each in await shell.events(CHECKOUT) if isinstance(each, IncidentMuted)]
    assert [(each.name, each.until) for each in muted] == [
        (longer.silence, longer.ends_at),
        (shorter.silence, shorter.ends_at),
    ]
    shell.clock.move(3600)
    await shell.ring()
    assert await paged(shell) == ["person:ada", "person:ada"]


async def test_the_audit_silences_when_a_silence_begins_later(shell: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.follow(CHECKOUT)
    await order(shell, silence(shell, starts=timedelta(minutes=2)))
    await shell.audit.once()
    assert await mutes(shell) == []
    shell.clock.move(120)
    await shell.audit.once()
    assert await mutes(shell) == ["IncidentMuted"]
    await shell.follow(CHECKOUT)
    await shell.audit.once()
    assert await mutes(shell) == ["IncidentMuted"]


async def test_the_audit_tells_of_what_a_lifted_silence_left_muted(shell: Shell) -> None:
    set_ = await order(shell, silence(shell))
    assert isinstance(set_, SilenceSet)
    await shell.handle(alert(shell))  # the index has not heard of it
    await order(shell, LiftSilence(silence=set_.silence, by=ADA))
    assert await paged(shell) == []
    await shell.follow(CHECKOUT)
    await shell.audit.once()
    assert await paged(shell) == ["person:ada"]


async def test_an_incident_whose_playbook_cannot_be_had_waits(shell: Shell, playbooks: ShelvedPlaybooks) -> None:
    await shell.handle(alert(shell))
    await shell.follow(CHECKOUT)
    ref = playbooks.heads()["shop"]
    playbooks.forget(ref)
    playbooks._heads.clear()
    shell.handlers.rulebooks._made.clear()
    assert isinstance(await order(shell, silence(shell)), SilenceSet)
    assert await mutes(shell) == []


# --- once ------------------------------------------------------------------------------------------------------------


class KilledError(Exception):
    """kill -9."""


async def test_whoever_gets_the_command_after_a_crash_before_the_mutes_makes_them(
    shell: Shell, second: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shell.handle(alert(shell))
    await second.follow(CHECKOUT)
    await shell.follow(CHECKOUT)
    command = shell.envelope(silence(shell))

    async def killed(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(shell.order_handlers, "_look_again", killed)
    with pytest.raises(KilledError):
        await shell.deliver([command])
    assert await mutes(shell) == []
    said = await second.follow_orders()
    await second.deliver([command], tries=2)
    assert await mutes(second) == ["IncidentMuted"]
    assert await second.follow_orders() == said
    assert [type(event).__name__ for event in said] == ["SilenceSet"]


async def test_a_replica_that_has_not_heard_of_the_answer_gives_no_other(shell: Shell, second: Shell) -> None:
    set_ = await order(shell, silence(shell))
    assert isinstance(set_, SilenceSet)
    await second.follow_orders()
    lift = shell.envelope(LiftSilence(silence=set_.silence, by=ADA))
    assert await shell.deliver([lift]) == [None]
    assert await second.deliver([lift], tries=2) == [0.2]  # overtaken: it hears of the first answer before it decides
    await second.follow_orders()
    assert await second.deliver([lift], tries=3) == [None]
    assert [type(each) for each in await second.follow_orders()] == [SilenceSet, SilenceLifted]


async def test_of_two_replicas_with_different_commands_the_second_decides_on_what_the_first_has_ordered(
    shell: Shell, second: Shell
) -> None:
    set_ = await order(shell, silence(shell))
    assert isinstance(set_, SilenceSet)
    lift = LiftSilence(silence=set_.silence, by=ADA)
    again = second.envelope(lift)
    assert await second.deliver([again]) == [0.2]
    await second.follow_orders()
    assert await second.deliver([again], tries=2) == [None]
    assert isinstance(second.orders.history()[-1].data, SilenceLifted)
    late = shell.envelope(lift)
    assert await shell.deliver([late]) == [0.2]
    await shell.follow_orders()
    await shell.deliver([late], tries=2)
    assert isinstance(shell.orders.history()[-1].data, OrderRejected)


async def test_a_command_that_the_stream_did_not_take_comes_again(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = shell.envelope(silence(shell))

    async def lost(*_: object, **__: object) -> None:
        raise BusUnavailableError("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(shell.connection, "publish", lost)
        with pytest.raises(BusUnavailableError):
            await shell.deliver([command])
    assert shell.orders.history() == ()
    assert await shell.deliver([command], tries=2) == [None]
    assert [type(each) for each in await shell.follow_orders()] == [SilenceSet]


async def test_an_answer_that_was_written_and_not_heard_of_is_not_written_again(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = shell.envelope(silence(shell))
    publish = shell.connection.publish

    async def unheard(subject: str, envelope: Envelope[Payload], **given: object) -> None:
        await publish(subject, envelope, **given)  # type: ignore[arg-type]  # as it was given
        raise BusUnavailableError("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(shell.connection, "publish", unheard)
        with pytest.raises(BusUnavailableError):
            await shell.deliver([command])
    assert await shell.deliver([command], tries=2) == [0.2]
    await shell.follow_orders()
    assert await shell.deliver([command], tries=3) == [None]
    assert [type(each) for each in await shell.follow_orders()] == [SilenceSet]


async def test_commands_of_both_kinds_in_one_batch_are_carried_out(shell: Shell) -> None:
    await shell.handle(alert(shell))
    batch = [silence(shell, 'service="search"'), Acknowledge(incident=CHECKOUT, by=ADA)]
    assert await shell.handle(*batch) == [None, None]
    assert isinstance(shell.orders.history()[-1].data, SilenceSet)
    assert "IncidentAcknowledged" in await shell.said(CHECKOUT)


# --- overrides -------------------------------------------------------------------------------------------------------


def override(shell: Shell, who: str = "bob", lasts: timedelta = HOUR) -> OverrideOnCall:
    return OverrideOnCall(schedule="primary", person=who, until=shell.clock.now() + lasts, by=ADA)


async def test_under_an_override_another_person_is_paged_until_it_is_lifted(shell: Shell) -> None:
    set_ = await order(shell, override(shell))
    assert isinstance(set_, OverrideSet)
    await shell.handle(alert(shell))
    assert await paged(shell) == ["person:bob"]
    await order(shell, LiftOverride(override=set_.override, by=ADA))
    await shell.handle(alert(shell, "search"))
    assert await paged(shell, incident_of("search")) == ["person:ada"]


async def test_of_two_overrides_the_one_set_later_counts(shell: Shell) -> None:
    await order(shell, override(shell))
    await order(shell, override(shell, "eve"))
    await shell.handle(alert(shell))
    assert await paged(shell) == ["person:eve"]


async def test_an_override_of_nobody_who_is_known_is_rejected_and_changes_nothing(shell: Shell) -> None:
    answer = await order(shell, override(shell, "mallory"))
    assert isinstance(answer, OrderRejected)
    await shell.handle(alert(shell))
    assert await paged(shell) == ["person:ada"]


async def test_without_an_order_a_rulebook_is_the_same_object_and_with_one_it_is_made_once(shell: Shell) -> None:
    ref = shell.playbooks.heads()["shop"]
    books = shell.handlers.rulebooks
    before = books.of_incident(ref)
    assert books.of_incident(ref) is before
    await order(shell, override(shell))
    under = books.of_incident(ref)
    assert under is not None
    assert before is not None
    assert under is not before
    assert books.of_incident(ref) is under
    assert under.plans is before.plans


async def test_an_alert_that_ends_under_a_silence_is_watched_and_told_to_nobody(shell: Shell) -> None:
    await order(shell, silence(shell))
    one = alert(shell)
    await shell.handle(one)
    await shell.handle(ended(one, shell.clock.now()))
    said: Sequence[str] = await shell.said(CHECKOUT)
    assert "IncidentMonitoring" in said
    assert await paged(shell) == []
