"""Recording: a stretch of the streams, or one incident with what it came from, as one order of messages.

Messages are merged by the server's time; within a stream their sequence is kept. Nothing is changed on the server.
"""

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tocsin_rehearsal.recording.files import RecordingFile
from tocsin_rehearsal.recording.format import Meta, Recorded, product_version
from tocsin_rehearsal.recording.incident import incident_sources
from tocsin_rehearsal.recording.streams import Source, StreamInfo, StreamReader, last_by_subject, stream_info
from tocsin_runtime import Connection
from tocsin_schemas.moments import parse_moment
from tocsin_schemas.subjects import PLAYBOOKS

__all__ = ["RECORDED_STREAMS", "Stretch", "record"]

RECORDED_STREAMS = ("PLAYBOOKS", "ALERTS", "COMMANDS", "ORDERS", "INCIDENTS", "TIMERS", "DEADLETTERS")
"""What can be recorded. Where two messages have the same time, the causes come before what follows from them."""

_LOOK_EVERY = 0.25


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was recorded: how many messages of each stream."""

    messages: Counter[str]

    @property
    def total(self) -> int:
        return self.messages.total()


async def record(
    connection: Connection,
    streams: Sequence[str] = RECORDED_STREAMS,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    incident: str | None = None,
    follow: bool = False,
    stop: asyncio.Event | None = None,
    out: Path,
) -> Stretch:
    """Write what stands in the streams between `since` and `until` (aware; without them from the first message to
    the last) to the file `out`. With `follow` it goes on as messages come, until `until` or `stop`.

    The playbooks that were in force at `since`, and all orders before it, come first. With `incident`, only that
    incident: its log, its alerts, the playbook revision it is pinned to, its clocks, queued commands and dead letters;
    and all standing orders.

    Raises ValueError for an unknown stream, an incident that is not in the log, or `follow` of one incident;
    BusUnavailableError where the server stays away. The file appears only when all of it is written.
    """
    if unknown := set(streams) - set(RECORDED_STREAMS):
        raise ValueError(f"{', '.join(sorted(unknown))} cannot be recorded; {', '.join(RECORDED_STREAMS)} can")
    if incident is not None and follow:
        raise ValueError("an incident is recorded as far as it has come: it cannot be followed")
    chosen = tuple(name for name in RECORDED_STREAMS if name in streams)
    known = {name: await stream_info(connection, name) for name in chosen}
    if incident is not None:
        sources = await incident_sources(connection, incident, known)
    else:
        sources = await _stretch_sources(connection, known, since)
    meta = _meta(connection, known, since, until, incident)
    counted: Counter[str] = Counter()
    with RecordingFile(out, meta) as file:
        async for message in _in_order(connection, sources, _Ends(until, follow, stop or asyncio.Event())):
            if incident is not None and since is not None and message.moment < since:
                continue
            file.write(message)
            counted[message.stream] += 1
    return Stretch(counted)


def _meta(
    connection: Connection,
    known: dict[str, StreamInfo],
    since: datetime | None,
    until: datetime | None,
    incident: str | None,
) -> Meta:
    server = connection.client._server_info
    return Meta(
        version=product_version(),
        recorded_at=connection.clock.now(),
        server=f"{server.get('server_name', '')} nats-server/{server.get('version', '')}",
        since=since,
        until=until,
        incident=incident,
        streams={name: info.digest for name, info in known.items()},
    )


# --- where from -------------------------------------------------------------------------------------------------------


async def _stretch_sources(connection: Connection, streams: Iterable[str], since: datetime | None) -> list[Source]:
    sources = []
    for name in streams:
        before: list[Recorded] = []
        if name == "PLAYBOOKS" and since is not None:
            heads = await last_by_subject(connection, name, PLAYBOOKS, at=since)
            before = [message for message in heads if message.moment < since]
        elif name == "ORDERS" and since is not None:
            before = await _until(connection, name, since)
        sources.append(Source(name, StreamReader(connection, name, since=since), before=before))
    return sources


async def _until(connection: Connection, stream: str, since: datetime) -> list[Recorded]:
    """Everything before a moment: what was ordered then may stand."""
    last = (await stream_info(connection, stream)).last
    return [message async for message in StreamReader(connection, stream).read(last) if message.moment < since]


# --- one order --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ends:
    """When to stop: at a moment, after what stands there now, or when somebody says so."""

    until: datetime | None
    follow: bool
    stop: asyncio.Event

    def has_passed(self, at: str) -> bool:
        return self.until is not None and parse_moment(at) >= self.until


async def _in_order(connection: Connection, sources: Sequence[Source], ends: _Ends) -> AsyncIterator[Recorded]:
    """Round after round: read every stream to its end. What is older than the beginning of the round is complete,
    for no stream can get anything older any more; the rest is held until the next round."""
    held: list[Recorded] = []
    going_on = True
    while going_on:
        going_on = ends.follow and not ends.stop.is_set()
        known = {source.name: await stream_info(connection, source.name) for source in sources}
        complete = min((info.at for info in known.values()), default="")
        going_on = going_on and not ends.has_passed(complete)
        earlier, held = held, []
        readers = [_of(earlier), *(source.read(known[source.name].last) for source in sources)]
        async for message in _merged(readers):
            if ends.has_passed(message.time):
                continue
            if going_on and message.time >= complete:
                held.append(message)
            else:
                yield message
        if going_on:
            with suppress(TimeoutError):
                await asyncio.wait_for(ends.stop.wait(), _LOOK_EVERY)


async def _of(messages: Sequence[Recorded]) -> AsyncIterator[Recorded]:
    for message in messages:
        yield message


async def _merged(readers: Sequence[AsyncIterator[Recorded]]) -> AsyncIterator[Recorded]:
    heads: list[tuple[str, int, int, int]] = []
    waiting: dict[int, Recorded] = {}

    async def advance(index: int) -> None:
        message = await anext(readers[index], None)
        if message is not None:
            waiting[index] = message
            rank = RECORDED_STREAMS.index(message.stream)
            heapq.heappush(heads, (message.time, rank, message.sequence, index))

    for index in range(len(readers)):
        await advance(index)
    while heads:
        index = heapq.heappop(heads)[-1]
        yield waiting.pop(index)
        await advance(index)
