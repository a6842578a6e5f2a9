"""Series in memory: what was scraped, for as long as a rule may look back.

Times are milliseconds since 1970. As in Prometheus, samples of a series come in order of time; one that is not
later than the last is dropped and counted. A series that a scrape no longer has gets a staleness marker (a NaN of
its own, see `STALE`): it ends there, instead of being taken for constant for five minutes.
"""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin_schemas.labels import Labels

__all__ = ["STALE", "Sample", "Series", "SeriesStore", "StoreFullError", "is_stale"]

STALE: float = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""Prometheus' staleness marker: this very NaN."""

_STALE_BITS = struct.pack("<Q", 0x7FF0000000000002)
_QUIET_STALE_BITS = struct.pack("<Q", 0x7FF8000000000002)  # what some processors make of it when it is copied


def is_stale(value: float) -> bool:
    """Whether the value is the staleness marker and not a measured NaN."""
    return value != value and struct.pack("<d", value) in (_STALE_BITS, _QUIET_STALE_BITS)


class StoreFullError(Exception):
    """There are too many series. Names the metric that would have been one more."""

    def __init__(self, metric: str, limit: int) -> None:
        super().__init__(f"more than {limit} series; refused one of {metric!r}")
        self.metric, self.limit = metric, limit


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series. Labels include `__name__`; `at` is the sample's own time where it has one."""

    labels: Labels
    value: float
    at: int | None = None


@dataclass(slots=True)
class Series:
    """The samples of one set of labels, oldest first."""

    labels: Labels
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def append(self, at: int, value: float) -> bool:
        """Whether it was taken: it is later than the last."""
        if self.times and at <= self.times[-1]:
            return False
        self.times.append(at)
        self.values.append(value)
        return True

    def forget_before(self, moment: int) -> None:
        cut = bisect_left(self.times, moment)
        if cut:
            del self.times[:cut], self.values[:cut]

    def last_at(self, moment: int, lookback: int) -> float | None:
        """The value at `moment`: the latest not older than `lookback`; none after a staleness marker."""
        index = bisect_right(self.times, moment) - 1
        if index < 0 or self.times[index] <= moment - lookback:
            return None
        value = self.values[index]
        return None if is_stale(value) else value

    def within(self, after: int, until: int) -> tuple[Sequence[int], Sequence[float]]:
        """Samples in (after, until], staleness markers left out."""
        low, high = bisect_right(self.times, after), bisect_right(self.times, until)
        times, values = self.times[low:high], self.values[low:high]
        if any(value != value for value in values):
            kept = [(t, v) for t, v in zip(times, values, strict=True) if not is_stale(v)]
            return [t for t, _ in kept], [v for _, v in kept]
        return times, values


class SeriesStore:
    """All series of one playbook's sources."""

    def __init__(self, *, retention: timedelta, max_series: int = 100_000) -> None:
        self._retention = int(retention.total_seconds() * 1000)
        self._max_series = max_series
        self._series: dict[Labels, Series] = {}
        self._by_name: dict[str, dict[Labels, Series]] = {}
        self._of_target: dict[str, set[Labels]] = {}
        self._swept_at = 0
        self.out_of_order = 0

    def __len__(self) -> int:
        return len(self._series)

    def append(self, labels: Labels, at: int, value: float) -> None:
        """One sample. Raises StoreFullError for one series too many."""
        series = self._series.get(labels) or self._create(labels)
        if not series.append(at, value):
            self.out_of_order += 1

    def append_scrape(self, samples: Iterable[Sample] | None, at: int, *, target: str) -> None:
        """One scrape of one target at `at`; none: it failed, and every series of the target ends here.

        Raises StoreFullError before anything of the scrape is kept.
        """
        before = self._of_target.get(target, set())
        taken = tuple(samples or ())
        self._check_room(sample.labels for sample in taken)
        now: set[Labels] = set()
        for sample in taken:
            self.append(sample.labels, at if sample.at is None else sample.at, sample.value)
            if sample.at is None:
                now.add(sample.labels)
        for gone in before - now:
            if gone in self._series:
                self._series[gone].append(at, STALE)
        self._of_target[target] = now
        self._sweep(at)

    def named(self, name: str | None) -> Iterable[Series]:
        """The series of this metric; all of them without a name."""
        return self._series.values() if name is None else self._by_name.get(name, {}).values()

    def _create(self, labels: Labels) -> Series:
        if len(self._series) >= self._max_series:
            raise StoreFullError(labels.get("__name__", ""), self._max_series)
        series = self._series[labels] = Series(labels)
        self._by_name.setdefault(labels.get("__name__", ""), {})[labels] = series
        return series

    def _check_room(self, wanted: Iterable[Labels]) -> None:
        new = {labels for labels in wanted if labels not in self._series}
        if len(self._series) + len(new) > self._max_series:
            raise StoreFullError(next(iter(new)).get("__name__", ""), self._max_series)

    def _sweep(self, now: int) -> None:
        """Forget what no rule can look back to; at most every twentieth of the retention."""
        if now - self._swept_at < self._retention / 20:
            return
        self._swept_at = now
        horizon = now - self._retention
        for labels, series in tuple(self._series.items()):
            series.forget_before(horizon)
            if not series.times:
                del self._series[labels]
                del self._by_name[labels.get("__name__", "")][labels]
