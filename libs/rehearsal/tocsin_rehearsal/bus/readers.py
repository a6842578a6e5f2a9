"""What reads for a replica: its share of a durable consumer, and its followers."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

from tocsin_rehearsal.bus.filters import Filter
from tocsin_rehearsal.bus.pull import ModelMessage, ModelPull
from tocsin_rehearsal.bus.streams import Stored
from tocsin_rehearsal.bus.wire import Link
from tocsin_runtime.bus.connection import Connection
from tocsin_runtime.bus.consume import Handler, Worker
from tocsin_runtime.bus.delivery import Delivery
from tocsin_runtime.bus.errors import BusUnavailableError
from tocsin_runtime.bus.follow import OnEvents, Place
from tocsin_runtime.topology import ConsumerSpec
from tocsin_schemas import Payload

__all__ = ["ModelFollower", "ModelWorker"]

_BATCH = 500
_AGAIN = 0.2


class ModelWorker(Worker):
    """In the place of `Consumer`: the same settling, without FastStream and without decoding."""

    def __init__(self, link: Link, connection: Connection, spec: ConsumerSpec, handler: Handler) -> None:
        pull = ModelPull(link, link.broker.consumer(spec))
        super().__init__(connection, spec, cast(Any, pull))
        self._handler = handler

    async def _call(self, deliveries: Sequence[Delivery[Payload]]) -> None:
        await self._handler(deliveries)

    async def _decode(self, message: Any) -> Delivery[Payload] | None:  # Any: a ModelMessage in the place of a Msg
        found: ModelMessage = message
        return Delivery(found.stored.envelope, found.subject, found.position, message)


class ModelFollower:
    """In the place of `Follower`."""

    def __init__(
        self, link: Link, stream: str, filters: tuple[str, ...], on_events: OnEvents, after: int, gather: float
    ) -> None:
        self._link, self._stream, self._filter = link, link.broker.streams[stream], Filter.of(filters)
        self._on_events, self._gather = on_events, gather
        self._place = Place(after)
        self.caught_up = asyncio.Event()
        self._coming: deque[Stored] = deque()
        self._news = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def position(self) -> int:
        """As `Follower.position`."""
        return self._place.at

    async def reach(self, sequence: int) -> None:
        """As `Follower.reach`."""
        await self._place.reach(sequence)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self._link.readers.append(self)
        self._stream.on_stored(self._stored)
        self._task = asyncio.create_task(self._run(), name=f"follow {self._stream.spec.name}")

    async def stop(self) -> None:
        self._stopping = True
        if self in self._link.readers:
            self._link.readers.remove(self)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)  # why it failed, the supervisor has reported

    @property
    def failed(self) -> BaseException | None:
        """Why it has ended although nobody stopped it."""
        if self._task is None or not self._task.done() or self._stopping or self._task.cancelled():
            return None
        return self._task.exception()

    def lost(self) -> None:
        """The connection has broken: it begins anew from its place when there is one again."""
        self._news.set()

    def connected(self) -> None:
        """It waits for that itself."""

    def _stored(self, message: Stored) -> bool:
        if message.sequence > self.position and self._filter.takes(message.tokens):
            self._coming.append(message)
            self._news.set()
        return not (self._stopping or self._link.life.is_over)

    # --- following ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._link.until_connected()
            try:
                await self._follow()
            except BusUnavailableError:
                await asyncio.sleep(_AGAIN)

    async def _follow(self) -> None:
        """From our place on, until the connection breaks. Raises BusUnavailableError where that cannot begin."""
        connection = self._link.connections
        await self._link.exchange("follow", self._begin)
        while connection == self._link.connections:
            if not self._coming:
                self.caught_up.set()
                self._news.clear()
                await self._news.wait()
                continue
            if self._gather and len(self._coming) < _BATCH:
                await asyncio.sleep(self._gather)
            if (late := self._late()) > 0:
                await asyncio.sleep(late)
            if connection != self._link.connections:
                break
            found = [self._coming.popleft() for _ in range(min(len(self._coming), _BATCH))]
            await self._on_events([stored.envelope for stored in found])
            self._place.move(found[-1].sequence)

    def _begin(self) -> None:
        """From our place on, also where the stream was made anew and does not reach it yet: that is missed."""
        stream = self._stream
        if not stream.exists:
            raise BusUnavailableError(f"following {stream.spec.name}: stream not found")
        self._coming = deque(stored for stored in stream.after(self.position) if self._filter.takes(stored.tokens))

    def _late(self) -> float:
        faults = self._link.faults
        return faults.latency() + faults.silence(f"follow-{self._link.service}")
