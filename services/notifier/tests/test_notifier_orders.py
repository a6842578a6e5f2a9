"""Under an override by command: whoever stands in is told of what goes to a schedule, and the other is not."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from notifier_builders import ADA, MINUTE, NOW, REF, Log, acknowledged, kinds, opened, paged, playbook
from notifier_stage import Stage, host_of, staged
from structlog.testing import capture_logs

from tocsin_notifier.adapters.rulebooks import Rulebooks
from tocsin_notifier.core.rulebook import Rulebook
from tocsin_playbook import Playbook
from tocsin_playbook.standing_orders import NO_ORDERS, StandingOrders
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import Playbooks
from tocsin_schemas import DeadlineKind, Event, PlaybookRef, caused_by
from tocsin_schemas.events import DeadlineMissed, OverrideLifted, OverrideSet, SilenceSet, WarRoomRequested
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import order_subject
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.receivers.slack import SlackDouble
from tocsin_testkit.receivers.smtp import SmtpSink

SCHEDULE = "  schedules: [{name: primary, layers: [{people: [ada], starts: 2026-01-01}]}]"
TOLD = """
    - {to: ["schedule:primary"], on: [opened]}
  cadence: [{severities: [P0], every: 30m, remind: ["schedule:primary"]}]"""
STANDS_IN = OverrideSet(
    override="o1", schedule="primary", person="grace", begins_at=NOW, ends_at=NOW + 10 * MINUTE, by=ADA
)
SILENCE = SilenceSet(silence="s1", match=('a="b"',), begins_at=NOW, ends_at=NOW + 10 * MINUTE, because="a move", by=ADA)


class Shelf:
    """The one published playbook. `changed` tells whoever asked for it that another is in force."""

    def __init__(self, made: Playbook) -> None:
        self.playbook = made
        self.changed: Callable[[], None] = lambda: None

    def on_change(self, look: Callable[[], None]) -> None:
        self.changed = look

    def heads(self) -> dict[str, PlaybookRef]:
        return {REF.name: REF}

    def get(self, _: PlaybookRef) -> Playbook:
        return self.playbook


class Ordered:
    """Orders that are what a test says."""

    def __init__(self, standing: StandingOrders = NO_ORDERS) -> None:
        self.standing = standing


def rulebooks(orders: Ordered, **given: object) -> tuple[Rulebooks, Shelf]:
    shelf = Shelf(playbook(oncall=SCHEDULE, communicate=TOLD, **given))
    kinds = ("slack", "smtp", "webhook", "console")
    return Rulebooks(cast(Playbooks, cast(Any, shelf)), cast(Orders, cast(Any, orders)), kinds), shelf


def under(*overrides: OverrideSet) -> Rulebook:
    book = rulebooks(Ordered(StandingOrders(overrides=overrides)))[0].of_incident(REF)
    assert book is not None
    return book


def people(log: Log, event: Event, book: Rulebook, after: timedelta = timedelta()) -> list[str]:
    """The people who are told of it."""
    told = kinds(log.told(log.add(event, after=after), book))
    return [recipient for _, recipient in told if recipient.startswith("person:")]


OVERDUE = DeadlineMissed(deadline="d", kind=DeadlineKind.UPDATE, due_at=NOW)
ROOM = WarRoomRequested(channel="slack", name="#incident-1", invite=("person:ada",))


@pytest.mark.parametrize("event", [opened(), OVERDUE], ids=lambda event: type(event).__name__)
def test_whoever_stands_in_is_told_for_as_long_as_it_lasts(event: Event) -> None:
    assert people(Log(opened()), event, under()) == ["person:ada"]
    assert people(Log(opened()), event, under(STANDS_IN)) == ["person:grace"]
    assert people(Log(opened()), event, under(STANDS_IN), after=10 * MINUTE) == ["person:ada"]


def test_whoever_stands_in_hears_of_the_war_room_with_those_who_are_invited() -> None:
    assert people(Log(opened()), ROOM, under(STANDS_IN)) == ["person:grace", "person:ada"]


def test_a_page_goes_to_whom_it_names_whatever_is_ordered() -> None:
    log = Log(opened())
    assert people(log, acknowledged(), under(STANDS_IN)) == []
    assert people(log, paged("person:ada"), under(STANDS_IN)) == ["person:ada"]


def test_a_rulebook_is_laid_out_once_and_again_when_an_order_changes() -> None:
    orders = Ordered()
    books, _ = rulebooks(orders)
    plain = books.of_incident(REF)
    assert plain is books.of_incident(REF)
    orders.standing = StandingOrders(overrides=(STANDS_IN,))
    ordered = books.of_incident(REF)
    assert ordered is books.of_incident(REF)
    assert ordered is not None
    assert plain is not None
    assert (ordered.rules, ordered.playbook == plain.playbook) == (plain.rules, False)
    orders.standing = NO_ORDERS
    assert books.of_incident(REF) is plain


def test_what_is_wrong_with_a_playbook_is_said_once_whatever_is_ordered() -> None:
    orders = Ordered()
    with capture_logs() as logs:
        books, shelf = rulebooks(orders, channels="    - {name: phone, ntfy: {}}")
        shelf.changed()
        orders.standing = StandingOrders(silences=(SILENCE,), overrides=(STANDS_IN,))
        shelf.changed()
        books.of_incident(REF)
    assert [line["event"] for line in logs] == ["something in the playbook cannot be done"]


# --- on a real nats-server --------------------------------------------------------------------------------------------


async def order(stage: Stage, event: Event) -> int:
    """The escalator states this of a standing order; its place."""
    cause = derive_id("order", type(event).__name__)
    envelope = caused_by(cause, 0, "escalator", "", datetime.now(UTC), event)
    return (await stage.connection.publish(order_subject(type(event)), envelope)).sequence


async def test_replicas_follow_the_orders_that_stand_and_those_that_come(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TEST_SLACK", slack_double.token)
    now = datetime.now(UTC)
    lasting = {"begins_at": now - MINUTE, "ends_at": now + timedelta(hours=1)}
    outside: dict[str, object] = {"slack": slack_double.api_url, "smtp": smtp_sink.port}
    async with staged(nats_server, oncall=SCHEDULE, communicate=TOLD, **outside) as stage:
        await order(stage, STANDS_IN.model_copy(update=lasting))
        async with host_of(nats_server) as host:
            await stage.say(opened(playbook=stage.ref), incident="under")
            told = await stage.until(lambda found: len(found) == 2, incident="under")
            assert {each.recipient for each in told} == {"#incidents", "person:grace"}
            place = await order(stage, OverrideLifted(override="o1", by=ADA))
            async with asyncio.timeout(10):
                while host.orders.position < place:
                    await asyncio.sleep(0.02)
            await stage.say(opened(playbook=stage.ref), incident="after")
            told = await stage.until(lambda found: len(found) == 2, incident="after")
            assert {each.recipient for each in told} == {"#incidents", "person:ada"}
