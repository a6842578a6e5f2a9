"""One replica of a service in a virtual world: the real service, as its `app.build` wires it."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from functools import lru_cache
from typing import Any

from tocsin_detector.app import build as build_detector
from tocsin_detector.settings import DetectorSettings
from tocsin_escalator.app import build as build_escalator
from tocsin_escalator.settings import EscalatorSettings
from tocsin_notifier.app import build as build_notifier
from tocsin_notifier.settings import NotifierSettings
from tocsin_rehearsal.bus.broker import Broker
from tocsin_rehearsal.bus.link import ModelBus
from tocsin_rehearsal.loop import Life, VirtualLoop
from tocsin_rehearsal.time import VirtualClock
from tocsin_remediator.app import build as build_remediator
from tocsin_remediator.settings import RemediatorSettings
from tocsin_runtime import Host, ServiceSettings, load_settings
from tocsin_runtime.secrets import KEPT

__all__ = ["SERVICES", "Build", "Replica", "settings_for"]

Build = Callable[[Host[Any]], None]

SERVICES: dict[str, tuple[type[ServiceSettings], Callable[..., None]]] = {
    "detector": (DetectorSettings, build_detector),
    "escalator": (EscalatorSettings, build_escalator),
    "remediator": (RemediatorSettings, build_remediator),
    "notifier": (NotifierSettings, build_notifier),
}
"""Those that decide or act. The recorder only reads: what it makes of the log, its core makes of it at any time."""

_NEVER = 10.0**8


@lru_cache
def settings_for(service: str, given: tuple[tuple[str, Any], ...] = ()) -> ServiceSettings:
    """A service's defaults, and what is given; nothing of the environment."""
    model = SERVICES[service][0]
    return load_settings(model, {}, nats_url="nats://model", **dict(given))


class Replica:
    """It is started, killed, started again: each time a new life."""

    def __init__(
        self, name: str, service: str, settings: ServiceSettings, build: Callable[[Life], Build], clock: VirtualClock
    ) -> None:
        self.name, self.service, self.clock = name, service, clock
        self._settings, self._build = settings, build
        self.life: Life | None = None
        self.host: Host[Any] | None = None
        self.lives = 0
        self._started: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        return self.life is not None and not self.life.is_over

    def start(self, loop: VirtualLoop, broker: Broker) -> None:
        """A new life begins. Nothing happens if one goes on."""
        if self.is_up:
            return
        self.lives += 1
        life = self.life = Life(f"{self.name}#{self.lives}")
        bus = ModelBus(broker, life, self.service, self.clock)

        async def live() -> None:
            KEPT.set(lambda _: "rehearsed")
            host = self.host = Host(
                self._settings,
                self._build(life),
                clock=self.clock,
                bus=bus,
                replica=life.name,
                look_after=_NEVER,
            )
            await host.start()

        self._started = copy_context().run(loop.start, life, live())

    def kill(self, loop: VirtualLoop) -> None:
        """As kill -9 does. Nothing happens if it does not run."""
        if self.is_up and self.life is not None:
            loop.kill(self.life)
            self.host = None

    def problem(self) -> BaseException | None:
        """What it has died of, if it has."""
        started = self._started
        if started is not None and started.done() and not started.cancelled() and started.exception() is not None:
            return started.exception()
        return None if self.host is None or not self.is_up else self.host.died_of()
