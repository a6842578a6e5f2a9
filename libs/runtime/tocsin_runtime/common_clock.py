"""The time that all replicas share, although any computer's clock may be set.

Three witnesses: this computer's wall clock, NATS's, and what the wall clock would show had nobody set it (this
computer's monotonic clock since they were last compared). Two that agree are believed.
"""

from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge

from tocsin_runtime.clock import Clock, SystemClock

__all__ = ["AGREED", "CommonClock"]

log = structlog.get_logger(__name__)

AGREED = timedelta(seconds=2)
"""Two clocks that differ by no more agree."""
_AGREED = AGREED.total_seconds()

_OFF_BY = Gauge("tocsin_clock_off_seconds", "How far this computer's wall clock is ahead of the time that is gone by")


class CommonClock:
    """A `Clock` whose `now` is the wall clock's as long as that can be believed."""

    def __init__(self, base: Clock | None = None) -> None:
        self._base = base or SystemClock()
        self._anchor: tuple[datetime, float] | None = None
        self._began = 0.0
        """What the wall clock showed when the monotonic one stood at 0, in seconds since 1970."""
        self._off = timedelta(0)
        self._told = ""

    @property
    def was_compared(self) -> bool:
        """Whether NATS's clock is known. Until then the wall clock is believed."""
        return self._anchor is not None

    @property
    def is_in_doubt(self) -> bool:
        """Whether the wall clock was set since they were compared, or the computer has slept."""
        steady = self._steady()
        return steady is not None and abs(self._base.now() - steady - self._off) > AGREED

    def now(self) -> datetime:
        wall = self._base.now()
        if self._anchor is None or abs(wall.timestamp() - self._base.monotonic() - self._began) <= _AGREED:
            return wall
        return self._steady() or wall

    def monotonic(self) -> float:
        return self._base.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._base.sleep(seconds)

    def _steady(self) -> datetime | None:
        if self._anchor is None:
            return None
        at, since = self._anchor
        return at + timedelta(seconds=self._base.monotonic() - since)

    def compare(self, theirs: datetime) -> None:
        """What NATS's clock shows now."""
        wall, steady = self._base.now(), self._steady()
        if abs(wall - theirs) <= AGREED:
            self._believe(wall, "")
        elif steady is not None and abs(wall - steady) <= AGREED:
            self._believe(wall, "nats's clock was set; this computer's goes on")
        else:
            self._believe(theirs, "this computer's clock is wrong; nats's is gone by")
        self._off = wall - self.now()
        _OFF_BY.set(self._off.total_seconds())

    def _believe(self, moment: datetime, trouble: str) -> None:
        monotonic = self._base.monotonic()
        self._anchor, self._began = (moment, monotonic), moment.timestamp() - monotonic
        if trouble and trouble != self._told:
            off = (self._base.now() - moment).total_seconds()
            log.warning(trouble, off_by_seconds=round(off, 3))
        self._told = trouble
