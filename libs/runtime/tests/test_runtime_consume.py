"""Consumers on a real nats-server: nothing is lost, nothing blocks, nothing falls silent.

Each test is one trap of the libraries underneath, and fails if the runtime steps into it.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from runtime_builders import note

from tocsin_runtime import BusUnavailableError, Connection, Delivery, NotYetError, RefusedError
from tocsin_runtime.bus import consume, pull
from tocsin_runtime.bus.consume import Consumer, Handler, pause_before_retry
from tocsin_runtime.topology import CONSUMERS, STREAMS, ConsumerSpec
from tocsin_schemas import DeadLettered, Payload, decode, encode
from tocsin_schemas.subjects import incident_subject
from tocsin_testkit.nats import NatsServer

ONE_BY_ONE = next(spec for spec in CONSUMERS if spec.name == "notifier-incidents")
BATCHED = replace(ONE_BY_ONE, name="test-batched", workers=0, batch=100)
SUBJECT = incident_subject("inc1", type(note("x").data))


class Seen:
    """A handler that remembers what it was given and fails when told to."""

    def __init__(self, fail: Callable[[str, int], Exception | None] = lambda text, deliveries: None) -> None:
        self.texts: list[str] = []
        self._fail = fail
        self._more = asyncio.Event()

    async def __call__(self, batch: Sequence[Delivery[Payload]]) -> None:
        for delivery in batch:
            text = delivery.envelope.data.text  # type: ignore[attr-defined]  # only notes are sent here
            self.texts.append(text)
            self._more.set()
            if error := self._fail(text, delivery.position.deliveries):
                raise error

    async def until(self, holds: Callable[[list[str]], bool], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not holds(self.texts):
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def consuming(connection: Connection, spec: ConsumerSpec, handler: Handler) -> AsyncIterator[Consumer]:
    consumer = Consumer(connection, spec, handler)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def send(connection: Connection, *texts: str) -> None:
    for text in texts:
        await connection.publish(SUBJECT, note(text, text))


async def pending(connection: Connection, spec: ConsumerSpec) -> tuple[int, int]:
    info = await connection.request(f"$JS.API.CONSUMER.INFO.{spec.stream}.{spec.name}")
    return info["num_ack_pending"], info["num_pending"]


async def until_settled(connection: Connection, spec: ConsumerSpec) -> None:
    async with asyncio.timeout(20):
        while await pending(connection, spec) != (0, 0):  # the server has no event for it
            await asyncio.sleep(0.02)


async def dead_letters(connection: Connection) -> list[DeadLettered]:
    subscription = await connection.client.jetstream().pull_subscribe("tocsin.deadletters.*", durable="look")
    letters = []
    for message in await subscription.fetch(100, timeout=1):
        data = decode(message.headers, message.data).data
        assert isinstance(data, DeadLettered)
        letters.append(data)
    return letters


@pytest.mark.parametrize("spec", [ONE_BY_ONE, BATCHED], ids=["one by one", "batched"])
async def test_what_was_handled_is_acknowledged_and_never_seen_again(
    connection: Connection, spec: ConsumerSpec
) -> None:
    seen = Seen()
    async with consuming(connection, spec, seen):
        await send(connection, "a", "b", "c")
        await until_settled(connection, spec)
    assert sorted(seen.texts) == ["a", "b", "c"]


async def test_an_exception_does_not_discard_the_message(connection: Connection) -> None:
    """FastStream's default policy would terminate it."""
    seen = Seen(lambda _, deliveries: RuntimeError("bug") if deliveries == 1 else None)
    async with consuming(connection, ONE_BY_ONE, seen):
        await send(connection, "a")
        await seen.until(lambda texts: texts == ["a", "a"])
        await until_settled(connection, ONE_BY_ONE)


async def test_a_failing_message_pauses_longer_and_longer(connection: Connection) -> None:
    """A plain negative acknowledgement would be a hot loop of hundreds a second."""
    assert [pause_before_retry(n) for n in (1, 2, 3, 20)] == [0.25, 0.5, 1.0, 30.0]
    seen = Seen(lambda *_: RuntimeError("bug"))
    async with consuming(connection, ONE_BY_ONE, seen):
        await send(connection, "a")
        await asyncio.sleep(0.6)
    assert len(seen.texts) <= 3


