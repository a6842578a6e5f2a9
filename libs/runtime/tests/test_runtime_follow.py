"""Following a stream: in order, gapless, across restarts of the server and losses on the way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from runtime_builders import note

from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.bus.follow import Follower
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.subjects import INCIDENTS, incident_subject
from tocsin_testkit.nats import NatsServer

SUBJECT = incident_subject("inc1", type(note("x").data))


class Reader:
    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.refuse = 0

    async def __call__(self, events: Sequence[Envelope[Payload]]) -> None:
        if self.refuse:
            self.refuse -= 1
            raise BusUnavailableError("cannot keep it now")
        self.sequences += [event.sequence for event in events]

    async def until(self, last: int) -> None:
        async with asyncio.timeout(30):
            while not self.sequences or self.sequences[-1] < last:  # simple is enough here
                await asyncio.sleep(0.01)


@asynccontextmanager
async def following(connection: Connection, reader: Reader, after: int = 0) -> AsyncIterator[Follower]:
    follower = Follower(connection, "INCIDENTS", (INCIDENTS,), reader, service="test", after=after)
    await follower.start()
    try:
        yield follower
    finally:
        await follower.stop()


async def write(connection: Connection, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await connection.publish(SUBJECT, note(f"c{number}"))


async def test_everything_comes_in_order_old_and_new(connection: Connection) -> None:
    await write(connection, 1, 5)
    reader = Reader()
    async with following(connection, reader) as follower:
        await asyncio.wait_for(follower.caught_up.wait(), 10)
        assert reader.sequences == [1, 2, 3, 4, 5]
        await write(connection, 6, 8)
        await reader.until(8)
    assert reader.sequences == list(range(1, 9))


async def test_an_empty_stream_is_caught_up_with_at_once(connection: Connection) -> None:
    async with following(connection, Reader()) as follower:
        await asyncio.wait_for(follower.caught_up.wait(), 10)


async def test_following_goes_on_from_where_it_was(connection: Connection) -> None:
    await write(connection, 1, 5)
    reader = Reader()
    async with following(connection, reader, after=3):
        await reader.until(5)
    assert reader.sequences == [4, 5]


async def test_a_killed_server_leaves_no_gap(connection: Connection, nats_server: NatsServer) -> None:
    reader = Reader()
    async with following(connection, reader):
        for start in (1, 21, 41):
            await write(connection, start, start + 19)
            await asyncio.to_thread(nats_server.kill)
            await asyncio.to_thread(nats_server.start)
        await write(connection, 61, 65)
        await reader.until(65)
    assert reader.sequences == list(range(1, 66))


async def test_a_message_lost_on_the_way_is_noticed_and_fetched(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tocsin_runtime.bus.pull import PullLoop

    real, lost = PullLoop.next, []

    async def lossy(self: PullLoop, limit: int) -> object:
        messages = await real(self, limit)
        if len(messages) > 1 and not lost:
            lost.append(messages.pop(0))
        return messages

    monkeypatch.setattr(PullLoop, "next", lossy)
    await write(connection, 1, 10)
    reader = Reader()
    async with following(connection, reader):
        await reader.until(10)
    assert lost
    assert reader.sequences == list(range(1, 11))


async def test_what_could_not_be_kept_is_given_again(connection: Connection) -> None:
    await write(connection, 1, 3)
    reader = Reader()
    reader.refuse = 2
    async with following(connection, reader):
        await reader.until(3)
    assert reader.sequences == [1, 2, 3]


async def test_a_deleted_consumer_leaves_no_gap(connection: Connection) -> None:
    reader = Reader()
    async with following(connection, reader):
        await write(connection, 1, 3)
        await reader.until(3)
        names = await connection.request("$JS.API.CONSUMER.NAMES.INCIDENTS")
        for name in names["consumers"]:
            if name.startswith("follow-test"):
                await connection.request(f"$JS.API.CONSUMER.DELETE.INCIDENTS.{name}")
        await write(connection, 4, 6)
        await reader.until(6)
    assert reader.sequences == list(range(1, 7))


async def test_what_cannot_be_read_is_passed_over(connection: Connection) -> None:
    await connection.publish_raw(SUBJECT, b"nonsense", {})
    await write(connection, 2, 3)
    reader = Reader()
    async with following(connection, reader):
        await reader.until(3)
    assert reader.sequences == [2, 3]


async def test_a_bug_of_the_reader_is_seen_by_the_supervisor(connection: Connection) -> None:
    async def broken(_: Sequence[Envelope[Payload]]) -> None:
        raise KeyError("bug")

    await write(connection, 1, 1)
    follower = Follower(connection, "INCIDENTS", (INCIDENTS,), broken, service="test")
    await follower.start()
    async with asyncio.timeout(10):
        while follower.failed is None:  # simple is enough here
            await asyncio.sleep(0.01)
    assert isinstance(follower.failed, KeyError)
    await follower.stop()


async def test_who_waits_for_a_place_goes_on_when_it_is_reached(connection: Connection) -> None:
    reader = Reader()
    async with following(connection, reader) as follower:
        impatient = asyncio.create_task(follower.reach(9))
        waiting = [asyncio.create_task(follower.reach(place)) for place in (1, 3)]
        await asyncio.sleep(0.01)
        impatient.cancel()
        await write(connection, 1, 3)
        await asyncio.wait_for(asyncio.gather(*waiting), 10)
        assert reader.sequences == [1, 2, 3]
        await asyncio.wait_for(follower.reach(2), 1)
