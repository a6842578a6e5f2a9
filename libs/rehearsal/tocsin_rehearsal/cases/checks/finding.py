"""What a check reports: a place in the document, not yet in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tocsin_playbook.problems import Path
from tocsin_rehearsal.cases.known import Known
from tocsin_rehearsal.cases.messages import closest
from tocsin_rehearsal.cases.model import CaseFile


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a path: at the value there, at the character `offset` of it, or at its key."""

    path: Path
    message: str
    expected: str
    offset: int | None = None
    at_key: bool = False


Check = Callable[[CaseFile, Known], Iterator[Finding]]


def unknown(
    kind: str, name: str | None, known: Sequence[str], path: Path, *, at_key: bool = False
) -> Iterator[Finding]:
    """That the playbook has nothing of this name, if it has not."""
    if name is not None and name not in known:
        yield Finding(path, f"the playbook has no {kind} {name!r}", closest(name, known), at_key=at_key)
