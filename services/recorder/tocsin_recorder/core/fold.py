"""What each event means for the summary of its incident. Total: any event folds after any others."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tocsin_recorder.core.deadlines import DEADLINES, OF_A_SEVERITY, OF_AN_ANSWER, without, without_next_level
from tocsin_recorder.core.mitigation import MITIGATION, is_being_worked_on
from tocsin_recorder.core.paging import PAGING
from tocsin_recorder.core.summary import (
    Alert,
    Linked,
    Mute,
    Origin,
    Phase,
    Reason,
    Stage,
    Stages,
    StatusUpdate,
    Summary,
    WarRoom,
    empty,
    enter,
    nobody_has_it,
    put,
)
from tocsin_schemas import DeadlineKind, Envelope, Event
from tocsin_schemas.events import (
    AlertCleared,
    AlertGrouped,
    AlertMoved,
    ImpactStated,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentLinked,
    IncidentMonitoring,
    IncidentMuted,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentUnmuted,
    NoteAdded,
    OriginSuspected,
    ReviewDrafted,
    RoleAssigned,
    SeverityChanged,
    SeverityReleased,
    StatusPagePublished,
    StatusUpdated,
    WarRoomRequested,
)
from tocsin_schemas.text import clean_text

__all__ = ["FOLD_VERSION", "evolve", "fold"]

FOLD_VERSION = 2
"""Raised whenever a summary comes out otherwise than before: stored ones of another version are folded anew."""

K = DeadlineKind
_LONGEST_UPDATE = 2_000


def fold(incident: str, events: Iterable[Envelope[Event]]) -> Summary:
    """The summary of an incident of which these are all events."""
    summary = empty(incident)
    for event in events:
        summary = evolve(summary, event)
    return summary


def evolve(summary: Summary, event: Envelope[Event]) -> Summary:
    """The summary after this event. Events without a meaning of their own are counted."""
    meaning = _MEANINGS.get(type(event.data))
    if meaning is not None:
        summary = meaning(summary, event.data, event.time)
    return replace(summary, entries=summary.entries + 1, updated_at=event.time)


# --- its life --------------------------------------------------------------------------------------------------------


def _opened(summary: Summary, event: IncidentOpened, at: datetime) -> Summary:
    if summary.opened_at is not None:
        return summary
    return replace(
        summary,
        title=event.title,
        text=event.summary,
        severity=event.severity,
        labels=tuple(event.labels.items()),
        playbook=Reason(event.playbook.name, event.playbook.revision),
        previous=event.previous,
        started_at=event.started_at,
        opened_at=at,
        stage=Stage.RESPOND,
        stage_since=at,
        stages=Stages(detect=max(at - event.started_at, timedelta())),
    )


def _acknowledged(summary: Summary, event: IncidentAcknowledged, at: datetime) -> Summary:
    summary = is_being_worked_on(summary, at)
    return replace(
        summary,
        phase=summary.work if summary.phase.is_waiting else summary.phase,
        acknowledged_at=summary.acknowledged_at or at,
        acknowledged_by=event.by.name,
        acknowledged_until=event.until,
        waiting_for=(),
        declined=tuple(person for person in summary.declined if person != event.by.name),
        deadlines=without_next_level(without(summary, *OF_AN_ANSWER)),
    )


def _status_updated(summary: Summary, event: StatusUpdated, at: datetime) -> Summary:
    """How far the work is moves an incident that somebody is on; no other."""
    said = StatusUpdate(clean_text(event.text, _LONGEST_UPDATE), event.by.name, at)
    due = without(summary, K.UPDATE)
    summary = replace(summary, last_update=said, updates=summary.updates + 1, deadlines=due)
    if event.status is None or not summary.phase.is_held:
        return summary
    return replace(summary, phase=Phase(event.status), work=Phase(event.status))


def _monitoring(summary: Summary, event: IncidentMonitoring, at: datetime) -> Summary:
    summary = enter(summary, Stage.MONITOR, at)
    return replace(
        summary,
        phase=Phase.MONITORING,
        mitigated_at=at,
        waiting_for=(),
        deadlines=without(summary, *OF_AN_ANSWER, K.ESCALATE),
    )


def _resumed(summary: Summary, event: IncidentResumed, at: datetime) -> Summary:
    held = summary.acknowledged_by is not None and (
        summary.acknowledged_until is None or at < summary.acknowledged_until
    )
    summary = enter(summary, Stage.MITIGATE if held else Stage.RESPOND, at)
    return replace(
        summary,
        phase=summary.work if held else nobody_has_it(summary),
        acknowledged_by=summary.acknowledged_by if held else None,
        acknowledged_until=summary.acknowledged_until if held else None,
        mitigated_at=None,
        deadlines=without(summary, K.WATCH),
    )


def _resolved(summary: Summary, event: IncidentResolved, at: datetime) -> Summary:
    summary = enter(summary, None, at)
    mitigated_at = summary.mitigated_at or at
    false_alarm = bool(event.false_alarm)
    return replace(
        summary,
        phase=Phase.FALSE_ALARM if false_alarm else Phase.RESOLVED,
        false_alarm=false_alarm,
        resolved_at=at,
        mitigated_at=mitigated_at,
        waiting_for=(),
        deadlines=(),
    )


def _reopened(summary: Summary, event: IncidentReopened, at: datetime) -> Summary:
    summary = enter(summary, Stage.RESPOND, at)
    return replace(
        summary,
        phase=Phase.REOPENED,
        work=Phase.ACKNOWLEDGED,
        false_alarm=False,
        mute=None,
        waiting_for=(),
        declined=(),
        resolved_at=None,
        mitigated_at=None,
        acknowledged_by=None,
        acknowledged_until=None,
        deadlines=(),
        reopened=summary.reopened + 1,
    )


def _closed(summary: Summary, event: IncidentClosed, at: datetime) -> Summary:
    return replace(enter(summary, None, at), phase=Phase.CLOSED, closed_at=at, deadlines=())


# --- its severity, people and alerts ---------------------------------------------------------------------------------


def _severity(summary: Summary, event: SeverityChanged, at: datetime) -> Summary:
    kept = without(summary, *OF_A_SEVERITY) if summary.active else summary.deadlines
    held_by = event.by.name if event.why == "person" else None
    return replace(summary, severity=event.after, severity_held_by=held_by, deadlines=kept)


def _severity_released(summary: Summary, event: SeverityReleased, at: datetime) -> Summary:
    return replace(summary, severity_held_by=None)


def _impact(summary: Summary, event: ImpactStated, at: datetime) -> Summary:
    return replace(summary, impact=event.impact)


def _origin(summary: Summary, event: OriginSuspected, at: datetime) -> Summary:
    return replace(summary, origin=Origin(event.service, event.because))


def _war_room(summary: Summary, event: WarRoomRequested, at: datetime) -> Summary:
    return replace(summary, war_room=WarRoom(event.channel, event.name))


def _role(summary: Summary, event: RoleAssigned, at: datetime) -> Summary:
    return replace(summary, roles=tuple(sorted({**dict(summary.roles), event.role.value: event.person}.items())))


def _note(summary: Summary, event: NoteAdded, at: datetime) -> Summary:
    return replace(summary, notes=summary.notes + 1)


def _grouped(summary: Summary, event: AlertGrouped, at: datetime) -> Summary:
    told = event.alert
    alert = Alert(told.fingerprint, told.episode, told.rule, told.severity or "", told.summary, told.starts_at)
    known = next((a for a in summary.alerts if _same_firing(a, told.fingerprint, told.episode)), None)
    if known is not None:
        alert = replace(alert, ends_at=known.ends_at)
        return replace(summary, alerts=put(summary.alerts, alert, lambda a: a is known))
    return replace(
        summary,
        alerts=put(summary.alerts, alert, lambda a: False),
        alerts_seen=summary.alerts_seen + 1,
        alerts_firing=summary.alerts_firing + 1,
    )


def _cleared(summary: Summary, event: AlertCleared, at: datetime) -> Summary:
    known = next((a for a in summary.alerts if _same_firing(a, event.fingerprint, event.episode)), None)
    if known is None:
        unlisted = summary.alerts_seen > len(summary.alerts)
        return replace(summary, alerts_firing=max(summary.alerts_firing - unlisted, 0))
    if known.ends_at is not None:
        return summary
    ended = replace(known, ends_at=event.ends_at)
    return replace(
        summary,
        alerts=put(summary.alerts, ended, lambda a: a is known),
        alerts_firing=max(summary.alerts_firing - 1, 0),
    )


def _moved(summary: Summary, event: AlertMoved, at: datetime) -> Summary:
    """The alert is another incident's from now on: neither listed nor counted here."""
    known = next((a for a in summary.alerts if _same_firing(a, event.fingerprint, event.episode)), None)
    is_unlisted = known is None and summary.alerts_seen > len(summary.alerts)
    if known is None and not is_unlisted:
        return summary
    was_firing = is_unlisted or (known is not None and known.ends_at is None)
    return replace(
        summary,
        alerts=tuple(alert for alert in summary.alerts if alert is not known),
        alerts_seen=summary.alerts_seen - 1,
        alerts_firing=max(summary.alerts_firing - was_firing, 0),
    )


