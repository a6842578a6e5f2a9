"""Pydantic's errors in the words of a test's author."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from tocsin_playbook.document import Scalar
from tocsin_playbook.messages import explain
from tocsin_playbook.model.base import Section
from tocsin_playbook.positions import Positions
from tocsin_playbook.problems import Path, Problem
from tocsin_rehearsal.cases.model import CaseFile, ChannelTrouble, World

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def explain_all(errors: Sequence[ErrorDetails], positions: Positions, source: str) -> list[Problem]:
    """Each error once, at its place in the text."""
    around = {error["loc"][:length] for error in errors for length in range(len(error["loc"]))}
    # A list of which every item was refused is also said to be too short: an echo, and no error of its own.
    real = (error for error in errors if error["type"] != "too_short" or error["loc"] not in around)
    return list(dict.fromkeys(_explain(error, positions, source) for error in real))


def _explain(error: ErrorDetails, positions: Positions, source: str) -> Problem:
    loc, context = error["loc"], error.get("ctx", {})
    if (misspelt := _misspelt(loc)) is not None:
        loc, expected = misspelt
        at = positions.key(loc)
        return Problem(source, at.line, at.column, loc, f"there is no key {str(loc[-1])[:40]!r} here", expected)
    node, key, path = positions.find(loc)
    match error["type"]:
        case "missing":
            message, expected = _missing(loc)
            return Problem(source, key.line, key.column, path, message, expected)
        case "extra_forbidden":
            message, expected = _unknown_key(loc)
            return Problem(source, key.line, key.column, path, message, expected)
        case "union_tag_not_found":
            expected = "source → series → values, or a list of blocks"
            return Problem(source, node.start.line, node.start.column, path, "this is no mapping of series", expected)
        case "enum":
            shown = repr(node.text[:40]) if isinstance(node, Scalar) else "this"
            words = re.findall("'([^']*)'", str(context["expected"]))
            close = isinstance(node, Scalar) and get_close_matches(node.text, words, n=1)
            message = f"{shown} is not one of the words allowed here"
            expected = f"`{close[0]}`" if close else str(context["expected"])
            return Problem(source, node.start.line, node.start.column, path, message, expected)
        case _:
            return explain(error, positions, source)


def _misspelt(loc: Path) -> tuple[Path, str] | None:
    """A key on the way that was read as the name of a channel, and looks like something else that can stand there."""
    for length, part in enumerate(loc):
        for section in sections_at(loc[:length]):
            if isinstance(part, str) and issubclass(section, World) and part not in section.model_fields:
                close = get_close_matches(part, list(section.model_fields), n=1)
                if close:
                    return loc[: length + 1], f"`{close[0]}`"
    return None


def _missing(loc: Path) -> tuple[str, str]:
    for section in sections_at(loc[:-1]):
        for name, field in section.model_fields.items():
            if (field.alias or name) == loc[-1]:
                first = (field.description or "").split(". ")[0].rstrip(".")
                return f"`{loc[-1]}` is missing", f"`{loc[-1]}`: {first}"
    return f"`{loc[-1]}` is missing", f"`{loc[-1]}`"


def _unknown_key(loc: Path) -> tuple[str, str]:
    known = sorted({field.alias or name for each in sections_at(loc[:-1]) for name, field in each.model_fields.items()})
    return f"there is no key {str(loc[-1])[:40]!r} here", closest(str(loc[-1]), known)


def closest(name: str, known: Sequence[str]) -> str:
    """What was probably meant, or all there is."""
    close = get_close_matches(name, known, n=1)
    if close:
        return f"`{close[0]}`"
    few = ", ".join(known[:16]) + (", …" if len(known) > 16 else "")
    return f"one of {few}" if len(known) > 1 else few or "a name that is defined (none is)"


def sections_at(loc: Path) -> list[type[Section]]:
    """The sections that may stand at a place of a test file; several where the format leaves a choice."""
    here: list[type[Section]] = [CaseFile]
    for part in loc:
        if isinstance(part, str) and not part.startswith("("):  # a position in a list, or pydantic's tag of a form
            here = [found for section in here for found in _behind(section, part)]
    return here


def _behind(section: type[Section], key: str) -> Iterator[type[Section]]:
    for name, field in section.model_fields.items():
        if (field.alias or name) == key:
            yield from _sections_in(field.annotation)
            return
    if issubclass(section, World):
        yield ChannelTrouble  # any other key is a channel


def _sections_in(annotation: object) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections_in(argument)
