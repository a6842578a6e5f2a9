"""From what a world keeps (its log, its alerts, the messages that left it) to one timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from tocsin_recorder.core.fold import evolve
from tocsin_recorder.core.sentences import sentence
from tocsin_recorder.core.summary import Deadline, Summary, empty
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.cases.offsets import since_start
from tocsin_rehearsal.cases.paging import Paging
from tocsin_rehearsal.cases.seen import Moment, Seen, seen_of
from tocsin_schemas import Envelope, Event, Payload
from tocsin_schemas.events import (
    ActionApproved,
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionProposed,
    ActionRefused,
    ActionSucceeded,
    AlertFired,
    AlertResolved,
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
    NotificationDelivered,
    NotificationFailed,
    OriginSuspected,
    ResponderAnswered,
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
from tocsin_schemas.text import clean_line

_LONGEST = 120


class SentMessage(Protocol):
    """A message that arrived, as a world keeps it."""

    @property
    def at(self) -> timedelta:
        """Since the start."""

    @property
    def channel(self) -> str:
        """Its name in the playbook."""

    @property
    def address(self) -> str:
        """Where in the channel."""

    @property
    def id(self) -> str:
        """The notification's, as the log has it."""

    @property
    def notification(self) -> str:
        """What it is about: page, opened, resolved, …"""

    @property
    def incident(self) -> str:
        """The incident's id."""

    @property
    def text(self) -> str:
        """All of it."""


def fill(
    log: Sequence[Envelope[Event]],
    alerts: Iterable[Envelope[Payload]],
    messages: Iterable[SentMessage],
    *,
    start: datetime,
    until: timedelta,
) -> Seen:
    """What has been seen of a world that began at `start` and ran until `until` after it."""
    people = _people(log)
    told = (_message(sent, people.get(sent.id)) for sent in messages)
    return seen_of([*_alerts(alerts, start), *_Log(start).moments(log), *told], until)


# --- alerts ----------------------------------------------------------------------------------------------------------


def _alerts(alerts: Iterable[Envelope[Payload]], start: datetime) -> Iterator[Moment]:
    """Beginnings, ends and changes of severity; that an alert is kept up is no news."""
    firing: dict[str, str | None] = {}
    for envelope in alerts:
        event, at = envelope.data, envelope.time - start
        match event:
            case AlertFired(episode=episode, severity=severity):
                if firing.get(episode, "") != severity:
                    firing[episode] = severity
                    yield _event(envelope, event, at, start)
                    yield _alert(event, at, "firing", severity)
            case AlertResolved(episode=episode):
                if episode in firing:
                    yield _event(envelope, event, at, start)
                    yield _alert(event, at, "ended", firing.pop(episode))
            case _:
                pass


def _alert(event: AlertFired | AlertResolved, at: timedelta, state: str, severity: str | None) -> Moment:
    named = f"alert {event.rule}"
    kept = ", ".join(f"{name}={value}" for name, value in event.labels.items() if name != "alertname")
    text = f"{named} fires ({severity or 'no severity'})" if state == "firing" else f"{named} ends"
    return Moment(
        at,
        "alert",
        f"{text} {{{kept}}}" if kept else text,
        {
            "alert": event.episode,
            "state": state,
            "name": event.rule,
            "severity": severity,
            "source": event.source,
            "labels": dict(event.labels),
        },
    )


# --- the log ---------------------------------------------------------------------------------------------------------


_STANDING = frozenset({
    IncidentOpened, SeverityChanged, DeadlineSet, DeadlineMissed, IncidentEscalated, IncidentAcknowledged,
    IncidentMonitoring, IncidentResumed, IncidentResolved, IncidentReopened, IncidentClosed, IncidentMuted,
    IncidentUnmuted, ResponderPaged, ResponderAnswered, ResponderDeclined, StatusUpdated, TargetNeared,
    RoleAssigned, ImpactStated, OriginSuspected, WarRoomRequested,
})  # fmt: skip
"""The events after which an incident's phase, severity or deadlines can be others, or what else a test asks
of it. Only these are folded: most of a
log is about messages and actions."""


