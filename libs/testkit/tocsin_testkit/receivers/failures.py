"""Failures that a test switches on in an HTTP double: it hangs, drips, breaks or loses its answer."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, assert_never

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["AnswerLost", "Answers", "Drip", "Failure", "Failures", "Faulty", "Hang", "HugeBody", "RateLimited"]

TOO_MANY = b'{"ok":false,"error":"ratelimited"}'

RESET = "testkit.reset_connection"
"""Where the HTTP runner puts a function that resets the connection, in the ASGI scope."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answers; the request was acted on first if `recorded`."""

    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Drip:
    """Acts on the request and answers one byte an interval."""

    interval: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers this and does not act: `Answers(500)`, `Answers(302, headers={"location": "http://10.0.0.1/"})`."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Answers 429 and when to try again; does not act."""

    retry_after: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class HugeBody:
    """Acts on the request and answers the truth behind `size` bytes of white space."""

    size: int = 10_000_000


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """Acts on the request, then resets the connection: it is done, and the sender cannot know."""


Failure = Hang | Drip | Answers | RateLimited | HugeBody | AnswerLost


class Failures:
    """The failures still to come. Safe to switch from another thread than the double's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: deque[Failure] = deque()
        self._lasting: Failure | None = None

    def plan(self, failure: Failure, times: int | None) -> None:
        """The next `times` requests fail so, in the order planned; None: all until `heal`."""
        with self._lock:
            if times is None:
                self._lasting = failure
            else:
                self._planned.extend([failure] * times)

    def heal(self) -> None:
        with self._lock:
            self._planned.clear()
            self._lasting = None

    def next(self) -> Failure | None:
        with self._lock:
            return self._planned.popleft() if self._planned else self._lasting


class Faulty:
    """ASGI middleware: requests to the app fail as planned."""

    def __init__(self, app: ASGIApp, failures: Failures) -> None:
        self._app = app
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failure = self._failures.next()
        if failure is None:
            await self._app(scope, receive, send)
            return
        request = await _read_body(receive)
        await self._fail(failure, scope, request, receive, send)

    async def _fail(self, failure: Failure, scope: Scope, request: bytes, receive: Receive, send: Send) -> None:
        match failure:
            case Hang(recorded):
                if recorded:
                    await self._act(scope, request)
                await _disconnected(receive)
            case Drip(interval):
                start, body = await self._act(scope, request)
                await _until_disconnected(receive, _drip(start, body, interval, send))
            case Answers(status, body, headers):
                await _answer(_start(status, len(body), headers), body, send)
            case RateLimited(retry_after):
                headers = {
                    "retry-after": str(math.ceil(retry_after.total_seconds())),
                    "content-type": "application/json",
                }
                await _answer(_start(429, len(TOO_MANY), headers), TOO_MANY, send)
            case HugeBody(size):
                start, body = await self._act(scope, request)
                start = _with_length(start, size + len(body))
                await _until_disconnected(receive, _answer(start, b" " * size + body, send))
            case AnswerLost():
                await self._act(scope, request)
                scope[RESET]()
                await _disconnected(receive)
            case _:
                assert_never(failure)

    async def _act(self, scope: Scope, request: bytes) -> tuple[Message, bytes]:
        """Let the app handle the request; its answer is kept back."""
        answer: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": request, "more_body": False}

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        start, *rest = answer
        return start, b"".join(message.get("body", b"") for message in rest)


async def _read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_disconnected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, but not for a client that left. (Any: what a coroutine yields is asyncio's own business.)"""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, gone):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _drip(start: Message, body: bytes, interval: timedelta, send: Send) -> None:
    await send(start)
    for position in range(len(body)):
        await asyncio.sleep(interval.total_seconds())
        await send(_body(body[position : position + 1], more=True))
    await send(_body(b""))


async def _answer(start: Message, body: bytes, send: Callable[[Message], Awaitable[None]]) -> None:
    await send(start)
    await send(_body(body))


def _start(status: int, length: int, headers: dict[str, str]) -> Message:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return _with_length({"type": "http.response.start", "status": status, "headers": raw}, length)


def _with_length(start: Message, length: int) -> Message:
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}


def _body(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
