"""What happens to the incident itself, as sentences: its life, its severity, its alerts, what is due."""

from collections.abc import Callable, Mapping
from typing import Any

from tocsin_recorder.core.impact import impact_phrases
from tocsin_recorder.core.words import also, by, clock, first_line, level_name
from tocsin_schemas import DeadlineKind, Event
from tocsin_schemas.events import (
    AlertCleared,
    AlertGrouped,
    AlertMoved,
    CommandRejected,
    DeadlineMissed,
    DeadlineSet,
    ImpactStated,
    IncidentClosed,
    IncidentLinked,
    IncidentMonitoring,
    IncidentMuted,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentUnmuted,
    OriginSuspected,
    SeverityChanged,
    SeverityReleased,
    TargetNeared,
)

__all__ = ["LIFE"]


def _opened(event: IncidentOpened) -> str:
    return f"Opened as {event.severity}: {event.title}"


def _grouped(event: AlertGrouped) -> str:
    severity = f" ({event.alert.severity})" if event.alert.severity else ""
    return f"Alert {event.alert.rule}{severity} is firing{also(event.alert.summary)}"


_CLEARED = {
    "recovered": "has recovered",
    "expired": "was not heard of any more",
    "withdrawn": "was withdrawn",
    "replaced": "goes on as another firing",
}


def _cleared(event: AlertCleared) -> str:
    return f"Alert {event.rule} {_CLEARED[event.reason]}"


_WHY_SEVERITY = {
    "alert": "an alert became worse",
    "classification": "the playbook's classification",
    "person": "",
    "time": "it has lasted too long",
    "merge": "an incident that is a part of it is more severe",
    "released": "nobody holds it any more",
}


def _severity(event: SeverityChanged) -> str:
    why = event.because or _WHY_SEVERITY[event.why]
    return f"Severity changed from {event.before} to {event.after}{by(event.by)}{also(why)}"


def _released(event: SeverityReleased) -> str:
    return f"Severity released{by(event.by)}: alerts, conditions and time may change it again"


def _impact(event: ImpactStated) -> str:
    known = ", ".join(impact_phrases(event.impact)) or "nothing is known"
    return f"Impact{by(event.by)}: {known}"


def _origin(event: OriginSuspected) -> str:
    return f"It seems to come from {event.service}{also(event.because)}"


_DUE = {
    DeadlineKind.ACKNOWLEDGE: "Somebody should answer",
    DeadlineKind.RESOLVE: "It should be resolved",
    DeadlineKind.ESCALATE: "If nobody has answered, the next level is told",
    DeadlineKind.UPDATE: "The next status update is due",
    DeadlineKind.WATCH: "If it stays quiet, it is resolved",
    DeadlineKind.CLOSE: "If it stays quiet, it is closed",
    DeadlineKind.MUTE: "Whether people are told of it is looked at again",
    DeadlineKind.CONTACT: "If nobody has answered, the page is repeated in another way",
    DeadlineKind.ACKNOWLEDGE_SOON: "If nobody has answered, a warning is given",
    DeadlineKind.RESOLVE_SOON: "If it is not resolved, a warning is given",
}
_BY = {DeadlineKind.ACKNOWLEDGE: "by", DeadlineKind.RESOLVE: "by"}


def _deadline(event: DeadlineSet) -> str:
    if event.kind is DeadlineKind.ESCALATE and event.level is None:
        return f"If it still lasts at {clock(event.due_at)}, it becomes more severe"
    level = f" ({level_name(event.level)})" if event.level is not None else ""
    return f"{_DUE[event.kind]}{level} {_BY.get(event.kind, 'at')} {clock(event.due_at)}"


