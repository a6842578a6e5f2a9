"""Aggregations: many series become few, grouped by labels (Prometheus documentation, querying/operators)."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from tocsin_promql.over_time import quantile
from tocsin_promql.values import NO_LABELS, EvaluationError, Vector
from tocsin_schemas.labels import Labels

__all__ = ["aggregate", "group_labels"]

Items = Sequence[tuple[Labels, float]]


def group_labels(labels: Labels, by: Sequence[str] | None, without: Sequence[str] | None) -> Labels:
    """The labels of the group that these belong to."""
    if by is not None:
        return Labels({name: labels[name] for name in by if name in labels})
    if without is not None:
        left_out = {*without, "__name__"}
        return Labels({name: value for name, value in labels.items() if name not in left_out})
    return NO_LABELS


def aggregate(
    operation: str,
    vector: Vector,
    *,
    by: Sequence[str] | None,
    without: Sequence[str] | None,
    number: float | None = None,
    text: str | None = None,
) -> Vector:
    """Apply `operation` to each group.

    `number` is the k of topk and bottomk or the q of quantile, `text` the label of count_values.
    """
    groups: dict[Labels, list[tuple[Labels, float]]] = {}
    for labels, value in vector.items:
        groups.setdefault(group_labels(labels, by, without), []).append((labels, value))
    if operation in {"topk", "bottomk"}:
        return _ranked(groups.values(), _needed(number), largest=operation == "topk")
    if operation == "count_values":
        return _counted(groups, text or "")
    if operation == "quantile":
        q = _needed(number)
        return Vector(tuple((group, quantile(q, [v for _, v in items])) for group, items in groups.items()))
    function = _FUNCTIONS[operation]
    return Vector(tuple((group, function([value for _, value in items])) for group, items in groups.items()))


def _needed(number: float | None) -> float:
    if number is None:
        raise EvaluationError("the aggregation needs a number")
    return number


def _ranked(groups: Iterable[list[tuple[Labels, float]]], k: float, *, largest: bool) -> Vector:
    if math.isnan(k) or k < 1:
        return Vector(())
    chosen: list[tuple[Labels, float]] = []
    for items in groups:
        # NaN is the least of all, whichever end is asked for.
        ranked = sorted(items, key=lambda item: (item[1] != item[1], -item[1] if largest else item[1]))
        chosen += ranked[: int(min(k, len(ranked)))]
    return Vector(tuple(chosen))


def _counted(groups: Mapping[Labels, Items], label: str) -> Vector:
    counts: dict[Labels, float] = {}
    for group, items in groups.items():
        for _, value in items:
            try:
                labels = group.with_labels(**{label: _number_text(value)})
            except ValueError as error:
                raise EvaluationError(f"count_values: {error}") from None
            counts[labels] = counts.get(labels, 0.0) + 1
    return Vector(tuple(counts.items()))


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def _extreme(pick: Callable[[Sequence[float]], float]) -> Callable[[Sequence[float]], float]:
    def extreme(values: Sequence[float]) -> float:
        numbers = [value for value in values if value == value]
        return pick(numbers) if numbers else math.nan

    return extreme


_FUNCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": lambda values: math.fsum(values) if all(map(math.isfinite, values)) else sum(values),
    "avg": lambda values: sum(values) / len(values),
    "min": _extreme(min),
    "max": _extreme(max),
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
    "stdvar": _variance,
    "stddev": lambda values: math.sqrt(_variance(values)),
}
