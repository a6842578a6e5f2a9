"""Functions of a window of samples (Prometheus documentation, querying/functions). Windows are (start, end]."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from tocsin_promql.float_math import maximum, mean, minimum, quantile, total, variance
from tocsin_promql.values import Range

__all__ = ["KEEPS_NAME", "OVER_TIME", "quantile_over_time", "regression"]

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
        rise += _lost_at_resets(values)
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


def _lost_at_resets(values: Sequence[float]) -> float:
    """What a counter stood at before each of its resets."""
    if values == sorted(values):  # as good as always, and ten times as fast as looking at each pair
        return 0.0
    return sum(before for before, value in pairwise(values) if value < before)


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
    first = window.values[0]
    if all(value == first for value in window.values):
        return (0.0, first) if math.isfinite(first) else (math.nan, math.nan)
    seconds = [(time - at) / 1000 for time in window.times]
    mean_x, mean_y = mean(seconds), mean(window.values)
    spread = total([(x - mean_x) * (x - mean_x) for x in seconds])
    together = total([(x - mean_x) * (y - mean_y) for x, y in zip(seconds, window.values, strict=True)])
    slope = together / spread
    return slope, mean_y - slope * mean_x


def _deriv(window: Range) -> float | None:
    if len(window.values) < 2:
        return None
    found = regression(window, window.times[0])
    return found[0] if found else None


def quantile_over_time(q: float, window: Range) -> float:
    return quantile(q, window.values)


OVER_TIME: Mapping[str, Function] = {
    "rate": lambda window: _extrapolated(window, counter=True, per_second=True),
    "increase": lambda window: _extrapolated(window, counter=True, per_second=False),
    "delta": lambda window: _extrapolated(window, counter=False, per_second=False),
    "irate": lambda window: _instant(window, rate=True),
    "idelta": lambda window: _instant(window, rate=False),
    "deriv": _deriv,
    "changes": lambda w: float(sum(1 for a, b in pairwise(w.values) if b != a and not (a != a and b != b))),
    "resets": lambda w: float(sum(1 for a, b in pairwise(w.values) if b < a)),
    "avg_over_time": lambda w: mean(w.values),
    "sum_over_time": lambda w: total(w.values),
    "min_over_time": lambda w: minimum(w.values),
    "max_over_time": lambda w: maximum(w.values),
    "count_over_time": lambda w: float(len(w.values)),
    "last_over_time": lambda w: w.values[-1],
    "present_over_time": lambda w: 1.0,
    "stdvar_over_time": lambda w: variance(w.values),
    "stddev_over_time": lambda w: math.sqrt(variance(w.values)),
}
"""By name; each is given a window with at least one sample, and answers none where it has no value."""

KEEPS_NAME = frozenset({"last_over_time"})
