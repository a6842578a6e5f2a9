"""What each of the escalator's own events means: state is a fold over the log.

Deadlines are closed here too: an acknowledgement voids the escalation, a resolution voids everything. So the log
needs no event for "no longer due", and a deadline that is open in the state is due in truth.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tocsin_escalator.core.incident import (
    NOTHING_TOLD,
    Acknowledgement,
    AlertKey,
    Deadline,
    Firing,
    IncidentState,
    Mute,
    Opening,
    Page,
    Phase,
    Place,
    empty,
)
from tocsin_schemas import DeadlineKind, Envelope, Event
from tocsin_schemas.events import (
    AlertCleared,
    AlertGrouped,
    DeadlineMissed,
    DeadlineSet,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentMuted,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentUnmuted,
    ResponderPaged,
    RoleAssigned,
    SeverityChanged,
)

__all__ = ["EscalatorFold", "apply"]

K = DeadlineKind
_OF_A_SEVERITY = frozenset({K.ACKNOWLEDGE, K.RESOLVE, K.ESCALATE, K.UPDATE})


class EscalatorFold:
    """How the runtime reads the escalator's events."""

    def empty(self, incident: str) -> IncidentState:
        return empty(incident)

    def evolve(self, state: IncidentState, event: Envelope[Event]) -> IncidentState:
        return apply(state, event.data, event.time)


def apply(state: IncidentState, event: Event, at: datetime) -> IncidentState:
    """The state after this event, which was stated at this moment. Events of others mean nothing here."""
    meaning = _MEANINGS.get(type(event))
    return state if meaning is None else meaning(state, event, at)


# --- its life --------------------------------------------------------------------------------------------------------


def _opened(state: IncidentState, event: IncidentOpened, at: datetime) -> IncidentState:
    opening = Opening(event.group_key, event.episode, event.title, event.labels, event.playbook, at)
    return state._replace(phase=Phase.TRIGGERED, opening=opening, severity=event.severity, severity_since=at)


def _acknowledged(state: IncidentState, event: IncidentAcknowledged, at: datetime) -> IncidentState:
    return state._replace(
        phase=Phase.ACKNOWLEDGED if state.phase is Phase.TRIGGERED else state.phase,
        acknowledged=Acknowledgement(event.by.name, event.until),
        deadlines=_without(state, lambda d: d.kind is K.ACKNOWLEDGE or d.place is not None),
    )


def _monitoring(state: IncidentState, event: IncidentMonitoring, at: datetime) -> IncidentState:
    quiet = _without(state, lambda d: d.kind in (K.ACKNOWLEDGE, K.ESCALATE))
    return state._replace(phase=Phase.MONITORING, deadlines=quiet)


def _resumed(state: IncidentState, event: IncidentResumed, at: datetime) -> IncidentState:
    held = state.is_held(at)
    return state._replace(
        phase=Phase.ACKNOWLEDGED if held else Phase.TRIGGERED,
        acknowledged=state.acknowledged if held else None,
        deadlines=_without(state, lambda d: d.kind is K.WATCH),
    )


def _resolved(state: IncidentState, event: IncidentResolved, at: datetime) -> IncidentState:
    return state._replace(phase=Phase.RESOLVED, deadlines={}, resolved_at=at)


def _reopened(state: IncidentState, event: IncidentReopened, at: datetime) -> IncidentState:
    return state._replace(
        phase=Phase.TRIGGERED,
        severity_since=at,
        deadlines={},
        reached=NOTHING_TOLD,
        pages={},
        acknowledged=None,
        acknowledge_missed=False,
        automation_told=False,
        reopened=state.reopened + 1,
        resolved_at=None,
        muted=None,
    )


def _closed(state: IncidentState, event: IncidentClosed, at: datetime) -> IncidentState:
    return state._replace(phase=Phase.CLOSED, deadlines={})


def _muted(state: IncidentState, event: IncidentMuted, at: datetime) -> IncidentState:
    mute = Mute(event.why, event.name, event.because, event.until, event.explained_by)
    left = _without(state, lambda d: d.kind in _OF_A_SEVERITY or d.kind is K.MUTE)
    return state._replace(muted=mute, mutes=state.mutes + 1, deadlines=left)


def _unmuted(state: IncidentState, event: IncidentUnmuted, at: datetime) -> IncidentState:
    return state._replace(muted=None, deadlines=_without(state, lambda d: d.kind is K.MUTE))


# --- its alerts and its severity --------------------------------------------------------------------------------------


