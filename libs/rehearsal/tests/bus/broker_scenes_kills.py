"""Scenes of kills, of followers and of the log."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import timedelta

from broker_facts import fact
from broker_play import World
from broker_scene import COMMANDS, ONE, Hands, Scene, reading, tried, write

from tocsin_runtime import BusUnavailableError, Delivery
from tocsin_runtime.bus.log import Append
from tocsin_runtime.topology import ConsumerSpec
from tocsin_schemas import Envelope, Payload, subjects

__all__ = ["SCENES"]


# --- kills ------------------------------------------------------------------------------------------------------------


async def what_is_in_hand_stays_in_hand_over_a_kill_and_can_be_settled_after_it(world: World) -> object:
    bus, hands = await world.bus(), Hands()
    async with reading(bus, ONE, hands, ack_wait=4.0):
        await write(bus, "a", "b", "c")
        await asyncio.sleep(0.5)
        await world.kill()
        await hands.say(0, b"+ACK")
        await asyncio.sleep(0.2)
        await world.start()
        await asyncio.sleep(0.3)
        await hands.say(1, b"+ACK")
        await asyncio.sleep(5.0)
    return hands.seen


async def a_reader_asks_again_and_again_while_there_is_no_connection(world: World) -> object:
    """Two slots, and six messages in hand: two for each second and a half without a connection, and two more."""
    bus, held = await world.bus(), asyncio.Event()
    spec = replace(ONE, name="slots", workers=2)

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        await held.wait()

    async with reading(bus, spec, handle, ack_wait=30.0):
        await asyncio.sleep(0.5)
        await world.kill()
        await asyncio.sleep(3.3)
        await world.start()
        await asyncio.sleep(1.0)
        await write(bus, *(f"m{number}" for number in range(20)))
        await asyncio.sleep(0.3)
        in_hand = await world.open_of(spec)
        held.set()
        await asyncio.sleep(0.5)
    return in_hand


async def an_id_is_forgotten_with_its_message_when_the_server_is_started_anew(world: World) -> object:
    bus = await world.bus()

    async def handle(_: Sequence[Delivery[Payload]]) -> None:
        """Done with it."""

    async with reading(bus, COMMANDS, handle):
        await write(bus, "a", to="tocsin.commands.escalator.note")
        await write(bus, "b", to="tocsin.alerts.1")
        await asyncio.sleep(0.5)
        before = [await bus.connection.publish("tocsin.commands.escalator.note", fact("a"))]
        await world.kill()
        await world.start()
        after = [
            await bus.connection.publish("tocsin.commands.escalator.note", fact("a")),
            await bus.connection.publish("tocsin.alerts.1", fact("b")),
        ]
    return before, after


async def a_stream_in_memory_is_gone_after_a_kill_until_somebody_declares_it(world: World) -> object:
    bus = await world.bus()
    first = await tried(bus.connection.publish("tocsin.metrics.x", fact("a")))
    await world.kill()
    await world.start()
    gone = await tried(bus.connection.publish("tocsin.metrics.x", fact("b")))
    await world.bus()
    return first, gone, await tried(bus.connection.publish("tocsin.metrics.x", fact("c")))


async def clocks_that_were_due_while_the_server_was_down_ring_in_the_order_they_were_armed_in(world: World) -> object:
    bus, hands = await world.bus(), Hands()
    await bus.timers.arm("inc1", "later", world.now() + timedelta(seconds=1.2))
    await bus.timers.arm("inc2", "sooner", world.now() + timedelta(seconds=0.8))
    await bus.timers.arm("inc3", "far", world.now() + timedelta(hours=1))
    await world.kill()
    await asyncio.sleep(1.5)
    await world.start()
    spec = ConsumerSpec("bell", "detector", "TIMERS", ("tocsin.timers.due.detector.*",), "", workers=8)
    async with reading(bus, spec, hands):
        await asyncio.sleep(1.0)
    return [each.envelope.incident for each in hands.held], hands.seen, await bus.timers.armed()


# --- the log ----------------------------------------------------------------------------------------------------------


async def a_follower_begins_where_it_is_told_to_and_is_told_again_what_it_could_not_keep(world: World) -> object:
    bus = await world.bus()
    await write(bus, "a", "b", "c")
    told: list[list[int]] = []

    async def on_events(events: Sequence[Envelope[Payload]]) -> None:
        told.append([event.sequence for event in events])
        if len(told) == 1:
            raise BusUnavailableError("at first it cannot")

    follower = bus.follower("DEADLETTERS", (subjects.DEADLETTERS,), on_events, after=1)
    await follower.start()
    await asyncio.sleep(0.8)
    await write(bus, "d")
    await asyncio.sleep(0.3)
    await follower.stop()
    return told, follower.position, follower.caught_up.is_set()


async def expectations_of_a_batch_do_not_see_the_batch_itself(world: World) -> object:
    bus = await world.bus()
    everything, ours = subjects.incident_filter("inc1"), subjects.service_log_filter("inc1", "escalator")
    literal = subjects.incident_subject("inc1", type(fact("x", "inc1").data))

    def part(cause: str, expected: int, scope: str) -> Append:
        return Append("inc1", (fact(cause, "inc1"),), expected, scope)

    log = bus.incidents.append
    return [
        await tried(_places(log([part("a", 0, everything), part("b", 0, everything)]))),
        await tried(_places(log([part("c", 2, everything), part("d", 3, everything)]))),
        await tried(_places(log([part("e", 2, ours), part("f", 2, literal)]))),
        await tried(_places(log([part("g", 2, literal), part("h", 2, everything)]))),
        await tried(_places(log([part("i", 9, everything), part("a", 4, everything)]))),
        await tried(_places(log([part("a", 4, everything), part("k", 9, everything)]))),
        await tried(_places(log([part("l", 4, everything), part("l", 4, everything)]))),
        await tried(_places(log([part("a", 9, everything)]))),
        await tried(_places(log([part("a", 4, everything)]))),
        await tried(_places(log([part("m", 4, "tocsin.incidents.*.escalator.*")]))),
        await tried(_places(log([part("n", 0, "tocsin.incidents.inc9.>")]))),
    ]


async def _places(asked: Awaitable[Sequence[Sequence[Envelope[Payload]]]]) -> object:
    return [[event.sequence for event in events] for events in await asked]


SCENES: tuple[Scene, ...] = (
    what_is_in_hand_stays_in_hand_over_a_kill_and_can_be_settled_after_it,
    a_reader_asks_again_and_again_while_there_is_no_connection,
    an_id_is_forgotten_with_its_message_when_the_server_is_started_anew,
    a_stream_in_memory_is_gone_after_a_kill_until_somebody_declares_it,
    clocks_that_were_due_while_the_server_was_down_ring_in_the_order_they_were_armed_in,
    a_follower_begins_where_it_is_told_to_and_is_told_again_what_it_could_not_keep,
    expectations_of_a_batch_do_not_see_the_batch_itself,
)
