"""Aggregations: many series become few, grouped by labels (Prometheus documentation, querying/operators)."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from tocsin_promql import labelling
from tocsin_promql.errors import EvaluationError
from tocsin_promql.float_math import maximum, mean, minimum, quantile, total, variance
from tocsin_promql.labelling import METRIC_NAME, NO_LABELS
from tocsin_promql.values import Vector
from tocsin_schemas.labels import Labels

__all__ = ["OVER_VALUES", "aggregate", "group_labels"]

Items = Sequence[tuple[Labels, float]]


def group_labels(labels: Labels, by: tuple[str, ...] | None, without: tuple[str, ...] | None) -> Labels:
    """The labels of the group that these belong to."""
    if by is not None:
        return labelling.only(labels, by)
    return NO_LABELS if without is None else labelling.without(labels, (*without, METRIC_NAME))


def aggregate(
    operation: str,
    vector: Vector,
    *,
    by: tuple[str, ...] | None,
    without: tuple[str, ...] | None,
    number: float | None = None,
    text: str | None = None,
) -> Vector:
    """Apply `operation` to each group.

    `number` is the k of topk and bottomk or the q of quantile, `text` the label of count_values.
    """
    groups: dict[Labels, list[tuple[Labels, float]]] = {}
    if by is None and without is None and vector.items:
        groups[NO_LABELS] = list(vector.items)
    else:
        for labels, value in vector.items:
            groups.setdefault(group_labels(labels, by, without), []).append((labels, value))
    if operation in {"topk", "bottomk"}:
        return _ranked(groups.values(), _needed(number), largest=operation == "topk")
    if operation == "count_values":
        return _counted(groups, text or "")
    if operation == "quantile":
        q = _needed(number)
        return Vector(tuple((group, quantile(q, [v for _, v in items])) for group, items in groups.items()))
    function = OVER_VALUES[operation]
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
    """The shortest decimal that is this number, never with an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return format(Decimal(repr(value)), "f").removesuffix(".0")


OVER_VALUES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": total,
    "avg": mean,
    "min": minimum,
    "max": maximum,
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
    "stdvar": variance,
    "stddev": lambda values: math.sqrt(variance(values)),
}
"""What is made of the values of a group, by the aggregation's name."""
