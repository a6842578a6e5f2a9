"""What each event means for the messages about an incident: state is a fold over everybody's events."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tocsin_notifier.core.incident import (
    Action,
    ActionState,
    Alert,
    AlertKey,
    Deadline,
    Incident,
    Note,
    Phase,
    Place,
)
from tocsin_schemas import DeadlineKind, Envelope, Event
from tocsin_schemas.events import (
    ActionApproved,
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionProposed,
    ActionRefused,
    ActionSucceeded,
    AlertCleared,
    AlertGrouped,
    AlertMoved,
    DeadlineMissed,
    DeadlineSet,
    ImpactStated,
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
    NoteAdded,
    NotificationDelivered,
    NotificationFailed,
    OriginSuspected,
    ResponderAdded,
    ResponderDeclined,
    ResponderPaged,
    RoleAssigned,
    SeverityChanged,
    StatusUpdated,
    TargetNeared,
    VerificationFailed,
    VerificationPassed,
    WarRoomRequested,
)

__all__ = ["ASKS", "NotifierFold", "evolve"]

ASKS = "automation_needs_you"
"""The reason of a page that asks for something besides looking: no later page stands for it."""

_OF_AN_ANSWER = (DeadlineKind.ACKNOWLEDGE, DeadlineKind.ACKNOWLEDGE_SOON, DeadlineKind.CONTACT)
_OF_A_TARGET = (DeadlineKind.RESOLVE, DeadlineKind.RESOLVE_SOON)
_NOTES_KEPT = 5
_ACTIONS_KEPT = 20

# Each meaning takes the incident, the event and where in the log it stands.
At = tuple[int, datetime]


class NotifierFold:
    """How the runtime reads the log."""

    def empty(self, incident: str) -> Incident:
        return Incident(incident)

    def evolve(self, state: Incident, event: Envelope[Event]) -> Incident:
        return evolve(state, event)


def evolve(incident: Incident, event: Envelope[Event]) -> Incident:
    """The incident after this event. Events without a meaning for messages change nothing."""
    if event.data.OWNER == "escalator" and incident.decision[0] != event.cause:
        incident = replace(incident, decision=(event.cause, event.sequence))
    meaning = _MEANINGS.get(type(event.data))
    return incident if meaning is None else meaning(incident, event.data, (event.sequence, event.time))


# --- its life --------------------------------------------------------------------------------------------------------


def _opened(incident: Incident, event: IncidentOpened, at: At) -> Incident:
    return replace(
        incident,
        phase=Phase.TRIGGERED,
        title=event.title,
        summary=event.summary,
        labels=event.labels,
        playbook=event.playbook,
        started_at=event.started_at,
        opened_at=at[1],
        severities=((at[0], event.severity),),
    )


def _severity_changed(incident: Incident, event: SeverityChanged, at: At) -> Incident:
    over = incident.phase.is_over
    return replace(
        incident,
        severities=(*incident.severities, (at[0], event.after)),
        deadlines=incident.deadlines if over else {},  # the escalator sets those of the new severity
    )


def _acknowledged(incident: Incident, event: IncidentAcknowledged, at: At) -> Incident:
    if event.by.name == incident.acknowledged_by:
        incident = replace(incident, prolonged=incident.prolonged | {at[0]})
    return replace(
        incident,
        phase=incident.work if incident.phase.is_waiting else incident.phase,
        acknowledged_by=event.by.name,
        acknowledged_at=incident.acknowledged_at if incident.acknowledged_by == event.by.name else at[1],
        declined=tuple(person for person in incident.declined if person != event.by.name),
        deadlines=_without(incident, *_OF_AN_ANSWER, DeadlineKind.ESCALATE),
    )


def _declined(incident: Incident, event: ResponderDeclined, at: At) -> Incident:
    had_it = incident.acknowledged_by == event.person
    others = tuple(person for person in incident.declined if person != event.person)
    return replace(
        incident,
        phase=_waiting(incident) if had_it and incident.phase.is_held else incident.phase,
        acknowledged_by="" if had_it else incident.acknowledged_by,
        acknowledged_at=None if had_it else incident.acknowledged_at,
        declined=(*others, event.person),
    )


def _waiting(incident: Incident) -> Phase:
    """Nobody is on it any more."""
    return Phase.REOPENED if incident.reopened else Phase.TRIGGERED


def _updated(incident: Incident, event: StatusUpdated, at: At) -> Incident:
    """How far the work is moves an incident that somebody is on; no other."""
    incident = _with_note(incident, Note(event.text, event.by.name, at[1]))
    incident = replace(incident, deadlines=_without(incident, DeadlineKind.UPDATE))
    if event.status is None or not incident.phase.is_held:
        return incident
    return replace(incident, phase=Phase(event.status), work=Phase(event.status))


def _monitoring(incident: Incident, event: IncidentMonitoring, at: At) -> Incident:
    quiet = _without(incident, *_OF_AN_ANSWER, DeadlineKind.ESCALATE)
    return replace(incident, phase=Phase.MONITORING, watch_until=event.watch_until, deadlines=quiet)


def _resumed(incident: Incident, event: IncidentResumed, at: At) -> Incident:
    phase = incident.work if incident.acknowledged_by else _waiting(incident)
    return replace(incident, phase=phase, watch_until=None)


def _resolved(incident: Incident, event: IncidentResolved, at: At) -> Incident:
    return replace(
        incident,
        phase=Phase.FALSE_ALARM if event.false_alarm else Phase.RESOLVED,
        resolved_at=at[1],
        resolved_sequence=at[0],
        resolution=event.notes,
        deadlines={},
    )


def _reopened(incident: Incident, event: IncidentReopened, at: At) -> Incident:
    return replace(
        incident,
        phase=Phase.REOPENED,
        work=Phase.ACKNOWLEDGED,
        acknowledged_by="",
        acknowledged_at=None,
        declined=(),
        resolved_at=None,
        watch_until=None,
        reopened=incident.reopened + 1,
        muted=(*incident.muted, (at[0], False)),
        merged=(*incident.merged, (at[0], False)),
        paged={},
    )


def _closed(incident: Incident, event: IncidentClosed, at: At) -> Incident:
    return replace(incident, phase=Phase.CLOSED)


def _muted(incident: Incident, event: IncidentMuted, at: At) -> Incident:
    """All that was decided together with it is mute too: that it was opened, for example."""
    kinds = (*_OF_AN_ANSWER, *_OF_A_TARGET, DeadlineKind.ESCALATE, DeadlineKind.UPDATE, DeadlineKind.MUTE)
    since, is_part = incident.decision[1], event.why in ("merge", "correlation")
    return replace(
        incident,
        muted=(*incident.muted, (since, True)),
        merged=(*incident.merged, (since, is_part)),
        deadlines=_without(incident, *kinds),
    )


def _unmuted(incident: Incident, event: IncidentUnmuted, at: At) -> Incident:
    return replace(
        incident,
        muted=(*incident.muted, (at[0], False)),
        merged=(*incident.merged, (at[0], False)),
        deadlines=_without(incident, DeadlineKind.MUTE),
    )


# --- its alerts, its people, what is due ------------------------------------------------------------------------------


def _grouped(incident: Incident, event: AlertGrouped, at: At) -> Incident:
    alert = event.alert
    key = AlertKey(alert.fingerprint, alert.episode)
    return replace(incident, alerts={**incident.alerts, key: Alert(alert.rule, alert.summary, alert.starts_at)})


def _cleared(incident: Incident, event: AlertCleared, at: At) -> Incident:
    gone = AlertKey(event.fingerprint, event.episode)
    return replace(incident, alerts={key: alert for key, alert in incident.alerts.items() if key != gone})


def _moved(incident: Incident, event: AlertMoved, at: At) -> Incident:
    gone = AlertKey(event.fingerprint, event.episode)
    return replace(incident, alerts={key: alert for key, alert in incident.alerts.items() if key != gone})


def _impact_stated(incident: Incident, event: ImpactStated, at: At) -> Incident:
    return replace(incident, impact=event.impact)


def _origin_suspected(incident: Incident, event: OriginSuspected, at: At) -> Incident:
    return replace(incident, origin=event.service)


def _room_requested(incident: Incident, event: WarRoomRequested, at: At) -> Incident:
    return replace(incident, war_room=event.name)


def _added(incident: Incident, event: ResponderAdded, at: At) -> Incident:
    return replace(incident, asked_by=event.by.name if event.by.kind == "person" else "")


def _paged(incident: Incident, event: ResponderPaged, at: At) -> Incident:
    if event.reason == ASKS:
        return incident
    return replace(incident, paged={**incident.paged, event.target: at[0]})


def _escalated(incident: Incident, event: IncidentEscalated, at: At) -> Incident:
    lapsed = event.reason == "unacknowledged" and incident.phase.is_held
    return replace(
        incident,
        phase=_waiting(incident) if lapsed else incident.phase,
        acknowledged_by="" if lapsed else incident.acknowledged_by,
        escalated_by=event.by.name if event.by.kind == "person" else "",
    )


def _role_assigned(incident: Incident, event: RoleAssigned, at: At) -> Incident:
    return replace(incident, roles={**incident.roles, event.role: event.person})


def _noted(incident: Incident, event: NoteAdded, at: At) -> Incident:
    if event.by.kind != "person":
        return incident
    return _with_note(incident, Note(event.text, event.by.name, at[1]))


def _with_note(incident: Incident, note: Note) -> Incident:
    return replace(incident, notes=(*incident.notes, note)[-_NOTES_KEPT:])


def _deadline_set(incident: Incident, event: DeadlineSet, at: At) -> Incident:
    deadline = Deadline(event.kind, event.due_at, event.level)
    return replace(incident, deadlines={**incident.deadlines, event.deadline: deadline})


def _deadline_missed(incident: Incident, event: DeadlineMissed, at: At) -> Incident:
    return replace(incident, deadlines=_all_but(incident, event.deadline))


def _target_neared(incident: Incident, event: TargetNeared, at: At) -> Incident:
    return replace(incident, deadlines=_all_but(incident, event.deadline))


def _all_but(incident: Incident, gone: str) -> Mapping[str, Deadline]:
    return {name: deadline for name, deadline in incident.deadlines.items() if name != gone}


def _without(incident: Incident, *kinds: DeadlineKind) -> Mapping[str, Deadline]:
    return {name: deadline for name, deadline in incident.deadlines.items() if deadline.kind not in kinds}


# --- what is done about it --------------------------------------------------------------------------------------------


def _action(state: ActionState, text: str = "") -> Callable[[Incident, Any, At], Incident]:
    """The meaning of an event about an action: it is in `state`; `text` is the field that says more."""

    def meaning(incident: Incident, event: Any, at: At) -> Incident:  # Any: any event about an action
        known = incident.actions.get(event.action)
        action = Action(
            id=event.action,
            runbook=event.runbook,
            step=event.step,
            state=state,
            at=at[1],
            description=getattr(event, "description", "") or (known.description if known else ""),
            detail=getattr(event, text) if text else "",
        )
        others = {name: other for name, other in incident.actions.items() if name != action.id}
        kept = dict(list(others.items())[-_ACTIONS_KEPT + 1 :])
        return replace(incident, actions={**kept, action.id: action})  # the latest stands last

    return meaning


def _proposed(incident: Incident, event: ActionProposed, at: At) -> Incident:
    state = ActionState.PROPOSED if event.needs_approval else ActionState.NEXT
    return _action(state, "because")(incident, event, at)


# --- our own receipts -------------------------------------------------------------------------------------------------


def _delivered(incident: Incident, event: NotificationDelivered, at: At) -> Incident:
    receipt = replace(incident.receipt(event.notification), delivered=True)
    place = Place(event.channel, event.recipient)
    threads = incident.threads
    if event.reference and place not in threads:
        threads = {**threads, place: event.reference}
    return replace(incident, receipts={**incident.receipts, event.notification: receipt}, threads=threads)


def _failed(incident: Incident, event: NotificationFailed, at: At) -> Incident:
    before = incident.receipt(event.notification)
    receipt = replace(before, failures=before.failures + 1)
    return replace(incident, receipts={**incident.receipts, event.notification: receipt})


# Any: each meaning takes the event of its own row; a type that says so cannot be written for a mapping.
_MEANINGS: Mapping[type[Event], Callable[[Incident, Any, At], Incident]] = {
    IncidentOpened: _opened,
    SeverityChanged: _severity_changed,
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
    ImpactStated: _impact_stated,
    OriginSuspected: _origin_suspected,
    WarRoomRequested: _room_requested,
    ResponderAdded: _added,
    ResponderDeclined: _declined,
    StatusUpdated: _updated,
    TargetNeared: _target_neared,
    ResponderPaged: _paged,
    IncidentEscalated: _escalated,
    RoleAssigned: _role_assigned,
    NoteAdded: _noted,
    DeadlineSet: _deadline_set,
    DeadlineMissed: _deadline_missed,
    ActionProposed: _proposed,
    ActionApproved: _action(ActionState.APPROVED),
    ActionClaimed: _action(ActionState.RUNNING),
    ActionSucceeded: _action(ActionState.VERIFYING, "detail"),
    ActionFailed: _action(ActionState.FAILED, "reason"),
    ActionOutcomeUnknown: _action(ActionState.UNKNOWN, "reason"),
    ActionRefused: _action(ActionState.REFUSED, "reason"),
    VerificationPassed: _action(ActionState.HELPED, "detail"),
    VerificationFailed: _action(ActionState.DID_NOT_HELP, "detail"),
    NotificationDelivered: _delivered,
    NotificationFailed: _failed,
}
