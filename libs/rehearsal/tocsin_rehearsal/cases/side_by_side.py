"""A failure for people: what was expected and what was seen, side by side, the first difference marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from rich.cells import cell_len, chop_cells
from rich.text import Text

from tocsin_rehearsal.cases.compare.verdict import Verdict
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.cases.seen import Moment, Seen

WIDTH = 120
NARROWEST = 60
MAX_ROWS = 40
"""Rows that are shown; the others are counted. Those around the first difference are never left out."""

MAX_LINES = 4

_ALWAYS = ("alert", "incident", "page", "approval", "action")
_NOTABLE = (
    "IncidentEscalated", "RunbookStarted", "RunbookFinished", "NoteAdded", "CommandRejected", "RequestRefused",
    "AutomationStopped", "RoleAssigned",
)  # fmt: skip
_MARKS = {"first": ">", "broken": "x", "met": " ", "": " "}
_STYLES = {"first": "bold red", "broken": "red", "met": "green", "": "dim", "head": "bold", "rule": "dim"}


@dataclass(frozen=True, slots=True)
class _Row:
    at: tuple[timedelta, int]
    """When, and where among what happened at that time; what is said of a state comes after all of it."""
    expected: str
    seen: str
    look: str
    """`first`, `broken`, `met`, or nothing where nothing was expected."""


def side_by_side(verdicts: Sequence[Verdict], seen: Seen, *, width: int = WIDTH) -> str:
    """Plain text, no line longer than `width` (at least 60 columns)."""
    return "\n".join(line for line, _ in _lines(verdicts, seen, max(width, NARROWEST))) + "\n"


def side_by_side_styled(verdicts: Sequence[Verdict], seen: Seen, *, width: int = WIDTH) -> Text:
    """The same for a terminal."""
    text = Text()
    for line, style in _lines(verdicts, seen, max(width, NARROWEST)):
        text.append(line + "\n", style)
    return text


def _lines(verdicts: Sequence[Verdict], seen: Seen, width: int) -> Iterator[tuple[str, str]]:
    left = (width - 4) * 9 // 20
    right = width - left - 4
    yield f"  {'expected':<{left}}| {'seen':<{right}}".rstrip(), _STYLES["head"]
    yield f"  {'-' * left}+{'-' * (right + 1)}", _STYLES["rule"]
    for row in _shortened(list(_rows(verdicts, seen))):
        yield from _row(row, left, right)


def _row(row: _Row, left: int, right: int) -> Iterator[tuple[str, str]]:
    cells = _cell(row.expected, left - 1), _cell(row.seen, right)
    for number in range(max(len(cells[0]), len(cells[1]))):
        mark = _MARKS[row.look] if number == 0 else " "
        expected, happened = (cell[number] if number < len(cell) else "" for cell in cells)
        yield f"{mark} {expected}{' ' * (left - cell_len(expected))}| {happened}".rstrip(), _STYLES[row.look]


def _cell(text: str, width: int) -> list[str]:
    """A text in lines of at most so many columns (a pictogram takes two); of a long one the beginning."""
    lines = _wrapped(text, width)
    if len(lines) > MAX_LINES:
        kept = chop_cells(lines[MAX_LINES - 1], width - 1)[0]
        lines = [*lines[: MAX_LINES - 1], f"{kept}…"]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split():
        indent = "  " if lines else ""
        longer = f"{line} {word}" if line else f"{indent}{word}"
        if cell_len(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = chop_cells(f"  {word}", width)
        lines += full
    return [*lines, line] if line else lines


# --- rows ------------------------------------------------------------------------------------------------------------


def _rows(verdicts: Sequence[Verdict], seen: Seen) -> Iterator[_Row]:
    """One row for each thing that was expected and each that happened; what met an expectation stands beside it."""
    broken = [verdict for verdict in verdicts if not verdict.is_met]
    first = min(broken, key=lambda verdict: verdict.at, default=None)
    beside = {id(verdict.moment) for verdict in verdicts if verdict.moment is not None}
    order = {id(moment): number for number, moment in enumerate(seen.moments)}
    rows = [_of_verdict(verdict, order, verdict is first) for verdict in verdicts]
    rows += [_of_moment(each, order) for each in _told(verdicts, seen.moments) if id(each) not in beside]
    yield from sorted(rows, key=lambda row: row.at)


def _of_verdict(verdict: Verdict, order: Mapping[int, int], is_first: bool) -> _Row:
    expected, moment = f"{verdict.when}: {verdict.text}", verdict.moment
    at = (verdict.at, order[id(moment)] if moment is not None else len(order))
    if verdict.is_met:
        return _Row(at, expected, _said(moment) if moment is not None else "", "met")
    seen = verdict.said.removeprefix("at ") if verdict.said.startswith("at ") else f"({verdict.said})"
    return _Row(at, expected, seen, "first" if is_first else "broken")


def _of_moment(moment: Moment, order: Mapping[int, int]) -> _Row:
    return _Row((moment.at, order[id(moment)]), "", _said(moment), "")


def _said(moment: Moment) -> str:
    return f"{shown(moment.at)} {moment.text}"


def _told(verdicts: Sequence[Verdict], moments: Iterable[Moment]) -> Iterator[Moment]:
    """What is worth showing: what an incident's course is made of, and whatever kind was asked for."""
    asked = {str(verdict.place[2]) for verdict in verdicts}
    kinds = {*_ALWAYS, *(kind for name, kind in (("messages", "message"), ("deadlines", "deadline")) if name in asked)}
    for moment in moments:
        if moment.kind == "event":
            if moment.fields["type"] in _NOTABLE:
                yield moment
        elif moment.kind in kinds and moment.fields.get("outcome") != "decided":
            yield moment


def _shortened(rows: list[_Row]) -> list[_Row]:
    """At most `MAX_ROWS`: those around the first difference, and what is left out counted."""
    if len(rows) <= MAX_ROWS:
        return rows
    middle = next((index for index, row in enumerate(rows) if row.look == "first"), 0)
    begin = min(max(middle - MAX_ROWS // 2, 0), len(rows) - MAX_ROWS)
    kept = rows[begin : begin + MAX_ROWS]
    before, after = rows[:begin], rows[begin + MAX_ROWS :]
    return [*_left_out(before, "before"), *kept, *_left_out(after, "after")]


def _left_out(rows: list[_Row], where: str) -> list[_Row]:
    if not rows:
        return []
    broken = sum(row.look == "broken" for row in rows)
    more = f", {broken} of them {'a difference' if broken == 1 else 'differences'}" if broken else ""
    return [_Row(rows[0].at, f"… {len(rows)} rows {where} this{more} …", "", "")]