def _same_firing(alert: Alert, fingerprint: str, episode: str) -> bool:
    return alert.fingerprint == fingerprint and alert.episode == episode


# --- the rest -------------------------------------------------------------------------------------------------------


def _status_page(summary: Summary, event: StatusPagePublished, at: datetime) -> Summary:
    return replace(summary, status_page=event.status)


def _review(summary: Summary, event: ReviewDrafted, at: datetime) -> Summary:
    return replace(summary, review_due_at=event.due_at)


def _muted(summary: Summary, event: IncidentMuted, at: datetime) -> Summary:
    mute = Mute(event.why, event.name, event.explained_by)
    due = without(summary, *OF_A_SEVERITY, K.CONTACT, K.MUTE)
    return replace(summary, mute=mute, waiting_for=(), deadlines=due)


def _unmuted(summary: Summary, event: IncidentUnmuted, at: datetime) -> Summary:
    return replace(summary, mute=None, deadlines=without(summary, K.MUTE))


def _linked(summary: Summary, event: IncidentLinked, at: datetime) -> Summary:
    """One link for each incident: what was said last of it."""
    is_known = any(link.incident == event.other for link in summary.links)
    links = put(summary.links, Linked(event.other, event.relation), lambda link: link.incident == event.other)
    return replace(summary, links=links, links_seen=summary.links_seen + (not is_known))


# `Any`: each meaning takes the event of its own row; a type that says so cannot be written for a mapping.
_MEANINGS: Mapping[type[Event], Callable[[Summary, Any, datetime], Summary]] = {
    IncidentOpened: _opened,
    IncidentAcknowledged: _acknowledged,
    IncidentMonitoring: _monitoring,
    IncidentResumed: _resumed,
    IncidentResolved: _resolved,
    IncidentReopened: _reopened,
    IncidentClosed: _closed,
    IncidentMuted: _muted,
    IncidentUnmuted: _unmuted,
    IncidentLinked: _linked,
    SeverityChanged: _severity,
    SeverityReleased: _severity_released,
    ImpactStated: _impact,
    OriginSuspected: _origin,
    WarRoomRequested: _war_room,
    StatusUpdated: _status_updated,
    RoleAssigned: _role,
    NoteAdded: _note,
    AlertGrouped: _grouped,
    AlertCleared: _cleared,
    AlertMoved: _moved,
    **DEADLINES,
    **PAGING,
    **MITIGATION,
    StatusPagePublished: _status_page,
    ReviewDrafted: _review,
}
