"""Functions of a window of samples (Prometheus documentation, querying/functions). Windows are (start, end]."""

import math
from collections.abc import Callable, Mapping, Sequence

from tocsin_promql.values import Range

__all__ = ["OVER_TIME", "quantile", "quantile_over_time"]

Function = Callable[[Range], float | None]


def _extrapolated(window: Range, *, counter: bool, per_second: bool) -> float | None:
    """How much the value rose over the whole window, judged from the samples in it.

    As Prometheus does: the rise between first and last sample is stretched to the window's borders, but not by
    more than half a sampling interval beyond a border where samples are far from it, and for a counter not
    below zero.
    """
    times, values = window.times, window.values
    if len(values) < 2:
        return None
    rise = values[-1] - values[0]
    if counter:
        before = values[0]
        for value in values[1:]:
            if value < before:
                rise += before
            before = value
    to_start = (times[0] - window.start) / 1000
    to_end = (window.end - times[-1]) / 1000
    sampled = (times[-1] - times[0]) / 1000
    interval = sampled / (len(values) - 1)
    threshold = interval * 1.1
    if to_start >= threshold:
        to_start = interval / 2
    if counter and rise > 0 and values[0] >= 0:
        to_start = min(to_start, sampled * (values[0] / rise))
    if to_end >= threshold:
        to_end = interval / 2
    factor = (sampled + to_start + to_end) / sampled
    if per_second:
        factor /= (window.end - window.start) / 1000
    return rise * factor


def _instant(window: Range, *, rate: bool) -> float | None:
    if len(window.values) < 2:
        return None
    before, last = window.values[-2:]
    change = last if rate and last < before else last - before
    if not rate:
        return change
    seconds = (window.times[-1] - window.times[-2]) / 1000
    return change / seconds if seconds else None


def regression(window: Range, at: int) -> tuple[float, float] | None:
    """Least squares: (slope a second, value at the moment `at`); none of fewer than two samples."""
    if len(window.values) < 2:
        return None
    count = len(window.values)
    seconds = [(time - at) / 1000 for time in window.times]
    mean_x, mean_y = math.fsum(seconds) / count, math.fsum(window.values) / count
    spread = math.fsum((x - mean_x) ** 2 for x in seconds)
    if not spread:
        return None
    together = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(seconds, window.values, strict=True))
    slope = together / spread
    return slope, mean_y - slope * mean_x


def _deriv(window: Range) -> float | None:
    if len(window.values) < 2:
        return None
    found = regression(window, window.times[0])
    return found[0] if found else None


def _variance(window: Range) -> float | None:
    mean = math.fsum(window.values) / len(window.values)
    return math.fsum((value - mean) ** 2 for value in window.values) / len(window.values)


def _extreme(values: Sequence[float], pick: Callable[[Sequence[float]], float]) -> float:
    numbers = [value for value in values if value == value]
    return pick(numbers) if numbers else math.nan


def quantile(q: float, values: Sequence[float]) -> float:
    """The q-quantile by linear interpolation; outside of 0 to 1 it is infinite, of nothing it is NaN."""
    if not values or math.isnan(q):
        return math.nan
    if q < 0:
        return -math.inf
    if q > 1:
        return math.inf
    ordered = sorted(values, key=lambda value: (value == value, value))
    rank = q * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    weight = rank - low
    return ordered[low] * (1 - weight) + ordered[high] * weight


def quantile_over_time(q: float, window: Range) -> float:
    return quantile(q, window.values)


OVER_TIME: Mapping[str, Function] = {
    "rate": lambda window: _extrapolated(window, counter=True, per_second=True),
    "increase": lambda window: _extrapolated(window, counter=True, per_second=False),
    "delta": lambda window: _extrapolated(window, counter=False, per_second=False),
    "irate": lambda window: _instant(window, rate=True),
    "idelta": lambda window: _instant(window, rate=False),
    "deriv": _deriv,
    "changes": lambda w: float(
        sum(1 for a, b in zip(w.values, w.values[1:], strict=False) if b != a and not (a != a and b != b))
    ),
    "resets": lambda w: float(sum(1 for a, b in zip(w.values, w.values[1:], strict=False) if b < a)),
    "avg_over_time": lambda w: math.fsum(w.values) / len(w.values) if _finite(w) else sum(w.values) / len(w.values),
    "sum_over_time": lambda w: math.fsum(w.values) if _finite(w) else sum(w.values),
    "min_over_time": lambda w: _extreme(w.values, min),
    "max_over_time": lambda w: _extreme(w.values, max),
    "count_over_time": lambda w: float(len(w.values)),
    "last_over_time": lambda w: w.values[-1],
    "present_over_time": lambda w: 1.0,
    "stdvar_over_time": _variance,
    "stddev_over_time": lambda w: math.sqrt(_variance(w) or 0.0),
}
"""By name; each is given a window with at least one sample, and answers none where it has no value."""

KEEPS_NAME = frozenset({"last_over_time"})


def _finite(window: Range) -> bool:
    return all(math.isfinite(value) for value in window.values)
