"""What the events of runbooks and actions mean for the summary: what was tried, and how it went."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tocsin_recorder.core.summary import Action, ActionState, Stage, Summary, enter, put
from tocsin_schemas import Event
from tocsin_schemas.events import (
    ActionApproved,
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionProposed,
    ActionRefused,
    ActionSucceeded,
    AutomationStopped,
    VerificationFailed,
    VerificationPassed,
)

__all__ = ["MITIGATION", "is_being_worked_on"]


def is_being_worked_on(summary: Summary, at: datetime) -> Summary:
    """Somebody, or the automation, does something about it."""
    return enter(summary, Stage.MITIGATE, at) if summary.stage is Stage.RESPOND else summary


def _proposed(summary: Summary, event: ActionProposed, at: datetime) -> Summary:
    state = ActionState.WAITING if event.needs_approval else ActionState.PROPOSED
    return _acted(summary, event, at, state, description=event.description, target=event.target)


def _approved(summary: Summary, event: ActionApproved, at: datetime) -> Summary:
    return _acted(summary, event, at, ActionState.APPROVED, detail=f"approved by {event.by.name}")


def _claimed(summary: Summary, event: ActionClaimed, at: datetime) -> Summary:
    summary = is_being_worked_on(summary, at)
    return _acted(summary, event, at, ActionState.RUNNING, attempts=event.attempt, detail="", ended_at=None)


def _succeeded(summary: Summary, event: ActionSucceeded, at: datetime) -> Summary:
    return _acted(summary, event, at, ActionState.DONE, detail=event.detail, ended_at=at)


def _failed(summary: Summary, event: ActionFailed, at: datetime) -> Summary:
    return _acted(summary, event, at, ActionState.FAILED, detail=event.reason, ended_at=at)


def _unknown(summary: Summary, event: ActionOutcomeUnknown, at: datetime) -> Summary:
    return _acted(summary, event, at, ActionState.UNKNOWN, detail=event.reason, ended_at=at)


def _refused(summary: Summary, event: ActionRefused, at: datetime) -> Summary:
    return _acted(summary, event, at, ActionState.REFUSED, detail=event.reason, ended_at=at)


def _helped(summary: Summary, event: VerificationPassed, at: datetime) -> Summary:
    return _acted(summary, event, at, ActionState.HELPED, detail=event.detail, ended_at=at)


def _did_not_help(summary: Summary, event: VerificationFailed, at: datetime) -> Summary:
    return _acted(summary, event, at, ActionState.DID_NOT_HELP, detail=event.detail, ended_at=at)


def _acted(summary: Summary, event: Any, at: datetime, state: ActionState, **more: Any) -> Summary:
    """`Any`: the events of actions share these fields without a public type that says so."""
    known = next((action for action in summary.actions if action.id == event.action), None)
    action = known or Action(event.action, event.runbook, event.step, state, at)
    action = replace(action, state=state, **more)
    return replace(
        summary,
        actions=put(summary.actions, action, lambda a: a is known),
        actions_seen=summary.actions_seen + (known is None and isinstance(event, ActionProposed)),
    )


def _automation_stopped(summary: Summary, event: AutomationStopped, at: datetime) -> Summary:
    return replace(summary, automation_stopped_by=event.by.name)


# `Any`: each meaning takes the event of its own row; a type that says so cannot be written for a mapping.
MITIGATION: Mapping[type[Event], Callable[[Summary, Any, datetime], Summary]] = {
    ActionProposed: _proposed,
    ActionApproved: _approved,
    ActionClaimed: _claimed,
    ActionSucceeded: _succeeded,
    ActionFailed: _failed,
    ActionOutcomeUnknown: _unknown,
    ActionRefused: _refused,
    VerificationPassed: _helped,
    VerificationFailed: _did_not_help,
    AutomationStopped: _automation_stopped,
}
