"""Reading a stream as it stands, by direct gets: nothing is created on the server, acknowledged or taken away.

That is the only way to look into a work queue (COMMANDS) without being one of its workers.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import structlog
from nats.aio.msg import Msg

from tocsin_runtime.bus.connection import UNSENT, WRITE_TIMEOUT, Connection
from tocsin_runtime.bus.errors import BusUnavailableError
from tocsin_schemas.moments import format_moment

__all__ = ["Stored", "StoredMessages", "patiently", "read_page"]

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
class Stored:
    """One message as it stands in its stream. `time` is as the server writes it: RFC 3339 with up to nine digits."""

    sequence: int
    time: str
    subject: str
    headers: tuple[tuple[str, str], ...]
    data: bytes


class StoredMessages:
    """One stream, or one subject of it, from `since` on, in the stream's order.

    What was read is not read again. A server that goes away is waited for. Raises BusUnavailableError where it stays
    away for longer than `patience` seconds, a minute without them.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        *,
        subject: str = ">",
        since: datetime | None = None,
        patience: float | None = None,
    ) -> None:
        self._connection, self._patience = connection, patience
        self._stream, self._subject, self._since = stream, subject, since
        self._next = 1

    async def read(self, last: int) -> AsyncIterator[Stored]:
        """What has not been read yet, up to the sequence `last`."""
        more = True
        while more and self._next <= last:
            page, more = await read_page(self._connection, self._stream, self._query(), patience=self._patience)
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


async def read_page(
    connection: Connection, stream: str, query: Mapping[str, Any], *, patience: float | None = None
) -> tuple[list[Stored], bool]:
    """The answer to one direct get, and whether there is more. All of it or BusUnavailableError."""

    async def ask() -> tuple[list[Stored], bool]:
        answers: asyncio.Queue[Msg] = asyncio.Queue()
        async with connection.inbox(answers) as reply_to:
            try:
                subject = f"$JS.API.DIRECT.GET.{stream}"
                await connection.client.publish(subject, json.dumps(query).encode(), reply=reply_to)
                async with asyncio.timeout(WRITE_TIMEOUT):
                    return await _answers(stream, answers)
            except (TimeoutError, *UNSENT) as error:
                raise BusUnavailableError(f"reading {stream}: {type(error).__name__}") from error

    return await patiently(connection, ask, patience)


async def patiently(connection: Connection, ask: Callable[[], Awaitable[T]], patience: float | None = None) -> T:
    """Ask again while the server is away: it may be starting."""
    clock = connection.clock
    give_up_at = clock.monotonic() + (_PATIENCE if patience is None else patience)
    while True:
        try:
            return await ask()
        except BusUnavailableError as error:
            if clock.monotonic() >= give_up_at:
                raise
            log.info("reading is interrupted; asking again", reason=str(error))
            await clock.sleep(_PAUSE)


async def _answers(stream: str, answers: "asyncio.Queue[Msg]") -> tuple[list[Stored], bool]:
    page: list[Stored] = []
    while True:
        message = await answers.get()
        headers = {str(name): str(value) for name, value in (message.headers or {}).items()}
        match headers.get("Status") if not message.data else None:
            case None:
                page.append(_stored(headers, message.data))
            case "404":
                return page, False
            case "204":
                return page, int(headers.get("Nats-Num-Pending", "0")) > 0
            case status:
                raise BusUnavailableError(f"reading {stream}: status {status} {headers.get('Description', '')}")


def _stored(headers: Mapping[str, str], data: bytes) -> Stored:
    return Stored(
        sequence=int(headers["Nats-Sequence"]),
        time=headers["Nats-Time-Stamp"],
        subject=headers["Nats-Subject"],
        headers=tuple((name, value) for name, value in headers.items() if name not in _OF_THE_SERVER),
        data=data,
    )
