"""What the broker runs on: its clock and its timers, which end with no replica's life, and whether it is up."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from datetime import datetime
from typing import Any

from tocsin_rehearsal.bus.faults import Faults
from tocsin_rehearsal.time import VirtualClock

__all__ = ["Machine"]


class Machine:
    """Callbacks asked for here belong to nobody: what a replica has sent arrives although it has died since."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: VirtualClock, faults: Faults) -> None:
        self._loop, self._clock, self.faults = loop, clock, faults
        self._context = Context()
        self.is_up = True

    def now(self) -> datetime:
        return self._clock.now()

    def time(self) -> float:
        return self._loop.time()

    def call_soon_in(self, context: Context, call: Callable[..., object]) -> None:
        """As part of whose context it is."""
        self._loop.call_soon(call, context=context)

    def call_at(self, when: float, call: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        return self._loop.call_at(when, call, *args, context=self._context)

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        return self._loop.call_at(self._loop.time() + seconds, call, *args, context=self._context)
