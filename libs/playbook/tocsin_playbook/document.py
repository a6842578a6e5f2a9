"""YAML as a playbook may use it: the JSON-like core, with the position of every key and value.

Reads YAML's events one by one, so that a hostile document is refused at the first event too many:
nesting, size, aliases and duplicate keys are all counted while reading. No tag is ever obeyed.

The events come from libyaml, which is quick. Whenever it or the reader here stumbles, and wherever ruamel.yaml might
see the document otherwise, everything is read again with ruamel.yaml: every problem is said in its words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NoReturn

import yaml
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from tocsin_playbook import libyaml, ruamel_yaml
from tocsin_playbook.marked import DocumentStart, Mark, Marked, Named, Tagged, Text
from tocsin_playbook.plain import Ambiguous, Value, meaning, shown
from tocsin_playbook.problems import PlaybookError, Position, Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
MAX_ALIASES = 64
MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Scalar:
    """A word, a number, true, false or nothing."""

    value: Value
    text: str
    style: str | None
    """None for plain text; otherwise the character YAML marks the style with: ' \" | or >."""
    start: Position
    end: Position
    depth: ClassVar[int] = 0
    size: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    start: Position
    depth: int
    size: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys, each with its own position, and values."""

    entries: dict[str, tuple[Position, Node]]
    start: Position
    depth: int
    size: int


Node = Scalar | Sequence | Mapping
Data = Value | list["Data"] | dict[str, "Data"]


def read_document(text: str, source: str) -> Node:
    """The one document in the text; raises PlaybookError."""
    try:
        root = _Reader(source, patience=1).follow(libyaml.events(text))
    except (libyaml.NotSureError, _TooMuchError):
        root = None
    return root if isinstance(root, Mapping | Sequence) else read_with_ruamel(text, source)


def read_with_ruamel(text: str, source: str) -> Node:
    """What `read_document` gives, by ruamel.yaml alone; raises PlaybookError."""
    return _Reader(source).read(ruamel_yaml.events(text))


def to_data(node: Node) -> Data:
    """The plain value of a node."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [to_data(item) for item in node.items]
    return {key: to_data(value) for key, (_, value) in node.entries.items()}


@dataclass
class _Open:
    """A list or mapping that is still being read."""

    start: Position
    anchor: str | None
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    entries: dict[str, tuple[Position, Node]] = field(default_factory=dict)
    key: Scalar | None = None


