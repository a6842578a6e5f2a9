"""One connection to NATS that outlives broker restarts, and publishing on it.

FastStream owns the connection (its broker carries handlers, middleware and AsyncAPI); the settings are ours:
endless reconnects, pings every 5 s, and a process that ends rather than spins if the client ever closes for good.
"""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import uuid4

import structlog
from faststream import BaseMiddleware
from faststream.nats import NatsBroker
from faststream.security import SASLPlaintext
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import (
    ConnectionClosedError,
    ConnectionReconnectingError,
    MaxPayloadError,
    NoRespondersError,
    OutboundBufferLimitError,
)
from nats.errors import TimeoutError as NatsTimeoutError

from tocsin_runtime.bus.errors import AlreadyInLogError, BusUnavailableError, LostRaceError, NotAllowedError
from tocsin_runtime.bus.headers import header_lines
from tocsin_runtime.bus.recent import Recent
from tocsin_runtime.clock import Clock
from tocsin_runtime.common_clock import CommonClock
from tocsin_schemas import Envelope, Payload, encode

__all__ = ["MAX_BATCH", "UNSENT", "WRITE_TIMEOUT", "Address", "Connection", "Written", "refusal"]

log = structlog.get_logger(__name__)

WRITE_TIMEOUT = 5.0
"""Seconds to wait for an acknowledgement. A leader election takes longer than FastStream's default of 0.5 s."""

MAX_BATCH = 1000
"""Messages that the server takes in one atomic batch."""

_WRONG_LAST_SEQUENCE = {10071, 10164}
_DUPLICATE_IN_BATCH = 10201
_FORBIDDEN = re.compile(r'permissions violation for publish to "([^"]*)"', re.IGNORECASE)
UNSENT = (ConnectionClosedError, ConnectionReconnectingError, OutboundBufferLimitError)
"""What the client raises when it could not even send."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where NATS is, and as whom we come."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Written:
    """The server's acknowledgement. `duplicate`: the stream had this id already, at this sequence."""

    sequence: int
    duplicate: bool = False


