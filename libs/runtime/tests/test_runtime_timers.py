"""Alarm clocks on a real nats-server."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.bus.timers import Timers
from tocsin_schemas import TimerDue, decode
from tocsin_testkit.nats import NatsServer


async def rings(connection: Connection, count: int, seconds: float = 15) -> list[TimerDue]:
    subscription = await connection.client.jetstream().pull_subscribe("tocsin.timers.due.>", durable="bell")
    heard: list[TimerDue] = []
    async with asyncio.timeout(seconds):
        while len(heard) < count:
            try:
                messages = await subscription.fetch(10, timeout=0.5)
            except TimeoutError:
                continue
            for message in messages:
                await message.ack()
                data = decode(message.headers, message.data).data
                assert isinstance(data, TimerDue)
                heard.append(data)
    return heard


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_a_clock_rings_with_what_it_is_about(connection: Connection) -> None:
    due = soon(0.5)
    await Timers(connection, "escalator").arm("inc1", "deadline1", due)
    (ring,) = await rings(connection, 1)
    assert (ring.incident, ring.deadline, ring.due_at) == ("inc1", "deadline1", due)


async def test_a_moment_that_has_passed_rings_at_once(connection: Connection) -> None:
    await Timers(connection, "escalator").arm("inc1", "deadline1", soon(-3600))
    assert len(await rings(connection, 1)) == 1


async def test_arming_again_moves_the_clock(connection: Connection) -> None:
    timers = Timers(connection, "escalator")
    await timers.arm("inc1", "deadline1", soon(3600))
    await timers.arm("inc1", "deadline1", soon(0.3))
    assert await timers.armed() == 1
    assert len(await rings(connection, 1)) == 1
    assert await timers.armed() == 0


async def test_a_cancelled_clock_does_not_ring_and_can_be_armed_again(connection: Connection) -> None:
    timers = Timers(connection, "escalator")
    due = soon(0.4)
    await timers.arm("inc1", "deadline1", due)
    await timers.cancel("inc1", "deadline1")
    assert await timers.armed() == 0
    with pytest.raises(TimeoutError):
        await rings(connection, 1, seconds=1)
    await timers.arm("inc1", "deadline1", due)
    assert len(await rings(connection, 1)) == 1


async def test_clocks_survive_a_killed_server(connection: Connection, nats_server: NatsServer) -> None:
    timers = Timers(connection, "escalator")
    for number in range(20):
        await timers.arm(f"inc{number}", "deadline1", soon(1 + number / 100))
    await asyncio.to_thread(nats_server.kill)
    await asyncio.to_thread(nats_server.start)
    heard = await rings(connection, 20)
    assert sorted(ring.incident for ring in heard) == sorted(f"inc{number}" for number in range(20))


async def test_a_moment_without_a_zone_is_refused(connection: Connection) -> None:
    with pytest.raises(ValueError, match="timezone"):
        await Timers(connection, "escalator").arm("inc1", "deadline1", datetime(2030, 1, 1))  # noqa: DTZ001


async def test_cancelling_says_when_it_could_not(connection: Connection, nats_server: NatsServer) -> None:
    await asyncio.to_thread(nats_server.kill)
    with pytest.raises(BusUnavailableError):
        await Timers(connection, "escalator").cancel("inc1", "deadline1")
