"""The log of incidents: append a decision whole, or learn that somebody else was first.

One incident's order is kept by an expectation on its last sequence (optimistic concurrency). Several events, also
of several incidents, go in one atomic batch: all or none (NATS ADR-50). A single event needs no batch, which
is four times as fast.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from nats.aio.msg import Msg

from tocsin_runtime.bus.connection import MAX_BATCH, UNSENT, WRITE_TIMEOUT, Connection
from tocsin_runtime.bus.errors import AlreadyInLogError, BusUnavailableError
from tocsin_schemas import Envelope, Event, decode, encode
from tocsin_schemas.subjects import incident_filter, incident_subject, service_log_filter

__all__ = ["Append", "IncidentLog"]

logger = structlog.get_logger(__name__)

STREAM = "INCIDENTS"
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Append:
    """Events of one incident that follow from what was known at `expected`.

    `expected` is the sequence of the last message under `scope` that the decision knew, 0 for none.
    """

    incident: str
    events: tuple[Envelope[Event], ...]
    expected: int
    scope: str


class IncidentLog:
    """Reads and appends incidents' events."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def append(self, appends: Sequence[Append]) -> list[tuple[Envelope[Event], ...]]:
        """Append all of it or nothing; the answer is the events with their sequences.

        Raises LostRaceError and AlreadyInLogError (nothing was written: load, decide again) and
        BusUnavailableError (it may have been written: load, and see).
        """
        if sum(len(append.events) for append in appends) > MAX_BATCH:
            raise ValueError(f"more than {MAX_BATCH} events in one append")
        messages = [message for append in appends for message in self._messages(append)]
        if not messages:
            return [() for _ in appends]
        if len(messages) == 1:
            subject, headers, body = messages[0]
            written = await self._connection.publish_raw(subject, body, headers)
            if written.duplicate:
                raise AlreadyInLogError(f"{subject}: this event is in the log at {written.sequence}")
            first = written.sequence
        else:
            first = await self._connection.publish_batch(messages)
        return _with_sequences(appends, first)

    def _messages(self, append: Append) -> list[tuple[str, dict[str, str], bytes]]:
        written = []
        for position, event in enumerate(append.events):
            headers, body = encode(event)
            self._connection.recent.note(headers, body, event)
            headers["Nats-Expected-Stream"] = STREAM
            if position == 0:
                headers["Nats-Expected-Last-Subject-Sequence"] = str(append.expected)
                headers["Nats-Expected-Last-Subject-Sequence-Subject"] = append.scope
            written.append((incident_subject(append.incident, type(event.data)), headers, body))
        return written

    async def load(self, incident: str, *, after: int = 0, service: str | None = None) -> list[Envelope[Event]]:
        """The incident's events after sequence `after`, in order; of one service only where one is named.

        Raises BusUnavailableError when the answer does not come whole.
        """
        subject = service_log_filter(incident, service) if service else incident_filter(incident)
        events: list[Envelope[Event]] = []
        start, more = after + 1, True
        while more:
            page, more = await self._page(subject, start)
            events.extend(page)
            if page:
                start = page[-1].sequence + 1
        return events

    async def first(self, subject: str, start: int) -> Envelope[Event] | None:
        """The first event under this subject from this place on, if there is one. Raises BusUnavailableError."""
        page, _ = await self._page(subject, start, most=1)
        return page[0] if page else None

    async def _page(self, subject: str, start: int, most: int = _PAGE) -> tuple[list[Envelope[Event]], bool]:
        client = self._connection.client
        query = {"seq": start, "next_by_subj": subject, "batch": most}
        answers: asyncio.Queue[Msg] = asyncio.Queue()
        async with self._connection.inbox(answers) as reply_to:
            try:
                await client.publish(f"$JS.API.DIRECT.GET.{STREAM}", json.dumps(query).encode(), reply=reply_to)
                return await self._read_page(subject, answers)
            except (TimeoutError, *UNSENT) as error:
                raise BusUnavailableError(f"reading {subject}: {type(error).__name__}") from error

    async def _read_page(self, subject: str, answers: "asyncio.Queue[Msg]") -> tuple[list[Envelope[Event]], bool]:
        page: list[Envelope[Event]] = []
        async with asyncio.timeout(WRITE_TIMEOUT):
            while True:
                message = await answers.get()
                headers = {str(name): str(value) for name, value in (message.headers or {}).items()}
                status = headers.get("Status")
                if status == "404":
                    return page, False
                if status == "204":
                    return page, int(headers.get("Nats-Num-Pending", "0")) > 0
                if status is not None:
                    raise BusUnavailableError(f"reading {subject}: status {status}")
                page.append(_read(headers, message.data))


def _with_sequences(appends: Sequence[Append], first: int) -> list[tuple[Envelope[Event], ...]]:
    stored, sequence = [], first
    for append in appends:
        stored.append(tuple(event.at(sequence + offset) for offset, event in enumerate(append.events)))
        sequence += len(append.events)
    return stored


def _read(headers: Mapping[str, str], body: bytes) -> Envelope[Event]:
    envelope = decode(headers, body, sequence=int(headers["Nats-Sequence"]), trusted=True)
    if not isinstance(envelope.data, Event):
        raise TypeError(f"{envelope.type} in the log of incidents is not an event")
    return envelope  # type: ignore[return-value]  # narrowed above; mypy does not narrow through the field
