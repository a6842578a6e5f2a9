"""What scenes are made of. A scene is one thing that a broker does; it answers what was seen of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from broker_facts import fact
from broker_play import World

from tocsin_runtime import Delivery
from tocsin_runtime.bus.errors import BusError
from tocsin_runtime.bus.nats_bus import Bus
from tocsin_runtime.topology import ConsumerSpec
from tocsin_schemas import Payload, subjects

__all__ = ["ACK_WAIT", "ALERTS", "COMMANDS", "FOUR", "ONE", "PLACE", "Hands", "Scene", "reading", "tried", "write"]

Scene = Callable[[World], Awaitable[object]]

PLACE = "tocsin.deadletters.detector"
ACK_WAIT = 1.5
ONE = ConsumerSpec("one", "detector", "DEADLETTERS", (subjects.DEADLETTERS,), "", workers=32)
ALERTS = ConsumerSpec("alerts", "detector", "ALERTS", (subjects.ALERTS,), "", workers=32)
FOUR = replace(ONE, name="four", workers=0, batch=4)
COMMANDS = ConsumerSpec("commands", "detector", "COMMANDS", (subjects.COMMANDS,), "", workers=32)


class Hands:
    """A handler that keeps what it is given, and says nothing."""

    def __init__(self) -> None:
        self.held: list[Delivery[Payload]] = []

    async def __call__(self, batch: Sequence[Delivery[Payload]]) -> None:
        for delivery in batch:
            delivery.settled = True  # so that the runtime says nothing either
            self.held.append(delivery)

    @property
    def seen(self) -> list[tuple[int, int]]:
        return [(each.position.sequence, each.position.deliveries) for each in self.held]

    async def say(self, index: int, answer: bytes) -> None:
        await self.held[index]._answer(answer)


@asynccontextmanager
async def reading(bus: Bus, spec: ConsumerSpec, handler: Any, ack_wait: float = ACK_WAIT) -> Any:  # Any: a Handler
    worker = bus.consumer(replace(spec, ack_wait=timedelta(seconds=ack_wait)), handler)
    await worker.start()
    await asyncio.sleep(0.2)
    try:
        yield worker
    finally:
        await worker.stop(0.1)


async def tried(asked: Awaitable[object]) -> object:
    try:
        return await asked
    except BusError as error:
        return type(error).__name__


async def write(bus: Bus, *causes: str, to: str = PLACE) -> None:
    for cause in causes:
        await bus.connection.publish(to, fact(cause))
