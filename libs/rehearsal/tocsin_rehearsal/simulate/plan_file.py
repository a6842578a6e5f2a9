"""A plan as a text that people read and keep: what once failed, one file each, whatever seeds will draw by then.

    # NothingOverdue: a clock that rang by a clock set back waited for an hour
    profile: clocks
    seed: 7
    begins: 10.5
    ends: 200.0
    steps:
      - fires: {at: 12.0, name: Errors, service: shop, severity: critical, lasts: 300.0}
    upheavals:
      - resets: {at: 20.0, lasts: 60.0, replica: escalator-1, by: -300.0}

Moments and spans are seconds. What is as it is by default is left out.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NoReturn, TypeVar, cast, get_args, get_origin, get_type_hints

from tocsin_playbook.document import Mapping as Keys
from tocsin_playbook.document import Node, Scalar, Sequence, read_document
from tocsin_playbook.problems import PlaybookError
from tocsin_rehearsal.simulate.faults import KINDS as HAZARDS
from tocsin_rehearsal.simulate.faults import Hazard
from tocsin_rehearsal.simulate.plan import HOUR, Plan, replicas_of
from tocsin_rehearsal.simulate.playbook import Shape
from tocsin_rehearsal.simulate.profiles import PROFILES, SERVICES
from tocsin_rehearsal.simulate.steps import Step
from tocsin_rehearsal.simulate.upheavals import Upheaval

__all__ = ["PlanFileError", "plan_text", "read_plan"]

T = TypeVar("T")

_STEPS = {kind.__name__.lower(): kind for kind in get_args(Step)}
_UPHEAVALS = {kind.__name__.lower(): kind for kind in get_args(Upheaval)}
_STREAMS = ("INCIDENTS", "ALERTS", "TIMERS", "COMMANDS")
_CHANNELS = ("slack", "mail", "slack and mail")
_MOST_REPLICAS = 5
_LATEST = HOUR - 1200.0
"""Faults end by then: what happened must have the time to end before the hour is over."""

_ROUNDING = 1e-6
"""Seconds: a sum of two thousandths is not exactly one."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "at": (0.0, HOUR), "begins": (0.0, _LATEST), "ends": (0.0, _LATEST), "lasts": (0.0, HOUR), "rate": (0.0, 1.0),
    "replicas": (1, _MOST_REPLICAS), "rounds": (0, 5), "status": (100, 599), "by": (-86400.0, 86400.0),
    "watch_for": (1, 600), "reopen_within": (1, 600), "level_after": (1, 600), "approval_within": (1, 600),
    "warn_before": (0, 600), "held_for": (0, 600), "correlate_within": (0, 3600),
}  # fmt: skip
"""By field, the least and the most; of those that are not named here: not negative."""


class PlanFileError(ValueError):
    """A text that is no plan: `file:line:column: field: what is wrong; expected …`."""


