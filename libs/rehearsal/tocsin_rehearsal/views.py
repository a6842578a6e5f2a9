"""What a log adds up to, for whoever reads or tests it: the timeline in words, incidents, actions.

The words and the folds are the recorder's; nothing here is kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from tocsin_recorder.core.fold import evolve, fold
from tocsin_recorder.core.sentences import sentence
from tocsin_recorder.core.summary import ActionState, Summary, empty
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.cases.offsets import since_start
from tocsin_schemas import Envelope, Event

__all__ = ["Action", "Line", "actions_in", "excerpt", "incidents_in", "timeline_of"]

_WIDEST = 160


class Line(str):
    """One event in words, as `1m30s Paged grace (level 2): nobody has answered yet`: a text, with its parts."""

    __slots__ = ("at", "incident", "said")

    at: timedelta
    """Since the start."""
    incident: str
    said: str
    """The sentence alone."""

    def __new__(cls, at: timedelta, incident: str, said: str) -> Self:
        made = super().__new__(cls, f"{shown(at)} {said}")
        made.at, made.incident, made.said = at, incident, said
        return made


@dataclass(frozen=True, slots=True)
class Action:
    """A step of a runbook, and what became of it.

    `at`: when it was proposed, since the start. `attempts`: how often it was begun. `detail`: what was said of its
    outcome last.
    """

    at: timedelta
    incident: str
    runbook: str
    step: str
    outcome: ActionState
    attempts: int
    detail: str = ""


def timeline_of(log: Iterable[Envelope[Event]], start: datetime) -> list[Line]:
    """Every event of the log on one line, in its order."""
    return [Line(event.time - start, event.incident, _said(event.data, start)) for event in log]


def _said(event: Event, start: datetime) -> str:
    return since_start(sentence(event), event, start)


def incidents_in(log: Iterable[Envelope[Event]]) -> list[Summary]:
    """Every incident as it stands after these events, in the order in which they were first heard of."""
    found: dict[str, Summary] = {}
    for event in log:
        found[event.incident] = evolve(found.get(event.incident) or empty(event.incident), event)
    return list(found.values())


def actions_in(log: Iterable[Envelope[Event]], start: datetime) -> list[Action]:
    """Every action, in the order in which they were first heard of."""
    said: dict[tuple[str, str], list[Envelope[Event]]] = {}
    for event in log:
        if (name := getattr(event.data, "action", None)) is not None:
            said.setdefault((event.incident, name), []).append(event)
    return [_action(incident, events, start) for (incident, _), events in said.items()]


def _action(incident: str, events: list[Envelope[Event]], start: datetime) -> Action:
    (action,) = fold(incident, events).actions
    return Action(
        at=action.at - start,
        incident=incident,
        runbook=action.runbook,
        step=action.step,
        outcome=action.state,
        attempts=action.attempts,
        detail=action.detail,
    )


def excerpt(lines: list[str], *, first: int = 20, last: int = 40) -> list[str]:
    """These lines, none too wide; of too many only the first and the last, and how many are left out between."""
    narrow = [line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…" for line in lines]
    left_out = len(narrow) - first - last
    if left_out <= 1:
        return narrow
    return [*narrow[:first], f"… {left_out} more …", *narrow[-last:]]
