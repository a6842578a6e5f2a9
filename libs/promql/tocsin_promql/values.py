"""What an expression is worth: a vector of labelled values, or one number, or a text."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin_schemas.labels import Labels

__all__ = ["EvaluationError", "Range", "Result", "Scalar", "String", "Vector"]

NO_LABELS = Labels()


class EvaluationError(ValueError):
    """An expression that has no value for these series: an ambiguous match, a text where a number is needed."""


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


@dataclass(frozen=True, slots=True)
class Range:
    """The samples of one series in a window (`start`, `end`], in milliseconds."""

    labels: Labels
    times: Sequence[int]
    values: Sequence[float]
    start: int
    end: int


Result = Scalar | String | Vector


def without_name(labels: Labels) -> Labels:
    """The labels without the metric's name: what arithmetic leaves of them."""
    return (
        Labels({name: value for name, value in labels.items() if name != "__name__"})
        if "__name__" in labels
        else labels
    )
