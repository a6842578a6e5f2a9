"""A consumer that serves one replica at a time, on a real server: the others are there for when that one is not."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.aio.msg import Msg

from tocsin_runtime import Address, Connection, PromiseError
from tocsin_runtime.bus.provision import ensure_consumer, ensure_streams
from tocsin_runtime.bus.pull import PullLoop
from tocsin_runtime.topology import CONSUMERS, ConsumerSpec
from tocsin_testkit.nats import NatsServer

SPEC = dataclasses.replace(
    next(spec for spec in CONSUMERS if spec.name == "escalator-alerts"), pinned=timedelta(seconds=3)
)


class Replica:
    """Takes what it is given, and settles it."""

    def __init__(self, connection: Connection, spec: ConsumerSpec = SPEC) -> None:
        self.connection = connection
        self.pull = PullLoop(connection, spec, lambda: ensure_consumer(connection, spec))
        self.taken: list[bytes] = []
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> "Replica":
        await self.pull.open()
        self.task = asyncio.create_task(self._run())
        return self

    async def _run(self) -> None:
        while True:
            for message in await self.pull.next(10):
                await self._take(message)

    async def _take(self, message: Msg) -> None:
        self.taken.append(message.data)
        await message.ack()

    async def freeze(self) -> None:
        """As if it were stopped, or cut off: it asks for nothing, and says nothing."""
        assert self.task is not None
        while not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task], timeout=0.2)

    def go_on(self) -> None:
        self.task = asyncio.create_task(self._run())

    async def close(self) -> None:
        await self.freeze()
        await self.pull.close()


class Two:
    """Two replicas, and somebody who publishes."""

    def __init__(self, connection: Connection, one: Replica, other: Replica) -> None:
        self.connection, self.one, self.other = connection, one, other

    async def publish(self, *bodies: bytes) -> None:
        for body in bodies:
            await self.connection.publish_raw("tocsin.alerts.7", body, {})

    async def until_taken(self, count: int, within: float = 8.0) -> None:
        async with asyncio.timeout(within):
            while len(self.one.taken) + len(self.other.taken) < count:
                await asyncio.sleep(0.01)

    def busy_first(self) -> tuple[Replica, Replica]:
        return (self.one, self.other) if self.one.taken else (self.other, self.one)


@pytest.fixture
async def two(nats_server: NatsServer) -> AsyncIterator[Two]:
    connections = [Connection(Address(nats_server.url), f"replica{number}") for number in range(3)]
    for connection in connections:
        await connection.open()
    await ensure_streams(connections[0])
    made = Two(connections[0], *[await Replica(each).start() for each in connections[1:]])
    try:
        yield made
    finally:
        for replica in (made.one, made.other):
            await replica.close()
        for connection in connections:
            await connection.close()


async def test_one_replica_is_given_everything_in_its_order(two: Two) -> None:
    bodies = [b"%d" % number for number in range(50)]
    for body in bodies:
        await two.publish(body)
        await asyncio.sleep(0.01)
    await two.until_taken(50)
    busy, idle = two.busy_first()
    assert busy.taken == bodies
    assert idle.taken == []


async def test_it_stays_with_one_that_is_idle_for_long(two: Two) -> None:
    await two.publish(b"1")
    await two.until_taken(1)
    await asyncio.sleep(4)
    await two.publish(b"2")
    await two.until_taken(2)
    busy, _ = two.busy_first()
    assert busy.taken == [b"1", b"2"]


async def test_of_one_that_asks_for_nothing_more_another_takes_over(two: Two) -> None:
    await two.publish(b"1")
    await two.until_taken(1)
    busy, idle = two.busy_first()
    await busy.freeze()
    await two.publish(*(b"%d" % number for number in range(2, 30)))
    await two.until_taken(29 - 9)  # the request that it had open may have been filled
    assert len(idle.taken) >= 19
    busy.go_on()
    await two.publish(b"30")
    await two.until_taken(30)
    assert b"30" in idle.taken, "it is with the other now"


async def test_who_stops_makes_way_at_once(two: Two) -> None:
    slow = dataclasses.replace(SPEC, pinned=timedelta(minutes=5))
    await two.one.close()
    await two.other.close()
    answer = await two.connection.request("$JS.API.CONSUMER.DELETE.ALERTS.escalator-alerts")
    assert answer["success"]
    two.one, two.other = [await Replica(each.connection, slow).start() for each in (two.one, two.other)]
    await two.publish(b"1")
    await two.until_taken(1)
    busy, idle = two.busy_first()
    await busy.close()
    await two.publish(b"2")
    await two.until_taken(2)
    assert idle.taken == [b"2"]


async def test_it_goes_on_after_the_server_was_killed(two: Two, nats_server: NatsServer) -> None:
    await two.publish(b"1")
    await two.until_taken(1)
    nats_server.kill()
    nats_server.start()
    await two.publish(b"2")
    await two.until_taken(2, within=20.0)


async def test_a_consumer_of_an_earlier_version_is_changed_and_goes_on_where_it_was(two: Two) -> None:
    name = "escalator-alerts"
    for replica in (two.one, two.other):
        await replica.close()
    await two.connection.request(f"$JS.API.CONSUMER.DELETE.ALERTS.{name}")
    earlier = dataclasses.replace(SPEC, pinned=None, unsettled=0)
    await ensure_consumer(two.connection, earlier)
    before = await Replica(two.one.connection, earlier).start()
    await two.publish(b"1", b"2")
    while len(before.taken) < 2:
        await asyncio.sleep(0.01)
    await before.close()
    two.one = await Replica(two.one.connection, dataclasses.replace(SPEC, unsettled=5000)).start()
    config = (await two.connection.request(f"$JS.API.CONSUMER.INFO.ALERTS.{name}"))["config"]
    assert (config["priority_policy"], config["max_ack_pending"]) == ("pinned_client", 5000)
    await two.publish(b"3")
    await two.until_taken(1)
    assert two.one.taken == [b"3"], "and not the others once more"


async def test_a_consumer_that_is_otherwise_too_is_left_as_it_is(two: Two) -> None:
    for replica in (two.one, two.other):
        await replica.close()
    await two.connection.request("$JS.API.CONSUMER.DELETE.ALERTS.escalator-alerts")
    await ensure_consumer(two.connection, dataclasses.replace(SPEC, pinned=None, ack_wait=timedelta(seconds=1)))
    with pytest.raises(PromiseError, match="ack_wait"):
        await ensure_consumer(two.connection, SPEC)
    config = (await two.connection.request("$JS.API.CONSUMER.INFO.ALERTS.escalator-alerts"))["config"]
    assert config.get("priority_policy", "none") == "none"


async def test_a_consumer_that_serves_all_at_a_time_is_refused(two: Two) -> None:
    with pytest.raises(PromiseError, match="priority_policy"):
        await ensure_consumer(two.connection, dataclasses.replace(SPEC, pinned=None))
