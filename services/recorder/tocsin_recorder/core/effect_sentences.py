"""What is done and what is sent, as sentences: runbooks, actions, messages, the review."""

from collections.abc import Callable, Mapping
from typing import Any

from tocsin_recorder.core.words import also, by, first_line, name_of, who
from tocsin_schemas import Event, RunbookOutcome
from tocsin_schemas.events import (
    ActionApproved,
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionProposed,
    ActionRefused,
    ActionSucceeded,
    AutomationStopped,
    NotificationDelivered,
    NotificationFailed,
    RequestRefused,
    ReviewDrafted,
    RunbookFinished,
    RunbookStarted,
    StatusPagePublished,
    VerificationFailed,
    VerificationPassed,
)

__all__ = ["EFFECTS"]


def _runbook_started(event: RunbookStarted) -> str:
    return f"Runbook {event.runbook} begins"


def _proposed(event: ActionProposed) -> str:
    if event.needs_approval:
        return f"Proposed {event.step}, waiting for approval{also(event.because or event.description)}"
    return f"Next is {event.step}{also(event.description)}"


def _approved(event: ActionApproved) -> str:
    return f"{who(event.by)} approved {event.step}"


def _claimed(event: ActionClaimed) -> str:
    attempt = f" (attempt {event.attempt})" if event.attempt > 1 else ""
    return f"Carrying out {event.step}{attempt}"


def _succeeded(event: ActionSucceeded) -> str:
    probe = ", as the target says when asked" if event.found_by_probe else ""
    return f"{event.step} was carried out{probe}{also(event.detail)}"


def _failed(event: ActionFailed) -> str:
    return f"{event.step} failed and was not carried out: {event.reason}"


def _unknown(event: ActionOutcomeUnknown) -> str:
    return f"Nobody can say whether {event.step} was carried out: {event.reason}"


def _refused(event: ActionRefused) -> str:
    return f"{event.step} is not run: {event.reason}"


def _verified(event: VerificationPassed) -> str:
    return f"{event.step} helped{also(event.detail)}"


def _unverified(event: VerificationFailed) -> str:
    return f"{event.step} did not help{also(event.detail)}"


_OUTCOMES = {
    RunbookOutcome.MITIGATED: "has mitigated the incident",
    RunbookOutcome.EXHAUSTED: "has no step left",
    RunbookOutcome.ESCALATED: "asks for a person",
    RunbookOutcome.STOPPED: "was stopped",
}


def _runbook_finished(event: RunbookFinished) -> str:
    return f"Runbook {event.runbook} {_OUTCOMES[event.outcome]}{also(event.reason)}"


def _automation_stopped(event: AutomationStopped) -> str:
    return f"{who(event.by)} stopped the automation{also(event.because)}"


def _request_refused(event: RequestRefused) -> str:
    return f"{event.command}{by(event.by)} was refused: {event.reason}"


# --- messages --------------------------------------------------------------------------------------------------------


def _delivered(event: NotificationDelivered) -> str:
    tries = f" after {event.attempts} attempts" if event.attempts > 1 else ""
    kind = "Page" if event.page else "Announcement"
    return f"{kind} to {name_of(event.recipient)} delivered by {event.channel}{tries}"


def _undelivered(event: NotificationFailed) -> str:
    then = "; no other channel is left" if event.exhausted else ""
    return f"{event.channel} could not reach {name_of(event.recipient)}{then}: {event.reason}"


def _status_page(event: StatusPagePublished) -> str:
    return f"Status page {event.page} says {event.status}{also(first_line(event.message))}"


def _review(event: ReviewDrafted) -> str:
    return f"The review was drafted; it is due on {event.due_at:%Y-%m-%d}"


# `Any`: each sentence takes the event of its own row; a type that says so cannot be written for a mapping.
EFFECTS: Mapping[type[Event], Callable[[Any], str]] = {
    RunbookStarted: _runbook_started,
    ActionProposed: _proposed,
    ActionApproved: _approved,
    ActionClaimed: _claimed,
    ActionSucceeded: _succeeded,
    ActionFailed: _failed,
    ActionOutcomeUnknown: _unknown,
    ActionRefused: _refused,
    VerificationPassed: _verified,
    VerificationFailed: _unverified,
    RunbookFinished: _runbook_finished,
    AutomationStopped: _automation_stopped,
    RequestRefused: _request_refused,
    NotificationDelivered: _delivered,
    NotificationFailed: _undelivered,
    StatusPagePublished: _status_page,
    ReviewDrafted: _review,
}
