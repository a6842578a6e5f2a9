"""What each of the escalator's own events means: state is a fold over the log.

Deadlines are closed here too: an acknowledgement voids the escalation, a resolution voids everything. So the log
needs no event for "no longer due", and a deadline that is open in the state is due in truth.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tocsin_escalator.core.incident import (
    HELD,
    NOTHING_TOLD,
    Acknowledgement,
    AlertKey,
    Deadline,
    Firing,
    IncidentState,
    Moved,
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
    AlertMoved,
    DeadlineMissed,
    DeadlineSet,
    ImpactStated,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentEscalated,
    IncidentLinked,
    IncidentMonitoring,
    IncidentMuted,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentUnmuted,
    OriginSuspected,
    ResponderAnswered,
    ResponderDeclined,
    ResponderPaged,
    RoleAssigned,
    SeverityChanged,
    SeverityReleased,
    StatusUpdated,
    TargetNeared,
    WarRoomRequested,
)

__all__ = ["EscalatorFold", "apply"]

K = DeadlineKind
_OF_AN_ANSWER = frozenset({K.ACKNOWLEDGE, K.ACKNOWLEDGE_SOON, K.CONTACT})
_OF_A_SEVERITY = frozenset({K.ACKNOWLEDGE, K.ACKNOWLEDGE_SOON, K.RESOLVE, K.RESOLVE_SOON, K.ESCALATE, K.UPDATE})
_STATUS = {phase.value: phase for phase in HELD}


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
    if event.day_number is not None:
        opening = replace(opening, day_number=event.day_number)
    return state._replace(phase=Phase.TRIGGERED, opening=opening, severity=event.severity, severity_since=at)


def _acknowledged(state: IncidentState, event: IncidentAcknowledged, at: datetime) -> IncidentState:
    held = state.acknowledged if state.is_held(at) else None
    paused = held.paused if held is not None else state.escalation
    return state._replace(
        phase=state.work if state.is_waiting else state.phase,
        acknowledged=Acknowledgement(event.by.name, event.until, at, paused),
        answered=state.answered | {event.by.name},
        deadlines=_without(state, lambda d: d.kind in _OF_AN_ANSWER or d.place is not None),
    )


def _answered(state: IncidentState, event: ResponderAnswered, at: datetime) -> IncidentState:
    left = _without_pages_to(state, event.person)
    return state._replace(answered=state.answered | {event.person}, deadlines=left)


def _declined(state: IncidentState, event: ResponderDeclined, at: datetime) -> IncidentState:
    had_it = state.acknowledged is not None and state.acknowledged.by == event.person
    return state._replace(
        phase=_waiting(state) if had_it and state.phase in HELD else state.phase,
        acknowledged=None if had_it else state.acknowledged,
        declined=state.declined | {event.person},
        deadlines=_without_pages_to(state, event.person),
    )


def _status_updated(state: IncidentState, event: StatusUpdated, at: datetime) -> IncidentState:
    state = state._replace(deadlines=_without(state, lambda d: d.kind is K.UPDATE))
    if event.status is None or state.phase not in HELD:
        return state
    return state._replace(phase=_STATUS[event.status], work=_STATUS[event.status])


def _waiting(state: IncidentState) -> Phase:
    """Nobody is on it any more."""
    return Phase.REOPENED if state.reopened else Phase.TRIGGERED


def _monitoring(state: IncidentState, event: IncidentMonitoring, at: datetime) -> IncidentState:
    quiet = _without(state, lambda d: d.kind in _OF_AN_ANSWER or d.kind is K.ESCALATE)
    return state._replace(phase=Phase.MONITORING, deadlines=quiet)


def _resumed(state: IncidentState, event: IncidentResumed, at: datetime) -> IncidentState:
    held = state.is_held(at)
    return state._replace(
        phase=state.work if held else _waiting(state),
        acknowledged=state.acknowledged if held else None,
        deadlines=_without(state, lambda d: d.kind is K.WATCH),
    )


def _resolved(state: IncidentState, event: IncidentResolved, at: datetime) -> IncidentState:
    phase = Phase.FALSE_ALARM if event.false_alarm else Phase.RESOLVED
    return state._replace(phase=phase, deadlines={}, resolved_at=at)


def _reopened(state: IncidentState, event: IncidentReopened, at: datetime) -> IncidentState:
    return state._replace(
        phase=Phase.REOPENED,
        severity_since=at,
        deadlines={},
        reached=NOTHING_TOLD,
        pages={},
        acknowledged=None,
        work=Phase.ACKNOWLEDGED,
        answered=frozenset(),
        declined=frozenset(),
        acknowledge_missed=False,
        automation_told=False,
        told_at_once=False,
        reopened=state.reopened + 1,
        resolved_at=None,
        muted=None,
    )


def _closed(state: IncidentState, event: IncidentClosed, at: datetime) -> IncidentState:
    return state._replace(phase=Phase.CLOSED, deadlines={})


def _muted(state: IncidentState, event: IncidentMuted, at: datetime) -> IncidentState:
    mute = Mute(event.why, event.name, event.because, event.until, event.explained_by)
    left = _without(state, lambda d: d.kind in _OF_A_SEVERITY or d.kind in (K.MUTE, K.CONTACT))
    return state._replace(muted=mute, mutes=state.mutes + 1, deadlines=left)


def _unmuted(state: IncidentState, event: IncidentUnmuted, at: datetime) -> IncidentState:
    lapsed = state.phase in HELD and not state.is_held(at)  # no deadline said so while it was muted
    return state._replace(
        phase=_waiting(state) if lapsed else state.phase,
        acknowledged=None if lapsed else state.acknowledged,
        muted=None,
        deadlines=_without(state, lambda d: d.kind is K.MUTE),
    )


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


def _moved(state: IncidentState, event: AlertMoved, at: datetime) -> IncidentState:
    key = AlertKey(event.fingerprint, event.episode)
    left = {other: firing for other, firing in state.firing.items() if other != key}
    moved = Moved(event.to, state.firing.get(key))
    return state._replace(firing=left, ended=state.ended - {key}, moved={**state.moved, key: moved})


def _impact_stated(state: IncidentState, event: ImpactStated, at: datetime) -> IncidentState:
    if event.by.kind != "person":
        return state._replace(impact=event.impact)
    before = state.impact.model_dump() if state.impact is not None else {}
    said = {name for name, value in event.impact.model_dump().items() if value != before.get(name)}
    return state._replace(impact=event.impact, impact_by_people=state.impact_by_people | said)


def _origin_suspected(state: IncidentState, event: OriginSuspected, at: datetime) -> IncidentState:
    return state._replace(origin=event.service)


def _linked(state: IncidentState, event: IncidentLinked, at: datetime) -> IncidentState:
    return state._replace(parts=state.parts | {event.other}) if event.relation == "absorbed" else state


def _severity_released(state: IncidentState, event: SeverityReleased, at: datetime) -> IncidentState:
    return state._replace(severity_is_a_persons=False)


def _severity_changed(state: IncidentState, event: SeverityChanged, at: datetime) -> IncidentState:
    over = not state.is_open
    return state._replace(
        severity=event.after,
        severity_since=state.severity_since if over else at,
        severity_is_a_persons=event.why == "person",
        deadlines=state.deadlines if over else _without(state, lambda d: d.kind in _OF_A_SEVERITY),
        reached=state.reached if over else NOTHING_TOLD,
        acknowledge_missed=state.acknowledge_missed if over else False,
        acknowledged=state.acknowledged if over or not state.acknowledged else replace(state.acknowledged, paused=None),
    )


# --- who is told, and when --------------------------------------------------------------------------------------------


def _deadline_set(state: IncidentState, event: DeadlineSet, at: datetime) -> IncidentState:
    place = Place(event.round, event.level) if event.kind is K.ESCALATE and event.level is not None else None
    number = state.deadlines_set + 1
    deadline = Deadline(event.deadline, event.kind, event.due_at, event.round, place, number, event.page)
    state = state._replace(deadlines_set=number)
    if place is None:
        return state._replace(deadlines={**state.deadlines, deadline.id: deadline})
    # The escalation has one next place: setting it replaces what was next, and all before it has been dealt with.
    others = _without(state, lambda d: d.place is not None)
    # While somebody is on it, it may be one that is told even then: those before it still come when their time is over.
    before = state.reached if state.is_held(at) else Place(place.round, place.level - 1)
    return state._replace(deadlines={**others, deadline.id: deadline}, reached=max(state.reached, before))


def _deadline_missed(state: IncidentState, event: DeadlineMissed, at: datetime) -> IncidentState:
    return state._replace(
        deadlines=_without(state, lambda d: d.id == event.deadline),
        acknowledge_missed=state.acknowledge_missed or event.kind is K.ACKNOWLEDGE,
    )


def _target_neared(state: IncidentState, event: TargetNeared, at: datetime) -> IncidentState:
    return state._replace(deadlines=_without(state, lambda d: d.id == event.deadline))


def _escalated(state: IncidentState, event: IncidentEscalated, at: datetime) -> IncidentState:
    reached = max(state.reached, Place(event.round, event.level))
    lapsed = event.reason == "unacknowledged" and state.phase in HELD and not state.is_held(at)
    return state._replace(
        phase=_waiting(state) if lapsed else state.phase,
        acknowledged=None if lapsed else state.acknowledged,
        deadlines=_without(state, lambda d: d.place is not None and d.place <= reached),
        reached=reached,
        automation_told=state.automation_told or event.reason in ("automation_failed", "outcome_unknown"),
        told_at_once=state.told_at_once or event.reason == "at_once",
    )


def _paged(state: IncidentState, event: ResponderPaged, at: datetime) -> IncidentState:
    place = Place(event.round, event.level)
    page = Page(event.target, place, at, bool(event.each))
    deadlines = state.deadlines
    if event.repeats is not None:
        deadlines = _without(state, lambda d: d.kind is K.CONTACT and d.page == event.repeats)
    return state._replace(
        pages={**state.pages, event.page: page},
        pages_decided=state.pages_decided + 1,
        reached=state.reached if event.reason in _STAYS else max(state.reached, place),
        deadlines=deadlines,
    )


_STAYS = frozenset({"automation_needs_you", "added"})
"""Reasons to page somebody that are no step of the escalation."""


def _room_requested(state: IncidentState, event: WarRoomRequested, at: datetime) -> IncidentState:
    return state._replace(has_room=True)


def _role_assigned(state: IncidentState, event: RoleAssigned, at: datetime) -> IncidentState:
    return state._replace(roles={**state.roles, event.role: event.person})


def _without_pages_to(state: IncidentState, person: str) -> Mapping[str, Deadline]:
    """Nobody who has answered is told in yet another way."""
    theirs = _pages_to(state, person)
    return _without(state, lambda d: d.kind is K.CONTACT and d.page in theirs)


def _pages_to(state: IncidentState, person: str) -> set[str]:
    return {name for name, page in state.pages.items() if page.target == f"person:{person}"}


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
    AlertMoved: _moved,
    IncidentLinked: _linked,
    ImpactStated: _impact_stated,
    OriginSuspected: _origin_suspected,
    SeverityChanged: _severity_changed,
    SeverityReleased: _severity_released,
    StatusUpdated: _status_updated,
    ResponderAnswered: _answered,
    ResponderDeclined: _declined,
    TargetNeared: _target_neared,
    WarRoomRequested: _room_requested,
    DeadlineSet: _deadline_set,
    DeadlineMissed: _deadline_missed,
    IncidentEscalated: _escalated,
    ResponderPaged: _paged,
    RoleAssigned: _role_assigned,
}
