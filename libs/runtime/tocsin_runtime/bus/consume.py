"""From pulled messages to a handler and back: decode, hand over, settle; park what is poison.

The handler is a FastStream subscriber (so its middleware, tracing and AsyncAPI apply), but neither FastStream's
fetch loop nor its acknowledgement policy is used: the default policy discards a message on any exception.

What settles a message:
- the handler returns: acknowledged;
- the bus cannot be reached (`BusUnavailableError`): delivered again later, as often as it takes;
- any other exception: its batch is handled again one by one, and the one that fails is delivered again with
  growing pauses, then parked in the dead-letter stream with the reason;
- it cannot be decoded, or the handler refuses it (`RefusedError`): parked at once.
A message is only terminated after the server has acknowledged its copy in the dead-letter stream.
"""

import asyncio
import base64
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog
from faststream import AckPolicy
from faststream.nats import JStream, PullSub
from faststream.nats.message import NatsBatchMessage
from nats.aio.msg import Msg

from tocsin_runtime.bus.connection import Connection
from tocsin_runtime.bus.delivery import Delivery, position
from tocsin_runtime.bus.errors import BusUnavailableError
from tocsin_runtime.bus.provision import ensure_consumer
from tocsin_runtime.bus.pull import PullLoop
from tocsin_runtime.metrics import DEAD_LETTERS, HANDLED, REDELIVERED
from tocsin_runtime.topology import ConsumerSpec
from tocsin_schemas import Command, DeadLettered, EnvelopeError, Payload, caused_by, decode
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import command_subject, deadletter_subject
from tocsin_schemas.text import clean_line, clean_text

__all__ = ["Consumer", "Handler", "NotYetError", "Pull", "RefusedError", "Worker", "pause_before_retry"]

log = structlog.get_logger(__name__)

Handler = Callable[[Sequence[Delivery[Payload]]], Awaitable[None]]


class NotYetError(Exception):
    """A handler asks to see the message again after `seconds`; this does not count as a failure."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds


class RefusedError(Exception):
    """A handler cannot carry this out, now or ever: the message is parked at once, with this as the reason."""


def pause_before_retry(deliveries: int) -> float:
    """Seconds before the next delivery: 0.25, 0.5, 1 … at most 30."""
    return float(min(30.0, 0.25 * 2 ** min(deliveries - 1, 10)))


class _Batch(list[Msg]):
    """Messages on their way through FastStream, with what we made of them."""

    deliveries: Sequence[Delivery[Payload]] = ()


class Pull(Protocol):
    """Where messages come from: `PullLoop`, or what a simulation has in its place."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def next(self, limit: int) -> list[Msg]:
        """Up to `limit` messages, as soon as there is one; empty now and then."""
        ...

    @property
    def last_sign_of_life(self) -> float: ...


