"""Standing orders as a replica sees them: each taken once, whatever comes again or in another order."""

import asyncio
from functools import partial
from itertools import permutations

import pytest
from runtime_builders import NOW
from test_runtime_host import Small, host, running, until

from tocsin_playbook.standing_orders import NO_ORDERS
from tocsin_runtime import Connection, Host
from tocsin_runtime.bus.follow import Follower, OnEvents
from tocsin_runtime.orders import Orders
from tocsin_schemas import Actor, Envelope, Event, caused_by
from tocsin_schemas.events import OrderRejected, OverrideLifted, OverrideSet, SilenceLifted, SilenceSet
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import order_subject
from tocsin_testkit.nats import NatsServer

ADA = Actor.person("ada", "cli")
LATER = NOW.replace(year=NOW.year + 1)
SILENCE = SilenceSet(silence="s1", match=('a="b"',), begins_at=NOW, ends_at=LATER, because="a move", by=ADA)
OVERRIDE = OverrideSet(override="o1", schedule="primary", person="bob", begins_at=NOW, ends_at=LATER, by=ADA)
EVENTS = (SILENCE, SilenceLifted(silence="s1", by=ADA), OVERRIDE, OverrideLifted(override="o1", by=ADA))


class Still:
    """A follower that shows nothing by itself."""

    position = 0

    def __init__(self, stream: str, filters: tuple[str, ...], on_events: OnEvents) -> None:
        self.stream, self.filters, self.on_events = stream, filters, on_events


def orders() -> Orders:
    return Orders(Still)  # type: ignore[arg-type]  # a double of Follower


def envelope(event: Event, cause: str = "") -> Envelope[Event]:
    return caused_by(derive_id("command", cause or type(event).__name__), 0, "escalator", "", NOW, event)


def take(known: Orders, *events: Event) -> None:
    for event in events:
        known.take(envelope(event).at(known.position + 1))


def test_what_is_set_stands_and_the_same_object_as_long_as_nothing_changes() -> None:
    known = orders()
    assert known.standing is NO_ORDERS
    take(known, SILENCE, OVERRIDE)
    before = known.standing
    assert (before.silences, before.overrides) == ((SILENCE,), (OVERRIDE,))
    take(known, OrderRejected(command="Silence", reason="no", by=ADA))
    assert known.standing is before
    assert len(known.history()) == 3


def test_an_event_that_comes_again_changes_nothing() -> None:
    known = orders()
    take(known, SILENCE, SilenceLifted(silence="s1", by=ADA))
    known.take(envelope(SILENCE).at(1))
    known.take(envelope(SILENCE).at(3))
    assert known.standing == NO_ORDERS
    assert [each.data for each in known.history()] == [SILENCE, SilenceLifted(silence="s1", by=ADA)]


@pytest.mark.parametrize("order", list(permutations(EVENTS)))
def test_in_whatever_order_they_come_what_was_lifted_does_not_stand(order: tuple[Event, ...]) -> None:
    known = orders()
    take(known, *order)
    assert known.standing == NO_ORDERS


def test_the_answer_to_a_command_is_known_by_the_command() -> None:
    known = orders()
    said = envelope(SILENCE).at(1)
    assert known.answer_to(said.cause) is None
    known.take(said)
    assert known.answer_to(said.cause) is said


def test_what_has_long_been_over_is_dropped() -> None:
    known = orders()
    over = SILENCE.model_copy(update={"silence": "s0", "ends_at": NOW.replace(year=NOW.year - 1)})
    known.take(envelope(over, "a").at(1))
    known.take(envelope(SILENCE, "b").at(2))
    assert known.standing.silences == (SILENCE,)


async def test_every_replica_is_shown_every_order_and_knows_its_own_at_once(connection: Connection) -> None:
    known = Orders(partial(Follower, connection, service="test"))
    first = await connection.publish(order_subject(SilenceSet), envelope(SILENCE))
    await known.start()
    await asyncio.wait_for(known.caught_up.wait(), 10)
    assert (known.standing.silences, known.position) == ((SILENCE,), first.sequence)
    written = await connection.publish(order_subject(OverrideSet), envelope(OVERRIDE))
    known.take(envelope(OVERRIDE).at(written.sequence))
    assert (known.standing.overrides, known.position) == ((OVERRIDE,), written.sequence)
    await until(lambda: known._follower.position == written.sequence)
    assert len(known.history()) == 2
    await known.stop()


async def test_what_cannot_be_read_does_not_hold_up_the_place(connection: Connection) -> None:
    known = Orders(partial(Follower, connection, service="test"))
    await connection.publish_raw(order_subject(SilenceSet), b"{", {"ce-id": "x"})
    await known.start()
    await until(lambda: known.position == 1)
    assert known.history() == ()
    await known.stop()


async def test_a_service_that_asks_for_them_has_caught_up_before_it_is_up(
    nats_server: NatsServer, connection: Connection
) -> None:
    await connection.publish(order_subject(SilenceSet), envelope(SILENCE))
    asked: list[Orders] = []

    def build(made: Host[Small]) -> None:
        asked.append(made.orders)
        assert made.orders is asked[0]

    made = host(nats_server, build)
    async with running(made):
        await until(lambda: not made.problems())
        assert asked[0].standing.silences == (SILENCE,)


async def test_a_service_that_does_not_ask_for_them_does_not_follow_them(nats_server: NatsServer) -> None:
    made = host(nats_server, lambda _: None)
    assert made._followers == []
