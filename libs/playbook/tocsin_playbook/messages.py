"""Pydantic's errors in the words of the playbook's author."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from tocsin_playbook.document import Mapping, Node, Scalar, Sequence
from tocsin_playbook.model import Playbook
from tocsin_playbook.model.base import Section
from tocsin_playbook.positions import Positions
from tocsin_playbook.problems import Path, Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def explain(error: ErrorDetails, positions: Positions, source: str) -> Problem:
    """One of pydantic's errors as a problem at its place in the text."""
    loc, kind = error["loc"], error["type"]
    node, key, path = positions.find(loc)
    context = error.get("ctx", {})
    at = node.start
    if loc[-1:] == ("[key]",):  # pydantic's word for: not the value, its key
        at, node = key, Scalar(str(loc[-2]), str(loc[-2]), None, key, key)
    if kind == "missing":
        at = key
        message, expected = _missing(loc)
    elif kind == "extra_forbidden":
        at = key
        message, expected = _unknown_key(loc)
    elif kind == "playbook":
        message, expected = str(context["problem"]), str(context["expected"])
        if "offset" in context:
            at = positions.inside(loc, int(context["offset"]))
    elif kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        message, expected = "the number is out of range", f"{words} {context[name]}"
    else:
        message, expected = _WORDS.get(kind, _otherwise)(node, context, error["msg"])
    return Problem(source, at.line, at.column, path, message, expected)


def _missing(loc: Path) -> tuple[str, str]:
    for section in _sections_at(loc[:-1]):
        for name, field in section.model_fields.items():
            if (field.alias or name) == loc[-1]:
                return f"`{loc[-1]}` is missing", f"`{loc[-1]}`: {_first_sentence(field.description or '')}"
    return f"`{loc[-1]}` is missing", f"`{loc[-1]}`"


def _first_sentence(description: str) -> str:
    return description.split(". ")[0].rstrip(".")


def _unknown_key(loc: Path) -> tuple[str, str]:
    known = [field.alias or name for section in _sections_at(loc[:-1]) for name, field in section.model_fields.items()]
    close = get_close_matches(str(loc[-1]), known, n=1)
    expected = f"`{close[0]}`" if close else f"one of {', '.join(sorted(set(known)))}" if known else "no such key"
    return f"there is no key {_short(str(loc[-1]))} here", expected


def _sections_at(loc: Path) -> list[type[Section]]:
    """The sections that may stand at a place; several where the grammar leaves a choice."""
    here: list[type[Section]] = [Playbook]
    for part in loc:
        if isinstance(part, int):
            continue
        inner = [
            found
            for section in here
            for name, field in section.model_fields.items()
            if (field.alias or name) == part
            for found in _sections_in(field.annotation)
        ]
        tagged = [section for section in here if _tag(section) == part]
        here = tagged or inner
    return here


def _tag(section: type[Section]) -> str | None:
    action = section.model_fields.get("action")
    values = get_args(action.annotation) if action else ()
    return str(values[0]) if values else None


def _sections_in(annotation: object) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections_in(argument)


def _wants_text(node: Node, _context: dict[str, object], _message: str) -> tuple[str, str]:
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return f"{node.text} is a switch, not a word", f'text: quote it ("{node.text}")'
    if isinstance(node, Scalar) and isinstance(node.value, int | float):
        return f"{_short(node.text)} is a number, not text", f'text: quote it ("{node.text[:40]}")'
    return f"{_kind(node)} stands where text is wanted", "text"


def _wants(what: str) -> Callable[[Node, dict[str, object], str], tuple[str, str]]:
    return lambda node, _context, _message: (f"{_kind(node)} stands where {what} is wanted", what)


def _literal(node: Node, context: dict[str, object], _message: str) -> tuple[str, str]:
    shown = _short(node.text) if isinstance(node, Scalar) else _kind(node)
    return f"{shown} is not one of the words allowed here", str(context["expected"])


def _tag_missing(_node: Node, context: dict[str, object], _message: str) -> tuple[str, str]:
    wanted = str(context["discriminator"]).strip("'")
    return f"`{wanted}` is missing", f"`{wanted}`: rollout_restart, rollout_undo or scale"


def _tag_unknown(_node: Node, context: dict[str, object], _message: str) -> tuple[str, str]:
    return f"there is no action {_short(str(context['tag']))}", str(context["expected_tags"])


def _length(_node: Node, context: dict[str, object], message: str) -> tuple[str, str]:
    if "max_length" in context:
        return "there is too much of it", f"at most {context['max_length']}"
    return "it is empty or too short", f"at least {context['min_length']}"


def _pattern(_node: Node, context: dict[str, object], _message: str) -> tuple[str, str]:
    return "the text has not the right form", f"text that matches {context['pattern']}"


def _otherwise(_node: Node, _context: dict[str, object], message: str) -> tuple[str, str]:
    return message[:1].lower() + message[1:], "another value"


_WORDS: dict[str, Callable[[Node, dict[str, object], str], tuple[str, str]]] = {
    "string_type": _wants_text,
    "bool_type": _wants("true or false"),
    "int_type": _wants("a whole number"),
    "int_from_float": _wants("a whole number"),
    "float_type": _wants("a number"),
    "tuple_type": _wants("a list"),
    "mapping_type": _wants("a mapping"),
    "dict_type": _wants("a mapping"),
    "model_type": _wants("a mapping"),
    "model_attributes_type": _wants("a mapping"),
    "literal_error": _literal,
    "union_tag_not_found": _tag_missing,
    "union_tag_invalid": _tag_unknown,
    "string_too_long": _length,
    "string_too_short": _length,
    "too_long": _length,
    "too_short": _length,
    "string_pattern_mismatch": _pattern,
}


def _kind(node: Node) -> str:
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool()):
            return "true or false"
        case Scalar(value=int() | float()):
            return "a number"
        case _:
            return "text"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
