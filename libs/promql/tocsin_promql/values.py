"""What an expression is worth: a vector of labelled values, or one number, or a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tocsin_promql.errors import EvaluationError
from tocsin_promql.labelling import NO_LABELS
from tocsin_schemas.labels import Labels

__all__ = ["Range", "Result", "Scalar", "String", "Vector"]


@dataclass(frozen=True, slots=True)
class Scalar:
    value: float

    def as_vector(self) -> Sequence[tuple[Labels, float]]:
        return ((NO_LABELS, self.value),)


@dataclass(frozen=True, slots=True)
class String:
    text: str

    def as_vector(self) -> Sequence[tuple[Labels, float]]:
        raise EvaluationError("the expression is a text; a rule needs numbers")


@dataclass(frozen=True, slots=True)
class Vector:
    """A value for each set of labels, at one moment."""

    items: tuple[tuple[Labels, float], ...]

    def as_vector(self) -> Sequence[tuple[Labels, float]]:
        return self.items


class Range(NamedTuple):
    """The samples of one series in a window (`start`, `end`], in milliseconds."""

    labels: Labels
    times: Sequence[int]
    values: Sequence[float]
    start: int
    end: int


Result = Scalar | String | Vector
