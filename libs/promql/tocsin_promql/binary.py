"""Binary operators between numbers and vectors (Prometheus documentation, querying/operators)."""

import math
from collections.abc import Callable, Mapping

from tocsin_promql.errors import EvaluationError
from tocsin_promql.instant import mapped
from tocsin_promql.labelling import METRIC_NAME, only, without, without_name
from tocsin_promql.nodes import Matching
from tocsin_promql.values import Scalar, Vector
from tocsin_schemas.labels import Labels

__all__ = ["apply_binary"]


def _divide(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def _modulo(a: float, b: float) -> float:
    if b == 0 or math.isinf(a) or a != a or b != b:
        return math.nan
    return math.fmod(a, b)


def _power(a: float, b: float) -> float:
    try:
        result = a**b
    except OverflowError:
        return math.inf if a > 0 or b % 2 == 0 else -math.inf
    except ZeroDivisionError:
        return math.copysign(math.inf, a) if b % 2 == 1 else math.inf
    return result if isinstance(result, float) else math.nan


ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "%": _modulo,
    "^": _power,
}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def apply_binary(
    operator: str, left: Scalar | Vector, right: Scalar | Vector, matching: Matching, *, return_bool: bool
) -> Scalar | Vector:
    """`left operator right`. Raises EvaluationError where a match is ambiguous."""
    if operator in _SETS:
        if isinstance(left, Scalar) or isinstance(right, Scalar):
            raise EvaluationError(f"`{operator}` is between vectors")
        return _SETS[operator](left, right, matching)
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        value = _combine(operator, left.value, right.value, return_bool=True)
        return Scalar(math.nan if value is None else value)
    if isinstance(right, Scalar) and isinstance(left, Vector):
        return _with_number(operator, left, right.value, return_bool, number_is_left=False)
    if isinstance(left, Scalar) and isinstance(right, Vector):
        return _with_number(operator, right, left.value, return_bool, number_is_left=True)
    assert isinstance(left, Vector) and isinstance(right, Vector)  # noqa: S101, PT018  # what is left of the cases
    return _vectors(operator, left, right, matching, return_bool)


def _combine(operator: str, a: float, b: float, *, return_bool: bool) -> float | None:
    """The value; of a comparison that filters, `a` where it holds and none where it does not."""
    if operator in ARITHMETIC:
        return ARITHMETIC[operator](a, b)
    holds = COMPARISONS[operator](a, b)
    if return_bool:
        return 1.0 if holds else 0.0
    return a if holds else None


def _with_number(operator: str, vector: Vector, number: float, return_bool: bool, *, number_is_left: bool) -> Vector:
    """A filter keeps the vector's value, on whichever side it stands, and the metric's name."""
    combine = ARITHMETIC.get(operator) or COMPARISONS[operator]
    if operator in COMPARISONS and not return_bool:
        return Vector(
            tuple(
                (labels, value)
                for labels, value in vector.items
                if (combine(number, value) if number_is_left else combine(value, number))
            )
        )
    return mapped(vector, lambda value: float(combine(number, value) if number_is_left else combine(value, number)))


def _vectors(operator: str, left: Vector, right: Vector, matching: Matching, return_bool: bool) -> Vector:
    if not left.items or not right.items:
        return Vector(())  # as Prometheus: nothing can match, so nothing can be ambiguous
    if len(left.items) == len(right.items) == 1 and matching.many == "neither":
        return _of_two(operator, left.items[0], right.items[0], matching, return_bool)
    many, one = (right, left) if matching.many == "right" else (left, right)
    ones: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in one.items:
        key = _key(matching, labels)
        if key in ones:
            side = "left" if matching.many == "right" else "right"
            raise EvaluationError(
                f"{ones[key][0]!r} and {labels!r} on the {side} side of `{operator}` both match {key!r}; "
                "add labels to `on` until each group has one"
            )
        ones[key] = (labels, value)
    filters = operator in COMPARISONS and not return_bool
    made: dict[Labels, float] = {}
    matched: set[Labels] = set()
    for labels, value in many.items:
        key = _key(matching, labels)
        if key not in ones:
            continue
        other_labels, other = ones[key]
        a, b = (other, value) if matching.many == "right" else (value, other)
        combined = _combine(operator, a, b, return_bool=return_bool)
        if combined is None:
            continue
        result = _result_labels(labels, other_labels, matching, keep_name=filters)
        if result in made or (matching.many == "neither" and key in matched):
            raise EvaluationError(
                f"several series on the left side of `{operator}` match {key!r}; say group_left or group_right"
                if matching.many == "neither"
                else f"several results of `{operator}` have the labels {result!r}; match on more labels"
            )
        matched.add(key)
        made[result] = combined
    return Vector(tuple(made.items()))


def _of_two(
    operator: str, left: tuple[Labels, float], right: tuple[Labels, float], matching: Matching, return_bool: bool
) -> Vector:
    """As `_vectors` of one value each, which is what most rules compare: nothing can be ambiguous."""
    if _key(matching, left[0]) != _key(matching, right[0]):
        return Vector(())
    combined = _combine(operator, left[1], right[1], return_bool=return_bool)
    if combined is None:
        return Vector(())
    filters = operator in COMPARISONS and not return_bool
    return Vector(((_result_labels(left[0], right[0], matching, keep_name=filters), combined),))


def _key(matching: Matching, labels: Labels) -> Labels:
    if not labels:
        return labels
    if matching.on is not None:
        return only(labels, matching.on)
    return without(labels, (*matching.ignoring, METRIC_NAME))


def _result_labels(labels: Labels, other: Labels, matching: Matching, *, keep_name: bool) -> Labels:
    if not labels and not matching.include:
        return labels
    result = labels if keep_name else without_name(labels)
    if matching.many == "neither":
        return only(result, matching.on) if matching.on is not None else without(result, matching.ignoring)
    if not matching.include:
        return result
    return Labels({**without(result, matching.include), **only(other, matching.include)})


def _and(left: Vector, right: Vector, matching: Matching) -> Vector:
    keys = {_key(matching, labels) for labels, _ in right.items}
    return Vector(tuple(item for item in left.items if _key(matching, item[0]) in keys))


def _or(left: Vector, right: Vector, matching: Matching) -> Vector:
    keys = {_key(matching, labels) for labels, _ in left.items}
    return Vector((*left.items, *(item for item in right.items if _key(matching, item[0]) not in keys)))


def _unless(left: Vector, right: Vector, matching: Matching) -> Vector:
    keys = {_key(matching, labels) for labels, _ in right.items}
    return Vector(tuple(item for item in left.items if _key(matching, item[0]) not in keys))


_SETS: Mapping[str, Callable[[Vector, Vector, Matching], Vector]] = {"and": _and, "or": _or, "unless": _unless}