_MISSED = {
    DeadlineKind.ACKNOWLEDGE: "Nobody answered in time",
    DeadlineKind.RESOLVE: "It was not resolved in time",
    DeadlineKind.ESCALATE: "The next step of the escalation is due",
    DeadlineKind.UPDATE: "A status update is due",
    DeadlineKind.WATCH: "The watch is over",
    DeadlineKind.CLOSE: "The time in which it could be reopened is over",
    DeadlineKind.MUTE: "What keeps people from being told may be over",
    DeadlineKind.CONTACT: "A page was not answered",
    DeadlineKind.ACKNOWLEDGE_SOON: "It is nearly too late to answer in time",
    DeadlineKind.RESOLVE_SOON: "It is nearly too late to resolve it in time",
}


def _missed(event: DeadlineMissed) -> str:
    return f"{_MISSED[event.kind]} ({clock(event.due_at)})"


_NEARED = {"acknowledge": "Nobody has answered, and somebody should", "resolve": "It is not resolved, and should be"}


def _neared(event: TargetNeared) -> str:
    return f"{_NEARED[event.target]} by {clock(event.due_at)}"


def _monitoring(event: IncidentMonitoring) -> str:
    return f"All alerts have cleared; watching until {clock(event.watch_until)}"


def _resumed(event: IncidentResumed) -> str:
    return f"Alert {event.rule} fires again: the incident goes on"


def _resolved(event: IncidentResolved) -> str:
    how = "Resolved as a false alarm" if event.false_alarm else "Resolved"
    return f"{how}{by(event.by)}{also(first_line(event.notes))}"


def _reopened(event: IncidentReopened) -> str:
    return f"Reopened{by(event.by)}{also(event.because)}"


def _closed(_: IncidentClosed) -> str:
    return "Closed: it did not come back"


_MUTED = {"silence": "silence {}", "inhibition": "{}", "wait": "collecting alerts for {}"}


def _muted(event: IncidentMuted) -> str:
    until = f" until {clock(event.until)}" if event.until is not None else ""
    if event.why in ("merge", "correlation"):
        other = f"incident {event.explained_by} ({event.name})" if event.explained_by is not None else event.name
        return f"It is a part of {other}, of which people are told instead{until}{also(event.because)}"
    what = _MUTED[event.why].format(event.name)
    cause = f" by incident {event.explained_by}" if event.explained_by is not None else ""
    return f"Nobody is told{until}: {what}{cause}{also(event.because)}"


def _unmuted(event: IncidentUnmuted) -> str:
    return f"People are told from now on{also(event.because)}"


def _moved(event: AlertMoved) -> str:
    return f"Alert {event.rule} is part of incident {event.to} from now on"


_RELATIONS = {
    "absorbed": "Incident {} was merged into this one",
    "absorbed_by": "It was merged into incident {}",
    "split_from": "It was split from incident {}",
    "split_into": "What was split from it is incident {}",
    "related": "It has to do with incident {}",
}


def _linked(event: IncidentLinked) -> str:
    linked = f", says {event.by.name}" if event.by.kind == "person" else ""
    return f"{_RELATIONS[event.relation].format(event.other)}{linked}{also(event.because)}"


def _rejected(event: CommandRejected) -> str:
    return f"{event.command}{by(event.by)} was rejected: {event.reason}"


# `Any`: each sentence takes the event of its own row; a type that says so cannot be written for a mapping.
LIFE: Mapping[type[Event], Callable[[Any], str]] = {
    IncidentOpened: _opened,
    AlertGrouped: _grouped,
    AlertCleared: _cleared,
    SeverityChanged: _severity,
    SeverityReleased: _released,
    ImpactStated: _impact,
    OriginSuspected: _origin,
    DeadlineSet: _deadline,
    DeadlineMissed: _missed,
    TargetNeared: _neared,
    IncidentMonitoring: _monitoring,
    IncidentResumed: _resumed,
    IncidentResolved: _resolved,
    IncidentReopened: _reopened,
    IncidentClosed: _closed,
    IncidentMuted: _muted,
    IncidentUnmuted: _unmuted,
    AlertMoved: _moved,
    IncidentLinked: _linked,
    CommandRejected: _rejected,
}
