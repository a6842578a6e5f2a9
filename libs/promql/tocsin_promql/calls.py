"""Functions that need more than one vector: other arguments, the moment, or the selector itself."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias

from tocsin_promql.instant import distinct, histogram_quantile, label_join, label_replace, mapped, rounded
from tocsin_promql.labelling import METRIC_NAME, NO_LABELS, without_name
from tocsin_promql.nodes import Node, Selector, Window
from tocsin_promql.over_time import quantile_over_time, regression
from tocsin_promql.values import Range, Result, Scalar, Vector
from tocsin_schemas.labels import Labels

__all__ = ["CALLS"]


class Moment(Protocol):
    """What a function may ask of the evaluation it is part of."""

    @property
    def at(self) -> int: ...
    def vector(self, node: Node) -> Vector: ...
    def number(self, node: Node) -> float: ...
    def text(self, node: Node) -> str: ...
    def selected(self, node: Selector) -> Iterable[tuple[Labels, int, float]]: ...
    def ranges(self, node: Node) -> list[Range]: ...


Arguments: TypeAlias = tuple[Node, ...]


def _scalar(now: Moment, given: Arguments) -> Scalar:
    items = now.vector(given[0]).items
    return Scalar(items[0][1] if len(items) == 1 else math.nan)


def _timestamp(now: Moment, given: Arguments) -> Vector:
    """When the samples were taken; of anything but a selector, now."""
    if isinstance(given[0], Selector):
        return distinct((without_name(labels), time / 1000) for labels, time, _ in now.selected(given[0]))
    return mapped(now.vector(given[0]), lambda _: now.at / 1000)


def _absent(now: Moment, given: Arguments) -> Vector:
    return Vector(()) if now.vector(given[0]).items else _absence(given[0])


def _absent_over_time(now: Moment, given: Arguments) -> Vector:
    return Vector(()) if now.ranges(given[0]) else _absence(given[0])


def _absence(node: Node) -> Vector:
    """What is said of what is not there: the labels that were asked for by equality, each once."""
    if isinstance(node, Window):
        node = node.selector
    labels: dict[str, str] = {}
    asked: set[str] = set()
    for matcher in node.matchers if isinstance(node, Selector) else ():
        if matcher.operator == "=" and matcher.name not in asked:
            labels[matcher.name] = matcher.value
        else:
            labels.pop(matcher.name, None)
        asked.add(matcher.name)
    labels.pop(METRIC_NAME, None)
    return Vector(((Labels(labels), 1.0),))


def _predict_linear(now: Moment, given: Arguments) -> Vector:
    seconds = now.number(given[1])
    found = ((window.labels, regression(window, now.at)) for window in now.ranges(given[0]))
    return distinct((without_name(labels), line[0] * seconds + line[1]) for labels, line in found if line is not None)


def _quantile_over_time(now: Moment, given: Arguments) -> Vector:
    q = now.number(given[0])
    return distinct((without_name(window.labels), quantile_over_time(q, window)) for window in now.ranges(given[1]))


def _round(now: Moment, given: Arguments) -> Vector:
    to = now.number(given[1]) if len(given) > 1 else 1.0
    return mapped(now.vector(given[0]), lambda value: rounded(value, to))


def _clamped(vector: Vector, low: float, high: float) -> Vector:
    if low > high:
        return Vector(())
    if math.isnan(low) or math.isnan(high):
        return mapped(vector, lambda _: math.nan)
    return mapped(vector, lambda value: value if value != value else max(low, min(high, value)))


def _sorted(vector: Vector, *, descending: bool) -> Vector:
    """By value; NaN comes last either way."""
    return Vector(
        tuple(sorted(vector.items, key=lambda item: (item[1] != item[1], -item[1] if descending else item[1])))
    )


CALLS: Mapping[str, Callable[[Moment, Arguments], Result]] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "clamp": lambda now, given: _clamped(now.vector(given[0]), now.number(given[1]), now.number(given[2])),
    "clamp_max": lambda now, given: _clamped(now.vector(given[0]), -math.inf, now.number(given[1])),
    "clamp_min": lambda now, given: _clamped(now.vector(given[0]), now.number(given[1]), math.inf),
    "histogram_quantile": lambda now, given: histogram_quantile(now.number(given[0]), now.vector(given[1])),
    "label_join": lambda now, given: label_join(
        now.vector(given[0]), now.text(given[1]), now.text(given[2]), [now.text(each) for each in given[3:]]
    ),
    "label_replace": lambda now, given: label_replace(now.vector(given[0]), *(now.text(each) for each in given[1:])),
    "predict_linear": _predict_linear,
    "quantile_over_time": _quantile_over_time,
    "round": _round,
    "scalar": _scalar,
    "sort": lambda now, given: _sorted(now.vector(given[0]), descending=False),
    "sort_desc": lambda now, given: _sorted(now.vector(given[0]), descending=True),
    "time": lambda now, _: Scalar(now.at / 1000),
    "timestamp": _timestamp,
    "vector": lambda now, given: Vector(((NO_LABELS, now.number(given[0])),)),
}
