"""The clocks of a virtual world."""

import asyncio
from datetime import datetime, timedelta

__all__ = ["VirtualClock"]


class VirtualClock:
    """A replica's clock: the loop's time since the start, and how far the wall clock is off."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime) -> None:
        self._loop, self._start = loop, start
        self.off_by = timedelta(0)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._loop.time()) + self.off_by

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
