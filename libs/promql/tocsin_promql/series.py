"""Series in memory: what was scraped, for as long as a rule may look back.

Times are milliseconds since 1970. As in Prometheus, the samples of a series come in order of time: what is not later
than the last is dropped and counted, and so is what claims to be from long ago or from the future. A series that a
scrape no longer has gets a staleness marker (a NaN of its own, see `STALE`): it ends there, instead of being taken
for constant for five minutes.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import is_
from typing import NamedTuple

from tocsin_promql.labelling import METRIC_NAME
from tocsin_promql.nodes import Matcher
from tocsin_schemas.labels import Labels

__all__ = ["MAX_AHEAD", "STALE", "Sample", "Series", "SeriesStore", "StoreFullError", "is_stale"]

STALE: float = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""Prometheus' staleness marker: this very NaN."""

MAX_AHEAD = timedelta(minutes=10)
"""How far a sample's own time may be ahead of its scrape (Prometheus' limit)."""

_STALE_BITS = struct.pack("<Q", 0x7FF0000000000002)
_QUIET_STALE_BITS = struct.pack("<Q", 0x7FF8000000000002)  # what some processors make of it when it is copied
_MOST_SAMPLES = 500_000
_RECENT = 32  # most windows reach no further back
_MOST_SELECTIONS = 10_000


def is_stale(value: float) -> bool:
    """Whether the value is the staleness marker and not a measured NaN."""
    return value != value and struct.pack("<d", value) in (_STALE_BITS, _QUIET_STALE_BITS)


class StoreFullError(Exception):
    """There are too many series. Names the metric that would have been one more."""

    def __init__(self, metric: str, limit: int) -> None:
        super().__init__(f"more than {limit} series; refused one of {metric!r}")
        self.metric, self.limit = metric, limit


class Sample(NamedTuple):
    """One value of one series. Labels include `__name__`; `at` is the sample's own time where it has one."""

    labels: Labels
    value: float
    at: int | None = None


