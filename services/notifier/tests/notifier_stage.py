"""A notifier on a real nats-server, with somebody who writes the log as the escalator and the remediator do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

from notifier_builders import INCIDENT, playbook_text

from tocsin_notifier.app import build
from tocsin_notifier.settings import NotifierSettings
from tocsin_runtime import Address, Connection, Host
from tocsin_runtime.bus.log import Append, IncidentLog
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.playbooks import push
from tocsin_schemas import Envelope, Event, PlaybookRef, caused_by
from tocsin_schemas.events import NotificationDelivered, NotificationFailed
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import service_log_filter
from tocsin_testkit.nats import NatsServer

__all__ = ["Stage", "host_of", "staged"]

Receipt = NotificationDelivered | NotificationFailed


class Stage:
    """The outside of a notifier."""

    def __init__(self, server: NatsServer, connection: Connection, ref: PlaybookRef) -> None:
        self.server, self.connection, self.ref = server, connection, ref
        self.log = IncidentLog(connection)
        self._numbers = count(1)

    async def say(self, *events: Event, incident: str = INCIDENT, at: datetime | None = None) -> list[Envelope[Event]]:
        """Append these to the incident's log in one decision of their owner."""
        service = type(events[0]).OWNER
        cause = derive_id("test", incident, next(self._numbers))
        now = at or datetime.now(UTC)
        wrapped = tuple(caused_by(cause, n, service, incident, now, event) for n, event in enumerate(events))
        own = await self.log.load(incident, service=service)
        last = own[-1].sequence if own else 0
        stored = await self.log.append([Append(incident, wrapped, last, service_log_filter(incident, service))])
        return list(stored[0])

    async def receipts(self, incident: str = INCIDENT) -> list[Receipt]:
        """What the notifier has said of this incident."""
        events = await self.log.load(incident, service="notifier")
        return [event.data for event in events if isinstance(event.data, NotificationDelivered | NotificationFailed)]

    async def until(
        self, holds: Callable[[Sequence[Receipt]], bool], *, incident: str = INCIDENT, within: float = 10.0
    ) -> list[Receipt]:
        """The receipts, as soon as this holds of them."""
        deadline = time.monotonic() + within
        while True:
            found = await self.receipts(incident)
            if holds(found):
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"did not come within {within:g} s; receipts: {found}")
            await asyncio.sleep(0.02)

    async def settled(self, *, within: float = 10.0) -> None:
        """Wait until everything in the log was handled and acknowledged."""
        deadline = time.monotonic() + within
        while True:
            info = await self.connection.request("$JS.API.CONSUMER.INFO.INCIDENTS.notifier-incidents")
            left = (int(info["num_pending"]), int(info["num_ack_pending"]))
            if left == (0, 0):
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"not settled within {within:g} s: {left} pending and unacknowledged")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def staged(server: NatsServer, **playbook: object) -> AsyncIterator[Stage]:
    """Streams, a playbook in force, and somebody who writes the log."""
    connection = Connection(Address(server.url), "stage")
    await connection.open()
    try:
        await ensure_streams(connection)
        text = playbook_text(**playbook)  # type: ignore[arg-type]  # passed through
        ref, _ = await push(connection, text, source="test")
        yield Stage(server, connection, ref)
    finally:
        await connection.close()


@asynccontextmanager
async def host_of(server: NatsServer, **settings: object) -> AsyncIterator[Host[NotifierSettings]]:
    """A running notifier. Its deadlines are short."""
    values: dict[str, object] = {
        "nats_url": server.url, "nats_monitor_url": server.monitor_url, "http_port": 0, "channel_timeout_seconds": 1.5,
        "attempt_timeout_seconds": 0.6, "drain_seconds": 0.5,
    }  # fmt: skip
    host = Host(NotifierSettings.model_validate(values | settings), build)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()