class _SignsOfLife:
    """Tells the server every so many seconds, until its end, that we are still at it. Most handlers end before."""

    def __init__(self, deliveries: Sequence[Delivery[Payload]], every: float) -> None:
        self._deliveries, self._every = deliveries, every
        self._timer = asyncio.get_running_loop().call_later(every, self._begin)
        self._task: asyncio.Task[None] | None = None

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while True:
            for delivery in self._deliveries:
                await delivery.still_working()
            await asyncio.sleep(self._every)

    def end(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


class Worker:
    """Takes the messages of one durable consumer, hands them over and settles them, until it is stopped."""

    def __init__(self, connection: Connection, spec: ConsumerSpec, pull: Pull) -> None:
        self.spec = spec
        self._connection = connection
        self._pull = pull
        self._failures: Counter[int] = Counter()
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self._workers: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(max(spec.workers, 1))
        self._handled = HANDLED.labels(spec.name)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self._pull.open()
        self._loop = asyncio.create_task(self._run(), name=f"consume {self.spec.name}")

    async def stop(self, grace: float = 10.0) -> None:
        """Fetch no more; let handlers end; what is unsettled comes again to somebody else."""
        self._stopping = True
        await self._pull.close()
        tasks = {task for task in (self._loop, *self._workers) if task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def failed(self) -> BaseException | None:
        """Why the loop has ended although nobody stopped it; none as long as it lives."""
        if self._loop is None or not self._loop.done() or self._stopping:
            return None
        return None if self._loop.cancelled() else self._loop.exception()

    @property
    def last_sign_of_life(self) -> float:
        """When (monotonic) the server last said anything, a heartbeat included."""
        return self._pull.last_sign_of_life

    async def _run(self) -> None:
        while not self._stopping:
            if self.spec.workers:
                await self._slots.acquire()
                free = 1 + self._slots._value
                self._slots.release()
            else:
                free = self.spec.batch
            messages = await self._pull.next(free)
            deliveries = [found for message in messages if (found := await self._decode(message)) is not None]
            if not deliveries:
                continue
            if self.spec.workers:
                for delivery in deliveries:
                    await self._slots.acquire()
                    self._spawn(delivery)
            else:
                await self._handle(deliveries)

    def _spawn(self, delivery: Delivery[Payload]) -> None:
        async def work() -> None:
            try:
                await self._handle([delivery])
            finally:
                self._slots.release()

        task = asyncio.create_task(work(), name=f"handle {self.spec.name}")
        self._workers.add(task)
        task.add_done_callback(self._workers.discard)

    # --- one batch ----------------------------------------------------------------------------------------------------

    async def _handle(self, deliveries: Sequence[Delivery[Payload]]) -> None:
        signs = _SignsOfLife(deliveries, self.spec.ack_wait.total_seconds() / 3)
        try:
            await self._hand_over(deliveries)
        finally:
            signs.end()

    async def _hand_over(self, deliveries: Sequence[Delivery[Payload]]) -> None:
        try:
            await self._call(deliveries)
        except NotYetError as later:
            await _retry(deliveries, later.seconds)
        except RefusedError as error:
            await self._refuse(deliveries, error)
        except BusUnavailableError as error:
            log.warning("the bus cannot be reached; will try again", consumer=self.spec.name, reason=str(error))
            for delivery in deliveries:
                await delivery.retry_in(pause_before_retry(delivery.position.deliveries))
        except Exception as error:  # noqa: BLE001  # a handler's bug must cost one message at most
            await self._after_failure(deliveries, error)
        else:
            for delivery in deliveries:
                await delivery.ack()
                self._failures.pop(delivery.position.sequence, None)
            self._handled.inc(len(deliveries))

    async def _call(self, deliveries: Sequence[Delivery[Payload]]) -> None:
        """Hand them to the handler."""
        raise NotImplementedError

    async def _refuse(self, deliveries: Sequence[Delivery[Payload]], error: RefusedError) -> None:
        if len(deliveries) > 1:
            for delivery in deliveries:
                await self._handle([delivery])
            return
        await self._park(deliveries[0]._message, f"refused: {error}")
        deliveries[0].settled = True

    async def _after_failure(self, deliveries: Sequence[Delivery[Payload]], error: Exception) -> None:
        if len(deliveries) > 1:
            for delivery in deliveries:
                await self._handle([delivery])
            return
        delivery = deliveries[0]
        # Our own count: the server's counts what was no failure too (an unreachable bus, a pause asked for).
        self._failures[delivery.position.sequence] += 1
        failures = self._failures[delivery.position.sequence]
        log.error(
            "handler failed",
            consumer=self.spec.name,
            message=delivery.envelope.type,
            message_id=delivery.envelope.id,
            failures=failures,
            exc_info=error,
        )
        if failures >= self.spec.max_failures:
            await self._park(delivery._message, f"failed {failures} times; last: {error!r}")
            delivery.settled = True
        else:
            REDELIVERED.labels(self.spec.name).inc()
            await delivery.retry_in(pause_before_retry(failures))

    # --- poison -------------------------------------------------------------------------------------------------------

    async def _decode(self, message: Msg) -> Delivery[Payload] | None:
        place = position(message)
        try:
            envelope = decode(message.headers, message.data, sequence=place.sequence)
        except EnvelopeError as error:
            await self._park(message, f"cannot be read: {error}")
            return None
        command = envelope.data
        if isinstance(command, Command) and message.subject != command_subject(type(command)):
            # The subject is the permission: what is sent elsewhere was perhaps not allowed where it belongs.
            await self._park(message, f"refused: {type(command).__name__} does not belong on {message.subject}")
            return None
        return Delivery(envelope, message.subject, place, message)

    async def _park(self, message: Msg, reason: str) -> None:
        """Copy the message to the dead-letter stream, then terminate it. If the copy fails, it is delivered again."""
        place = position(message)
        cause = derive_id("deadletter", self.spec.name, place.stream, place.sequence)
        letter = DeadLettered(
            service=self.spec.service,
            stream=place.stream,
            sequence=place.sequence,
            original_subject=clean_line(message.subject),
            reason=clean_text(reason),
            deliveries=place.deliveries,
            headers={clean_line(str(k), 120): clean_text(str(v)) for k, v in (message.headers or {}).items()},
            payload_base64=_bounded_base64(message.data),
        )
        parked = caused_by(cause, 0, self.spec.service, "", self._connection.clock.now(), letter)
        delivery = Delivery(parked, message.subject, place, message)
        try:
            await self._connection.publish(deadletter_subject(self.spec.service), parked)
        except BusUnavailableError as error:
            log.error("cannot park a message", consumer=self.spec.name, reason=str(error))
            await delivery.retry_in(pause_before_retry(place.deliveries))
            return
        await delivery.terminate()
        self._failures.pop(place.sequence, None)
        DEAD_LETTERS.labels(self.spec.name).inc()
        log.error(
            "message parked in the dead letters",
            consumer=self.spec.name,
            stream=place.stream,
            sequence=place.sequence,
            reason=letter.reason,
        )


class Consumer(Worker):
    """A consumer on NATS. FastStream calls the handler, with its middleware; the pull loop is ours."""

    def __init__(self, connection: Connection, spec: ConsumerSpec, handler: Handler) -> None:
        super().__init__(connection, spec, PullLoop(connection, spec, lambda: ensure_consumer(connection, spec)))
        self._subscriber = connection.broker.subscriber(
            spec.filters[0],
            stream=JStream(spec.stream, declare=False),
            durable=spec.name,
            pull_sub=PullSub(batch=True, batch_size=spec.batch),
            ack_policy=AckPolicy.MANUAL,
            decoder=_deliveries,
            no_reply=True,
            title=spec.name,
            description=spec.description,
        )
        self._subscriber(handler)

    async def start(self) -> None:
        self._subscriber._create_subscription = _nothing  # type: ignore[method-assign]  # the fetch loop is ours
        await self._subscriber.start()
        await super().start()

    async def _call(self, deliveries: Sequence[Delivery[Payload]]) -> None:
        batch = _Batch(delivery._message for delivery in deliveries)
        batch.deliveries = deliveries
        await self._subscriber.process_message(batch)


_MOST_BYTES = 700_000  # as base64 with its headers still under the server's limit of one MiB


def _bounded_base64(payload: bytes) -> str:
    """The payload, or of one that is too large its beginning and its digest."""
    if len(payload) <= _MOST_BYTES:
        return base64.b64encode(payload).decode()
    digest = hashlib.sha256(payload).hexdigest()
    return base64.b64encode(payload[: _MOST_BYTES // 2] + f"…{len(payload)} bytes, sha256 {digest}".encode()).decode()


async def _retry(deliveries: Sequence[Delivery[Payload]], seconds: float) -> None:
    for delivery in deliveries:
        await delivery.retry_in(seconds)


async def _deliveries(message: NatsBatchMessage) -> Sequence[Delivery[Payload]]:
    raw = message.raw_message
    return raw.deliveries if isinstance(raw, _Batch) else ()


async def _nothing() -> None:
    """Takes the place of FastStream's own subscription."""
