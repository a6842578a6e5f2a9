"""Deadlines: their ids, and when an incident's are due.

An id follows from what is due: setting the same deadline again moves it, and its alarm clock with it.
"""

from datetime import datetime, timedelta
from typing import Literal

from tocsin_escalator.core.draft import Draft
from tocsin_escalator.core.incident import Deadline, IncidentState, Place
from tocsin_schemas import DeadlineKind
from tocsin_schemas.events import DeadlineMissed, DeadlineSet, TargetNeared
from tocsin_schemas.ids import derive_id
from tocsin_schemas.moments import LATEST
from tocsin_schemas.signals import TimerDue

__all__ = [
    "deadline_id", "early", "is_overdue", "miss", "ring_cause", "set_acknowledge_again", "set_deadline",
    "set_next_update", "set_next_way", "set_place", "set_targets", "warn",
]  # fmt: skip

K = DeadlineKind


def deadline_id(
    incident: str, kind: DeadlineKind, level: int | None, round_: int, reopened: int, page: str | None = None
) -> str:
    """The same deadline of the same incident in the same opening has the same id, wherever it is set."""
    of = (page,) if page is not None else ()
    return derive_id("deadline", incident, kind.value, "" if level is None else level, round_, reopened, *of)


def ring_cause(incident: str, deadline: Deadline) -> str:
    """The cause of what follows from a deadline: the deadline itself, whoever noticed that it is due.

    Its moment is no part of it, so that the same story told at another time has the same ids.
    """
    return derive_id("ring", incident, deadline.id, deadline.number)


def is_overdue(deadline: Deadline, now: datetime, by: timedelta = timedelta()) -> bool:
    return now - deadline.due_at >= by


def early(state: IncidentState, timer: TimerDue, now: datetime) -> timedelta | None:
    """How much too early an alarm clock rings; none if its deadline is due, is no longer open, or has been moved.

    A clock that was moved rings at its new time by itself.
    """
    deadline = state.deadlines.get(timer.deadline)
    if deadline is None or deadline.due_at != timer.due_at or is_overdue(deadline, now):
        return None
    return deadline.due_at - now


def set_deadline(
    draft: Draft,
    kind: DeadlineKind,
    due_at: datetime,
    *,
    level: int | None = None,
    round_: int = 0,
    page: str | None = None,
) -> None:
    """Something is due at a moment."""
    state = draft.state
    name = deadline_id(state.incident, kind, level, round_, state.reopened, page)
    draft.add(DeadlineSet(deadline=name, kind=kind, due_at=min(due_at, LATEST), level=level, round=round_, page=page))


def set_place(draft: Draft, place: Place, due_at: datetime) -> None:
    """The next place of the escalation is told at a moment."""
    set_deadline(draft, K.ESCALATE, due_at, level=place.level, round_=place.round)


def set_next_way(draft: Draft, page: str, way: int, due_at: datetime) -> None:
    """Who was paged is told in another way at a moment, unless somebody answers before."""
    set_deadline(draft, K.CONTACT, due_at, round_=way, page=page)


def warn(draft: Draft, deadline: Deadline) -> None:
    """A target comes near; it may have been passed by now, as after an outage: then it is too late to warn."""
    target: Literal["acknowledge", "resolve"] = "acknowledge" if deadline.kind is K.ACKNOWLEDGE_SOON else "resolve"
    kind = DeadlineKind(target)
    due = [other.due_at for other in draft.state.deadlines.values() if other.kind is kind]
    if due and due[0] > draft.now:
        draft.add(TargetNeared(deadline=deadline.id, target=target, due_at=due[0]))
    else:
        miss(draft, deadline)


def miss(draft: Draft, deadline: Deadline) -> None:
    """A deadline has passed."""
    draft.add(DeadlineMissed(deadline=deadline.id, kind=deadline.kind, due_at=deadline.due_at))


def set_targets(draft: Draft) -> None:
    """What a severity promises, counted from now: an answer, a resolution, updates."""
    state, playbook = draft.state, draft.rulebook.playbook
    promised = playbook.severity(state.severity)
    if state.is_waiting and promised.acknowledge_within is not None:
        _set_target(draft, K.ACKNOWLEDGE, K.ACKNOWLEDGE_SOON, playbook.due(promised.acknowledge_within, draft.now))
    if promised.resolve_within is not None:
        _set_target(draft, K.RESOLVE, K.RESOLVE_SOON, playbook.due(promised.resolve_within, draft.now))
    set_next_update(draft, 0)


def _set_target(draft: Draft, kind: DeadlineKind, soon: DeadlineKind, due_at: datetime) -> None:
    set_deadline(draft, kind, due_at)
    before = draft.rulebook.playbook.severity(draft.state.severity).warn_before
    if before is not None and due_at - before > draft.now:
        set_deadline(draft, soon, due_at - before)


def set_next_update(draft: Draft, number: int, after: datetime | None = None) -> None:
    """The next status update is due one cadence after `after`; those that an outage swallowed are not made up for."""
    every = draft.rulebook.playbook.update_every(draft.state.severity)
    if every is None:
        return
    due_at = (after or draft.now) + every
    if due_at <= draft.now:
        due_at += every * ((draft.now - due_at) // every + 1)
    set_deadline(draft, K.UPDATE, due_at, round_=number)


def set_acknowledge_again(draft: Draft) -> None:
    """After a pause in which nobody needed to answer: the response target stands as it stood, unless it was missed."""
    state, playbook = draft.state, draft.rulebook.playbook
    within = playbook.severity(state.severity).acknowledge_within
    if within is None or state.acknowledge_missed or state.severity_since is None:
        return
    _set_target(draft, K.ACKNOWLEDGE, K.ACKNOWLEDGE_SOON, max(playbook.due(within, state.severity_since), draft.now))
