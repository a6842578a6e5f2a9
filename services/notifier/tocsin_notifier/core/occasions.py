"""What an event is an occasion for: the word by which a playbook says who hears of it."""

from collections.abc import Callable, Mapping
from typing import Any

from tocsin_notifier.core.incident import Incident
from tocsin_playbook import Playbook, UnknownNameError
from tocsin_playbook.model.communicate import Occasion
from tocsin_schemas import DeadlineKind, Envelope, Event
from tocsin_schemas.events import (
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionProposed,
    ActionRefused,
    ActionSucceeded,
    AutomationStopped,
    DeadlineMissed,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentUnmuted,
    NoteAdded,
    ResponderAdded,
    ResponderAnswered,
    ResponderDeclined,
    RunbookFinished,
    SeverityChanged,
    StatusUpdated,
    VerificationFailed,
    VerificationPassed,
)

__all__ = ["OCCASIONS", "occasion_of", "severities_for"]

_TARGETS = (DeadlineKind.ACKNOWLEDGE, DeadlineKind.RESOLVE)


def occasion_of(event: Event, playbook: Playbook) -> Occasion | None:
    """The occasion; none for what is only of interest on the timeline."""
    told = OCCASIONS.get(type(event))
    return None if told is None else told(event, playbook)


def severities_for(incident: Incident, event: Envelope[Event], occasion: Occasion) -> frozenset[str]:
    """The severities whose audience hears of it.

    A change concerns those who follow the one and the other; the end concerns all who may have heard of the
    incident while it was more severe or less.
    """
    if occasion in ("resolved", "closed"):
        return frozenset(name for since, name in incident.severities if since <= event.sequence)
    if isinstance(event.data, SeverityChanged):
        return frozenset({event.data.before, event.data.after})
    return frozenset({incident.severity_at(event.sequence)})


def _deadline(event: DeadlineMissed, _: Playbook) -> Occasion | None:
    if event.kind is DeadlineKind.UPDATE:
        return "update"
    return "deadline_missed" if event.kind in _TARGETS else None


def _proposed(event: ActionProposed, _: Playbook) -> Occasion | None:
    return "action" if event.needs_approval else None


def _succeeded(event: ActionSucceeded, playbook: Playbook) -> Occasion | None:
    """What is verified is told of when that is known, what is not when it was carried out."""
    try:
        step = playbook.runbook(event.runbook).step(event.step)
    except UnknownNameError:
        return "action"
    return "action" if step is None or step.verify is None else None


def _always(occasion: Occasion) -> Callable[[Any, Playbook], Occasion]:
    return lambda _event, _playbook: occasion


def _by_a_person(event: NoteAdded, _: Playbook) -> Occasion | None:
    return "update" if event.by.kind == "person" else None


def _unless_it_helped(event: RunbookFinished, _: Playbook) -> Occasion | None:
    return None if event.outcome == "mitigated" else "action"  # the verification has said so


# Any: each row takes the event of its own type.
OCCASIONS: Mapping[type[Event], Callable[[Any, Playbook], Occasion | None]] = {
    IncidentOpened: _always("opened"),
    SeverityChanged: _always("severity_changed"),
    IncidentAcknowledged: _always("acknowledged"),
    IncidentEscalated: _always("escalated"),
    DeadlineMissed: _deadline,
    NoteAdded: _by_a_person,
    StatusUpdated: _always("update"),
    ResponderAnswered: _always("acknowledged"),
    ResponderDeclined: _always("acknowledged"),
    ResponderAdded: _always("escalated"),
    IncidentMonitoring: _always("monitoring"),
    IncidentResumed: _always("monitoring"),
    IncidentResolved: _always("resolved"),
    IncidentReopened: _always("reopened"),
    IncidentClosed: _always("closed"),
    IncidentUnmuted: _always("opened"),
    ActionProposed: _proposed,
    ActionClaimed: _always("action"),
    ActionSucceeded: _succeeded,
    ActionFailed: _always("action"),
    ActionOutcomeUnknown: _always("action"),
    ActionRefused: _always("action"),
    VerificationPassed: _always("action"),
    VerificationFailed: _always("action"),
    RunbookFinished: _unless_it_helped,
    AutomationStopped: _always("action"),
}