class _Reader:
    """Makes nodes of the events of either parser. Gives up when there are `patience` problems."""

    def __init__(self, source: str, patience: int = MAX_PROBLEMS) -> None:
        self._source = source
        self._patience = patience
        self._problems: list[Problem] = []
        self._anchors: dict[str, Node] = {}
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._nodes = 0
        self._aliases = 0
        self._documents = 0

    def read(self, events: Iterable[Event]) -> Node:
        try:
            self.follow(events)
        except ruamel_yaml.NoYamlError as error:
            self._tell(error.at, error.message, error.expected)
        except _TooMuchError:
            pass  # the problem is already in the list
        if not self._problems and self._root is None:
            self._tell(Position(1, 1), "the document is empty", "a playbook")
        if self._problems or self._root is None:
            raise PlaybookError(self._problems)
        return self._root

    def follow(self, events: Iterable[Event | yaml.Event]) -> Node | None:
        """The root of the document, None where it is empty; raises what `events` raises, and _TooMuchError."""
        for event in events:
            take = _TAKES.get(type(event))
            if take is not None:
                take(self, event)
        return self._root

    def take_document(self, event: DocumentStart) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(_position(event.start_mark), "a second document begins", "one playbook in one document")
        if event.version or event.tags:
            self._stop(_position(event.start_mark), "the document has a directive", "no lines that begin with %")

    def take_alias(self, event: Named) -> None:
        self._place(self._aliased(event.anchor, _position(event.start_mark)))

    def take_scalar(self, event: Text) -> None:
        at = _position(event.start_mark)
        if event.tag is not None:
            self._refuse_tag(at)
        style = event.style or None
        value = event.value if style else self._value(event.value, at)
        scalar = Scalar(value, event.value, style, at, _position(event.end_mark))
        self._remember(event.anchor, scalar)
        self._place(scalar)

    def take_sequence(self, event: Tagged) -> None:
        self._open(event, is_mapping=False)

    def take_mapping(self, event: Tagged) -> None:
        self._open(event, is_mapping=True)

    def take_end(self, _: Marked) -> None:
        self._close()

    def _open(self, event: Tagged, is_mapping: bool) -> None:
        at = _position(event.start_mark)
        if event.tag is not None:
            self._refuse_tag(at)
        if len(self._stack) >= MAX_DEPTH:
            self._stop(at, f"lists and mappings are nested more than {MAX_DEPTH} deep", "a flatter document")
        self._stack.append(_Open(at, event.anchor, is_mapping))

    def _close(self) -> None:
        done = self._stack.pop()
        node: Node
        children = [value for _, value in done.entries.values()] if done.is_mapping else done.items
        depth = 1 + max((child.depth for child in children), default=0)
        size = 1 + sum(child.size for child in children)
        if done.is_mapping:
            node = Mapping(done.entries, done.start, depth, size)
        else:
            node = Sequence(tuple(done.items), done.start, depth, size)
        self._remember(done.anchor, node)
        self._place(node)

    def _place(self, node: Node) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._stop(node.start, f"the document has more than {MAX_NODES} values", "a smaller playbook")
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        if not top.is_mapping:
            top.items.append(node)
        elif top.key is None:
            top.key = self._key(node)
        else:
            key, top.key = top.key, None
            if isinstance(node, Scalar) and node.style is None and not node.text:
                node = replace(node, start=key.end, end=key.end)  # nothing stands nowhere: say it where it is missing
            if key.text in top.entries:
                first = top.entries[key.text][0].line
                self._add(key.start, f"the key {shown(key.text)} was already given in line {first}", "each key once")
            else:
                top.entries[key.text] = (key.start, node)

    def _key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            self._stop(node.start, "a key is a list or a mapping", "a word as the key")
        if node.style is None and node.text == "<<":
            self._add(node.start, "merge keys are not part of a playbook", "the keys written out")
        elif not isinstance(node.value, str):
            self._add(node.start, f"the key {shown(node.text)} is no word", "a word; quote it if it is one")
        return node

    def _aliased(self, anchor: str | None, at: Position) -> Node:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._stop(at, f"more than {MAX_ALIASES} aliases", "a document without so many aliases")
        node = self._anchors.get(anchor or "")
        if node is None:
            self._stop(at, "the alias refers to no anchor before it", "an anchor of this name, already complete")
        if len(self._stack) + node.depth > MAX_DEPTH:
            self._stop(at, f"lists and mappings are nested more than {MAX_DEPTH} deep", "a flatter document")
        self._nodes += node.size
        return node

    def _remember(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _refuse_tag(self, at: Position) -> None:
        self._add(at, "tags are not part of a playbook", "a plain value without `!`")

    def _value(self, text: str, at: Position) -> Value:
        is_key = bool(self._stack) and self._stack[-1].is_mapping and self._stack[-1].key is None
        value = meaning(text, is_key=is_key)
        if isinstance(value, Ambiguous):
            self._add(at, value.message, value.expected)
            return text
        return value

    def _add(self, at: Position, message: str, expected: str) -> None:
        self._tell(at, message, expected)
        if len(self._problems) >= self._patience:
            raise _TooMuchError

    def _stop(self, at: Position, message: str, expected: str) -> NoReturn:
        self._tell(at, message, expected)
        raise _TooMuchError

    def _tell(self, at: Position, message: str, expected: str) -> None:
        self._problems.append(Problem(self._source, at.line, at.column, (), message, expected))


class _TooMuchError(Exception):
    """There is no point in reading on."""


def _position(mark: Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


# Any: each of these takes the one kind of event that stands beside it.
_TAKES: dict[type[Event | yaml.Event], Callable[[_Reader, Any], None]] = {
    DocumentStartEvent: _Reader.take_document,
    AliasEvent: _Reader.take_alias,
    ScalarEvent: _Reader.take_scalar,
    SequenceStartEvent: _Reader.take_sequence,
    SequenceEndEvent: _Reader.take_end,
    MappingStartEvent: _Reader.take_mapping,
    MappingEndEvent: _Reader.take_end,
    yaml.DocumentStartEvent: _Reader.take_document,
    yaml.AliasEvent: _Reader.take_alias,
    yaml.ScalarEvent: _Reader.take_scalar,
    yaml.SequenceStartEvent: _Reader.take_sequence,
    yaml.SequenceEndEvent: _Reader.take_end,
    yaml.MappingStartEvent: _Reader.take_mapping,
    yaml.MappingEndEvent: _Reader.take_end,
}
