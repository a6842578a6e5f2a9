"""What follows from a deadline that is due."""

from collections.abc import Callable, Mapping
from datetime import datetime

from tocsin_escalator.core.deadlines import is_overdue, miss, set_deadline, set_next_update, warn
from tocsin_escalator.core.draft import SYSTEM, Draft
from tocsin_escalator.core.escalation import escalate_due, escalate_next
from tocsin_escalator.core.incident import HELD, Deadline, IncidentState
from tocsin_escalator.core.lifecycle import DEADLINES, Answer, Input, answer
from tocsin_escalator.core.muting import NOTHING_MUTES, Mutes, look_again
from tocsin_escalator.core.paging import repeat
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_escalator.core.severity import change_severity
from tocsin_schemas import DeadlineKind, Event
from tocsin_schemas.events import IncidentClosed, IncidentResolved
from tocsin_schemas.text import clean_line

__all__ = ["decide_resolved", "decide_timer", "decide_unmuted"]


def decide_timer(
    state: IncidentState, deadline_id: str, rulebook: Rulebook, now: datetime, mutes: Mutes = NOTHING_MUTES
) -> tuple[Event, ...]:
    """What is due by this deadline, if it is open and due. Whoever noticed: an alarm clock, or the audit."""
    deadline = state.deadlines.get(deadline_id)
    if deadline is None or not is_overdue(deadline, now):
        return ()
    draft = Draft(state, rulebook, now)
    response = answer(state.phase, _input(deadline))
    due = _CONSEQUENCES.get(response)
    if response is Answer.LOOK:
        look_again(draft, mutes)
        if draft.state.deadlines.get(deadline_id) == deadline:
            miss(draft, deadline)  # the same goes on; who explains it will say when it ends
    elif due is None:
        miss(draft, deadline)  # open in a phase in which nothing follows from it: it must not be found due for ever
    else:
        due(draft, deadline)
    return draft.done()


def decide_unmuted(state: IncidentState, rulebook: Rulebook, now: datetime, mutes: Mutes) -> tuple[Event, ...]:
    """What muted it may be over."""
    draft = Draft(state, rulebook, now)
    if answer(state.phase, Input.MUTE_DUE) is Answer.LOOK:
        look_again(draft, mutes)
    return draft.done()


def decide_resolved(draft: Draft, event: IncidentResolved) -> None:
    """It is over; an alert that fires again soon reopens it."""
    draft.add(event)
    set_deadline(draft, DeadlineKind.CLOSE, draft.now + draft.rulebook.playbook.group.reopen_within)


def _input(deadline: Deadline) -> Input:
    if deadline.kind is DeadlineKind.ESCALATE and deadline.place is None:
        return Input.RAISE_DUE
    return DEADLINES[deadline.kind]


def _miss_and_tell(draft: Draft, deadline: Deadline) -> None:
    miss(draft, deadline)
    escalate_next(draft, "unresolved", due_at=deadline.due_at)


def _tell(draft: Draft, deadline: Deadline) -> None:
    place = deadline.place
    if place is not None:
        escalate_due(draft, deadline, place)


def _raise(draft: Draft, deadline: Deadline) -> None:
    plan = draft.rulebook.plan(draft.state.severity)
    if plan is None or plan.raise_to is None or plan.raise_after is None or draft.state.severity_is_a_persons:
        miss(draft, deadline)
        return
    because = clean_line(f"it has been {draft.state.severity} for {plan.raise_after}")
    change_severity(draft, plan.raise_to, "time", because, SYSTEM)


def _remind(draft: Draft, deadline: Deadline) -> None:
    miss(draft, deadline)
    set_next_update(draft, deadline.round + 1, after=deadline.due_at)
    if deadline.round == 1 and draft.state.phase in HELD:
        # The first was a reminder. Where nobody is on it, the plan tells people already.
        escalate_next(draft, "no_update", due_at=deadline.due_at)


def _resolve(draft: Draft, deadline: Deadline) -> None:
    decide_resolved(draft, IncidentResolved(by=SYSTEM, notes="All alerts have stayed quiet."))


def _close(draft: Draft, deadline: Deadline) -> None:
    draft.add(IncidentClosed())


_CONSEQUENCES: Mapping[Answer, Callable[[Draft, Deadline], None]] = {
    Answer.WARN: warn,
    Answer.MISS: miss,
    Answer.MISS_AND_TELL: _miss_and_tell,
    Answer.TELL: _tell,
    Answer.REPEAT: repeat,
    Answer.RAISE: _raise,
    Answer.REMIND: _remind,
    Answer.RESOLVE: _resolve,
    Answer.CLOSE: _close,
}
