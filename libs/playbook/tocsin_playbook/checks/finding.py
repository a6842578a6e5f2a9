"""What a check reports: a place in the document, not yet in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from tocsin_playbook.model import Playbook
from tocsin_playbook.problems import Level, Path


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a path; `offset` is a place in the text there."""

    path: Path
    message: str
    expected: str
    level: Level = "error"
    offset: int | None = None


Check = Callable[[Playbook], Iterator[Finding]]
DatedCheck = Callable[[Playbook, datetime], Iterator[Finding]]
"""What it finds depends on the moment it looks."""


def listed(names: tuple[str, ...] | list[str]) -> str:
    """Names for `expected`: all of a few, the first of many."""
    if not names:
        return "a name that is defined (none is)"
    return ("one of " if len(names) > 1 else "") + ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
