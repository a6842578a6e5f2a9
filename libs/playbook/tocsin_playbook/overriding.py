"""Overrides as YAML, and a playbook's text with some added: every other character stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from tocsin_playbook.loader import load
from tocsin_playbook.model import Override, Playbook, Schedule
from tocsin_playbook.problems import PlaybookError


class NotWritableError(ValueError):
    """The text is written in a way to which overrides cannot be added without changing the rest."""


def overrides_as_yaml(overrides: Sequence[Override], schedule: Schedule) -> str:
    """A list of YAML, one line each, with the times of the schedule's zone."""
    zone = ZoneInfo(schedule.time_zone)
    return "".join(
        f"- {{person: {_quoted(each.person)}, from: {each.begins.astimezone(zone).isoformat()}, "
        f"until: {each.until.astimezone(zone).isoformat()}}}\n"
        for each in overrides
    )


def add_overrides(text: str, schedule: str, overrides: Sequence[Override]) -> str:
    """The text with these overrides after those that the schedule has.

    Raises NotWritableError where the schedule is not written as a block of its own, with one key a line, or could
    not hold as many; UnknownNameError for a schedule that is not there; PlaybookError for a text that is no playbook.
    """
    playbook = load(text).playbook
    own = playbook.schedule(schedule)
    if not overrides:
        return text
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    at, indent, heading = _place(_mapping_of(text, schedule))
    added = overrides_as_yaml(overrides, own).splitlines()
    block = ["overrides:", *(f"  {each}" for each in added)] if heading else added
    if not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += ending
    lines[at:at] = [f"{' ' * indent}{each}{ending}" for each in block]
    made = "".join(lines)
    try:
        same = load(made).playbook == _with(playbook, schedule, overrides)
    except PlaybookError as error:
        raise NotWritableError(str(error)) from None
    if not same:
        raise NotWritableError("something else would change")
    return made


def _place(schedule: MappingNode) -> tuple[int, int, bool]:
    """Before which line (from 0), how far to the right, and whether `overrides:` is to be written first."""
    first = schedule.value[0][0].start_mark
    for key, value in schedule.value:
        if key.value == "overrides":
            if not isinstance(value, SequenceNode) or value.flow_style or not value.value:
                raise NotWritableError("its `overrides` are not a list with one entry a line")
            return _last_line(value) + 1, value.start_mark.column, False
    if schedule.flow_style or all(key.start_mark.line == first.line for key, _ in schedule.value):
        raise NotWritableError("the schedule is not written with one key a line")
    return _last_line(schedule) + 1, first.column, True


def _last_line(node: Node) -> int:
    """The line of the last character of a node; what follows it, such as a comment, is not its own."""
    if isinstance(node, MappingNode) and not node.flow_style:
        return _last_line(node.value[-1][1])
    if isinstance(node, SequenceNode) and not node.flow_style:
        return _last_line(node.value[-1])
    return int(node.end_mark.line)


def _mapping_of(text: str, schedule: str) -> MappingNode:
    """Where a schedule stands. The text is a playbook, so all these nodes are there."""
    root: Node = YAML(typ="safe", pure=True).compose(text)
    schedules: list[MappingNode] = _child(_child(root, "oncall"), "schedules").value
    return next(each for each in schedules if _child(each, "name").value == schedule)


def _child(node: Node, name: str) -> Node:
    found: Node = next(value for key, value in node.value if key.value == name)
    return found


def _with(playbook: Playbook, schedule: str, overrides: Sequence[Override]) -> Playbook:
    own = playbook.schedule(schedule)
    longer = own.model_copy(update={"overrides": (*own.overrides, *overrides)})
    schedules = tuple(longer if each.name == schedule else each for each in playbook.oncall.schedules)
    return playbook.model_copy(update={"oncall": playbook.oncall.model_copy(update={"schedules": schedules})})


def _quoted(name: str) -> str:
    """A name of the grammar (letters, digits, spaces, `_.-`) as YAML: quoted, so that no name is a number or a word."""
    return f'"{name}"'
