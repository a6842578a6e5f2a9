"""What each event means for the summary of its incident. Total: any event folds after any others."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tocsin_recorder.core.mitigation import MITIGATION, is_being_worked_on
from tocsin_recorder.core.summary import (
    KEPT,
    Alert,
    Deadline,
    Page,
    Phase,
    Reason,
    Stage,
    Stages,
    Summary,
    empty,
    enter,
    put,
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
    NoteAdded,
    NotificationDelivered,
    NotificationFailed,
    ResponderPaged,
    ReviewDrafted,
    RoleAssigned,
    SeverityChanged,
    StatusPagePublished,
)

__all__ = ["FOLD_VERSION", "evolve", "fold"]

FOLD_VERSION = 1
"""Raised whenever a summary comes out otherwise than before: stored ones of another version are folded anew."""

K = DeadlineKind


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
        phase=Phase.ACKNOWLEDGED if summary.phase is Phase.TRIGGERED else summary.phase,
        acknowledged_at=summary.acknowledged_at or at,
        acknowledged_by=event.by.name,
        acknowledged_until=event.until,
        deadlines=_without_next_level(_without(summary, K.ACKNOWLEDGE)),
    )


def _monitoring(summary: Summary, event: IncidentMonitoring, at: datetime) -> Summary:
    summary = enter(summary, Stage.MONITOR, at)
    return replace(
        summary, phase=Phase.MONITORING, mitigated_at=at, deadlines=_without(summary, K.ACKNOWLEDGE, K.ESCALATE)
    )


def _resumed(summary: Summary, event: IncidentResumed, at: datetime) -> Summary:
    held = summary.acknowledged_by is not None and (
        summary.acknowledged_until is None or at < summary.acknowledged_until
    )
    summary = enter(summary, Stage.MITIGATE if held else Stage.RESPOND, at)
    return replace(
        summary,
        phase=Phase.ACKNOWLEDGED if held else Phase.TRIGGERED,
        acknowledged_by=summary.acknowledged_by if held else None,
        acknowledged_until=summary.acknowledged_until if held else None,
        mitigated_at=None,
        deadlines=_without(summary, K.WATCH),
    )


def _resolved(summary: Summary, event: IncidentResolved, at: datetime) -> Summary:
    summary = enter(summary, None, at)
    mitigated_at = summary.mitigated_at or at
    return replace(summary, phase=Phase.RESOLVED, resolved_at=at, mitigated_at=mitigated_at, deadlines=())


def _reopened(summary: Summary, event: IncidentReopened, at: datetime) -> Summary:
    summary = enter(summary, Stage.RESPOND, at)
    return replace(
        summary,
        phase=Phase.TRIGGERED,
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
    kept = _without(summary, K.ACKNOWLEDGE, K.RESOLVE, K.ESCALATE, K.UPDATE) if summary.active else summary.deadlines
    return replace(summary, severity=event.after, deadlines=kept)


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


def _same_firing(alert: Alert, fingerprint: str, episode: str) -> bool:
    return alert.fingerprint == fingerprint and alert.episode == episode


# --- deadlines and pages ---------------------------------------------------------------------------------------------


def _deadline_set(summary: Summary, event: DeadlineSet, at: datetime) -> Summary:
    """Of each kind one is next; setting it replaces the one before, as the escalator means it.

    An escalation without a level is another kind of thing: the severity rises if it lasts until then.
    """
    deadline = Deadline(event.deadline, event.kind, event.due_at, event.level)
    is_same = (event.kind, event.level is None)
    others = tuple(other for other in summary.deadlines if (other.kind, other.level is None) != is_same)
    return replace(summary, deadlines=(*others, deadline))


def _missed(summary: Summary, event: DeadlineMissed, at: datetime) -> Summary:
    left = tuple(deadline for deadline in summary.deadlines if deadline.id != event.deadline)
    return replace(summary, deadlines=left, missed=summary.missed + (event.kind in (K.ACKNOWLEDGE, K.RESOLVE)))


def _escalated(summary: Summary, event: IncidentEscalated, at: datetime) -> Summary:
    lapsed = (
        event.reason == "unacknowledged"
        and summary.phase is Phase.ACKNOWLEDGED
        and summary.acknowledged_until is not None
        and at >= summary.acknowledged_until
    )
    if lapsed:
        summary = replace(summary, phase=Phase.TRIGGERED, acknowledged_by=None, acknowledged_until=None)
    level = max(event.level, summary.level if summary.level is not None else 0)
    return replace(summary, level=level, deadlines=_without_next_level(summary.deadlines))


def _paged(summary: Summary, event: ResponderPaged, at: datetime) -> Summary:
    page = Page(event.page, event.target, event.level, event.round, at)
    people = summary.paged
    if event.target not in people and len(people) < KEPT:
        people = (*people, event.target)
    return replace(
        summary,
        pages=put(summary.pages, page, lambda p: p.id == page.id),
        pages_sent=summary.pages_sent + 1,
        paged=people,
        level=max(event.level, summary.level if summary.level is not None else 0),
    )


def _delivered(summary: Summary, event: NotificationDelivered, at: datetime) -> Summary:
    def arrived(page: Page) -> Page:
        by = page.delivered_by if event.channel in page.delivered_by else (*page.delivered_by, event.channel)[:KEPT]
        return replace(page, delivered_at=page.delivered_at or at, delivered_by=by)

    return replace(summary, pages=_change(summary.pages, event.page, arrived), delivered=summary.delivered + 1)


def _undelivered(summary: Summary, event: NotificationFailed, at: datetime) -> Summary:
    def refused(page: Page) -> Page:
        by = page.failed_by if event.channel in page.failed_by else (*page.failed_by, event.channel)[:KEPT]
        return replace(page, failed_by=by)

    return replace(summary, pages=_change(summary.pages, event.page, refused), undelivered=summary.undelivered + 1)


def _change(pages: tuple[Page, ...], name: str | None, change: Callable[[Page], Page]) -> tuple[Page, ...]:
    return pages if name is None else tuple(change(page) if page.id == name else page for page in pages)


# --- the rest -------------------------------------------------------------------------------------------------------


def _status_page(summary: Summary, event: StatusPagePublished, at: datetime) -> Summary:
    return replace(summary, status_page=event.status)


def _review(summary: Summary, event: ReviewDrafted, at: datetime) -> Summary:
    return replace(summary, review_due_at=event.due_at)


def _without_next_level(deadlines: tuple[Deadline, ...]) -> tuple[Deadline, ...]:
    return tuple(deadline for deadline in deadlines if deadline.kind is not K.ESCALATE or deadline.level is None)


def _muted(summary: Summary, event: IncidentMuted, at: datetime) -> Summary:
    return replace(summary, deadlines=_without(summary, K.ACKNOWLEDGE, K.RESOLVE, K.ESCALATE, K.UPDATE, K.MUTE))


def _unmuted(summary: Summary, event: IncidentUnmuted, at: datetime) -> Summary:
    return replace(summary, deadlines=_without(summary, K.MUTE))


def _without(summary: Summary, *kinds: DeadlineKind) -> tuple[Deadline, ...]:
    return tuple(deadline for deadline in summary.deadlines if deadline.kind not in kinds)


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
    SeverityChanged: _severity,
    RoleAssigned: _role,
    NoteAdded: _note,
    AlertGrouped: _grouped,
    AlertCleared: _cleared,
    DeadlineSet: _deadline_set,
    DeadlineMissed: _missed,
    IncidentEscalated: _escalated,
    ResponderPaged: _paged,
    NotificationDelivered: _delivered,
    NotificationFailed: _undelivered,
    **MITIGATION,
    StatusPagePublished: _status_page,
    ReviewDrafted: _review,
}
