"""What is wrong with a playbook, and where: `file:line:column: what is wrong; expected …`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]
"""The way to a value through the document: keys and positions in lists."""

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text; the first line and the first column are 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, said to the author."""

    file: str
    line: int
    column: int
    path: Path
    message: str
    expected: str
    level: Level = "error"

    def __str__(self) -> str:
        level = "" if self.level == "error" else f"{self.level}: "
        return f"{self.file}:{self.line}:{self.column}: {level}{self.message}; expected {self.expected}"


class PlaybookError(Exception):
    """A text that is no playbook. Its problems say why, in the order of the text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        super().__init__("\n".join(str(problem) for problem in self.problems))
