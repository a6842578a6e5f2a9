"""What follows from what the remediator and the notifier report."""

from datetime import datetime

from tocsin_escalator.core.draft import SYSTEM, Draft
from tocsin_escalator.core.escalation import ask, escalate_next, has_moved_on
from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.lifecycle import Answer, Input, answer
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_schemas import Event, RunbookOutcome
from tocsin_schemas.events import (
    ActionOutcomeUnknown,
    ActionProposed,
    NoteAdded,
    NotificationFailed,
    RunbookFinished,
)
from tocsin_schemas.text import clean_line, clean_text

__all__ = ["concerns", "decide_outcome"]

_NOT_WHILE_MUTED = frozenset({Input.AUTOMATION_FAILED, Input.APPROVAL_NEEDED})
"""That nobody knows what automation has done is told in any case, and so is a page that failed."""

_FAILED = frozenset({RunbookOutcome.EXHAUSTED, RunbookOutcome.ESCALATED})


def concerns(event: Event) -> bool:
    """Whether anything can follow from this event: most of what others report needs no decision of ours."""
    return _input(event) is not None


def decide_outcome(state: IncidentState, event: Event, rulebook: Rulebook, now: datetime) -> tuple[Event, ...]:
    """Tell a person where automation or a page has failed; ask one where automation needs a person."""
    given = _input(event)
    if given is None:
        return ()
    draft = Draft(state, rulebook, now)
    response = answer(state.phase, given)
    if state.muted is not None and given in _NOT_WHILE_MUTED:
        return ()
    if response is Answer.ASK and isinstance(event, ActionProposed):
        ask(draft, clean_line(f"Approve {event.step}: {event.description}"))
    elif response is Answer.TELL:
        _tell(draft, given, event)
    return draft.done()


def _input(event: Event) -> Input | None:
    match event:
        case RunbookFinished() if event.outcome in _FAILED:
            return Input.AUTOMATION_FAILED
        case ActionOutcomeUnknown():
            return Input.OUTCOME_UNKNOWN
        case ActionProposed() if event.needs_approval:
            return Input.APPROVAL_NEEDED
        case NotificationFailed() if event.exhausted and event.page is not None:
            return Input.PAGE_FAILED
        case _:
            return None


def _tell(draft: Draft, given: Input, event: Event) -> None:
    if given is Input.AUTOMATION_FAILED:
        # A runbook that ends because an outcome is unknown has been told of already: one failure, one escalation.
        if not draft.state.automation_told:
            escalate_next(draft, "automation_failed", once_more=True)
    elif given is Input.OUTCOME_UNKNOWN:
        escalate_next(draft, "outcome_unknown", once_more=True)
    elif isinstance(event, NotificationFailed):
        _page_failed(draft, event)


def _page_failed(draft: Draft, event: NotificationFailed) -> None:
    """Go on to the next level, unless that has happened since, for another page of the same level for example. Where
    no level is left the failure is written down.
    """
    state = draft.state
    page, plan = state.pages.get(event.page or ""), draft.rulebook.plan(state.severity)
    if page is None:
        return
    moved_on = has_moved_on(draft, page.place)
    if moved_on and plan is not None and plan.after(state.reached):
        return  # the plan goes on
    held = draft.state.acknowledged if draft.state.is_held(draft.now) else None
    if held is not None and page.at <= held.since:
        return  # somebody is on it, and was told in another way
    if moved_on or not escalate_next(draft, "page_failed", page_reason="page_failed"):
        text = f"The page to {page.target} failed, and no level is left to tell: {event.reason}"
        draft.add(NoteAdded(text=clean_text(text), by=SYSTEM))
