"""Arithmetic over several float64 values that never raises: overflow is infinite, what has no value is NaN."""

import math
from collections.abc import Callable, Sequence

__all__ = ["maximum", "mean", "minimum", "quantile", "total", "variance"]


def total(values: Sequence[float]) -> float:
    """The sum, rounded once."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond the largest float64 on the way, or infinities of both signs
        return sum(values)


def mean(values: Sequence[float]) -> float:
    """The mean, also of values whose sum is beyond the largest float64."""
    summed = total(values)
    if math.isinf(summed) and all(map(math.isfinite, values)):
        return total([value / len(values) for value in values])
    return summed / len(values)


def variance(values: Sequence[float]) -> float:
    """The population variance."""
    middle = mean(values)
    return total([(value - middle) * (value - middle) for value in values]) / len(values)


def minimum(values: Sequence[float]) -> float:
    """The least number; NaN only of nothing but NaN."""
    return _extreme(values, min)


def maximum(values: Sequence[float]) -> float:
    """The greatest number; NaN only of nothing but NaN."""
    return _extreme(values, max)


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
