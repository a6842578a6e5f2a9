"""How things look: which sign and which tone an entry has, how a moment, an offset and a share are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin_recorder.core.summary import ActionState, Mute, Phase, Stage, Stages, Summary
from tocsin_recorder.core.words import listed, span
from tocsin_schemas import Event
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
    AutomationStopped,
    CommandRejected,
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
    NoteAdded,
    NotificationDelivered,
    NotificationFailed,
    OriginSuspected,
    RequestRefused,
    ResponderAdded,
    ResponderAnswered,
    ResponderDeclined,
    ResponderPaged,
    ReviewDrafted,
    RoleAssigned,
    RunbookFinished,
    RunbookStarted,
    SeverityChanged,
    SeverityReleased,
    StatusPagePublished,
    StatusUpdated,
    TargetNeared,
    VerificationFailed,
    VerificationPassed,
    WarRoomRequested,
)

__all__ = ["ACTIONS", "LOOKS", "Look", "Segment", "headline", "moment", "offset", "segments", "tampered"]


@dataclass(frozen=True, slots=True)
class Look:
    """A sign (a symbol of `_signs.html`), a tone (a class of `console.css`), and whether it is bookkeeping."""

    sign: str
    tone: str = "plain"
    quiet: bool = False


LOOKS: Mapping[type[Event], Look] = {
    IncidentOpened: Look("bell", "bad"),
    AlertGrouped: Look("pulse", "warn"),
    AlertCleared: Look("pulse", "good"),
    SeverityChanged: Look("steps", "warn"),
    DeadlineSet: Look("clock", quiet=True),
    DeadlineMissed: Look("clock", "bad"),
    ResponderPaged: Look("phone", "warn"),
    IncidentEscalated: Look("steps", "bad"),
    IncidentAcknowledged: Look("person", "good"),
    RoleAssigned: Look("person"),
    NoteAdded: Look("pen"),
    IncidentMonitoring: Look("eye", "good"),
    IncidentResumed: Look("bell", "bad"),
    IncidentResolved: Look("check", "good"),
    IncidentReopened: Look("bell", "bad"),
    IncidentMuted: Look("eye"),
    IncidentUnmuted: Look("bell", "bad"),
    IncidentClosed: Look("check", quiet=True),
    CommandRejected: Look("cross", "warn"),
    SeverityReleased: Look("steps"),
    ImpactStated: Look("people", "warn"),
    OriginSuspected: Look("search", "warn"),
    TargetNeared: Look("clock", "warn"),
    ResponderAnswered: Look("person", "good"),
    ResponderDeclined: Look("person", "warn"),
    ResponderAdded: Look("people"),
    WarRoomRequested: Look("room"),
    StatusUpdated: Look("megaphone"),
    AlertMoved: Look("link"),
    IncidentLinked: Look("link"),
    RunbookStarted: Look("wrench", "plain"),
    ActionProposed: Look("wrench", quiet=True),
    ActionApproved: Look("person", "good"),
    ActionClaimed: Look("wrench", "plain"),
    ActionSucceeded: Look("wrench", "good"),
    ActionFailed: Look("cross", "bad"),
    ActionOutcomeUnknown: Look("question", "bad"),
    ActionRefused: Look("cross", "warn"),
    VerificationPassed: Look("check", "good"),
    VerificationFailed: Look("cross", "bad"),
    RunbookFinished: Look("wrench", quiet=True),
    AutomationStopped: Look("cross", "warn"),
    RequestRefused: Look("cross", "warn"),
    NotificationDelivered: Look("letter", quiet=True),
    NotificationFailed: Look("letter", "bad"),
    StatusPagePublished: Look("megaphone", "plain"),
    ReviewDrafted: Look("pen", "plain"),
}

ACTIONS: Mapping[ActionState, tuple[str, str]] = {
    ActionState.PROPOSED: ("next", "plain"),
    ActionState.WAITING: ("waits for approval", "warn"),
    ActionState.APPROVED: ("approved", "plain"),
    ActionState.RUNNING: ("running", "plain"),
    ActionState.DONE: ("carried out", "plain"),
    ActionState.HELPED: ("helped", "good"),
    ActionState.DID_NOT_HELP: ("did not help", "bad"),
    ActionState.FAILED: ("failed", "bad"),
    ActionState.UNKNOWN: ("outcome unknown", "bad"),
    ActionState.REFUSED: ("not run", "warn"),
}
"""The word and the tone for how an action went."""


def tampered() -> Look:
    """An entry that cannot be read."""
    return Look("question", "bad")


def headline(summary: Summary) -> tuple[str, str]:
    """Where the incident stands in a few words, and the tone of it."""
    if summary.mute is not None and summary.phase.is_waiting:
        return _untold(summary.mute), "done"
    who = summary.acknowledged_by or "Somebody"
    match summary.phase:
        case Phase.TRIGGERED | Phase.REOPENED if summary.waiting_for:
            return f"Waiting for {listed(summary.waiting_for, 2)}", "bad"
        case Phase.TRIGGERED:
            return "Nobody has answered yet", "bad"
        case Phase.REOPENED:
            return "It is back, nobody has answered yet", "bad"
        case Phase.ACKNOWLEDGED:
            return f"{who} is on it", "warn"
        case Phase.INVESTIGATING:
            return f"{who} is looking for the cause", "warn"
        case Phase.IDENTIFIED:
            return f"{who} knows the cause", "warn"
        case Phase.MITIGATING:
            return f"{who} is mitigating it", "warn"
        case Phase.MONITORING:
            return "Alerts have cleared, watching", "good"
        case Phase.RESOLVED:
            return "Resolved", "done"
        case Phase.FALSE_ALARM:
            return "False alarm", "done"
        case Phase.CLOSED:
            return ("Closed, false alarm" if summary.false_alarm else "Closed"), "done"


def _untold(mute: Mute) -> str:
    match mute.why:
        case "silence":
            return f"Silenced: {mute.name}"
        case "inhibition":
            return f"Explained by {mute.name}"
        case "wait":
            return "Collecting alerts"
        case "merge" | "correlation":
            return f"Part of {mute.name}"


def moment(at: datetime) -> str:
    """Day and time in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def offset(at: datetime, origin: datetime) -> str:
    """How long after the origin: `+0.4 s`, `+3:05`, `+1:02:05`, `+2 d 1:02:05`."""
    took = at - origin
    sign, seconds = ("-" if took < timedelta() else "+"), abs(took.total_seconds())
    if seconds < 59.95:
        return f"{sign}{seconds:.1f} s"
    days, rest = divmod(int(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{sign}{days} d {hours}:{minutes:02}:{rest:02}"
    return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"


# --- the bar of stages -----------------------------------------------------------------------------------------------

_WIDTH = 1000.0
_LEAST = 14.0
_GAP = 4.0


@dataclass(frozen=True, slots=True)
class Segment:
    """One stage in the bar of a thousand parts. A stage that took no time has no width."""

    stage: str
    text: str
    x: float
    width: float
    running: bool


def segments(stages: Stages, running: Stage | None) -> tuple[Segment, ...]:
    """The stages side by side, as wide as they took long; short ones stay visible."""
    took = {stage: getattr(stages, stage.value).total_seconds() for stage in Stage}
    shown = [stage for stage in Stage if took[stage] > 0 or stage is running]
    room = _WIDTH - _GAP * max(len(shown) - 1, 0) - _LEAST * len(shown)
    total = sum(took[stage] for stage in shown) or 1.0
    found, x = [], 0.0
    for stage in Stage:
        width = _LEAST + room * took[stage] / total if stage in shown else 0.0
        text = span(getattr(stages, stage.value)) if stage in shown else "-"
        found.append(Segment(stage.value, text, round(x, 1), round(width, 1), stage is running))
        x += width + _GAP if stage in shown else 0.0
    return tuple(found)
