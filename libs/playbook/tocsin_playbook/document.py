"""YAML as a playbook may use it: the JSON-like core, with the position of every key and value.

Reads YAML's events one by one, so that a hostile document is refused at the first event too many:
nesting, size, aliases and duplicate keys are all counted while reading. No tag is ever obeyed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
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

from tocsin_playbook.problems import PlaybookError, Position, Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
MAX_ALIASES = 64

_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOTHING = frozenset(("", "~", "null", "Null", "NULL"))
_OLD_SWITCH = re.compile(r"yes|no|on|off", re.IGNORECASE)
_NON_DECIMAL = re.compile(r"[-+]?0[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)


class _Mark(Protocol):
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A word, a number, true, false or nothing."""

    value: str | int | float | bool | None
    text: str
    style: str | None
    """None for plain text; otherwise the character YAML marks the style with: ' \" | or >."""
    start: Position
    end: Position
    depth: int = 0
    size: int = 1


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
Data = str | int | float | bool | None | list["Data"] | dict[str, "Data"]


def read_document(text: str, source: str) -> Node:
    """The one document in the text; raises PlaybookError."""
    return _Reader(source).read(text)


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
    def __init__(self, source: str) -> None:
        self._source = source
        self._problems: list[Problem] = []
        self._anchors: dict[str, Node] = {}
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._nodes = 0
        self._aliases = 0
        self._documents = 0

    def read(self, text: str) -> Node:
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                self._take(event)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._add(_position(mark) if mark else Position(1, 1), _said(error), "YAML")
        except YAMLError:
            self._add(Position(1, 1), "the text holds a character that YAML does not allow", "printable text")
        except _TooMuchError:
            pass  # the problem is already in the list
        except (ValueError, OverflowError):  # ruamel on "\UFFFFFFFF": no such character
            self._add(Position(1, 1), "the text holds an escape that means no character", "a character that exists")
        if not self._problems and self._root is None:
            self._add(Position(1, 1), "the document is empty", "a playbook")
        if self._problems or self._root is None:
            raise PlaybookError(self._problems)
        return self._root

    def _take(self, event: Event) -> None:
        at = _position(event.start_mark)
        match event:
            case DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._stop(at, "a second document begins", "one playbook in one document")
                if event.version or event.tags:
                    self._stop(at, "the document has a directive", "no lines that begin with %")
            case AliasEvent():
                self._place(self._aliased(event, at))
            case ScalarEvent():
                self._refuse_tag(event, at)
                scalar = self._scalar(event, at)
                self._remember(event.anchor, scalar)
                self._place(scalar)
            case SequenceStartEvent() | MappingStartEvent():
                self._refuse_tag(event, at)
                if len(self._stack) >= MAX_DEPTH:
                    self._stop(at, f"lists and mappings are nested more than {MAX_DEPTH} deep", "a flatter document")
                self._stack.append(_Open(at, event.anchor, isinstance(event, MappingStartEvent)))
            case SequenceEndEvent() | MappingEndEvent():
                self._close()

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
                node = replace(node, start=key.end)  # nothing stands nowhere: say it where it is missing
            if key.text in top.entries:
                first = top.entries[key.text][0].line
                self._add(key.start, f"the key {_shown(key.text)} was already given in line {first}", "each key once")
            else:
                top.entries[key.text] = (key.start, node)

    def _key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            self._stop(node.start, "a key is a list or a mapping", "a word as the key")
        if node.style is None and node.text == "<<":
            self._add(node.start, "merge keys are not part of a playbook", "the keys written out")
        elif not isinstance(node.value, str):
            self._add(node.start, f"the key {_shown(node.text)} is no word", "a word; quote it if it is one")
        return node

    def _aliased(self, event: AliasEvent, at: Position) -> Node:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._stop(at, f"more than {MAX_ALIASES} aliases", "a document without so many aliases")
        node = self._anchors.get(event.anchor)
        if node is None:
            self._stop(at, "the alias refers to no anchor before it", "an anchor of this name, already complete")
        if len(self._stack) + node.depth > MAX_DEPTH:
            self._stop(at, f"lists and mappings are nested more than {MAX_DEPTH} deep", "a flatter document")
        self._nodes += node.size
        return node

    def _remember(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _refuse_tag(self, event: ScalarEvent | SequenceStartEvent | MappingStartEvent, at: Position) -> None:
        if event.tag is not None:
            self._add(at, "tags are not part of a playbook", "a plain value without `!`")

    def _scalar(self, event: ScalarEvent, at: Position) -> Scalar:
        text = event.value
        value: str | int | float | bool | None = text
        if event.style is None:
            is_key = bool(self._stack) and self._stack[-1].is_mapping and self._stack[-1].key is None
            value = text if is_key and _OLD_SWITCH.fullmatch(text) else self._resolve(text, at)
        return Scalar(value, text, event.style, at, _position(event.end_mark))

    def _resolve(self, text: str, at: Position) -> str | int | float | bool | None:
        """What plain text means in YAML 1.2, refusing what older readers take for something else."""
        if text in _NOTHING:
            return None
        if text in _TRUTH:
            return _TRUTH[text]
        if _OLD_SWITCH.fullmatch(text):
            expected = f'quote it if it is a word ("{text}"), or write true or false'
            self._add(at, f"{text} is a word to some YAML readers and a switch to others", expected)
        elif _NON_DECIMAL.fullmatch(text):
            self._add(at, f"{_shown(text)} is octal to some YAML readers", "quote it, or write a decimal number")
        elif _NOT_FINITE.fullmatch(text):
            self._add(at, f"{text} is not a finite number", "a finite number")
        elif _INTEGER.fullmatch(text):
            return self._finite(text, at) if len(text) > 18 else int(text)
        elif _FLOAT.fullmatch(text):
            return self._finite(text, at)
        return text

    def _finite(self, text: str, at: Position) -> float | str:
        if len(text) <= 40 and math.isfinite(number := float(text)):
            return number
        self._add(at, f"{_shown(text)} is too large or too long a number", "a finite number")
        return text

    def _add(self, at: Position, message: str, expected: str) -> None:
        self._problems.append(Problem(self._source, at.line, at.column, (), message, expected))
        if len(self._problems) >= 100:
            raise _TooMuchError

    def _stop(self, at: Position, message: str, expected: str) -> NoReturn:
        self._problems.append(Problem(self._source, at.line, at.column, (), message, expected))
        raise _TooMuchError


class _TooMuchError(Exception):
    """There is no point in reading on."""


def _position(mark: _Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _said(error: MarkedYAMLError) -> str:
    problem = cast("str | None", error.problem) or "this is no YAML"
    if "'\\t'" in problem:
        return "a tab is used for indentation or between values"
    said = problem.splitlines()[0][:200]
    return said.replace("('<stream end>',)", "the end of the text").replace("'<stream end>'", "the end of the text")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