@dataclass(slots=True)
class Series:
    """The samples of one set of labels, oldest first; 16 bytes each."""

    labels: Labels
    times: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def append(self, at: int, value: float) -> bool:
        """Whether it was taken: it is later than the last."""
        if self.times and at <= self.times[-1]:
            return False
        if len(self.times) >= _MOST_SAMPLES:
            del self.times[: _MOST_SAMPLES // 10], self.values[: _MOST_SAMPLES // 10]
        self.times.append(at)
        self.values.append(value)
        return True

    def forget_before(self, moment: int) -> None:
        cut = bisect_left(self.times, moment)
        if cut:
            del self.times[:cut], self.values[:cut]

    def last_at(self, moment: int, lookback: int) -> tuple[int, float] | None:
        """The latest sample not after `moment` and less than `lookback` old; none after a staleness marker."""
        times = self.times
        index = len(times) if times and times[-1] <= moment else bisect_right(times, moment)
        if index == 0 or times[index - 1] <= moment - lookback:
            return None
        value = self.values[index - 1]
        return None if value != value and is_stale(value) else (times[index - 1], value)

    def within(self, after: int, until: int) -> tuple[Sequence[int], Sequence[float]]:
        """Samples in (after, until], staleness markers left out."""
        high = len(self.times)
        if high and self.times[-1] > until:
            high = bisect_right(self.times, until)
        recent = high - _RECENT
        low = bisect_right(self.times, after, recent if recent > 0 and self.times[recent] <= after else 0, high)
        times, values = self.times[low:high], self.values[low:high].tolist()
        if (summed := sum(values)) != summed:  # there may be a NaN
            kept = [index for index, value in enumerate(values) if not is_stale(value)]
            return [times[index] for index in kept], [values[index] for index in kept]
        return times, values


def _are_the_same(some: Sequence[Series], others: Sequence[Series]) -> bool:
    """The same ones in the same order: what two scrapes of one target have in common, as a rule."""
    return len(some) == len(others) and all(map(is_, some, others))


class SeriesStore:
    """All series of one playbook's sources.

    `out_of_order` counts samples dropped for being not later than the last of their series, `out_of_bounds` those
    whose own time was more than ten minutes ahead of their scrape or before everything that is kept.
    """

    def __init__(self, *, retention: timedelta, max_series: int = 100_000) -> None:
        self._retention = retention // timedelta(milliseconds=1)
        self._max_series = max_series
        self._series: dict[Labels, Series] = {}
        self._by_name: dict[str, dict[Labels, Series]] = {}
        self._of_target: dict[str, list[Series]] = {}
        self._selections: dict[int, tuple[tuple[Matcher, ...], tuple[Series, ...]]] = {}
        """By the identity of the matchers, which are kept so that it is theirs alone: to hash them takes as long as
        a short evaluation."""
        self._swept_at = 0
        self.out_of_order = 0
        self.out_of_bounds = 0

    def __len__(self) -> int:
        return len(self._series)

    def append(self, labels: Labels, at: int, value: float) -> None:
        """One sample. Raises StoreFullError for one series too many."""
        self._append(labels, at, value)

    def _append(self, labels: Labels, at: int, value: float) -> Series:
        series = self._series.get(labels) or self._create(labels)
        if not series.append(at, value):
            self.out_of_order += 1
        return series

    def append_scrape(self, samples: Iterable[Sample] | None, at: int, *, target: str) -> None:
        """One scrape of one target at `at`; none: it failed, and every series of the target ends here.

        A sample with a time of its own keeps it, and its series is not ended when a scrape no longer has it. Raises
        StoreFullError before anything of the scrape is kept.
        """
        self._sweep(at)
        before = self._of_target.get(target, [])
        taken = tuple(samples or ())
        if any(sample.labels not in self._series for sample in taken):
            self._check_room(dict.fromkeys(sample.labels for sample in taken), at)
        now: list[Series] = []
        for sample in taken:
            if sample.at is None:
                now.append(self._append(sample.labels, at, sample.value))
            elif at - self._retention < sample.at <= at + MAX_AHEAD // timedelta(milliseconds=1):
                self._append(sample.labels, sample.at, sample.value)
            else:
                self.out_of_bounds += 1
        if not _are_the_same(before, now):
            there = {series.labels for series in now}
            for gone in {series.labels for series in before} - there:
                if gone in self._series:
                    self._series[gone].append(at, STALE)
        self._of_target[target] = now

    def select(self, matchers: tuple[Matcher, ...]) -> tuple[Series, ...]:
        """The series that all the matchers match. Remembered for as long as no series comes or goes."""
        known = self._selections.get(id(matchers))
        if known is not None:
            return known[1]
        if len(self._selections) >= _MOST_SELECTIONS:
            self._selections.clear()
        found = self._search(matchers)
        self._selections[id(matchers)] = matchers, found
        return found

    def _search(self, matchers: tuple[Matcher, ...]) -> tuple[Series, ...]:
        name = next((m.value for m in matchers if m.name == METRIC_NAME and m.operator == "="), None)
        candidates = self._series if name is None else self._by_name.get(name, {})
        left = [m for m in matchers if m.name != METRIC_NAME or m.operator != "=" or m.value != name]
        return tuple(series for labels, series in candidates.items() if all(m.matches(labels) for m in left))

    def _create(self, labels: Labels) -> Series:
        if len(self._series) >= self._max_series:
            raise StoreFullError(labels.get(METRIC_NAME, ""), self._max_series)
        series = self._series[labels] = Series(labels)
        self._by_name.setdefault(labels.get(METRIC_NAME, ""), {})[labels] = series
        self._selections.clear()
        return series

    def _check_room(self, wanted: Iterable[Labels], at: int) -> None:
        new = [labels for labels in wanted if labels not in self._series]
        if len(self._series) + len(new) > self._max_series:
            self._sweep(at, at_once=True)
        if len(self._series) + len(new) > self._max_series:
            raise StoreFullError(new[0].get(METRIC_NAME, ""), self._max_series)

    def _sweep(self, now: int, *, at_once: bool = False) -> None:
        """Forget what no rule can look back to; at most every twentieth of the retention."""
        if not at_once and now - self._swept_at < self._retention / 20:
            return
        self._swept_at = now
        horizon = now - self._retention
        for labels, series in tuple(self._series.items()):
            series.forget_before(horizon)
            if not series.times:
                name = labels.get(METRIC_NAME, "")
                del self._series[labels], self._by_name[name][labels]
                if not self._by_name[name]:
                    del self._by_name[name]
                self._selections.clear()
