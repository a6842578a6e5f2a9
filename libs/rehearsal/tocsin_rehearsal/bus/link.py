"""What a replica has in the place of `NatsBus`: connection, log, alarm clocks, consumers and followers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import cast

import structlog

from tocsin_rehearsal.bus.broker import Broker
from tocsin_rehearsal.bus.readers import ModelFollower, ModelWorker
from tocsin_rehearsal.bus.streams import Expectation, Stored, ToWrite
from tocsin_rehearsal.bus.wire import Link
from tocsin_rehearsal.loop import Life
from tocsin_runtime.bus.connection import MAX_BATCH, Connection, Written
from tocsin_runtime.bus.consume import Handler, Worker
from tocsin_runtime.bus.errors import AlreadyInLogError, BusUnavailableError
from tocsin_runtime.bus.follow import Follower, OnEvents
from tocsin_runtime.bus.log import Append, IncidentLog
from tocsin_runtime.bus.timers import Timers
from tocsin_runtime.clock import Clock
from tocsin_runtime.common_clock import CommonClock
from tocsin_runtime.topology import ConsumerSpec
from tocsin_schemas import Envelope, Event, Payload, TimerDue, caused_by
from tocsin_schemas.ids import derive_id
from tocsin_schemas.moments import format_moment
from tocsin_schemas.subjects import incident_subject, timer_at_subject, timer_due_subject

__all__ = ["Link", "ModelBus"]

log = structlog.get_logger(__name__)

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_PAGE = 500


class ModelConnection:
    """In the place of `Connection`, for what services ask of it."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self.clock = CommonClock(clock)
        self.name = link.service
        self.lost_for_good = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        return self._link.is_connected

    def on_reconnect(self, call: Callable[[], None]) -> Callable[[], None]:
        """As `Connection.on_reconnect`."""
        return self._link.on_reconnect(call)

    async def publish(
        self, subject: str, envelope: Envelope[Payload], *, expect: Mapping[str, str] | None = None
    ) -> Written:
        """As `Connection.publish`: an answer that is lost is asked for again."""
        message = [ToWrite(subject, envelope, envelope.id, _expectation(subject, expect or {}))]
        return Written(*await self._link.repeated(subject, lambda: self._link.broker.write(message)))

    async def publish_all(self, messages: Sequence[tuple[str, Envelope[Payload]]]) -> list[int]:
        """As `Connection.publish_all`."""
        places: list[int] = []
        for start in range(0, len(messages), MAX_BATCH):
            chunk = messages[start : start + MAX_BATCH]
            if len(chunk) > 1:
                try:
                    first = await self._publish_batch(chunk)
                    places.extend(range(first, first + len(chunk)))
                    continue
                except (AlreadyInLogError, BusUnavailableError) as error:
                    log.debug("writing one by one", connection=self.name, reason=str(error))
            places.extend([(await self.publish(subject, envelope)).sequence for subject, envelope in chunk])
        return places

    async def compare_clocks(self) -> None:
        """As `Connection.compare_clocks`."""
        began = self.clock.monotonic()
        theirs = await self._link.exchange("info", self._link.machine.now)
        self.clock.compare(theirs + timedelta(seconds=self.clock.monotonic() - began) / 2)

    async def last_sequence(self, stream: str) -> int:
        """As `Connection.last_sequence`."""
        return await self._link.exchange("info", lambda: self._link.broker.streams[stream].last_kept())

    async def _publish_batch(self, messages: Sequence[tuple[str, Envelope[Payload]]]) -> int:
        batch = [ToWrite(subject, envelope, envelope.id) for subject, envelope in messages]
        first, _ = await self._link.exchange(batch[0].subject, lambda: self._link.broker.write(batch))
        return first


def _expectation(subject: str, headers: Mapping[str, str]) -> Expectation | None:
    last = headers.get(_EXPECTED)
    return None if last is None else Expectation(headers.get(f"{_EXPECTED}-Subject", subject), int(last))


