"""A replica's side of a durable consumer: what `tocsin_runtime` has as `PullLoop`, without its heartbeats.

It has that loop's ways, the unpleasant ones too. A request stands while the handler is busy, so that messages lie in
the replica's buffer while their ack wait runs. A reader that waits while there is no connection asks every second
and a half; all of that is sent when the connection is back, and each of these requests is renewed as long as it idles.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tocsin_rehearsal.bus.consumer import REQUEST_LASTS, DurableConsumer
from tocsin_rehearsal.bus.streams import Stored
from tocsin_runtime.bus.delivery import Position
from tocsin_schemas import encode

if TYPE_CHECKING:
    from tocsin_rehearsal.bus.wire import Link

__all__ = ["SILENCE", "ModelMessage", "ModelPull"]

SILENCE = 1.5
"""Seconds without any sign of the server after which a reader asks again."""


class ModelMessage:
    """A delivered message, with what `tocsin_runtime` reads of one of nats-py."""

    __slots__ = ("_client", "_consumer", "_link", "deliveries", "stored")

    def __init__(self, link: "Link", consumer: DurableConsumer, stored: Stored, deliveries: int) -> None:
        self._link, self._consumer = link, consumer
        self._client = self
        self.stored, self.deliveries = stored, deliveries

    @property
    def subject(self) -> str:
        return self.stored.subject

    @property
    def headers(self) -> dict[str, str]:
        return encode(self.stored.envelope)[0]

    @property
    def data(self) -> bytes:
        return encode(self.stored.envelope)[1]

    @property
    def position(self) -> Position:
        return Position(self._consumer.spec.stream, self.stored.sequence, self.deliveries)

    @property
    def reply(self) -> str:
        """Where it stands, as nats-server writes it; of the consumer's own count nothing is read."""
        spec = self._consumer.spec
        return f"$JS.ACK.{spec.stream}.{spec.name}.{self.deliveries}.{self.stored.sequence}.0.0.0"

    async def publish(self, _: str, answer: bytes) -> None:
        """How a delivery is settled. Without a connection it is sent when there is one again."""
        consumer, sequence = self._consumer, self.stored.sequence
        if self._link.is_connected:
            consumer.settle(sequence, answer, self._link.faults.latency())
        else:
            self._link.keep(lambda: consumer.settle(sequence, answer, 0.0))


class ModelPull:
    """One replica's reader of one consumer."""

    def __init__(self, link: "Link", consumer: DurableConsumer) -> None:
        self._link, self._consumer = link, consumer
        self._buffer: deque[ModelMessage] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._closed = False
        self._limit = 0
        self._asked_for = 0
        self._expires = 0.0
        self._arrives = 0.0

    # --- as the runtime sees it ---------------------------------------------------------------------------------------

    @property
    def last_sign_of_life(self) -> float:
        return asyncio.get_running_loop().time() if self._link.is_connected else self._link.lost_at

    async def open(self) -> None:
        self._link.readers.append(self)

    async def close(self) -> None:
        """What was sent to us and not handed over comes again after the ack wait."""
        self._closed = True
        self._wake()
        if self in self._link.readers:
            self._link.readers.remove(self)

    async def next(self, limit: int) -> list[ModelMessage]:
        """Up to `limit` messages, as soon as there is one."""
        if self._closed:
            return []
        if (silence := self._link.faults.silence(self._consumer.spec.name)) > 0:
            await asyncio.sleep(silence)
        self._limit = limit
        loop = asyncio.get_running_loop()
        if self._asked_for <= 0 or loop.time() >= self._expires:
            self._ask()
        if not self._buffer and not self._closed:
            self._waiting = loop.create_future()
            self._consumer.offer()
            await self._waiting
        given = [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]
        self._asked_for -= len(given)
        return given

    # --- as the broker sees it ----------------------------------------------------------------------------------------

    @property
    def is_there(self) -> bool:
        """Whether the broker still knows of it: it loses sight of a process that was killed at once."""
        return not self._closed and not self._link.life.is_over

    @property
    def is_waiting(self) -> bool:
        """Whether it would ask again if its request were over."""
        return self._waiting is not None and not self._waiting.done() and self._link.is_connected

    def renew(self, now: float) -> int:
        """It has asked again: for so many."""
        self._asked_for, self._expires = self._limit, now + REQUEST_LASTS
        return self._limit

    def take(self, messages: Sequence[tuple[Stored, int]]) -> None:
        """What the broker sends, in its order. Of what travels nothing arrives where a connection breaks meanwhile."""
        if not self._link.is_connected:
            return
        given = [ModelMessage(self._link, self._consumer, stored, deliveries) for stored, deliveries in messages]
        machine = self._link.machine
        self._arrives = max(self._arrives, machine.time() + self._link.faults.latency())
        if self._arrives > machine.time():
            machine.call_at(self._arrives, self._arrive, given, self._link.connections)
        else:
            self._arrive(given, self._link.connections)

    def _arrive(self, messages: Sequence[ModelMessage], connection: int) -> None:
        if connection == self._link.connections and self.is_there:
            self._buffer.extend(messages)
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # --- asking -------------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        if self._link.is_connected:
            self._asked_for, self._expires = self._limit, self._link.machine.time() + REQUEST_LASTS
            self._consumer.request(self, self._limit)

    def lost(self) -> None:
        """The connection has broken; the server forgets what was asked for."""
        self._asked_for = 0

    def connected(self) -> None:
        """It stands again."""
        if not self.is_waiting:
            return
        machine = self._link.machine
        asked = int((machine.time() - self._link.lost_at) / SILENCE)
        if asked:
            for _ in range(asked + 1):
                self._ask()
        else:
            machine.call_at(self._link.lost_at + SILENCE, self._ask_if_waiting)

    def _ask_if_waiting(self) -> None:
        if self.is_waiting and self._asked_for <= 0:
            self._ask()
