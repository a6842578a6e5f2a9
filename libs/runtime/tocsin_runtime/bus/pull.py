"""Pulling from a durable consumer, so that it never falls silent unnoticed.

Neither client's own loop will do here. nats-py's `fetch` lingers until the batch is full or the time is over, and
FastStream 0.7's batch loop waits for whole batches: seconds of delay for a single page. Both keep a lost pull
request until it expires, spin when the connection is closed, and never notice a deleted consumer.

This loop keeps one pull request open with a heartbeat. Messages are handed over as soon as they come. Silence
longer than two heartbeats, a reconnect or any refusal leads to a new request; a consumer that is gone is made
anew from the table.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import BadSubscriptionError, ConnectionClosedError, ConnectionReconnectingError
from nats.errors import TimeoutError as NatsTimeoutError

from tocsin_runtime.bus.connection import Connection
from tocsin_runtime.topology import ConsumerSpec

__all__ = ["HEARTBEAT", "PINNED_GROUP", "PullLoop"]

log = structlog.get_logger(__name__)

HEARTBEAT = 0.5
"""Seconds between two signs of life of an idle consumer."""

PINNED_GROUP = "one"
"""The priority group of consumers that serve one replica at a time."""

_EXPIRES = 10.0
_SILENCE = 3 * HEARTBEAT
_GONE = {"404", "409", "503"}
_OTHERS_PIN = "423"
_ORDINARY = {"100", "408", _OTHERS_PIN}
"""A heartbeat, a request that has expired, messages that are another replica's now."""


