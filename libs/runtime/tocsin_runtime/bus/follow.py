"""Follow a stream from a place on: in order, without gaps, for ever. For read models and indexes, not for work.

An ephemeral pull consumer without acknowledgements. Every message carries the consumer's own count; a gap in it
(something was lost on the way), a reconnect or a lost consumer leads to a new consumer from where we stand.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import structlog
from nats.aio.msg import Msg

from tocsin_runtime.bus.connection import Connection
from tocsin_runtime.bus.delivery import handed
from tocsin_runtime.bus.errors import BusUnavailableError
from tocsin_runtime.bus.log import STREAM as LOG
from tocsin_runtime.bus.pull import PullLoop
from tocsin_runtime.topology import ConsumerSpec
from tocsin_schemas import Envelope, EnvelopeError, Payload, decode

__all__ = ["Follower", "OnEvents", "Place"]

log = structlog.get_logger(__name__)

OnEvents = Callable[[Sequence[Envelope[Payload]]], Awaitable[None]]
_BATCH = 500


class Place:
    """How far a reader is."""

    def __init__(self, at: int) -> None:
        self.at = at
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def move(self, at: int) -> None:
        self.at = at
        for sequence, future in self._waiting:
            if sequence <= at and not future.done():
                future.set_result(None)
        self._waiting = [(sequence, future) for sequence, future in self._waiting if not future.done()]

    async def reach(self, sequence: int) -> None:
        """Return when it is there."""
        if self.at < sequence:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((sequence, future))
            await future


class Follower:
    """Hands every message after `after` to `on_events`, in batches, each at least once and in order.

    `on_events` must have kept what it was given before it returns: `position` moves on then. If it raises
    BusUnavailableError, it is given the same events again. With `gather`, what comes within that many seconds is
    handed over together: for a reader that nobody waits for.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        filters: tuple[str, ...],
        on_events: OnEvents,
        *,
        service: str,
        after: int = 0,
        gather: float = 0.0,
    ) -> None:
        self._connection = connection
        self._gather = gather
        self._stream, self._filters, self._service = stream, filters, service
        self._on_events = on_events
        self._place = Place(after)
        self.caught_up = asyncio.Event()
        self._count = 0
        self._fresh = False
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._pull: PullLoop | None = None

    @property
    def position(self) -> int:
        """The place up to which everything was handed over."""
        return self._place.at

    @position.setter
    def position(self, at: int) -> None:
        self._place.move(at)

    async def reach(self, sequence: int) -> None:
        """Return when everything up to this place has been handed over."""
        await self._place.reach(sequence)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"follow {self._stream}")

    async def stop(self) -> None:
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)  # why it failed, the supervisor has reported
        if self._pull is not None:
            await self._pull.close()

    @property
    def failed(self) -> BaseException | None:
        """Why it has ended although nobody stopped it."""
        if self._task is None or not self._task.done() or self._stopping or self._task.cancelled():
            return None
        return self._task.exception()

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._follow_with_a_new_consumer()
            except BusUnavailableError as error:
                log.info("following again", stream=self._stream, after=self.position, reason=str(error))
                await asyncio.sleep(0.2)

    async def _follow_with_a_new_consumer(self) -> None:
        spec = ConsumerSpec(
            f"follow-{self._service}-{uuid4().hex[:12]}", self._service, self._stream, self._filters, "", batch=_BATCH
        )
        pull = self._pull = PullLoop(self._connection, spec, lambda: self._create(spec))
        self._fresh, self._count = True, 0
        forget = self._connection.on_reconnect(self._start_over)
        try:
            await pull.open()
            while not self._stopping and self._fresh:
                messages = await pull.next(_BATCH)
                if messages and self._gather and len(messages) < _BATCH:
                    await asyncio.sleep(self._gather)
                    messages += pull.arrived(_BATCH - len(messages))
                if messages:
                    await self._take(messages)
        finally:
            forget()
            await pull.close()

    def _start_over(self) -> None:
        self._fresh = False

    async def _create(self, spec: ConsumerSpec) -> None:
        """Create the ephemeral consumer once; asked a second time (it is gone), start over instead."""
        info = await self._connection.request(f"$JS.API.CONSUMER.INFO.{spec.stream}.{spec.name}")
        if "error" not in info:
            return
        if self._count or not self._fresh:
            self._start_over()
            return
        filters = list(spec.filters)
        config: dict[str, object] = {
            "name": spec.name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self.position + 1,
            "ack_policy": "none",
            "inactive_threshold": 60_000_000_000,
            "mem_storage": True,
            "num_replicas": 1,
            "filter_subjects": filters,
        }
        body = json.dumps({"stream_name": spec.stream, "config": config, "action": "create"}).encode()
        answer = await self._connection.request(f"$JS.API.CONSUMER.CREATE.{spec.stream}.{spec.name}", body)
        if "error" in answer:
            raise BusUnavailableError(f"following {spec.stream}: {answer['error'].get('description')}")
        if int(answer.get("num_pending", 0)) == 0:
            self.caught_up.set()

    async def _take(self, messages: Sequence[Msg]) -> None:
        events: list[Envelope[Payload]] = []
        last = self.position
        pending = 0
        for message in messages:
            _, _, sequence, count, left = handed(message.reply)
            if count != self._count + 1:
                log.warning("a gap while following; starting over", stream=self._stream, after=last)
                self._start_over()
                break
            self._count += 1
            last, pending = sequence, left
            headers, body = message.headers, message.data
            try:
                known = self._connection.recent.take(headers, body, last)
                events.append(known or decode(headers, body, sequence=last, trusted=self._stream == LOG))
            except EnvelopeError as error:
                log.error("skipping what cannot be read", stream=self._stream, sequence=last, reason=str(error))
        if events:
            await self._on_events(events)
        self.position = last
        if pending == 0 and self._fresh:
            self.caught_up.set()
