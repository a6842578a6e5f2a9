"""Redis, as the remediator uses it: shared by all replicas, and gone, emptied or slow when a rehearsal says so."""

import asyncio

from tocsin_rehearsal.time import VirtualClock
from tocsin_remediator.adapters.leases import (
    Busy,
    Demand,
    LeasesUnavailableError,
    Over,
    ProcessLeases,
    Taken,
)

__all__ = ["SharedLeases"]


class SharedLeases:
    """In the place of `RedisLeases`: the same counting, in one place for all."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._counted = ProcessLeases(clock)
        self.is_up = True
        self.takes = 0.0
        """Seconds that an answer takes; half a second is more than the remediator waits for."""

    def flush(self) -> None:
        """All is forgotten."""
        self._counted = ProcessLeases(self._clock)

    async def take(self, demand: Demand) -> Taken | Busy | Over:
        if self.takes > 0:
            await asyncio.sleep(min(self.takes, 0.5))
        if not self.is_up or self.takes >= 0.5:
            raise LeasesUnavailableError("Redis: no answer")
        return await self._counted.take(demand)

    async def release(self, demand: Demand, *, unused: bool = False) -> None:
        if self.is_up:
            await self._counted.release(demand, unused=unused)

    async def close(self) -> None:
        """One replica closes; the others go on counting."""
