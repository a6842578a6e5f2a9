"""What can be wrong with a query: types with fields, and one sentence for a human."""

__all__ = ["EvaluationError", "PromQLError"]


class PromQLError(ValueError):
    """An expression that cannot be carried out; the message says what of it.

    `offset` counts characters from 0, `line` and `column` from 1; all three are None where the place is not known.
    """

    def __init__(self, message: str, text: str = "", offset: int | None = None) -> None:
        self.message = message
        self.offset = offset
        self.line: int | None = None
        self.column: int | None = None
        if offset is not None:
            self.line = text.count("\n", 0, offset) + 1
            self.column = offset - text.rfind("\n", 0, offset)
        super().__init__(message if offset is None else f"{self.line}:{self.column}: {message}")


class EvaluationError(ValueError):
    """An expression that has no value for these series: an ambiguous match, a text where a number is needed."""
