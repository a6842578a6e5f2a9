"""A service's life: connect, check the promises, declare, start handlers, become ready; drain and stop.

`Host` is what a service's `app.py` is given to wire itself with; `run` is the process around it.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import Any, Generic, TypeVar

import structlog
import uvloop
from starlette.routing import BaseRoute

from tocsin_runtime.bus.consume import Handler, Worker
from tocsin_runtime.bus.errors import BusError, BusUnavailableError
from tocsin_runtime.bus.follow import Follower, OnEvents
from tocsin_runtime.bus.nats_bus import Bus, NatsBus
from tocsin_runtime.clock import Clock, SystemClock
from tocsin_runtime.garbage import without_collecting
from tocsin_runtime.logs import configure_logging
from tocsin_runtime.metrics import CONSUMER_SILENCE
from tocsin_runtime.ops import OpsServer
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import Playbooks
from tocsin_runtime.settings import ServiceSettings, SettingsError, load_settings
from tocsin_runtime.telemetry import Telemetry
from tocsin_runtime.topology import CONSUMERS

__all__ = ["Build", "Host", "run", "serve"]

log = structlog.get_logger(__name__)

G = TypeVar("G", bound=ServiceSettings)
_CANCELLED_AGAIN = 0.5
"""Seconds."""
_SILENT = 10.0
"""Seconds without a sign of life of a consumer after which the service is not ready."""


_WITHOUT_COLLECTING = 60.0
"""Seconds at most. Whoever reads waits where nats or the database is away."""

_COMPARED_EVERY, _COMPARED_AGAIN = 600.0, 1.0
"""Seconds between two looks at NATS's clock, and after one in vain as long as there was none."""


class Host(Generic[G]):
    """What a service runs in. `build` wires the service; `start` and `stop` are its life."""

    def __init__(
        self,
        settings: G,
        build: "Build[G]",
        *,
        clock: Clock | None = None,
        bus: Bus | None = None,
        replica: str = "",
        look_after: float = 0.5,
    ) -> None:
        """`bus` in place of NATS is for simulations: such a host answers nothing over HTTP. `look_after`: seconds
        between two looks whether every part still lives."""
        self.settings = settings
        self.service = settings.SERVICE
        self.replica = replica or f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        self.telemetry = Telemetry(self.service, settings.otlp_endpoint)
        self._bus = bus or NatsBus(settings, clock or SystemClock(), self.telemetry.middlewares)
        self.clock = self._bus.connection.clock
        self.connection, self.incidents, self.timers = self._bus.connection, self._bus.incidents, self._bus.timers
        self.playbooks = Playbooks(self._bus.follower)
        self.failed = asyncio.Event()
        self._look_after = look_after
        self._consumers: list[Worker] = []
        self._followers: list[tuple[Follower, Resume | None]] = []
        self._background: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.routes: list[BaseRoute] = []
        self._checks: dict[str, Callable[[], str | None]] = {}
        self._at_start: list[Callable[[], Awaitable[None]]] = []
        self._at_stop: list[Callable[[], Awaitable[None]]] = []
        self._running = False
        build(self)
        self._ops = (
            OpsServer(settings.http_host, settings.http_port, self.problems, self.routes) if bus is None else None
        )

    # --- wiring, called by `build` ------------------------------------------------------------------------------------

    def consume(self, name: str, handler: Handler) -> None:
        """Handle the messages of this consumer of the table."""
        spec = next(spec for spec in CONSUMERS if spec.name == name)
        self._consumers.append(self._bus.consumer(spec, handler))

    def follow(
        self,
        stream: str,
        filters: tuple[str, ...],
        on_events: OnEvents,
        *,
        after: int = 0,
        gather: float = 0.0,
        resume: "Resume | None" = None,
    ) -> Follower:
        """Be shown everything in a stream, in order. Followers start, and catch up, before consumers do.

        `resume` is awaited when the playbooks are known and before it starts: the answer is the place after which it
        goes on.
        """
        follower = self._bus.follower(stream, filters, on_events, after=after, gather=gather)
        self._followers.append((follower, resume))
        return follower

    @cached_property
    def orders(self) -> Orders:
        """The standing orders of people. A service whose `build` asks for them follows them from its start on."""
        return Orders(self.follow)

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run this for as long as the service lives. If it ends by an exception, the service ends."""
        self._background.append((name, work))

    def route(self, *routes: BaseRoute) -> None:
        """Answer these over HTTP too."""
        self.routes.extend(routes)

    def ready_when(self, name: str, check: Callable[[], str | None]) -> None:
        """Not ready as long as `check` answers with a reason."""
        self._checks[name] = check

    def at_start(self, call: Callable[[], Awaitable[None]]) -> None:
        """Await this after the connection stands and before anything is handled."""
        self._at_start.append(call)

    def at_stop(self, call: Callable[[], Awaitable[None]]) -> None:
        """Await this after the last input was handled."""
        self._at_stop.append(call)

    # --- life ---------------------------------------------------------------------------------------------------------

    @property
    def ops(self) -> OpsServer:
        """Its HTTP server. Raises RuntimeError in a simulation, which has none."""
        if self._ops is None:
            raise RuntimeError("a host of a simulation answers nothing over HTTP")
        return self._ops

    async def start(self) -> None:
        """Come up. Raises PromiseError where the server cannot keep what we promise."""
        if self._ops is not None:
            await self._ops.start()
        self._tasks = [asyncio.create_task(self._supervise(), name="supervise")]
        await self._bus.open()
        while not await self._compare_clocks():
            await self.clock.sleep(_COMPARED_AGAIN)
        self._tasks.append(asyncio.create_task(self._keep_comparing(), name="compare clocks"))
        for call in self._at_start:
            await call()
        await self.playbooks.start()
        await self.playbooks.caught_up.wait()  # whoever follows the log may ask what a playbook says
        # a simulation sees to it itself
        with without_collecting() if self._ops is not None else nullcontext(lambda: None) as collect_again:
            late = asyncio.get_running_loop().call_later(_WITHOUT_COLLECTING, collect_again)
            try:
                await self._catch_up()
            finally:
                late.cancel()
        for consumer in self._consumers:
            await consumer.start()
        self._tasks += [asyncio.create_task(_named(work), name=name) for name, work in self._background]
        self._running = True
        where = self._ops.url if self._ops is not None else None
        log.info("service is up", service=self.service, replica=self.replica, http=where)

    async def _catch_up(self) -> None:
        for follower, resume in self._followers:
            if resume is not None:
                follower.position = await resume()
            await follower.start()
        for follower, _ in self._followers:
            await follower.caught_up.wait()

    async def stop(self) -> None:
        """Drain: not ready any more, fetch no more, let handlers end, close."""
        self._running = False
        await _end(self._tasks)
        await asyncio.gather(*(consumer.stop(self.settings.drain_seconds) for consumer in self._consumers))
        for call in self._at_stop:
            await call()
        for follower, _ in self._followers:
            await follower.stop()
        await self.playbooks.stop()
        await self._bus.close()
        if self._ops is not None:
            await self._ops.stop()
            await asyncio.to_thread(self.telemetry.close)
        log.info("service is down", service=self.service, replica=self.replica)

    def problems(self) -> dict[str, str]:
        """What keeps the service from being ready, by name; empty when it is."""
        found: dict[str, str] = {}
        if not self._running:
            found["life"] = "starting or draining"
        if not self.connection.is_connected:
            found["nats"] = "not connected"
        for consumer in self._consumers:
            silence = self.clock.monotonic() - consumer.last_sign_of_life
            CONSUMER_SILENCE.labels(consumer.spec.name).set(silence)
            if silence > _SILENT:
                found[consumer.spec.name] = f"no sign of life for {silence:.0f} s"
        for name, check in self._checks.items():
            if reason := check():
                found[name] = reason
        return found

    def died_of(self) -> BaseException | None:
        """Why a part of the service has ended although nobody stopped it."""
        parts: tuple[Worker | Follower | Playbooks, ...] = (
            *self._consumers,
            *(follower for follower, _ in self._followers),
            self.playbooks,
        )
        for part in parts:
            if (died := part.failed) is not None:
                return died
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                return error
        return None

    async def _compare_clocks(self) -> bool:
        try:
            await self.connection.compare_clocks()
        except BusUnavailableError as error:
            log.info("the clocks are compared later", service=self.service, reason=str(error))
            return False
        return True

    async def _keep_comparing(self) -> None:
        while True:
            await self.clock.sleep(_COMPARED_EVERY)
            await self._compare_clocks()

    async def _supervise(self) -> None:
        """End the process rather than live on with a part of it dead."""
        while True:
            await asyncio.sleep(self._look_after)
            if (died := self.died_of()) is not None:
                log.critical("a part of the service has died", service=self.service, exc_info=died)
                self.failed.set()
            if self.connection.lost_for_good.is_set():
                self.failed.set()
            if self.clock.is_in_doubt:
                await self._compare_clocks()


Build = Callable[[Host[G]], None]
"""A service's `app.py`: connects its handlers with its core and its adapters."""


