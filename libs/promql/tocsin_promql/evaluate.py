"""Evaluating a query at one moment over the series in memory."""

from collections.abc import Iterator

from tocsin_promql.aggregation import aggregate
from tocsin_promql.binary import apply_binary
from tocsin_promql.calls import CALLS
from tocsin_promql.errors import EvaluationError
from tocsin_promql.instant import DATES, MATHEMATICS, distinct, mapped
from tocsin_promql.labelling import NO_LABELS, without_name
from tocsin_promql.nodes import (
    Aggregation,
    Binary,
    Call,
    Negation,
    Node,
    Number,
    Selector,
    Subquery,
    Text,
    Window,
)
from tocsin_promql.over_time import KEEPS_NAME, OVER_TIME
from tocsin_promql.parse import LOOKBACK, Query
from tocsin_promql.series import SeriesStore
from tocsin_promql.values import Range, Result, Scalar, String, Vector
from tocsin_schemas.labels import Labels

__all__ = ["evaluate"]

_LOOKBACK = int(LOOKBACK.total_seconds() * 1000)


def evaluate(query: Query, store: SeriesStore, at: int) -> Result:
    """The value of `query` at `at` (milliseconds). Raises EvaluationError where it has none."""
    return Evaluation(store, at).value(query.root)


class Evaluation:
    """One moment."""

    __slots__ = ("_store", "at")

    def __init__(self, store: SeriesStore, at: int) -> None:
        self._store = store
        self.at = at

    def value(self, node: Node) -> Result:
        match node:
            case Selector():
                return Vector(tuple((labels, value) for labels, _, value in self.selected(node)))
            case Call():
                return self._call(node)
            case Aggregation():
                return self._aggregate(node)
            case Binary():
                return self._binary(node)
            case Number(value=number):
                return Scalar(number)
            case Text(value=text):
                return String(text)
            case Negation(inner=inner):
                value = self.value(inner)
                return Scalar(-value.value) if isinstance(value, Scalar) else mapped(_vector(value), lambda v: -v)
            case Window() | Subquery():
                raise EvaluationError("a range of samples is no value: a function of it is needed")

    def vector(self, node: Node) -> Vector:
        return _vector(self.value(node))

    def number(self, node: Node) -> float:
        value = self.value(node)
        if not isinstance(value, Scalar):
            raise EvaluationError("a number is needed here")
        return value.value

    def text(self, node: Node) -> str:
        if not isinstance(node, Text):
            raise EvaluationError("a text is needed here")
        return node.value

    def selected(self, node: Selector) -> Iterator[tuple[Labels, int, float]]:
        """The latest sample of each series, with the time it was taken."""
        moment = self.at - node.offset
        for series in self._store.select(node.matchers):
            if (latest := series.last_at(moment, _LOOKBACK)) is not None:
                yield (series.labels, *latest)

    def ranges(self, node: Node) -> list[Range]:
        """The samples of each series that has any in the window."""
        match node:
            case Window(selector=selector, length=length):
                end = self.at - selector.offset
                start = end - length
                found = []
                for series in self._store.select(selector.matchers):
                    times, values = series.within(start, end)
                    if values:
                        found.append(Range(series.labels, times, values, start, end))
                return found
            case Subquery():
                return self._subquery(node)
            case _:
                raise EvaluationError("a range of samples is needed here")

    def _subquery(self, node: Subquery) -> list[Range]:
        end = self.at - node.offset
        start = end - node.length
        first = start // node.step * node.step + node.step  # as Prometheus: at multiples of the step
        times: dict[Labels, list[int]] = {}
        values: dict[Labels, list[float]] = {}
        for moment in range(first, end + 1, node.step):
            for labels, value in Evaluation(self._store, moment).value(node.inner).as_vector():
                times.setdefault(labels, []).append(moment)
                values.setdefault(labels, []).append(value)
        return [Range(labels, times[labels], values[labels], start, end) for labels in times]

    def _aggregate(self, node: Aggregation) -> Vector:
        parameter = None if node.parameter is None else self.value(node.parameter)
        return aggregate(
            node.operation,
            self.vector(node.inner),
            by=node.by,
            without=node.without,
            number=parameter.value if isinstance(parameter, Scalar) else None,
            text=parameter.text if isinstance(parameter, String) else None,
        )

    def _binary(self, node: Binary) -> Scalar | Vector:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, String) or isinstance(right, String):
            raise EvaluationError(f"`{node.operator}` of a text")
        return apply_binary(node.operator, left, right, node.matching, return_bool=node.return_bool)

    def _call(self, node: Call) -> Result:
        name = node.function
        if name in OVER_TIME:
            return self._over_time(name, node.arguments[0])
        if name in MATHEMATICS:
            return mapped(self.vector(node.arguments[0]), MATHEMATICS[name])
        if name in DATES:
            now = Vector(((NO_LABELS, self.at / 1000),))
            return mapped(self.vector(node.arguments[0]) if node.arguments else now, DATES[name])
        return CALLS[name](self, node.arguments)

    def _over_time(self, name: str, argument: Node) -> Vector:
        function, keeps_name = OVER_TIME[name], name in KEEPS_NAME
        found: list[tuple[Labels, float]] = []
        for window in self.ranges(argument):
            value = function(window)
            if value is not None:
                found.append((window.labels if keeps_name else without_name(window.labels), value))
        return Vector(tuple(found)) if keeps_name else distinct(found)


def _vector(value: Result) -> Vector:
    if not isinstance(value, Vector):
        raise EvaluationError("a vector is needed here")
    return value
