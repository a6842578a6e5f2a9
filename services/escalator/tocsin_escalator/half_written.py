"""What waits while a decision about its incident is only half in the log: the rest of that decision comes first."""

from collections import OrderedDict

from tocsin_escalator.core.incident import IncidentState
from tocsin_runtime import Clock
from tocsin_runtime.decide import Known

__all__ = ["HalfWritten"]

PATIENCE = 120.0
"""Seconds: four times what a replica that was killed holds its message. The rest may never come: then life goes on."""

_REMEMBERED = 10_000


class HalfWritten:
    """Since when this replica has known of which."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: OrderedDict[str, float] = OrderedDict()

    def begin_anew(self) -> None:
        """The log takes nothing: until it does, no rest can come."""
        self._since.clear()

    def comes_first(self, known: Known[IncidentState], cause: str) -> bool:
        """Whether there is such a decision, other than that on `cause`, and its rest may still come."""
        if not known.halves or cause in known.halves:
            return False
        now = self._clock.monotonic()
        since = min(self._since.setdefault(half, now) for half in known.halves)
        while len(self._since) > _REMEMBERED:
            self._since.popitem(last=False)
        return now - since < PATIENCE