class ModelLog:
    """In the place of `IncidentLog`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def append(self, appends: Sequence[Append]) -> list[tuple[Envelope[Event], ...]]:
        if sum(len(append.events) for append in appends) > MAX_BATCH:
            raise ValueError(f"more than {MAX_BATCH} events in one append")
        messages = [message for append in appends for message in _messages(append)]
        if not messages:
            return [() for _ in appends]
        ask = self._link.repeated if len(messages) == 1 else self._link.exchange  # as publish_raw and publish_batch
        first, duplicate = await ask("append", lambda: self._link.broker.write(messages))
        if duplicate:
            raise AlreadyInLogError(f"{messages[0].subject}: this event is in the log at {first}")
        places = iter(self._link.broker.streams["INCIDENTS"].messages[first - 1 : first - 1 + len(messages)])
        return [tuple(_event(next(places)) for _ in append.events) for append in appends]

    async def load(self, incident: str, *, after: int = 0, service: str | None = None) -> list[Envelope[Event]]:
        """In pages, as `IncidentLog.load`: between two of them others may write."""
        stream = self._link.broker.streams["INCIDENTS"]
        events: list[Envelope[Event]] = []
        while True:
            found = await self._link.exchange("load", partial(stream.of_incident, incident, after, service))
            events.extend(map(_event, found[:_PAGE]))
            if len(found) <= _PAGE:
                return events
            after = events[-1].sequence


def _event(stored: Stored | None) -> Envelope[Event]:
    assert stored is not None  # noqa: S101  # for the type checker: nothing is taken away from the log
    return cast(Envelope[Event], stored.envelope)


def _messages(append: Append) -> list[ToWrite]:
    return [
        ToWrite(
            incident_subject(append.incident, type(event.data)),
            event,
            event.id,
            Expectation(append.scope, append.expected) if place == 0 else None,
        )
        for place, event in enumerate(append.events)
    ]


class ModelTimers:
    """In the place of `Timers`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def arm(self, incident: str, deadline: str, due_at: datetime) -> None:
        service, clocks = self._link.service, self._link.broker.clocks
        cause = derive_id("timer", service, incident, deadline, format_moment(due_at))
        rings = caused_by(
            cause, 0, service, incident, due_at, TimerDue(incident=incident, deadline=deadline, due_at=due_at)
        )
        at, target = timer_at_subject(service, incident, deadline), timer_due_subject(service, incident, deadline)
        await self._link.repeated("arm", lambda: clocks.arm(at, target, due_at, rings))

    async def cancel(self, incident: str, deadline: str) -> None:
        at = timer_at_subject(self._link.service, incident, deadline)
        await self._link.exchange("cancel", lambda: self._link.broker.clocks.disarm(at))

    async def armed(self) -> int:
        ours = timer_at_subject(self._link.service, "x", "x").rpartition(".")[0] + "."
        clocks = self._link.broker.clocks
        return await self._link.exchange("armed", lambda: sum(1 for at in clocks.armed if at.startswith(ours)))


class ModelBus:
    """In the place of `NatsBus`. The parts are what the services take them for, as far as they use them."""

    def __init__(self, broker: Broker, life: Life, service: str, clock: Clock) -> None:
        self._link = Link(broker, life, service)
        self.connection = cast(Connection, ModelConnection(self._link, clock))
        self.incidents = cast(IncidentLog, ModelLog(self._link))
        self.timers = cast(Timers, ModelTimers(self._link))

    async def open(self) -> None:
        """Wait for the broker as long as it takes, and declare what it has lost."""
        await self._link.until_connected()
        self._link.broker.declare()

    async def close(self) -> None:
        self._link.close()

    def consumer(self, spec: ConsumerSpec, handler: Handler) -> Worker:
        return ModelWorker(self._link, self.connection, spec, handler)

    def follower(
        self, stream: str, filters: tuple[str, ...], on_events: OnEvents, *, after: int = 0, gather: float = 0.0
    ) -> Follower:
        return cast(Follower, ModelFollower(self._link, stream, filters, on_events, after, gather))