def plan_text(plan: Plan, why: str) -> str:
    """The plan, below a comment that says what went wrong."""
    lines = [f"# {line}".rstrip() for line in why.splitlines()]
    lines += [f"{name}: {_scalar(getattr(plan, name))}" for name in ("profile", "seed", "replicas", "begins", "ends")]
    if plan.shape != Shape():
        lines.append(f"shape: {_inline(plan.shape)}")
    for name in ("steps", "upheavals"):
        pieces = getattr(plan, name)
        lines += [f"{name}:"] if pieces else []
        lines += [f"  - {type(piece).__name__.lower()}: {_inline(piece)}" for piece in pieces]
    lines += ["hazards:"] if plan.hazards else []
    lines += [f"  - {_inline(hazard)}" for hazard in plan.hazards]
    return "\n".join(lines) + "\n"


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises PlanFileError, which names the field, and OSError."""
    source = str(path)
    try:
        root = read_document(path.read_text(encoding="utf-8"), source)
    except PlaybookError as error:
        raise PlanFileError(str(error.problems[0]).replace("playbook", "plan")) from None
    except UnicodeDecodeError:
        raise PlanFileError(f"{source}:1:1: the text is not UTF-8; expected a plan") from None
    return _Reader(source).plan(root)


# --- writing ---------------------------------------------------------------------------------------------------------


def _inline(piece: object) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in _told(piece)) + "}"


def _told(piece: object) -> Iterator[tuple[str, str]]:
    for each in fields(cast(Any, piece)):  # Any: whichever dataclass it is
        value = getattr(piece, each.name)
        if each.default is MISSING or value != each.default:
            yield each.name, _inline(value) if is_dataclass(value) else _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"' if not value.replace(" ", "").replace("-", "").isalnum() or value in _WORDS else value
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


_WORDS = ("true", "false", "null", "yes", "no", "on", "off")


# --- reading ---------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads by the fields of the dataclasses."""

    def __init__(self, source: str) -> None:
        self._source = source

    def plan(self, root: Node) -> Plan:
        keys = self._keys(root, "plan")
        given = {name: node for name, (_, node) in keys.items()}
        lists = {name: given.pop(name, None) for name in ("shape", "steps", "upheavals", "hazards")}
        plan = Plan(
            **self._fields(Plan, root, given, "", but=tuple(lists)),
            shape=Shape() if lists["shape"] is None else self._read(Shape, lists["shape"], "shape"),
            steps=tuple(self._pieces("steps", lists["steps"], _STEPS)),
            upheavals=tuple(self._pieces("upheavals", lists["upheavals"], _UPHEAVALS)),
            hazards=tuple(
                self._read(Hazard, node, f"hazards[{at}]") for at, node in self._items("hazards", lists["hazards"])
            ),
        )
        self._check(plan, root, lists)
        return plan

    def _check(self, plan: Plan, root: Node, lists: Mapping[str, Node | None]) -> None:
        """What a field's type does not say."""
        self._one_of("profile", plan.profile, tuple(PROFILES), self._at(root, "profile"))
        if plan.ends < plan.begins:
            self._refuse(self._at(root, "ends"), "ends", "it ends before it begins", f"at least {plan.begins}")
        services = (*SERVICES, "recorder") if PROFILES[plan.profile].records else SERVICES
        names = replicas_of(services, plan.replicas)
        for at, node in self._items("upheavals", lists["upheavals"]):
            upheaval, field = plan.upheavals[at], f"upheavals[{at}]"
            if (replica := getattr(upheaval, "replica", None)) is not None:
                whole = services if type(upheaval).__name__ == "Dies" and not getattr(upheaval, "steps", 0) else ()
                self._one_of(f"{field}.replica", replica, (*names, *whole), node)
            for name, allowed in (("stream", _STREAMS), ("channel", _CHANNELS)):
                if (value := getattr(upheaval, name, None)) is not None:
                    self._one_of(f"{field}.{name}", value, allowed, node)
            if upheaval.at + upheaval.lasts > plan.ends + _ROUNDING:
                self._refuse(node, f"{field}.lasts", "it lasts beyond the end of faults", f"an end by {plan.ends}")
        for at, node in self._items("hazards", lists["hazards"]):
            self._one_of(f"hazards[{at}].kind", plan.hazards[at].kind, HAZARDS, node)

    def _pieces(self, name: str, node: Node | None, kinds: Mapping[str, type[T]]) -> Iterator[T]:
        """A list of mappings with one key each: what kind it is."""
        for at, item in self._items(name, node):
            keys, field = self._keys(item, f"{name}[{at}]"), f"{name}[{at}]"
            kind = next(iter(keys), "")
            if len(keys) != 1 or kind not in kinds:
                self._refuse(item, field, f"{kind or 'nothing'!r} is none of its kinds", f"one of {', '.join(kinds)}")
            yield self._read(kinds[kind], keys[kind][1], f"{field}.{kind}")

    def _items(self, name: str, node: Node | None) -> Iterator[tuple[int, Node]]:
        if node is None:
            return iter(())
        if not isinstance(node, Sequence):
            self._refuse(node, name, "this is no list", "a list")
        return enumerate(node.items)

    def _keys(self, node: Node, field: str) -> Mapping[str, tuple[Any, Node]]:
        if not isinstance(node, Keys):
            self._refuse(node, field, "this is no mapping", "names and values")
        return node.entries

    def _fields(
        self, kind: type[Any], node: Node, given: Mapping[str, Node], field: str, but: tuple[str, ...] = ()
    ) -> dict[str, Any]:  # Any: each value is of its field's type
        known: dict[str, Field[Any]] = {each.name: each for each in fields(kind) if each.name not in but}
        hints = get_type_hints(kind)
        for name in given:
            if name not in known:
                self._refuse(given[name], f"{field}{name}", "there is no such field", f"one of {', '.join(known)}")
        for name, each in known.items():
            if name not in given and each.default is MISSING:
                self._refuse(node, f"{field}{name}", "it is missing", f"a value of {name}")
        return {name: self._read(hints[name], given[name], f"{field}{name}") for name in given}

    def _read(self, kind: Any, node: Node, field: str) -> Any:  # Any: a type, and a value of it
        if is_dataclass(kind):
            given = {name: each for name, (_, each) in self._keys(node, field).items()}
            return cast(type, kind)(**self._fields(cast(type, kind), node, given, f"{field}."))
        value = node.value if isinstance(node, Scalar) else None
        if get_origin(kind) is Literal:
            return self._one_of(field, value, get_args(kind), node)
        if get_origin(kind) is UnionType:  # or nothing
            return None if isinstance(node, Scalar) and value is None else self._read(get_args(kind)[0], node, field)
        return self._plain(kind, value, node, field)

    def _plain(self, kind: type, value: object, node: Node, field: str) -> object:
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind:
            self._refuse(node, field, "this is of another type", _WORD_OF[kind])
        if isinstance(value, int | float) and not isinstance(value, bool):
            least, most = _RANGES.get(field.rpartition(".")[2], (0, math.inf))
            if not least <= value <= most or math.isinf(value):
                self._refuse(node, field, f"{value} is out of range", f"{least} to {most}")
        return value

    def _one_of(self, field: str, value: object, allowed: tuple[object, ...], node: Node) -> object:
        if value not in allowed:
            shown = ", ".join(str(each) or '""' for each in allowed)
            self._refuse(node, field, f"{str(value)[:40]!r} is not known", f"one of {shown}")
        return value

    def _at(self, root: Node, name: str) -> Node:
        return root.entries[name][1] if isinstance(root, Keys) and name in root.entries else root

    def _refuse(self, node: Node, field: str, message: str, expected: str) -> NoReturn:
        place = f"{self._source}:{node.start.line}:{node.start.column}"
        raise PlanFileError(f"{place}: {field}: {message}; expected {expected}")


_WORD_OF: Mapping[type, str] = {
    float: "a number",
    int: "a whole number",
    str: "a text",
    bool: "true or false",
}