class PullLoop:
    """Fetches from one durable consumer until it is closed."""

    def __init__(self, connection: Connection, spec: ConsumerSpec, ensure: Callable[[], Awaitable[None]]) -> None:
        self._connection = connection
        self._spec = spec
        self._ensure = ensure
        self._subscription: Subscription | None = None
        self._requested = 0
        self._expires_at = 0.0
        self._wake = asyncio.Event()
        self._waiting: asyncio.Future[Msg] | None = None
        self._closed = False
        self._pin: str | None = None
        self._expires = min(_EXPIRES, spec.pinned.total_seconds() / 2) if spec.pinned else _EXPIRES
        self._forget_reconnect: Callable[[], None] = lambda: None
        self.last_sign_of_life = connection.clock.monotonic()
        self.re_requests = 0

    async def open(self) -> None:
        """Make sure that the consumer exists, and listen."""
        await self._ensure()
        client = self._connection.client
        self._subscription = await client.subscribe(client.new_inbox(), pending_msgs_limit=-1, pending_bytes_limit=-1)
        self._forget_reconnect = self._connection.on_reconnect(self._wake_up)

    async def close(self) -> None:
        """Stop listening. What was sent to us and not handed over comes again after the ack wait."""
        self._closed = True
        self._forget_reconnect()
        if self._waiting is not None:
            self._waiting.cancel()
        if self._subscription is not None:
            with suppress(ConnectionClosedError, BadSubscriptionError, ConnectionReconnectingError):
                await self._subscription.unsubscribe()
                await self._make_way()
            self._subscription = None

    async def _make_way(self) -> None:
        """Let another replica be given messages at once, and not when we have asked for none for long."""
        if self._pin is not None:
            subject = f"$JS.API.CONSUMER.UNPIN.{self._spec.stream}.{self._spec.name}"
            client = self._connection.client
            await client.publish(subject, json.dumps({"group": PINNED_GROUP}).encode(), reply=client.new_inbox())
            self._pin = None

    async def next(self, limit: int) -> list[Msg]:
        """Up to `limit` messages, as soon as there is one; empty after a second or so without any, and once closed."""
        if self._closed:
            return []
        if self._subscription is None:
            raise RuntimeError("the pull loop is not open")
        now = self._connection.clock.monotonic()
        if self._requested <= 0 or now >= self._expires_at or self._wake.is_set():
            await self._request(limit)
        first = None if self._closed else await self._wait()
        return [] if first is None or self._closed else [first, *self.arrived(limit - 1)]

    def _wake_up(self) -> None:
        """A reconnect: the server has forgotten our request."""
        self._wake.set()

    async def _request(self, limit: int) -> None:
        self._wake.clear()
        query: dict[str, object] = {
            "batch": limit,
            "expires": int(self._expires * 1e9),
            "idle_heartbeat": int(HEARTBEAT * 1e9),
        }
        if self._spec.pinned is not None:
            query |= {"group": PINNED_GROUP, **({"id": self._pin} if self._pin is not None else {})}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._spec.stream}.{self._spec.name}"
        assert self._subscription is not None  # noqa: S101  # for the type checker: `next` has refused None
        try:
            await self._connection.client.publish(subject, json.dumps(query).encode(), reply=self._subscription.subject)
        except (ConnectionClosedError, ConnectionReconnectingError):
            await asyncio.sleep(HEARTBEAT)  # never spin on a connection that is not there
            return
        self._requested = limit
        self._expires_at = self._connection.clock.monotonic() + self._expires

    async def _wait(self) -> Msg | None:
        assert self._subscription is not None  # noqa: S101  # for the type checker: `next` has refused None
        self._waiting = asyncio.ensure_future(self._subscription.next_msg(_SILENCE))
        try:
            message = await self._waiting
        except asyncio.CancelledError:
            if not self._closed:
                raise
            return None
        except NatsTimeoutError:
            await self._after_silence()
            return None
        except (ConnectionClosedError, BadSubscriptionError):
            await asyncio.sleep(HEARTBEAT)
            return None
        self.last_sign_of_life = self._connection.clock.monotonic()
        return await self._sort(message)

    async def _sort(self, message: Msg) -> Msg | None:
        status = self._noted(message)
        if status is None:
            return message
        if status in _GONE:
            await self._revive(status, _description(message))
        elif status not in _ORDINARY:
            log.warning("a request was refused", consumer=self._spec.name, status=status, reason=_description(message))
            await asyncio.sleep(HEARTBEAT)  # the next one may be too: never spin
        return None

    def _noted(self, message: Msg) -> str | None:
        """The message's status, none for what is to be handled, with what it says of our request noted."""
        status = _status(message)
        if status is None:
            self._requested -= 1
            if self._spec.pinned is not None:
                self._pin = (message.headers or {}).get("Nats-Pin-Id", self._pin)
        elif status != "100":  # a heartbeat
            self._requested = 0
            if status == _OTHERS_PIN:
                self._pin = None
        return status

    def arrived(self, limit: int) -> list[Msg]:
        """Up to `limit` messages that are here already."""
        assert self._subscription is not None  # noqa: S101  # for the type checker: `next` has refused None
        queue = self._subscription._pending_queue
        drained: list[Msg] = []
        while len(drained) < limit and not queue.empty():
            message = queue.get_nowait()
            queue.task_done()
            self._subscription._pending_size -= len(message.data)
            if self._noted(message) is None:
                drained.append(message)
        return drained

    async def _after_silence(self) -> None:
        """Neither message nor heartbeat: the request, the consumer or the server is gone."""
        self._requested = 0
        self.re_requests += 1
        if self._connection.is_connected:
            await self._revive("silence", f"nothing for {_SILENCE:g} s")

    async def _revive(self, status: str, reason: str) -> None:
        log.info("asking again", consumer=self._spec.name, status=status, reason=reason)
        try:
            await self._ensure()
        except Exception as error:  # noqa: BLE001  # whatever it is, the loop must live to try again; tested
            log.warning("consumer is not there yet", consumer=self._spec.name, error=repr(error))
            await asyncio.sleep(HEARTBEAT)


def _status(message: Msg) -> str | None:
    headers = message.headers
    if not headers or message.data:
        return None
    return next((str(value) for name, value in headers.items() if str(name) == "Status"), None)


def _description(message: Msg) -> str:
    return next((str(v) for name, v in (message.headers or {}).items() if str(name) == "Description"), "")
