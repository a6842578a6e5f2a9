"""One alert of one rule on its ladder of thresholds: pending, firing, over.

As in Prometheus, a threshold counts once it has held for its duration without a break (`for`), and an alert goes
on for `keep_firing_for` after the last threshold ceased to hold. Of the thresholds that count, the most severe
gives the severity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin_playbook.model.detect import Rung

__all__ = ["NOT_HOLDING", "Climb", "climb"]


@dataclass(frozen=True, slots=True)
class Climb:
    """Since when each threshold has held, from the most severe on, and which one counts.

    `rung` is the index of the threshold that gives the severity; none while nothing fires. `quiet_since` is when
    a firing alert ceased to cross any threshold.
    """

    since: tuple[datetime | None, ...] = ()
    rung: int | None = None
    started_at: datetime | None = None
    quiet_since: datetime | None = None

    @property
    def is_idle(self) -> bool:
        """Neither firing nor on the way there."""
        return self.rung is None and not any(self.since)


NOT_HOLDING = Climb()


def climb(
    before: Climb, ladder: Sequence[Rung], value: float | None, now: datetime, keep_firing_for: timedelta
) -> Climb:
    """The next state after seeing `value` (none: the series returned nothing) at `now`."""
    held = before.since or (None,) * len(ladder)
    since = tuple(
        (earlier or now) if value is not None and rung.holds(value, firing=index == before.rung) else None
        for index, (rung, earlier) in enumerate(zip(ladder, held, strict=True))
    )
    counting = next((i for i, moment in enumerate(since) if _counts(ladder[i], moment, now, i == before.rung)), None)
    if counting is not None:
        return Climb(since, counting, before.started_at or min(filter(None, since)))
    if before.rung is None:
        return Climb(since)
    if any(since):
        # Still crossing a milder threshold that has not lasted yet: the alert goes on as it was.
        return Climb(since, before.rung, before.started_at)
    quiet_since = before.quiet_since or now
    if now - quiet_since < keep_firing_for:
        return Climb(since, before.rung, before.started_at, quiet_since)
    return Climb(since)


def _counts(rung: Rung, since: datetime | None, now: datetime, is_firing: bool) -> bool:
    """Whether it has lasted. What fires already has, also where we did not watch it climb: before a restart."""
    return since is not None and (is_firing or now - since >= rung.lasting)