async def test_a_message_that_always_fails_is_parked_whole_and_with_its_reason(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consume, "pause_before_retry", lambda _: 0.01)
    spec = replace(ONE_BY_ONE, max_failures=3)
    seen = Seen(lambda text, _: RuntimeError("always") if text == "poison" else None)
    async with consuming(connection, spec, seen):
        await send(connection, "poison", "good")
        await until_settled(connection, spec)
    (letter,) = await dead_letters(connection)
    assert seen.texts.count("poison") == 3
    assert "always" in letter.reason
    assert (letter.stream, letter.sequence, letter.deliveries) == ("INCIDENTS", 1, 3)
    assert base64.b64decode(letter.payload_base64) == encode(note("poison", "poison"))[1]


async def test_a_poison_message_costs_its_batch_nothing(connection: Connection) -> None:
    seen = Seen(lambda text, deliveries: RuntimeError("bug") if text == "b" and deliveries == 1 else None)
    await send(connection, "a", "b", "c")
    async with consuming(connection, BATCHED, seen):
        await until_settled(connection, BATCHED)
    assert set(seen.texts) == {"a", "b", "c"}
    assert await pending(connection, BATCHED) == (0, 0)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"not an event"),
        ({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "x", "ce-type": "tocsin.NoteAdded.v1"}, b"{}"),
        ({**encode(note("x"))[0], "Nats-Msg-Id": "y"}, b'{"text": "a", "text": "b"}'),
        ({**encode(note("x"))[0], "Nats-Msg-Id": "z", "ce-type": "tocsin.Unheard.v9"}, b"{}"),
    ],
    ids=["no event", "no time", "a field twice", "unknown type"],
)
async def test_what_cannot_be_read_is_parked_at_once_and_blocks_nothing(
    connection: Connection, headers: dict[str, str], body: bytes
) -> None:
    seen = Seen()
    async with consuming(connection, ONE_BY_ONE, seen):
        await connection.publish_raw(SUBJECT, body, headers)
        await send(connection, "good")
        await until_settled(connection, ONE_BY_ONE)
    (letter,) = await dead_letters(connection)
    assert seen.texts == ["good"]
    assert base64.b64decode(letter.payload_base64) == body
    assert letter.reason.startswith("cannot be read: ")


async def test_what_a_handler_refuses_is_parked_at_once_and_costs_its_batch_nothing(connection: Connection) -> None:
    seen = Seen(lambda text, _: RefusedError("not by this version") if text == "b" else None)
    await send(connection, "a", "b", "c")
    async with consuming(connection, BATCHED, seen):
        await until_settled(connection, BATCHED)
    (letter,) = await dead_letters(connection)
    assert letter.reason == "refused: not by this version"
    assert letter.deliveries == 1
    assert set(seen.texts) == {"a", "b", "c"}


async def test_an_unreachable_bus_is_no_failure_of_the_message(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consume, "pause_before_retry", lambda _: 0.01)
    spec = replace(ONE_BY_ONE, max_failures=2)
    seen = Seen(lambda _, deliveries: BusUnavailableError("down") if deliveries < 6 else None)
    async with consuming(connection, spec, seen):
        await send(connection, "a")
        await seen.until(lambda texts: len(texts) == 6)
        await until_settled(connection, spec)


async def test_a_handler_may_ask_to_see_a_message_later(connection: Connection) -> None:
    spec = replace(ONE_BY_ONE, max_failures=1)
    seen = Seen(lambda _, deliveries: NotYetError(0.01, "in a moment") if deliveries < 4 else None)
    async with consuming(connection, spec, seen):
        await send(connection, "a")
        await seen.until(lambda texts: len(texts) == 4)
        await until_settled(connection, spec)