class _Log:
    """Incidents as they stand after each event, told as moments."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._incidents: dict[str, Summary] = {}
        self._paging = Paging()

    def moments(self, log: Iterable[Envelope[Event]]) -> Iterator[Moment]:
        for envelope in log:
            at, event = envelope.time - self._start, envelope.data
            yield _event(envelope, event, at, self._start)
            if type(event) in _STANDING:
                yield from self._stands(envelope, at)
            yield from self._paging.moments(envelope, at)
            if (outcome := _OUTCOMES.get(type(event))) is not None:
                yield _action(event, at, outcome, envelope.incident)

    def _stands(self, envelope: Envelope[Event], at: timedelta) -> Iterator[Moment]:
        before = self._incidents.get(envelope.incident) or empty(envelope.incident)
        after = self._incidents[envelope.incident] = evolve(before, envelope)
        if before.opened_at is None or _standing(before) != _standing(after):
            yield _incident(after, at, since_start(sentence(envelope.data), envelope.data, self._start))
        yield from _deadlines(before, after, at, self._start)


def _standing(summary: Summary) -> dict[str, object]:
    """What tests ask of an incident as it stands."""
    return {
        "phase": summary.phase.value,
        "severity": summary.severity,
        "roles": dict(summary.roles),
        "impact": summary.impact.model_dump(exclude_none=True) if summary.impact is not None else {},
        "part_of": summary.part_of,
        "origin": summary.origin.service if summary.origin is not None else None,
        "war_room": summary.war_room.name if summary.war_room is not None else None,
    }


def _incident(summary: Summary, at: timedelta, said: str) -> Moment:
    fields = {
        "incident": summary.incident,
        **_standing(summary),
        "title": summary.title,
        "labels": dict(summary.labels),
    }
    return Moment(at, "incident", f"incident {summary.phase.value}, {summary.severity}: {said}", fields)


def _deadlines(before: Summary, after: Summary, at: timedelta, start: datetime) -> Iterator[Moment]:
    left = {deadline.id: deadline for deadline in after.deadlines}
    known = {deadline.id: deadline for deadline in before.deadlines}
    for name, deadline in known.items():
        if name not in left:
            yield _deadline(deadline, at, "over", after.incident, start)
    for name, deadline in left.items():
        if known.get(name) != deadline:
            yield _deadline(deadline, at, "open", after.incident, start)


def _deadline(deadline: Deadline, at: timedelta, state: str, incident: str, start: datetime) -> Moment:
    due = deadline.due_at - start
    level = f" to level {deadline.level + 1}" if deadline.level is not None else ""
    said = f"is due at {shown(due)}" if state == "open" else "is not due any more"
    fields = {
        "deadline": deadline.id,
        "state": state,
        "kind": deadline.kind.value,
        "due": due,
        "level": None if deadline.level is None else deadline.level + 1,
        "incident": incident,
    }
    return Moment(at, "deadline", f"{deadline.kind.value}{level} {said}", fields)


_OUTCOMES: Mapping[type[Event], str] = {
    ActionProposed: "proposed",
    ActionApproved: "approved",
    ActionClaimed: "started",
    ActionSucceeded: "succeeded",
    ActionFailed: "failed",
    ActionOutcomeUnknown: "unknown",
    ActionRefused: "refused",
    VerificationPassed: "helped",
    VerificationFailed: "did_not_help",
}


def _action(event: Any, at: timedelta, outcome: str, incident: str) -> Moment:  # Any: one of _OUTCOMES
    fields = {"outcome": outcome, "runbook": event.runbook, "step": event.step, "incident": incident}
    return Moment(at, "action", sentence(event), fields)


def _event(envelope: Envelope[Payload], event: Event, at: timedelta, start: datetime) -> Moment:
    said = since_start(_ALERT_SENTENCES.get(type(event), sentence)(event), event, start)
    fields = {**event.model_dump(mode="json"), "type": type(event).__name__, "incident": envelope.incident}
    return Moment(at, "event", f"{type(event).__name__}: {said}", fields)


# Any: each row takes the event of its own type. The recorder has no sentences for alerts: they are in no log of its.
_ALERT_SENTENCES: Mapping[type[Event], Callable[[Any], str]] = {
    AlertFired: lambda event: f"{event.rule} {event.summary}".rstrip(),
    AlertResolved: lambda event: f"{event.rule} {event.reason}",
}


# --- messages --------------------------------------------------------------------------------------------------------


def _people(log: Iterable[Envelope[Event]]) -> dict[str, str]:
    """Whom each notification was for, where that is a person: the log says so when it says what became of it."""
    told = (each.data for each in log if isinstance(each.data, NotificationDelivered | NotificationFailed))
    named = ((event.notification, event.recipient.partition(":")) for event in told)
    return {name: person for name, (kind, _, person) in named if kind == "person"}


def _message(sent: SentMessage, person: str | None) -> Moment:
    fields = {
        "channel": sent.channel,
        "to": sent.address,
        "person": person,
        "about": sent.notification,
        "text": sent.text,
        "incident": sent.incident,
    }
    headline = clean_line(next(filter(None, map(str.strip, sent.text.splitlines())), ""), _LONGEST)
    where = f"{sent.channel} to {sent.address}"
    return Moment(sent.at, "message", f"message by {where} ({sent.notification}): {headline}", fields)
