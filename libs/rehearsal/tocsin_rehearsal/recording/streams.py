"""Reading a stream as it stands, by direct gets: nothing is created on the server, acknowledged or taken away.

That is the only way to look into a work queue (COMMANDS) without being one of its workers.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import structlog
from nats.aio.msg import Msg

from tocsin_rehearsal.recording.format import Recorded, config_digest, exact_time
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.bus.connection import UNSENT, WRITE_TIMEOUT
from tocsin_schemas.moments import format_moment

__all__ = ["Source", "StreamInfo", "StreamReader", "last_by_subject", "stream_info"]

log = structlog.get_logger(__name__)

T = TypeVar("T")
_PAGE = 256
_PAGE_BYTES = 4 * 1024 * 1024
_PATIENCE = 60.0
"""Seconds for which a server that is away is waited for."""

_PAUSE = 0.2
_OF_THE_SERVER = (
    "Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence",
)  # fmt: skip
"""Headers that a direct get adds to the message's own."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """How far a stream goes, when the server said so (as `Recorded.time`), and a digest of its configuration."""

    last: int
    at: str
    digest: str


async def stream_info(connection: Connection, stream: str) -> StreamInfo:
    """Ask the server. Raises BusUnavailableError, also where there is no such stream."""

    async def ask() -> Mapping[str, Any]:
        return await connection.request(f"$JS.API.STREAM.INFO.{stream}", timeout=WRITE_TIMEOUT)

    answer = await _patiently(connection, ask)
    if "error" in answer:
        raise BusUnavailableError(f"stream {stream}: {answer['error'].get('description')}")
    return StreamInfo(int(answer["state"]["last_seq"]), exact_time(answer["ts"]), config_digest(answer["config"]))


class StreamReader:
    """One stream, or one subject of it, from `since` on, in the stream's order.

    A server that goes away is waited for; what was read before it is not read again. Raises BusUnavailableError
    where it stays away for a minute.
    """

    def __init__(
        self, connection: Connection, stream: str, *, subject: str = ">", since: datetime | None = None
    ) -> None:
        self._connection = connection
        self._stream, self._subject, self._since = stream, subject, since
        self._next = 1

    async def read(self, last: int) -> AsyncIterator[Recorded]:
        """What has not been read yet, up to the sequence `last`."""
        more = True
        while more and self._next <= last:
            page, more = await _page(self._connection, self._stream, self._query())
            for message in page:
                if message.sequence > last:
                    return
                self._next, self._since = message.sequence + 1, None
                yield message

    def _query(self) -> dict[str, Any]:
        begin: dict[str, Any] = {"seq": self._next}
        if self._since is not None:
            begin = {"start_time": format_moment(self._since)}
        return {**begin, "next_by_subj": self._subject, "batch": _PAGE, "max_bytes": _PAGE_BYTES}


class Source:
    """What is wanted of one stream, each time up to where the stream goes by then; `before` comes first.

    Without a reader it is `before` alone.
    """

    def __init__(
        self,
        name: str,
        reader: StreamReader | None,
        *,
        before: Sequence[Recorded] = (),
        wanted: Callable[[Recorded], bool] = lambda message: True,
    ) -> None:
        self.name = name
        self._reader, self._before, self._wanted = reader, before, wanted

    async def read(self, last: int) -> AsyncIterator[Recorded]:
        before, self._before = self._before, ()
        for message in before:
            yield message
        if self._reader is None:
            return
        async for message in self._reader.read(last):
            if self._wanted(message):
                yield message


async def last_by_subject(connection: Connection, stream: str, subjects: str, *, at: datetime) -> list[Recorded]:
    """The last message of each subject as of this moment, in the stream's order."""
    page, _ = await _page(connection, stream, {"multi_last": [subjects], "up_to_time": format_moment(at)})
    return sorted(page, key=lambda message: message.sequence)


# --- how --------------------------------------------------------------------------------------------------------------


async def _page(connection: Connection, stream: str, query: Mapping[str, Any]) -> tuple[list[Recorded], bool]:
    """The answer to one direct get, and whether there is more. All of it or BusUnavailableError."""

    async def ask() -> tuple[list[Recorded], bool]:
        answers: asyncio.Queue[Msg] = asyncio.Queue()
        async with connection.inbox(answers) as reply_to:
            try:
                subject = f"$JS.API.DIRECT.GET.{stream}"
                await connection.client.publish(subject, json.dumps(query).encode(), reply=reply_to)
                async with asyncio.timeout(WRITE_TIMEOUT):
                    return await _answers(stream, answers)
            except (TimeoutError, *UNSENT) as error:
                raise BusUnavailableError(f"reading {stream}: {type(error).__name__}") from error

    return await _patiently(connection, ask)


async def _answers(stream: str, answers: "asyncio.Queue[Msg]") -> tuple[list[Recorded], bool]:
    page: list[Recorded] = []
    while True:
        message = await answers.get()
        headers = {str(name): str(value) for name, value in (message.headers or {}).items()}
        match headers.get("Status") if not message.data else None:
            case None:
                page.append(_recorded(stream, headers, message.data))
            case "404":
                return page, False
            case "204":
                return page, int(headers.get("Nats-Num-Pending", "0")) > 0
            case status:
                raise BusUnavailableError(f"reading {stream}: status {status} {headers.get('Description', '')}")


def _recorded(stream: str, headers: Mapping[str, str], data: bytes) -> Recorded:
    return Recorded(
        stream=stream,
        sequence=int(headers["Nats-Sequence"]),
        time=exact_time(headers["Nats-Time-Stamp"]),
        subject=headers["Nats-Subject"],
        headers=tuple((name, value) for name, value in headers.items() if name not in _OF_THE_SERVER),
        data=data,
    )


async def _patiently(connection: Connection, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while the server is away: it may be starting."""
    clock = connection.clock
    give_up_at = clock.monotonic() + _PATIENCE
    while True:
        try:
            return await ask()
        except BusUnavailableError as error:
            if clock.monotonic() >= give_up_at:
                raise
            log.info("reading is interrupted; asking again", reason=str(error))
            await clock.sleep(_PAUSE)