async def test_what_is_no_failure_does_not_count_as_one(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that was put off many times is not parked because of the first bug it meets."""
    monkeypatch.setattr(consume, "pause_before_retry", lambda _: 0.01)
    spec = replace(ONE_BY_ONE, max_failures=2)
    answers = {5: RuntimeError("one bug"), 6: None}
    seen = Seen(lambda _, deliveries: answers.get(deliveries, NotYetError(0.01, "later")))
    async with consuming(connection, spec, seen):
        await send(connection, "a")
        await seen.until(lambda texts: len(texts) == 6)
        await until_settled(connection, spec)


async def test_a_slow_handler_keeps_its_message(connection: Connection) -> None:
    spec = replace(ONE_BY_ONE, name="test-slow", ack_wait=timedelta(seconds=0.6))

    async def slow(batch: Sequence[Delivery[Payload]]) -> None:
        started.append(batch[0].position.deliveries)
        await asyncio.sleep(2)

    started: list[int] = []
    async with consuming(connection, spec, slow):
        await send(connection, "a")
        await until_settled(connection, spec)
    assert started == [1]


async def test_a_slow_message_delays_no_other(connection: Connection) -> None:
    release = asyncio.Event()
    order: list[str] = []

    async def handler(batch: Sequence[Delivery[Payload]]) -> None:
        text = batch[0].envelope.data.text  # type: ignore[attr-defined]  # only notes are sent here
        if text == "slow":
            await release.wait()
        order.append(text)
        if text == "quick":
            release.set()

    async with consuming(connection, ONE_BY_ONE, handler):
        await send(connection, "slow", "quick")
        await until_settled(connection, ONE_BY_ONE)
    assert order == ["quick", "slow"]


async def test_a_deleted_consumer_is_made_again(connection: Connection) -> None:
    """FastStream's subscriber would stay silent for ever while its broker answers pings."""
    seen = Seen()
    async with consuming(connection, ONE_BY_ONE, seen):
        await send(connection, "a")
        await seen.until(lambda texts: "a" in texts)
        await connection.request(f"$JS.API.CONSUMER.DELETE.INCIDENTS.{ONE_BY_ONE.name}")
        await send(connection, "b")
        await seen.until(lambda texts: "b" in texts)


async def test_an_idle_consumer_asks_again_after_a_restart_of_the_server(
    connection: Connection, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server forgets pull requests; without asking again the first page comes when the old one has expired."""
    monkeypatch.setattr(pull, "_EXPIRES", 3600.0)
    seen = Seen()
    async with consuming(connection, ONE_BY_ONE, seen):
        await send(connection, "a")
        await seen.until(lambda texts: "a" in texts)
        await asyncio.to_thread(nats_server.kill)
        await asyncio.to_thread(nats_server.start)
        await send(connection, "b")
        await seen.until(lambda texts: "b" in texts)


async def test_a_silent_consumer_is_asked_again(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pull request that got lost on the way: nobody says anything, and nobody would without the heartbeat."""
    monkeypatch.setattr(pull, "_EXPIRES", 3600.0)
    publish, dropped = connection.client.publish, []

    async def lossy(subject: str, *rest: object, **named: object) -> None:
        if ".MSG.NEXT." in subject and not dropped:
            dropped.append(subject)
            return
        await publish(subject, *rest, **named)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(connection.client, "publish", lossy)
    seen = Seen()
    async with consuming(connection, ONE_BY_ONE, seen):
        await send(connection, "a")
        await seen.until(lambda texts: "a" in texts)
    assert dropped


async def test_the_event_loop_stays_alive_while_the_server_is_gone(
    connection: Connection, nats_server: NatsServer
) -> None:
    """FastStream's loop over a closed connection spins and starves everything else, health checks included."""
    seen = Seen()
    async with consuming(connection, ONE_BY_ONE, seen):
        await asyncio.to_thread(nats_server.kill)
        beats = 0
        for _ in range(50):
            await asyncio.sleep(0.02)
            beats += 1
        await asyncio.to_thread(nats_server.start)
        await send(connection, "a")
        await seen.until(lambda texts: "a" in texts)
    assert beats == 50


async def test_consuming_changes_no_stream(connection: Connection) -> None:
    """FastStream's own declaration would reset limits to its defaults and append its subjects."""
    before = await connection.request("$JS.API.STREAM.INFO.INCIDENTS")
    async with consuming(connection, ONE_BY_ONE, Seen()):
        await send(connection, "a")
    after = await connection.request("$JS.API.STREAM.INFO.INCIDENTS")
    assert after["config"] == before["config"]
    assert after["config"]["subjects"] == list(next(s for s in STREAMS if s.name == "INCIDENTS").subjects)


async def test_two_replicas_share_the_work(connection: Connection) -> None:
    one, other = Seen(), Seen()
    spec = replace(ONE_BY_ONE, workers=1)
    async with consuming(connection, spec, one), consuming(connection, spec, other):
        await send(connection, *map(str, range(40)))
        await until_settled(connection, spec)
    assert sorted(one.texts + other.texts, key=int) == list(map(str, range(40)))
    assert one.texts
    assert other.texts


async def test_what_is_not_settled_at_the_stop_comes_to_somebody_else(connection: Connection) -> None:
    spec = replace(ONE_BY_ONE, name="test-stop", ack_wait=timedelta(seconds=0.5))
    began = asyncio.Event()

    async def stuck(_: Sequence[Delivery[Payload]]) -> None:
        began.set()
        await asyncio.sleep(3600)

    consumer = Consumer(connection, spec, stuck)
    await consumer.start()
    await send(connection, "a")
    await asyncio.wait_for(began.wait(), 10)
    await consumer.stop(grace=0.05)
    seen = Seen()
    async with consuming(connection, spec, seen):
        await seen.until(lambda texts: texts == ["a"])