Resume = Callable[[], Awaitable[int]]
"""Takes up what was kept of a stream; the answer is the place after which reading goes on."""


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel, again and again: `asyncio.wait_for` of Python 3.11 swallows a cancellation that comes together with its
    answer, and a loop around it would go on for ever."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCELLED_AGAIN)


async def _named(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def serve(hosts: Sequence[Host[Any]], *, when_up: Callable[[], None] = lambda: None) -> int:
    """Start, run until SIGTERM or SIGINT (or until a part dies), drain. The answer is the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    waits = [asyncio.create_task(stop.wait()), *(asyncio.create_task(host.failed.wait()) for host in hosts)]
    starting = asyncio.create_task(_start_all(hosts))
    await asyncio.wait([starting, *waits], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():  # told to stop, or a part has died, while it came up
        starting.cancel()
        await asyncio.wait([starting])
        status = _status(hosts)
    elif (error := starting.exception()) is not None:
        refused = isinstance(error, BusError)
        log.critical("cannot start", reason=str(error), exc_info=None if refused else error)
        status = 2 if refused else 1
    else:
        when_up()
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        status = _status(hosts)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*(host.stop() for host in hosts))
    return status


def _status(hosts: Sequence[Host[Any]]) -> int:
    return 1 if any(host.failed.is_set() for host in hosts) else 0


async def _start_all(hosts: Sequence[Host[Any]]) -> None:
    await asyncio.gather(*(host.start() for host in hosts))


def run(settings_model: type[G], build: Build[G]) -> int:
    """One service as one process: what the container images run. The answer is the exit status."""
    try:
        settings = load_settings(settings_model)
    except SettingsError as error:
        configure_logging("pretty", "info")
        log.critical("cannot start: a setting is wrong", reason=str(error))
        return 2
    configure_logging(settings.log_format, settings.log_level)

    async def main() -> int:
        try:
            host = Host(settings, build)
        except OSError as error:  # its port is taken, or its address is not ours
            log.critical("cannot start", reason=str(error))
            return 2
        return await serve([host])

    return uvloop.run(main())
