"""What libyaml's and ruamel.yaml's events have in common. Neither parser leaves a mark out."""

from __future__ import annotations

from typing import Protocol


class Mark(Protocol):
    """A place in the text; the first line and the first column are 0."""

    line: int
    column: int


class Marked(Protocol):
    """Any event."""

    start_mark: Mark
    end_mark: Mark


class DocumentStart(Marked, Protocol):
    """The beginning of a document, with its directives."""

    version: tuple[int, int] | None
    tags: object


class Named(Marked, Protocol):
    """An alias, or what may have an anchor."""

    anchor: str | None


class Tagged(Named, Protocol):
    """The beginning of a list or mapping."""

    tag: object


class Text(Tagged, Protocol):
    """A scalar; the style of plain text is None or empty."""

    value: str
    style: str | None
