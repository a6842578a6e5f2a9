"""What can be wrong: one type for each boundary, with fields, and one sentence for a human."""

from __future__ import annotations


class PromQLError(ValueError):
    """A query that cannot be used: it does not parse, or asks for something that is not implemented here.

    `offset` counts characters from 0; `line` and `column` count from 1. All three are None where the
    place is not known.
    """

    def __init__(self, message: str, text: str = "", offset: int | None = None) -> None:
        self.message = message
        self.offset = offset
        self.line: int | None = None
        self.column: int | None = None
        where = ""
        if offset is not None:
            before = text[:offset]
            self.line = before.count("\n") + 1
            self.column = offset - (before.rfind("\n") + 1) + 1
            where = f"{self.line}:{self.column}: "
        super().__init__(where + message)


class EvaluationError(ValueError):
    """A query that is well-formed but has no answer over these series, such as an ambiguous match."""


class SeriesLimitError(ValueError):
    """A new series was refused because the store holds as many as it may."""

    def __init__(self, metric: str, limit: int) -> None:
        self.metric = metric
        self.limit = limit
        super().__init__(
            f"no room for a new series of {metric or '(no name)'!r}: the store holds its limit of {limit} series; "
            "raise the limit or drop a label of this metric that takes many values"
        )


class ExpositionError(ValueError):
    """A scraped page that is not in the text exposition format, or is larger than allowed. Lines count from 1."""

    def __init__(self, message: str, line: int) -> None:
        self.message = message
        self.line = line
        super().__init__(f"line {line}: {message}")


class NotationError(ValueError):
    """A text that is not promtool's notation for series. `item` is the part that could not be read."""

    def __init__(self, message: str, item: str) -> None:
        self.message = message
        self.item = item
        super().__init__(message)
