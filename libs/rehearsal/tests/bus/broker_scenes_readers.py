"""Scenes of readers: how messages are settled, and who is given them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from broker_facts import fact
from broker_play import World
from broker_scene import ACK_WAIT, ALERTS, FOUR, ONE, Hands, Scene, reading, write

from tocsin_runtime import Delivery
from tocsin_schemas import Payload, subjects

__all__ = ["SCENES"]


# --- settling ---------------------------------------------------------------------------------------------------------


async def an_answer_to_an_earlier_delivery_settles_the_message(world: World) -> object:
    bus, hands = await world.bus(), Hands()
    async with reading(bus, ONE, hands):
        await write(bus, "a", "b")
        await asyncio.sleep(ACK_WAIT + 0.6)
        await hands.say(0, b"+ACK")
        await hands.say(1, b"+TERM")
        await asyncio.sleep(ACK_WAIT + 0.6)
    return sorted(hands.seen), await world.open_of(ONE)


async def what_was_settled_cannot_be_settled_otherwise(world: World) -> object:
    bus, hands = await world.bus(), Hands()
    async with reading(bus, ONE, hands):
        await write(bus, "a")
        await asyncio.sleep(0.3)
        await hands.say(0, b"+ACK")
        await hands.say(0, b"-NAK")
        await hands.say(0, b"+WPI")
        await asyncio.sleep(ACK_WAIT + 0.6)
    return hands.seen, await world.open_of(ONE)


async def still_working_extends_the_ack_wait_and_does_not_count(world: World) -> object:
    bus, hands = await world.bus(), Hands()
    async with reading(bus, ONE, hands):
        await write(bus, "a")
        for _ in range(3):
            await asyncio.sleep(0.8)
            await hands.say(0, b"+WPI")
        extended = hands.seen
        await asyncio.sleep(ACK_WAIT + 0.5)
    return extended, hands.seen


async def a_nak_counts_as_a_delivery_and_its_delay_stands_in_the_place_of_the_ack_wait(world: World) -> object:
    bus, hands = await world.bus(), Hands()
    async with reading(bus, ONE, hands):
        await write(bus, "a", "b")
        await asyncio.sleep(0.3)
        await hands.say(0, b"-NAK")
        await hands.say(1, b'-NAK {"delay": 2500000000}')  # longer than the ack wait
        await asyncio.sleep(0.4)
        soon = hands.seen
        await hands.say(2, b"+ACK")
        await asyncio.sleep(1.5)
        then = hands.seen
        await asyncio.sleep(1.0)
    return soon, then, hands.seen


async def a_delay_takes_back_what_was_queued_to_be_delivered_again(world: World) -> object:
    """The only reader is gone when its message is due again, so that it stays queued."""
    bus, hands = await world.bus(), Hands()
    async with reading(bus, ONE, hands):
        await write(bus, "a", "b")
        await asyncio.sleep(0.3)
    await asyncio.sleep(ACK_WAIT + 0.3)
    await hands.say(0, b'-NAK {"delay": 1500000000}')
    await hands.say(1, b"+WPI")
    later = Hands()
    async with reading(bus, ONE, later):
        await asyncio.sleep(0.4)
        at_once = later.seen
        await asyncio.sleep(1.2)
    return hands.seen, at_once, later.seen


# --- readers ----------------------------------------------------------------------------------------------------------


async def two_idle_readers_are_given_one_message_each_in_turn(world: World) -> object:
    one, other = await world.bus(), await world.bus()
    left, right = Hands(), Hands()
    async with reading(one, ALERTS, left), reading(other, ALERTS, right):
        messages = [(subjects.alert_subject("r"), fact(f"m{number}")) for number in range(8)]
        await one.connection.publish_all(messages)
        await asyncio.sleep(0.5)
    return len(left.held), len(right.held), sorted(left.seen + right.seen)


async def messages_wait_in_the_buffer_of_a_busy_reader_until_their_ack_wait_is_over(world: World) -> object:
    """It has asked for four. The first one keeps it busy; three lie with it, and go to the other one in the end."""
    busy, idle = await world.bus(), await world.bus()
    seen: list[tuple[str, int, int]] = []

    def handler(who: str, seconds: float) -> Any:
        async def handle(batch: Sequence[Delivery[Payload]]) -> None:
            seen.extend((who, each.position.sequence, each.position.deliveries) for each in batch)
            await asyncio.sleep(seconds)

        return handle

    async with reading(busy, FOUR, handler("busy", 2.3)):
        await write(busy, "a")
        await asyncio.sleep(0.3)
        await write(busy, "b", "c", "d")
        await asyncio.sleep(0.3)
        async with reading(idle, FOUR, handler("idle", 0.0)):
            await asyncio.sleep(2.6)
    return seen, await world.open_of(FOUR)


async def more_than_a_thousand_are_not_in_hand_at_once(world: World) -> object:
    bus, hands = await world.bus(), Hands()
    messages = [(subjects.alert_subject("r"), fact(f"m{number}")) for number in range(1010)]
    await bus.connection.publish_all(messages)
    spec = replace(ALERTS, workers=0, batch=100)
    async with reading(bus, spec, hands, ack_wait=20.0):
        await asyncio.sleep(1.5)
        at_first = len(hands.held)
        for index in range(4):
            await hands.say(index, b"+ACK")
        await asyncio.sleep(0.5)
    return at_first, len(hands.held), hands.seen[-1]


async def a_reader_that_is_gone_leaves_what_it_had_in_hand_to_the_other_one(world: World) -> object:
    one, other = await world.bus(), await world.bus()
    left, right = Hands(), Hands()
    async with reading(one, ONE, left):
        await write(one, "a", "b")
        await asyncio.sleep(0.3)
    async with reading(other, ONE, right):
        await asyncio.sleep(0.3)
        before = right.seen
        await asyncio.sleep(ACK_WAIT + 0.3)
    return left.seen, before, right.seen


SCENES: tuple[Scene, ...] = (
    an_answer_to_an_earlier_delivery_settles_the_message,
    what_was_settled_cannot_be_settled_otherwise,
    still_working_extends_the_ack_wait_and_does_not_count,
    a_nak_counts_as_a_delivery_and_its_delay_stands_in_the_place_of_the_ack_wait,
    a_delay_takes_back_what_was_queued_to_be_delivered_again,
    two_idle_readers_are_given_one_message_each_in_turn,
    messages_wait_in_the_buffer_of_a_busy_reader_until_their_ack_wait_is_over,
    more_than_a_thousand_are_not_in_hand_at_once,
    a_reader_that_is_gone_leaves_what_it_had_in_hand_to_the_other_one,
)