class Connection:
    """A connection for one service (or one tool). `name` is how the server's monitoring shows it."""

    def __init__(
        self,
        address: Address,
        name: str,
        *,
        clock: Clock | None = None,
        middlewares: Sequence[type[BaseMiddleware[Any, Any]] | Callable[..., Any]] = (),
    ) -> None:
        self.name = name
        self.clock = CommonClock(clock)
        self._on_reconnect: dict[int, Callable[[], None]] = {}
        self._keys = itertools.count()
        self.recent = Recent()
        self._inbox = ""
        self._asked: dict[str, asyncio.Queue[Msg]] = {}
        self._requests: dict[int, tuple[str, asyncio.Timeout]] = {}
        self._closing = False
        self.lost_for_good = asyncio.Event()
        security = SASLPlaintext(address.user, address.password) if address.user else None
        self.broker = NatsBroker(
            address.url.split(","),
            name=f"tocsin-{name}",
            security=security,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,  # type: ignore[arg-type]  # seconds; FastStream declares int, nats-py sleeps on it
            ping_interval=5,
            max_outstanding_pings=2,
            connect_timeout=2,
            drain_timeout=5,
            logger=None,
            apply_types=False,
            inbox_prefix=f"_INBOX_{name}",
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
            middlewares=middlewares,
        )

    # --- life ---------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect. Waits for a server as long as it takes; the caller bounds it where it must."""
        await self.broker.connect()
        self.client._parse_header_lines = header_lines  # type: ignore[method-assign]  # a third of reading a message
        self._inbox = self.client.new_inbox()
        await self.client.subscribe(f"{self._inbox}.*", cb=self._on_answer)

    async def close(self) -> None:
        """Close, whether or not the server can be reached."""
        self._closing = True
        if self.broker._connection is None:
            return
        client = self.client
        try:
            if client.is_connected:
                await asyncio.wait_for(client.flush(), 2)
        except (TimeoutError, NatsTimeoutError, *UNSENT) as error:
            log.info("closing without a last flush", connection=self.name, reason=repr(error))
        try:
            await client.close()
        except OSError as error:  # what was still to be sent cannot be: the server is gone
            log.info("closed a connection that was broken", connection=self.name, reason=repr(error))

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def client(self) -> Client:
        """The nats-py client."""
        client: Client = self.broker.config.connection_state.connection
        return client

    @property
    def is_connected(self) -> bool:
        return self.broker._connection is not None and self.client.is_connected

    def on_reconnect(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call this after each reconnect. Answers with what takes it back."""
        key = next(self._keys)
        self._on_reconnect[key] = call

        def forget() -> None:
            self._on_reconnect.pop(key, None)

        return forget

    # --- writing ------------------------------------------------------------------------------------------------------

    async def publish(
        self, subject: str, envelope: Envelope[Payload], *, expect: Mapping[str, str] | None = None
    ) -> Written:
        """Write one message; the answer is its place in the stream, once it is on disk.

        A lost answer is repeated with the same id, which the stream takes once. Raises BusUnavailableError when
        no answer comes, LostRaceError when an expectation (`expect`: headers of NATS) does not hold.
        """
        headers, body = encode(envelope)
        return await self.publish_raw(subject, body, {**headers, **(expect or {})})

    async def publish_raw(self, subject: str, body: bytes, headers: Mapping[str, str], *, attempts: int = 3) -> Written:
        """As `publish`, for a message that is encoded already."""
        failure = BusUnavailableError(f"{subject}: not sent")
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(0.05 * 2**attempt)
            try:
                return _acknowledged(await self.request(subject, body, headers, timeout=WRITE_TIMEOUT))
            except NotAllowedError:
                raise
            except BusUnavailableError as error:
                failure = error
        raise failure

    async def publish_batch(self, messages: Sequence[tuple[str, Mapping[str, str], bytes]]) -> int:
        """Write all of these to one stream or none (NATS ADR-50); the answer is the first one's place there.

        Raises LostRaceError, AlreadyInLogError (one of the ids is in the stream already) and BusUnavailableError
        (it may have been written).
        """
        batch = uuid4().hex  # names this attempt to the server; nothing else depends on it
        last = len(messages)
        answer: dict[str, Any] = {}
        for position, (subject, headers, body) in enumerate(messages, 1):
            marked = {**headers, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(position)}
            if position < last:
                await self._send(subject, body, marked)
            else:
                marked["Nats-Batch-Commit"] = "1"
                answer = await self.request(subject, body, marked, timeout=WRITE_TIMEOUT)
        return _acknowledged(answer).sequence - last + 1

    async def publish_all(self, messages: Sequence[tuple[str, Envelope[Payload]]]) -> list[int]:
        """Write these to one stream, in order, each once; the answer is where each one stands.

        In atomic batches, which are synced once each; one by one where some are in the stream already.
        """
        places: list[int] = []
        for start in range(0, len(messages), MAX_BATCH):
            chunk = messages[start : start + MAX_BATCH]
            if len(chunk) > 1:
                try:
                    first = await self.publish_batch([self._written(*message) for message in chunk])
                    places.extend(range(first, first + len(chunk)))
                    continue
                except (AlreadyInLogError, BusUnavailableError) as error:
                    log.debug("writing one by one", connection=self.name, reason=str(error))
            places.extend([(await self.publish(subject, envelope)).sequence for subject, envelope in chunk])
        return places

    def _written(self, subject: str, envelope: Envelope[Payload]) -> tuple[str, dict[str, str], bytes]:
        headers, body = encode(envelope)
        self.recent.note(headers, body, envelope)
        return subject, headers, body

    async def compare_clocks(self) -> None:
        """Look at NATS's clock. Raises BusUnavailableError."""
        began = self.clock.monotonic()
        info = await self._info("PLAYBOOKS")
        took = timedelta(seconds=self.clock.monotonic() - began)
        self.clock.compare(datetime.fromisoformat(info["ts"]) + took / 2)

    async def _info(self, stream: str) -> dict[str, Any]:
        answer = await self.request(f"$JS.API.STREAM.INFO.{stream}")
        if "error" in answer:
            raise BusUnavailableError(f"the stream {stream}: {answer['error'].get('description')}")
        return answer

    async def last_sequence(self, stream: str) -> int:
        """The place of the last message of a stream, 0 where there are none (any more). Raises BusUnavailableError."""
        answer = await self._info(stream)
        return int(answer["state"]["last_seq"]) if answer["state"]["messages"] else 0

    async def request(
        self, subject: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, timeout: float = 5.0
    ) -> dict[str, Any]:
        """Ask and read the JSON answer. Raises BusUnavailableError when there is none, NotAllowedError when the server
        refuses the question."""
        await self._until_connected(subject, timeout)
        key = next(self._keys)
        try:
            async with asyncio.timeout(None) as until:  # which `_on_error` brings forward
                self._requests[key] = (subject, until)
                answer = await self.client.request(
                    subject, body, timeout=timeout, headers=dict(headers) if headers else None
                )
        except (NatsTimeoutError, NoRespondersError, *UNSENT) as error:
            raise BusUnavailableError(f"{subject}: {type(error).__name__}") from error
        except TimeoutError:
            raise NotAllowedError(f"{subject}: nats does not allow it") from None
        except MaxPayloadError as error:
            raise ValueError(f"{subject}: {len(body)} bytes are more than NATS takes in one message") from error
        finally:
            self._requests.pop(key, None)
        read: dict[str, Any] = json.loads(answer.data)
        return read

    @asynccontextmanager
    async def inbox(self, answers: "asyncio.Queue[Msg]") -> AsyncIterator[str]:
        """An address to be answered at with many messages. All share one subscription: a new one costs a round trip."""
        token = str(next(self._keys))
        self._asked[token] = answers
        try:
            yield f"{self._inbox}.{token}"
        finally:
            del self._asked[token]

    async def _on_answer(self, message: Msg) -> None:
        """An answer that nobody waits for any more is dropped."""
        answers = self._asked.get(message.subject.rsplit(".", 1)[1])
        if answers is not None:
            answers.put_nowait(message)

    async def _send(self, subject: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Publish without waiting for an answer: for all but the last message of an atomic batch."""
        await self._until_connected(subject, WRITE_TIMEOUT)
        try:
            await self.client.publish(subject, body, headers=dict(headers))
        except UNSENT as error:
            raise BusUnavailableError(f"{subject}: {type(error).__name__}") from error

    async def _until_connected(self, what: str, within: float) -> None:
        """Wait for the connection rather than give the client what it would keep: a write that arrives when everybody
        has given it up, minutes later, says what was right then. Raises BusUnavailableError."""
        if self.is_connected:
            return
        connected = asyncio.Event()
        forget = self.on_reconnect(connected.set)
        try:
            async with asyncio.timeout(within):
                await connected.wait()
        except TimeoutError:
            raise BusUnavailableError(f"{what}: not connected to nats") from None
        finally:
            forget()

    # --- what the client tells us -------------------------------------------------------------------------------------

    async def _on_error(self, error: Exception) -> None:
        log.warning("nats client error", connection=self.name, error=repr(error))
        if (forbidden := _FORBIDDEN.search(str(error))) is not None:
            self._refuse(forbidden[1])

    def _refuse(self, subject: str) -> None:
        """End the requests that the server will not answer. The client tells of the subject in small letters."""
        for key, (asked, until) in tuple(self._requests.items()):
            if asked.lower() == subject.lower():
                del self._requests[key]
                until.reschedule(asyncio.get_running_loop().time())

    async def _on_disconnected(self) -> None:
        if not self._closing:
            log.warning("lost the connection to nats", connection=self.name)

    async def _on_reconnected(self) -> None:
        log.info("connected to nats again", connection=self.name)
        for call in tuple(self._on_reconnect.values()):
            call()

    async def _on_closed(self) -> None:
        if not self._closing:
            log.error("the connection to nats is closed for good", connection=self.name)
            self.lost_for_good.set()


def _acknowledged(answer: Mapping[str, Any]) -> Written:
    if error := answer.get("error"):
        raise refusal(error)
    return Written(int(answer["seq"]), bool(answer.get("duplicate", False)))


def refusal(error: Mapping[str, Any]) -> Exception:
    """The server's refusal of a write, as the exception that says what to do about it."""
    code, text = int(error.get("err_code", 0)), str(error.get("description", ""))
    if code in _WRONG_LAST_SEQUENCE:
        return LostRaceError(text)
    if code == _DUPLICATE_IN_BATCH:
        return AlreadyInLogError(text)
    return BusUnavailableError(f"refused by nats: {text} ({code})")
