"""Evaluating a query at one moment over the series in memory."""

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import promql_parser as parser

from tocsin_promql import instant
from tocsin_promql.aggregation import aggregate
from tocsin_promql.binary import Matching, apply_binary
from tocsin_promql.over_time import KEEPS_NAME, OVER_TIME, quantile_over_time, regression
from tocsin_promql.parse import LOOKBACK, Query
from tocsin_promql.series import Series, SeriesStore
from tocsin_promql.values import NO_LABELS, EvaluationError, Range, Result, Scalar, String, Vector, without_name
from tocsin_schemas.labels import Labels

__all__ = ["evaluate"]

_LOOKBACK = int(LOOKBACK.total_seconds() * 1000)
_MOST_STEPS = 11_000
_LONGEST_PATTERN = 500


def evaluate(query: Query, store: SeriesStore, at: int) -> Result:
    """The value of `query` at `at` (milliseconds). Raises EvaluationError where it has none."""
    return _Evaluation(store, at).value(query.root)


class _Evaluation:
    """One moment; nodes of the parser are looked up by their class."""

    def __init__(self, store: SeriesStore, at: int) -> None:
        self._store = store
        self._at = at

    def value(self, node: Any) -> Result:
        match node:
            case parser.NumberLiteral():
                return Scalar(node.val)
            case parser.StringLiteral():
                return String(node.val)
            case parser.ParenExpr():
                return self.value(node.expr)
            case parser.UnaryExpr():
                return self._negated(self.value(node.expr))
            case parser.VectorSelector():
                return self._instant(node)
            case parser.AggregateExpr():
                return self._aggregate(node)
            case parser.BinaryExpr():
                return self._binary(node)
            case parser.Call():
                return self._call(node)
            case _:
                raise EvaluationError("a range of samples is no value: a function of it is needed")

    # --- selectors ----------------------------------------------------------------------------------------------------

    def _instant(self, node: Any) -> Vector:
        at = self._at - _offset(node)
        found = ((series.labels, series.last_at(at, _LOOKBACK)) for series in self._selected(node))
        return Vector(tuple((labels, value) for labels, value in found if value is not None))

    def _ranges(self, node: Any) -> list[Range]:
        match node:
            case parser.ParenExpr():
                return self._ranges(node.expr)
            case parser.MatrixSelector():
                end = self._at - _offset(node.vector_selector)
                start = end - _ms(node.range)
                made = (
                    Range(s.labels, *s.within(start, end), start, end) for s in self._selected(node.vector_selector)
                )
                return [window for window in made if window.values]
            case parser.SubqueryExpr():
                return self._subquery(node)
            case _:
                raise EvaluationError("a range of samples is needed here")

    def _subquery(self, node: Any) -> list[Range]:
        end = self._at - _ms(node.offset)
        start = end - _ms(node.range)
        step = _ms(node.step) or 60_000
        if (end - start) / step > _MOST_STEPS:
            raise EvaluationError(f"a subquery of more than {_MOST_STEPS} steps")
        times: dict[Labels, list[int]] = {}
        values: dict[Labels, list[float]] = {}
        moment = (start // step) * step + step  # as Prometheus: steps are multiples of the step
        while moment <= end:
            for labels, value in _Evaluation(self._store, moment).value(node.expr).as_vector():
                times.setdefault(labels, []).append(moment)
                values.setdefault(labels, []).append(value)
            moment += step
        return [Range(labels, times[labels], values[labels], start, end) for labels in times]

    def _selected(self, node: Any) -> list[Series]:
        matchers = [_matcher(str(m.op), m.name, m.value) for m in node.matchers.matchers]
        return [series for series in self._store.named(node.name) if all(m(series.labels) for m in matchers)]

    # --- operators ----------------------------------------------------------------------------------------------------

    def _negated(self, value: Result) -> Result:
        if isinstance(value, Scalar):
            return Scalar(-value.value)
        return instant.mapped(_vector(value), lambda number: -number)

    def _aggregate(self, node: Any) -> Vector:
        by = without = None
        if node.modifier is not None:
            names = list(node.modifier.labels)
            if node.modifier.type == parser.AggModifierType.By:
                by = names
            else:
                without = names
        parameter = self.value(node.param) if node.param is not None else None
        return aggregate(
            str(node.op),
            _vector(self.value(node.expr)),
            by=by,
            without=without,
            number=parameter.value if isinstance(parameter, Scalar) else None,
            text=parameter.text if isinstance(parameter, String) else None,
        )

    def _binary(self, node: Any) -> Result:
        left, right = self.value(node.lhs), self.value(node.rhs)
        if isinstance(left, String) or isinstance(right, String):
            raise EvaluationError(f"`{node.op}` of a text")
        modifier = node.modifier
        return apply_binary(
            str(node.op), left, right, _matching(modifier), return_bool=bool(modifier and modifier.return_bool)
        )

    # --- functions ----------------------------------------------------------------------------------------------------

    def _call(self, node: Any) -> Result:
        name, given = node.func.name, list(node.args)
        if name in OVER_TIME:
            return self._over_time(name, given[0])
        if name in _CALLS:
            return _CALLS[name](self, given)
        if name in instant.MATHEMATICS:
            return instant.mapped(_vector(self.value(given[0])), instant.MATHEMATICS[name])
        if name in instant.DATES:
            return instant.mapped(self._dated(given), instant.DATES[name])
        raise EvaluationError(f"the function {name} is not carried out")

    def _over_time(self, name: str, argument: Any) -> Vector:
        function, items = OVER_TIME[name], []
        for window in self._ranges(argument):
            value = function(window)
            if value is not None:
                items.append((window.labels if name in KEEPS_NAME else without_name(window.labels), value))
        return Vector(tuple(items))

    def _dated(self, given: Sequence[Any]) -> Vector:
        return _vector(self.value(given[0])) if given else Vector(((NO_LABELS, self._at / 1000),))

    def _number(self, node: Any) -> float:
        value = self.value(node)
        if not isinstance(value, Scalar):
            raise EvaluationError("a number is needed here")
        return value.value

    def _text(self, node: Any) -> str:
        value = self.value(node)
        if not isinstance(value, String):
            raise EvaluationError("a text is needed here")
        return value.text

    def _timestamp(self, given: Sequence[Any]) -> Vector:
        """When the samples were taken; of anything but a selector, now."""
        node = given[0]
        if not isinstance(node, parser.VectorSelector):
            return instant.mapped(_vector(self.value(node)), lambda _: self._at / 1000)
        at = self._at - _offset(node)
        items = []
        for series in self._selected(node):
            if series.last_at(at, _LOOKBACK) is not None:
                times, _ = series.within(at - _LOOKBACK, at)
                items.append((without_name(series.labels), times[-1] / 1000))
        return Vector(tuple(items))

    def _predict(self, given: Sequence[Any]) -> Vector:
        seconds, items = self._number(given[1]), []
        for window in self._ranges(given[0]):
            found = regression(window, self._at)
            if found is not None:
                items.append((without_name(window.labels), found[0] * seconds + found[1]))
        return Vector(tuple(items))

    def _absent(self, items: Sequence[object], node: Any) -> Vector:
        return Vector(()) if items else Vector(((_labels_of_absence(node), 1.0),))


_CALLS: dict[str, Callable[[_Evaluation, Sequence[Any]], Result]] = {
    "time": lambda e, _: Scalar(e._at / 1000),
    "vector": lambda e, a: Vector(((NO_LABELS, e._number(a[0])),)),
    "scalar": lambda e, a: Scalar(v[0][1] if len(v := _vector(e.value(a[0])).items) == 1 else math.nan),
    "timestamp": lambda e, a: e._timestamp(a),
    "absent": lambda e, a: e._absent(_vector(e.value(a[0])).items, a[0]),
    "absent_over_time": lambda e, a: e._absent(e._ranges(a[0]), a[0]),
    "predict_linear": lambda e, a: e._predict(a),
    "quantile_over_time": lambda e, a: Vector(
        tuple((without_name(w.labels), quantile_over_time(e._number(a[0]), w)) for w in e._ranges(a[1]))
    ),
    "histogram_quantile": lambda e, a: instant.histogram_quantile(e._number(a[0]), _vector(e.value(a[1]))),
    "round": lambda e, a: _rounded(_vector(e.value(a[0])), e._number(a[1]) if len(a) > 1 else 1.0),
    "clamp": lambda e, a: _clamped(_vector(e.value(a[0])), e._number(a[1]), e._number(a[2])),
    "clamp_min": lambda e, a: _clamped(_vector(e.value(a[0])), e._number(a[1]), math.inf),
    "clamp_max": lambda e, a: _clamped(_vector(e.value(a[0])), -math.inf, e._number(a[1])),
    "sort": lambda e, a: _sorted(_vector(e.value(a[0])), descending=False),
    "sort_desc": lambda e, a: _sorted(_vector(e.value(a[0])), descending=True),
    "label_replace": lambda e, a: instant.label_replace(_vector(e.value(a[0])), *(e._text(node) for node in a[1:])),
    "label_join": lambda e, a: instant.label_join(
        _vector(e.value(a[0])), e._text(a[1]), e._text(a[2]), [e._text(node) for node in a[3:]]
    ),
}


def _vector(value: Result) -> Vector:
    if not isinstance(value, Vector):
        raise EvaluationError("a vector is needed here")
    return value


def _rounded(vector: Vector, to: float) -> Vector:
    return instant.mapped(vector, lambda value: instant.rounded(value, to))


def _clamped(vector: Vector, low: float, high: float) -> Vector:
    if low > high:
        return Vector(())
    return instant.mapped(vector, lambda value: value if value != value else max(low, min(high, value)))


def _sorted(vector: Vector, *, descending: bool) -> Vector:
    return Vector(
        tuple(sorted(vector.items, key=lambda item: (item[1] != item[1], -item[1] if descending else item[1])))
    )


def _labels_of_absence(node: Any) -> Labels:
    """What `absent` says of what is not there: the labels that were asked for by equality, each once."""
    while isinstance(node, parser.ParenExpr):
        node = node.expr
    if isinstance(node, parser.MatrixSelector):
        node = node.vector_selector
    if not isinstance(node, parser.VectorSelector):
        return NO_LABELS
    equal: dict[str, str] = {}
    several: set[str] = set()
    for matcher in node.matchers.matchers:
        if matcher.name == "__name__":
            continue
        if str(matcher.op) == "MatchOp.Equal" and matcher.name not in equal:
            equal[matcher.name] = matcher.value
        else:
            several.add(matcher.name)
    return Labels({name: value for name, value in equal.items() if name not in several})


def _matching(modifier: Any) -> Matching:
    if modifier is None:
        return Matching()
    on: list[str] | None = None
    ignoring: list[str] = []
    if modifier.matching is not None:
        names = list(modifier.matching.labels)
        if modifier.matching.type == parser.LabelModifierType.Include:
            on = names
        else:
            ignoring = names
    many = "one"
    if modifier.card == parser.VectorMatchCardinality.ManyToOne:
        many = "left"
    elif modifier.card == parser.VectorMatchCardinality.OneToMany:
        many = "right"
    return Matching(on, ignoring, many, list(modifier.group_labels or ()))


@lru_cache(maxsize=4096)
def _matcher(operation: str, name: str, value: str) -> Callable[[Labels], bool]:
    match operation:
        case "MatchOp.Equal":
            return lambda labels: labels.get(name, "") == value
        case "MatchOp.NotEqual":
            return lambda labels: labels.get(name, "") != value
        case _:
            pass
    if len(value) > _LONGEST_PATTERN:
        raise EvaluationError(f"a pattern of {len(value)} characters; at most {_LONGEST_PATTERN} are allowed")
    try:
        pattern = re.compile(value, re.DOTALL)
    except re.error as error:
        raise EvaluationError(f"pattern {value[:80]!r}: {error}") from None
    if operation == "MatchOp.Re":
        return lambda labels: pattern.fullmatch(labels.get(name, "")) is not None
    return lambda labels: pattern.fullmatch(labels.get(name, "")) is None


def _offset(node: Any) -> int:
    return _ms(node.offset)


def _ms(duration: Any) -> int:
    return 0 if duration is None else int(duration.total_seconds() * 1000)
