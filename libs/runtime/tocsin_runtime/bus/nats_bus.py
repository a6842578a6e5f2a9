"""All that a service has of the broker, in one piece: what `Host` wires handlers to, and a simulation replaces."""

from collections.abc import Sequence
from typing import Any, Protocol

from tocsin_runtime.bus.connection import Address, Connection
from tocsin_runtime.bus.consume import Consumer, Handler, Worker
from tocsin_runtime.bus.follow import Follower, OnEvents
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.bus.provision import assert_promises, provision
from tocsin_runtime.bus.timers import Timers
from tocsin_runtime.clock import Clock
from tocsin_runtime.settings import ServiceSettings
from tocsin_runtime.topology import ConsumerSpec

__all__ = ["Bus", "NatsBus"]


class Bus(Protocol):
    """One service's side of the broker."""

    connection: Connection
    incidents: IncidentLog
    timers: Timers

    async def open(self) -> None:
        """Connect, make sure that the promises can be kept, and declare what is missing. Raises BusError."""
        ...

    async def close(self) -> None: ...

    def consumer(self, spec: ConsumerSpec, handler: Handler) -> Worker:
        """A share of a durable consumer's work."""
        ...

    def follower(
        self, stream: str, filters: tuple[str, ...], on_events: OnEvents, *, after: int = 0, gather: float = 0.0
    ) -> Follower:
        """A reader of a stream from a place on."""
        ...


class NatsBus:
    """The broker itself."""

    def __init__(self, settings: ServiceSettings, clock: Clock, middlewares: Sequence[Any] = ()) -> None:
        self._settings = settings
        self._service = settings.SERVICE
        address = Address(settings.nats_url, settings.nats_user, settings.nats_password.get_secret_value())
        self.connection = Connection(address, self._service, clock=clock, middlewares=middlewares)
        self.incidents = IncidentLog(self.connection)
        self.timers = Timers(self.connection, self._service)

    async def open(self) -> None:
        settings = self._settings
        await self.connection.open()
        await assert_promises(self.connection, settings.nats_monitor_url, check_sync=settings.nats_check_sync)
        await provision(self.connection, self._service, replicas=settings.nats_replicas)

    async def close(self) -> None:
        await self.connection.close()

    def consumer(self, spec: ConsumerSpec, handler: Handler) -> Worker:
        return Consumer(self.connection, spec, handler)

    def follower(
        self, stream: str, filters: tuple[str, ...], on_events: OnEvents, *, after: int = 0, gather: float = 0.0
    ) -> Follower:
        return Follower(self.connection, stream, filters, on_events, service=self._service, after=after, gather=gather)
