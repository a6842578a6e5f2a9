"""Binary operators between numbers and vectors (Prometheus documentation, querying/operators)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tocsin_promql.values import EvaluationError, Scalar, Vector, without_name
from tocsin_schemas.labels import Labels

__all__ = ["COMPARISONS", "Matching", "apply_binary"]


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
        return math.inf
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


@dataclass(frozen=True, slots=True)
class Matching:
    """Which elements of two vectors belong together, and which side may have several for one of the other."""

    on: Sequence[str] | None = None
    ignoring: Sequence[str] = ()
    many: str = "one"  # "left", "right" or "one"
    include: Sequence[str] = ()

    def key(self, labels: Labels) -> Labels:
        if self.on is not None:
            return Labels({name: labels[name] for name in self.on if name in labels})
        left_out = {*self.ignoring, "__name__"}
        return Labels({name: value for name, value in labels.items() if name not in left_out})


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
    filters = operator in COMPARISONS and not return_bool
    items = []
    for labels, value in vector.items:
        if filters:
            holds = COMPARISONS[operator](number, value) if number_is_left else COMPARISONS[operator](value, number)
            if holds:
                items.append((labels, value))
            continue
        a, b = (number, value) if number_is_left else (value, number)
        combined = _combine(operator, a, b, return_bool=return_bool)
        if combined is not None:
            items.append((without_name(labels), combined))
    return Vector(tuple(items))


def _vectors(operator: str, left: Vector, right: Vector, matching: Matching, return_bool: bool) -> Vector:
    swapped = matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    ones: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in one.items:
        key = matching.key(labels)
        if key in ones:
            side = "left" if swapped else "right"
            raise EvaluationError(f"several series on the {side} side match {key!r}; add labels to `on`")
        ones[key] = (labels, value)
    filters = operator in COMPARISONS and not return_bool
    made: dict[Labels, float] = {}
    for labels, value in many.items:
        key = matching.key(labels)
        if key not in ones:
            continue
        other_labels, other = ones[key]
        a, b = (other, value) if swapped else (value, other)
        combined = _combine(operator, a, b, return_bool=return_bool)
        if combined is None:
            continue
        result = _result_labels(labels, other_labels, matching, keep_name=filters)
        if result in made:
            raise EvaluationError(f"several series become {result!r}; use group_left or group_right")
        made[result] = combined
    return Vector(tuple(made.items()))


def _result_labels(labels: Labels, other: Labels, matching: Matching, *, keep_name: bool) -> Labels:
    if matching.many == "one":
        key = matching.key(labels)
        return Labels({**key, "__name__": labels["__name__"]}) if keep_name and "__name__" in labels else key
    result = dict(labels) if keep_name else dict(without_name(labels))
    for name in matching.include:
        result.pop(name, None)
        if name in other:
            result[name] = other[name]
    return Labels(result)


def _and(left: Vector, right: Vector, matching: Matching) -> Vector:
    keys = {matching.key(labels) for labels, _ in right.items}
    return Vector(tuple(item for item in left.items if matching.key(item[0]) in keys))


def _or(left: Vector, right: Vector, matching: Matching) -> Vector:
    keys = {matching.key(labels) for labels, _ in left.items}
    return Vector((*left.items, *(item for item in right.items if matching.key(item[0]) not in keys)))


def _unless(left: Vector, right: Vector, matching: Matching) -> Vector:
    keys = {matching.key(labels) for labels, _ in right.items}
    return Vector(tuple(item for item in left.items if matching.key(item[0]) not in keys))


_SETS: Mapping[str, Callable[[Vector, Vector, Matching], Vector]] = {"and": _and, "or": _or, "unless": _unless}
