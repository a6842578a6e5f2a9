"""Each event as one sentence for people, in the words of the person who reads it at three in the morning."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tocsin_schemas import Actor, DeadlineKind, Event, RunbookOutcome
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
    AutomationStopped,
    CommandRejected,
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
    RunbookFinished,
    RunbookStarted,
    SeverityChanged,
    StatusPagePublished,
    VerificationFailed,
    VerificationPassed,
)
from tocsin_schemas.text import clean_line

__all__ = ["SENTENCES", "UNREADABLE", "clock", "level_name", "name_of", "sentence", "span"]

UNREADABLE = "This entry cannot be read: what is stored is not what was recorded"

_LONGEST = 400


def sentence(event: Event | None) -> str:
    """What happened, on one line. None stands for an entry that cannot be read."""
    if event is None:
        return UNREADABLE
    return clean_line(SENTENCES[type(event)](event), _LONGEST)


# --- words -----------------------------------------------------------------------------------------------------------


def name_of(target: str) -> str:
    """`person:ada` is ada, `channel:slack:#incidents` is #incidents (slack); anything else is itself."""
    match target.split(":", 2):
        case ["person", name] if name:
            return name
        case ["channel", channel, address] if address:
            return f"{address} ({channel})"
        case _:
            return target


def level_name(level: int) -> str:
    """People count levels from 1, the log from 0."""
    return f"level {level + 1}"


def clock(moment: datetime) -> str:
    """The time of day, in UTC."""
    return f"{moment:%H:%M:%S} UTC"


