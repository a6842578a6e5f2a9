"""What a parsed expression is made of. Durations are milliseconds."""

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tocsin_promql.patterns import compile_pattern
from tocsin_schemas.labels import Labels

__all__ = [
    "Aggregation",
    "Binary",
    "Call",
    "Matcher",
    "Matching",
    "Negation",
    "Node",
    "Number",
    "Selector",
    "Subquery",
    "Text",
    "Window",
    "matcher",
]


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label. A label that is not there has an empty value."""

    name: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str
    pattern: re.Pattern[str] | None = field(default=None, compare=False, repr=False)

    def matches(self, labels: Labels) -> bool:
        present = labels.get(self.name, "")
        if self.pattern is not None:
            return (self.pattern.fullmatch(present) is not None) == (self.operator == "=~")
        return (present == self.value) == (self.operator == "=")


def matcher(name: str, operator: Literal["=", "!=", "=~", "!~"], value: str) -> Matcher:
    """Raises PatternError for a pattern that is not carried out."""
    return Matcher(name, operator, value, compile_pattern(value) if "~" in operator else None)


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """The present value of each series that all matchers match. A name in front of the braces is a matcher too."""

    matchers: tuple[Matcher, ...]
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """The samples of the last `length` of each series."""

    selector: Selector
    length: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """What `inner` was worth at each multiple of `step` in the last `length`."""

    inner: "Node"
    length: int
    step: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """`parameter` is the k of topk and bottomk, the q of quantile, the label of count_values."""

    operation: str
    inner: "Node"
    parameter: "Node | None" = None
    by: tuple[str, ...] | None = None
    without: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """Which elements of two vectors belong together, and which side may have several for one of the other."""

    on: tuple[str, ...] | None = None
    ignoring: tuple[str, ...] = ()
    many: Literal["neither", "left", "right"] = "neither"
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: "Node"
    right: "Node"
    matching: Matching = Matching()  # frozen
    return_bool: bool = False


@dataclass(frozen=True, slots=True)
class Negation:
    inner: "Node"


Node: TypeAlias = Number | Text | Selector | Window | Subquery | Call | Aggregation | Binary | Negation
