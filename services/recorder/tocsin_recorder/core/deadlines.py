"""What is due, as the summary keeps it, and which of it is not due any more after something else."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tocsin_recorder.core.summary import KEPT, Deadline, Summary
from tocsin_schemas import DeadlineKind, Event
from tocsin_schemas.events import DeadlineMissed, DeadlineSet, TargetNeared

__all__ = ["DEADLINES", "OF_AN_ANSWER", "OF_A_SEVERITY", "without", "without_next_level"]

K = DeadlineKind
OF_AN_ANSWER = (K.ACKNOWLEDGE, K.ACKNOWLEDGE_SOON, K.CONTACT)
"""Over as soon as somebody is on it."""
OF_A_SEVERITY = (K.ACKNOWLEDGE, K.ACKNOWLEDGE_SOON, K.RESOLVE, K.RESOLVE_SOON, K.ESCALATE, K.UPDATE)
"""Set anew when the severity changes."""


def without_next_level(deadlines: tuple[Deadline, ...]) -> tuple[Deadline, ...]:
    """All but the next level that is told; that the severity rises stays due."""
    return tuple(deadline for deadline in deadlines if deadline.kind is not K.ESCALATE or deadline.level is None)


def without(summary: Summary, *kinds: DeadlineKind) -> tuple[Deadline, ...]:
    """What is due, but for these kinds."""
    return tuple(deadline for deadline in summary.deadlines if deadline.kind not in kinds)


def _deadline_set(summary: Summary, event: DeadlineSet, at: datetime) -> Summary:
    """Of each kind one is next; setting it replaces the one before, as the escalator means it.

    An escalation without a level is another kind of thing: the severity rises if it lasts until then. Each page that
    nobody has answered has its own.
    """
    deadline = Deadline(event.deadline, event.kind, event.due_at, event.level, event.page)
    others = tuple(other for other in summary.deadlines if _thing(other) != _thing(deadline))
    has_room = event.page is None or len(others) < KEPT
    return replace(summary, deadlines=(*others, deadline) if has_room else others)


def _thing(deadline: Deadline) -> tuple[DeadlineKind, bool, str | None]:
    """What is due: of the same thing one is next."""
    return deadline.kind, deadline.level is None, deadline.page


def _missed(summary: Summary, event: DeadlineMissed, at: datetime) -> Summary:
    left = tuple(deadline for deadline in summary.deadlines if deadline.id != event.deadline)
    return replace(summary, deadlines=left, missed=summary.missed + (event.kind in (K.ACKNOWLEDGE, K.RESOLVE)))


def _neared(summary: Summary, event: TargetNeared, at: datetime) -> Summary:
    return replace(summary, deadlines=tuple(each for each in summary.deadlines if each.id != event.deadline))


# `Any`: each meaning takes the event of its own row; a type that says so cannot be written for a mapping.
DEADLINES: Mapping[type[Event], Callable[[Summary, Any, datetime], Summary]] = {
    DeadlineSet: _deadline_set,
    DeadlineMissed: _missed,
    TargetNeared: _neared,
}
