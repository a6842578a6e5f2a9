"""The streams as a recording takes them: how far each goes, and its messages as `Recorded`."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin_rehearsal.recording.format import Recorded, config_digest, exact_time
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.bus.connection import WRITE_TIMEOUT
from tocsin_runtime.bus.stored import Stored, StoredMessages, patiently, read_page
from tocsin_schemas.moments import format_moment

__all__ = ["Source", "StreamInfo", "StreamReader", "last_by_subject", "stream_info"]


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

    answer = await patiently(connection, ask)
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
        self._stream = stream
        self._messages = StoredMessages(connection, stream, subject=subject, since=since)

    async def read(self, last: int) -> AsyncIterator[Recorded]:
        """What has not been read yet, up to the sequence `last`."""
        async for message in self._messages.read(last):
            yield _recorded(self._stream, message)


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
    page, _ = await read_page(connection, stream, {"multi_last": [subjects], "up_to_time": format_moment(at)})
    return [_recorded(stream, message) for message in sorted(page, key=lambda message: message.sequence)]


def _recorded(stream: str, message: Stored) -> Recorded:
    return Recorded(
        stream=stream,
        sequence=message.sequence,
        time=exact_time(message.time),
        subject=message.subject,
        headers=message.headers,
        data=message.data,
    )
