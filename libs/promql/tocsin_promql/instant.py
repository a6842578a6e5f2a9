"""Functions of an instant vector (Prometheus documentation, querying/functions)."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from tocsin_promql.errors import EvaluationError
from tocsin_promql.labelling import METRIC_NAME, without, without_name
from tocsin_promql.patterns import PatternError, compile_pattern
from tocsin_promql.values import Vector
from tocsin_schemas.labels import Labels

__all__ = ["DATES", "MATHEMATICS", "distinct", "histogram_quantile", "label_join", "label_replace", "mapped", "rounded"]


def _guarded(function: Callable[[float], float]) -> Callable[[float], float]:
    """NaN and the infinities outside of what the standard library takes."""

    def call(value: float) -> float:
        try:
            return function(value)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return call


def _log(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -math.inf if value == 0 else _guarded(function)(value)


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(function(value)) if math.isfinite(value) else value


MATHEMATICS: Mapping[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "exp": _guarded(math.exp),
    "ln": _log(math.log),
    "log2": _log(math.log2),
    "log10": _log(math.log10),
    "sqrt": _guarded(math.sqrt),
    "sgn": lambda value: value if value != value else float((value > 0) - (value < 0)),
}


def rounded(value: float, to: float) -> float:
    """To the nearest multiple of `to`; halves go up."""
    if to == 0:
        return math.nan
    inverse = 1.0 / to
    scaled = value * inverse + 0.5
    return (math.floor(scaled) if math.isfinite(scaled) else scaled) / inverse if inverse else math.nan


def _date(part: Callable[[datetime], int]) -> Callable[[float], float]:
    def read(seconds: float) -> float:
        try:
            return float(part(datetime.fromtimestamp(math.trunc(seconds), UTC)))
        except (ValueError, OverflowError, OSError):
            return math.nan

    return read


def _days_in_month(moment: datetime) -> int:
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return (datetime(year, month, 1, tzinfo=UTC) - datetime(moment.year, moment.month, 1, tzinfo=UTC)).days


DATES: Mapping[str, Callable[[float], float]] = {
    "minute": _date(lambda moment: moment.minute),
    "hour": _date(lambda moment: moment.hour),
    "day_of_week": _date(lambda moment: moment.isoweekday() % 7),
    "day_of_month": _date(lambda moment: moment.day),
    "day_of_year": _date(lambda moment: moment.timetuple().tm_yday),
    "days_in_month": _date(_days_in_month),
    "month": _date(lambda moment: moment.month),
    "year": _date(lambda moment: moment.year),
}


def mapped(vector: Vector, function: Callable[[float], float]) -> Vector:
    """`function` of every value; the metric's name is gone."""
    return distinct((without_name(labels), function(value)) for labels, value in vector.items)


def distinct(items: Iterable[tuple[Labels, float]]) -> Vector:
    """Raises EvaluationError where series that only their name told apart have become the same."""
    made = items if isinstance(items, tuple) else tuple(items)
    if len(made) > 1 and len({labels for labels, _ in made}) != len(made):
        raise EvaluationError("several series have the same labels afterwards; aggregate or select one metric first")
    return Vector(made)


# --- histograms -------------------------------------------------------------------------------------------------------


def histogram_quantile(q: float, vector: Vector) -> Vector:
    """The q-quantile of classic histograms: series with the label `le`, linear within a bucket."""
    histograms: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in vector.items:
        bound = _bound(labels.get("le", ""))
        if bound is None:
            continue
        histograms.setdefault(without(labels, ("le", METRIC_NAME)), []).append((bound, count))
    return Vector(tuple((labels, _bucket_quantile(q, buckets)) for labels, buckets in histograms.items()))


def _bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _bucket_quantile(q: float, buckets: Sequence[tuple[float, float]]) -> float:
    if math.isnan(q):
        return math.nan
    if q < 0:
        return -math.inf
    if q > 1:
        return math.inf
    merged: dict[float, float] = {}
    for bound, count in buckets:
        merged[bound] = merged.get(bound, 0.0) + count
    bounds = sorted(merged)
    if len(bounds) < 2 or not math.isinf(bounds[-1]):
        return math.nan
    counts, highest = [], 0.0
    for bound in bounds:
        highest = max(highest, merged[bound])  # counts of a moving histogram may not be monotonic
        counts.append(highest)
    total = counts[-1]
    if total == 0 or math.isnan(total):
        return math.nan
    rank = q * total
    index = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(bounds) - 1)
    if index == len(bounds) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    inside = counts[index] - below
    return start + (bounds[index] - start) * ((rank - below) / inside) if inside else start


# --- labels -----------------------------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"\$(\$|\w+|\{\w+\})", re.ASCII)


def label_replace(vector: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    """Set `target` to `replacement` ($1, ${name}) where the whole of label `source` matches `pattern`."""
    try:
        compiled = compile_pattern(pattern)
    except PatternError as error:
        raise EvaluationError(f"label_replace: {error}") from None
    items = []
    for labels, value in vector.items:
        found = compiled.fullmatch(labels.get(source, ""))
        items.append((_set(labels, target, _expand(replacement, found)) if found else labels, value))
    return distinct(items)


def label_join(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """Set `target` to the values of `sources` with `separator` between them."""
    items = [
        (_set(labels, target, separator.join(labels.get(name, "") for name in sources)), value)
        for labels, value in vector.items
    ]
    return distinct(items)


def _expand(replacement: str, found: re.Match[str]) -> str:
    def group(reference: re.Match[str]) -> str:
        name = reference[1].strip("{}")
        if name == "$":
            return "$"
        try:
            return found[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return _REFERENCE.sub(group, replacement)


def _set(labels: Labels, name: str, value: str) -> Labels:
    try:
        return labels.with_labels(**{name: value})
    except ValueError as error:
        raise EvaluationError(str(error)) from None