def _grouped(state: IncidentState, event: AlertGrouped, at: datetime) -> IncidentState:
    alert = event.alert
    key = AlertKey(alert.fingerprint, alert.episode)
    if key in state.ended:
        return state  # said late: the rest of a decision that was written in part
    firing = Firing(alert.rule, alert.severity or state.severity, alert.labels)
    return state._replace(firing={**state.firing, key: firing})


def _cleared(state: IncidentState, event: AlertCleared, at: datetime) -> IncidentState:
    key = AlertKey(event.fingerprint, event.episode)
    left = {other: firing for other, firing in state.firing.items() if other != key}
    return state._replace(firing=left, ended=state.ended | {key})


def _severity_changed(state: IncidentState, event: SeverityChanged, at: datetime) -> IncidentState:
    over = not state.is_open
    return state._replace(
        severity=event.after,
        severity_since=state.severity_since if over else at,
        severity_is_a_persons=event.why == "person",
        deadlines=state.deadlines if over else _without(state, lambda d: d.kind in _OF_A_SEVERITY),
        reached=state.reached if over else NOTHING_TOLD,
        acknowledge_missed=state.acknowledge_missed if over else False,
    )


# --- who is told, and when --------------------------------------------------------------------------------------------


def _deadline_set(state: IncidentState, event: DeadlineSet, at: datetime) -> IncidentState:
    place = Place(event.round, event.level) if event.kind is K.ESCALATE and event.level is not None else None
    number = state.deadlines_set + 1
    deadline = Deadline(event.deadline, event.kind, event.due_at, event.round, place, number)
    state = state._replace(deadlines_set=number)
    if place is None:
        return state._replace(deadlines={**state.deadlines, deadline.id: deadline})
    # The escalation has one next place: setting it replaces what was next, and all before it has been dealt with.
    others = _without(state, lambda d: d.place is not None)
    before = Place(place.round, place.level - 1)
    return state._replace(deadlines={**others, deadline.id: deadline}, reached=max(state.reached, before))


def _deadline_missed(state: IncidentState, event: DeadlineMissed, at: datetime) -> IncidentState:
    return state._replace(
        deadlines=_without(state, lambda d: d.id == event.deadline),
        acknowledge_missed=state.acknowledge_missed or event.kind is K.ACKNOWLEDGE,
    )


def _escalated(state: IncidentState, event: IncidentEscalated, at: datetime) -> IncidentState:
    reached = max(state.reached, Place(event.round, event.level))
    lapsed = event.reason == "unacknowledged" and state.phase is Phase.ACKNOWLEDGED and not state.is_held(at)
    return state._replace(
        phase=Phase.TRIGGERED if lapsed else state.phase,
        acknowledged=None if lapsed else state.acknowledged,
        deadlines=_without(state, lambda d: d.place is not None and d.place <= reached),
        reached=reached,
        automation_told=state.automation_told or event.reason in ("automation_failed", "outcome_unknown"),
    )


def _paged(state: IncidentState, event: ResponderPaged, at: datetime) -> IncidentState:
    place = Place(event.round, event.level)
    moves = event.reason != "automation_needs_you"
    return state._replace(
        pages={**state.pages, event.page: Page(event.target, place, at)},
        pages_decided=state.pages_decided + 1,
        reached=max(state.reached, place) if moves else state.reached,
    )


def _role_assigned(state: IncidentState, event: RoleAssigned, at: datetime) -> IncidentState:
    return state._replace(roles={**state.roles, event.role: event.person})


def _without(state: IncidentState, over: Callable[[Deadline], bool]) -> Mapping[str, Deadline]:
    return {deadline.id: deadline for deadline in state.deadlines.values() if not over(deadline)}


# `Any`: each meaning takes the event of its own row; a type that says so cannot be written for a mapping.
_MEANINGS: Mapping[type[Event], Callable[[IncidentState, Any, datetime], IncidentState]] = {
    IncidentOpened: _opened,
    IncidentAcknowledged: _acknowledged,
    IncidentMonitoring: _monitoring,
    IncidentResumed: _resumed,
    IncidentResolved: _resolved,
    IncidentReopened: _reopened,
    IncidentClosed: _closed,
    IncidentMuted: _muted,
    IncidentUnmuted: _unmuted,
    AlertGrouped: _grouped,
    AlertCleared: _cleared,
    SeverityChanged: _severity_changed,
    DeadlineSet: _deadline_set,
    DeadlineMissed: _deadline_missed,
    IncidentEscalated: _escalated,
    ResponderPaged: _paged,
    RoleAssigned: _role_assigned,
}
