"""The clocks of a virtual world."""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

__all__ = ["VirtualClock"]


class VirtualClock:
    """A replica's clock: the loop's time since the start, and how far the wall clock is off."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime) -> None:
        self._start = start
        self._off_by = timedelta(0)
        self._last, self._last_now = -1.0, start
        self.monotonic = loop.time

    @property
    def off_by(self) -> timedelta:
        """How far it is ahead of the truth."""
        return self._off_by

    @off_by.setter
    def off_by(self, by: timedelta) -> None:
        self._off_by, self._last = by, -1.0

    def now(self) -> datetime:
        """Asked many times at one moment of the loop."""
        elapsed = self.monotonic()
        if elapsed != self._last:
            self._last, self._last_now = elapsed, self._start + timedelta(seconds=elapsed) + self._off_by
        return self._last_now

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]:
        return asyncio.sleep(seconds)