_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def span(duration: timedelta) -> str:
    """How long: `0.4 s`, `12.3 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    seconds = abs(duration.total_seconds())
    sign = "-" if duration < timedelta(0) else ""
    if seconds < 59.95:
        return f"{sign}{seconds:.1f} s"
    whole = round(seconds)
    unit, name, part, part_name = next(row for row in _UNITS if whole >= row[0])
    rest = whole % unit // part
    return f"{sign}{whole // unit} {name} {rest} {part_name}" if rest else f"{sign}{whole // unit} {name}"


def _by(actor: Actor) -> str:
    return f" by {actor.name}" if actor.kind == "person" else ""


def _who(actor: Actor) -> str:
    return actor.name if actor.kind == "person" else "The system"


def _also(text: str) -> str:
    """What follows a colon, if there is anything to say."""
    return f": {text}" if text else ""


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    first = " ".join(lines[0].split()) if lines else ""
    return f"{first} …" if len(lines) > 1 else first


# --- the incident's life ---------------------------------------------------------------------------------------------


def _opened(event: IncidentOpened) -> str:
    return f"Opened as {event.severity}: {event.title}"


def _grouped(event: AlertGrouped) -> str:
    severity = f" ({event.alert.severity})" if event.alert.severity else ""
    return f"Alert {event.alert.rule}{severity} is firing{_also(event.alert.summary)}"


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
}


def _severity(event: SeverityChanged) -> str:
    why = event.because or _WHY_SEVERITY[event.why]
    return f"Severity changed from {event.before} to {event.after}{_by(event.by)}{_also(why)}"


_DUE = {
    DeadlineKind.ACKNOWLEDGE: "Somebody should answer",
    DeadlineKind.RESOLVE: "It should be resolved",
    DeadlineKind.ESCALATE: "If nobody has answered, the next level is told",
    DeadlineKind.UPDATE: "The next status update is due",
    DeadlineKind.WATCH: "If it stays quiet, it is resolved",
    DeadlineKind.CLOSE: "If it stays quiet, it is closed",
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
}


def _missed(event: DeadlineMissed) -> str:
    return f"{_MISSED[event.kind]} ({clock(event.due_at)})"


_WHY_PAGED = {
    "opened": "the incident was opened",
    "escalated": "nobody has answered yet",
    "reopened": "the incident was reopened",
    "severity_raised": "it became more severe",
    "automation_needs_you": "the automation needs a person",
    "page_failed": "another page could not be delivered",
    "command": "somebody asked for it",
}


def _paged(event: ResponderPaged) -> str:
    again = f", round {event.round + 1}" if event.round else ""
    return f"Paged {name_of(event.target)} ({level_name(event.level)}{again}): {_WHY_PAGED[event.reason]}"


_WHY_ESCALATED = {
    "unacknowledged": "nobody has answered",
    "unresolved": "it is not resolved yet",
    "page_failed": "a page could not be delivered",
    "automation_failed": "the automation could not mend it",
    "outcome_unknown": "nobody knows whether an action was carried out",
    "command": "somebody asked for it",
}


def _escalated(event: IncidentEscalated) -> str:
    told = ", ".join(name_of(target) for target in event.targets[:5])
    more = f" and {len(event.targets) - 5} more" if len(event.targets) > 5 else ""
    whom = f" ({told}{more})" if told else ""
    why = _WHY_ESCALATED[event.reason]
    return f"Escalated to {level_name(event.level)}{whom}{_by(event.by)}: {why}"


def _acknowledged(event: IncidentAcknowledged) -> str:
    until = f" until {clock(event.until)}" if event.until else ""
    return f"{_who(event.by)} is on it{until}"


def _role(event: RoleAssigned) -> str:
    return f"{event.person} is {event.role.value.replace('_', ' ')}{_assigned(event)}"


def _assigned(event: RoleAssigned) -> str:
    return f" (assigned{_by(event.by)})" if event.by.kind == "person" and event.by.name != event.person else ""


def _note(event: NoteAdded) -> str:
    return f"{_who(event.by)} noted{_also(_first_line(event.text))}"


def _monitoring(event: IncidentMonitoring) -> str:
    return f"All alerts have cleared; watching until {clock(event.watch_until)}"


def _resumed(event: IncidentResumed) -> str:
    return f"Alert {event.rule} fires again: the incident goes on"


def _resolved(event: IncidentResolved) -> str:
    return f"Resolved{_by(event.by)}{_also(_first_line(event.notes))}"


def _reopened(event: IncidentReopened) -> str:
    return f"Reopened{_by(event.by)}{_also(event.because)}"


def _closed(_: IncidentClosed) -> str:
    return "Closed: it did not come back"


def _muted(event: IncidentMuted) -> str:
    what = {"silence": f"silence {event.name}", "inhibition": event.name, "wait": f"collecting alerts for {event.name}"}
    until = f" until {clock(event.until)}" if event.until is not None else ""
    by = f" by incident {event.explained_by}" if event.explained_by is not None else ""
    return f"Nobody is told{until}: {what[event.why]}{by}{_also(event.because)}"


def _unmuted(event: IncidentUnmuted) -> str:
    return f"People are told from now on{_also(event.because)}"


def _rejected(event: CommandRejected) -> str:
    return f"{event.command}{_by(event.by)} was rejected: {event.reason}"


# --- mitigation ------------------------------------------------------------------------------------------------------


def _runbook_started(event: RunbookStarted) -> str:
    return f"Runbook {event.runbook} begins"


def _proposed(event: ActionProposed) -> str:
    if event.needs_approval:
        return f"Proposed {event.step}, waiting for approval{_also(event.because or event.description)}"
    return f"Next is {event.step}{_also(event.description)}"


def _approved(event: ActionApproved) -> str:
    return f"{_who(event.by)} approved {event.step}"


def _claimed(event: ActionClaimed) -> str:
    attempt = f" (attempt {event.attempt})" if event.attempt > 1 else ""
    return f"Carrying out {event.step}{attempt}"


def _succeeded(event: ActionSucceeded) -> str:
    probe = ", as the target says when asked" if event.found_by_probe else ""
    return f"{event.step} was carried out{probe}{_also(event.detail)}"


def _failed(event: ActionFailed) -> str:
    return f"{event.step} failed and was not carried out: {event.reason}"


def _unknown(event: ActionOutcomeUnknown) -> str:
    return f"Nobody can say whether {event.step} was carried out: {event.reason}"


def _refused(event: ActionRefused) -> str:
    return f"{event.step} is not run: {event.reason}"


def _verified(event: VerificationPassed) -> str:
    return f"{event.step} helped{_also(event.detail)}"


def _unverified(event: VerificationFailed) -> str:
    return f"{event.step} did not help{_also(event.detail)}"


_OUTCOMES = {
    RunbookOutcome.MITIGATED: "has mitigated the incident",
    RunbookOutcome.EXHAUSTED: "has no step left",
    RunbookOutcome.ESCALATED: "asks for a person",
    RunbookOutcome.STOPPED: "was stopped",
}


def _runbook_finished(event: RunbookFinished) -> str:
    return f"Runbook {event.runbook} {_OUTCOMES[event.outcome]}{_also(event.reason)}"


def _automation_stopped(event: AutomationStopped) -> str:
    return f"{_who(event.by)} stopped the automation{_also(event.because)}"


# --- messages --------------------------------------------------------------------------------------------------------


def _delivered(event: NotificationDelivered) -> str:
    tries = f" after {event.attempts} attempts" if event.attempts > 1 else ""
    kind = "Page" if event.page else "Announcement"
    return f"{kind} to {name_of(event.recipient)} delivered by {event.channel}{tries}"


def _undelivered(event: NotificationFailed) -> str:
    then = "; no other channel is left" if event.exhausted else ""
    return f"{event.channel} could not reach {name_of(event.recipient)}{then}: {event.reason}"


def _status_page(event: StatusPagePublished) -> str:
    return f"Status page {event.page} says {event.status}{_also(_first_line(event.message))}"


def _review(event: ReviewDrafted) -> str:
    return f"The review was drafted; it is due on {event.due_at:%Y-%m-%d}"


# `Any`: each sentence takes the event of its own row; a type that says so cannot be written for a mapping.
SENTENCES: Mapping[type[Event], Callable[[Any], str]] = {
    IncidentOpened: _opened,
    AlertGrouped: _grouped,
    AlertCleared: _cleared,
    SeverityChanged: _severity,
    DeadlineSet: _deadline,
    DeadlineMissed: _missed,
    ResponderPaged: _paged,
    IncidentEscalated: _escalated,
    IncidentAcknowledged: _acknowledged,
    RoleAssigned: _role,
    NoteAdded: _note,
    IncidentMonitoring: _monitoring,
    IncidentResumed: _resumed,
    IncidentResolved: _resolved,
    IncidentReopened: _reopened,
    IncidentMuted: _muted,
    IncidentUnmuted: _unmuted,
    IncidentClosed: _closed,
    CommandRejected: _rejected,
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
    NotificationDelivered: _delivered,
    NotificationFailed: _undelivered,
    StatusPagePublished: _status_page,
    ReviewDrafted: _review,
}
