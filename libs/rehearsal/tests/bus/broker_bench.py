"""A broker of the model on a bench: in virtual time, with faults that a test sets."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from broker_facts import fact

from tocsin_rehearsal.bus.broker import Broker
from tocsin_rehearsal.bus.faults import Fate
from tocsin_rehearsal.bus.link import ModelBus
from tocsin_rehearsal.loop import Life, VirtualLoop
from tocsin_rehearsal.time import VirtualClock
from tocsin_runtime import Delivery
from tocsin_runtime.bus.errors import BusError
from tocsin_runtime.bus.log import Append
from tocsin_runtime.topology import STREAMS, ConsumerSpec
from tocsin_schemas import Payload, subjects

__all__ = ["ACK_WAIT", "ALERT", "LETTERS", "READER", "START", "Bench", "Hands", "Set", "appended", "outcome"]

T = TypeVar("T")

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
ACK_WAIT = 6.0
LETTERS = subjects.deadletter_subject("detector")
ALERT = subjects.alert_subject("rule")
READER = ConsumerSpec("reader", "detector", "DEADLETTERS", (subjects.DEADLETTERS,), "", workers=32)


@dataclass
class Set:
    """Faults as a test sets them. What is asked for once is used up."""

    latency_: float = 0.0
    fates: deque[Fate] = field(default_factory=deque)
    lost: int = 0
    late: float = 0.0
    rings_: tuple[float, ...] = (0.0,)
    silences: dict[str, float] = field(default_factory=dict)
    forgotten_: int = 0

    def latency(self) -> float:
        return self.latency_

    def fate(self, what: str, who: str) -> Fate:
        return self.fates.popleft() if self.fates and what != "follow" else Fate.ANSWERED

    def settlement_lost(self, consumer: str) -> bool:
        self.lost -= 1
        return self.lost >= 0

    def settlement_late(self, consumer: str) -> float:
        return self.late

    def rings(self) -> tuple[float, ...]:
        return self.rings_

    def silence(self, consumer: str) -> float:
        return self.silences.pop(consumer, 0.0)

    def forgotten(self) -> int:
        return self.forgotten_


class Hands:
    """A handler that keeps what it is given; it settles nothing unless it is told what to answer."""

    def __init__(self, answer: bytes = b"") -> None:
        self.held: list[Delivery[Payload]] = []
        self._answer = answer

    async def __call__(self, batch: Sequence[Delivery[Payload]]) -> None:
        for delivery in batch:
            delivery.settled = True  # so that the runtime says nothing
            self.held.append(delivery)
            if self._answer:
                await delivery._answer(self._answer)

    @property
    def seen(self) -> list[tuple[int, int]]:
        """Sequence and number of each delivery."""
        return [(each.position.sequence, each.position.deliveries) for each in self.held]

    async def say(self, index: int, answer: bytes) -> None:
        await self.held[index]._answer(answer)


class Bench:
    """The broker, and replicas as a test needs them."""

    def __init__(self, window: timedelta = timedelta(minutes=10)) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, START)
        self.faults = Set()
        streams = tuple(replace(spec, duplicate_window=window) for spec in STREAMS)
        self.broker = Broker(self.loop, self.clock, self.faults, streams=streams, consumers=())
        self.lives: dict[ModelBus, Life] = {}

    # --- time ---------------------------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def wait(self, seconds: float) -> None:
        self.loop.run_until(self.loop.time() + seconds)

    @property
    def elapsed(self) -> float:
        return self.loop.time()

    # --- replicas -----------------------------------------------------------------------------------------------------

    def bus(self, service: str = "detector") -> ModelBus:
        """A replica's side of it."""
        life = Life(service)
        bus = ModelBus(self.broker, life, service, self.clock)
        self.lives[bus] = life
        self.run(bus.open())
        return bus

    def start(self, bus: ModelBus, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """As this replica: it dies with it."""
        return self.loop.start(self.lives[bus], work)

    def kill(self, bus: ModelBus) -> None:
        self.loop.kill(self.lives[bus])

    def read(self, bus: ModelBus, handler: Callable[..., Any], spec: ConsumerSpec = READER) -> None:
        """Begin to read, as this replica."""
        worker = bus.consumer(spec, handler)
        self.start(bus, worker.start())
        self.wait(0)

    def do(self, bus: ModelBus, work: Coroutine[Any, Any, T]) -> T:
        """As this replica, to its end."""
        task = self.start(bus, work)
        return self.run(_ended(task))

    def write(self, bus: ModelBus, *causes: str, to: str = LETTERS) -> list[int]:
        """Messages, one after the other; the answer is where they stand."""

        async def all_of_them() -> list[int]:
            return [(await bus.connection.publish(to, fact(cause))).sequence for cause in causes]

        return self.do(bus, all_of_them())

    def contents(self, stream: str) -> list[str]:
        """The causes of what stands there."""
        return [stored.envelope.cause for stored in self.broker.streams[stream].after(0)]


async def _ended(task: "asyncio.Task[T]") -> T:
    return await task


async def outcome(work: Coroutine[Any, Any, T]) -> T | str:
    """What comes of it, or the name of the error."""
    try:
        return await work
    except BusError as error:
        return type(error).__name__


async def appended(bus: ModelBus, *causes: str, expected: int, incident: str = "inc1") -> list[int]:
    """To one incident, under an expectation of all that was said of it."""
    events = tuple(fact(cause, incident) for cause in causes)
    (stored,) = await bus.incidents.append([Append(incident, events, expected, subjects.incident_filter(incident))])
    return [event.sequence for event in stored]
