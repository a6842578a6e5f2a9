"""What the remediator needs to know of an incident: is it open, how severe is it, and what has been done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from tocsin_playbook import Facts, IncidentFacts
from tocsin_remediator.core.actions import Action, Track, evolve_tracks
from tocsin_schemas import Envelope, Event, Impact, Labels, PlaybookRef, Role
from tocsin_schemas.events import (
    AlertCleared,
    AlertGrouped,
    AlertMoved,
    AutomationStopped,
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
    RequestRefused,
    ResponderDeclined,
    RoleAssigned,
    SeverityChanged,
    StatusUpdated,
)

__all__ = ["Incident", "Phase", "evolve", "facts_of", "why_not_wanted"]


class Phase(StrEnum):
    """Where the incident is in its life."""

    UNKNOWN = "unknown"  # nothing about it has been read
    TRIGGERED = "triggered"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MITIGATING = "mitigating"
    MONITORING = "monitoring"  # all alerts are clear; it is watched
    RESOLVED = "resolved"
    FALSE_ALARM = "false_alarm"
    CLOSED = "closed"

    @property
    def is_waiting(self) -> bool:
        """Nobody has answered."""
        return self in (Phase.TRIGGERED, Phase.REOPENED)

    @property
    def is_held(self) -> bool:
        """Somebody is on it."""
        return self in (Phase.ACKNOWLEDGED, Phase.INVESTIGATING, Phase.IDENTIFIED, Phase.MITIGATING)

    @property
    def said(self) -> str:
        """What the incident is, for people."""
        return "a false alarm" if self is Phase.FALSE_ALARM else self.value


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as its log tells it, folded from everybody's events."""

    id: str
    phase: Phase = Phase.UNKNOWN
    title: str = ""
    severity: str = ""
    labels: Labels = field(default_factory=Labels)
    playbook: PlaybookRef | None = None
    started_at: datetime | None = None
    watch_until: datetime | None = None
    episode: int = 0
    """How often it was reopened: a runbook runs at most once in each episode."""
    rules: tuple[str, ...] = ()
    """The rules whose alerts belong to it, in the order in which they came."""
    firing: frozenset[str] = frozenset()
    acknowledged_by: str = ""
    work: Phase = Phase.ACKNOWLEDGED
    """How far the work was when somebody was last on it."""
    impact: Impact | None = None
    """What is known of what it does to people."""
    stopped: bool = False
    """A person forbade any further action."""
    muted: bool = False
    """Nobody is told of it for now, and nothing new is begun."""
    roles: Mapping[Role, str] = field(default_factory=dict)
    """Who has which part in it: its commander may ask for more."""
    tracks: tuple[Track, ...] = ()
    refused: frozenset[str] = frozenset()
    """The commands that could not be carried out."""

    @property
    def is_open(self) -> bool:
        """Whether mitigations are wanted: alerts are firing and nobody has said that it is over."""
        return self.phase.is_waiting or self.phase.is_held

    @property
    def is_over(self) -> bool:
        return self.phase in (Phase.RESOLVED, Phase.FALSE_ALARM, Phase.CLOSED)

    @property
    def unanswered(self) -> Phase:
        """The phase in which nobody is on it."""
        return Phase.REOPENED if self.episode else Phase.TRIGGERED

    def find(self, action: str) -> tuple[Track, Action] | None:
        """The action of this id and the track it belongs to."""
        for track in self.tracks:
            for each in track.actions:
                if each.id == action:
                    return track, each
        return None


def why_not_wanted(incident: Incident, track: Track) -> str | None:
    """Why nothing further may be done on this track; none if it may. Asked again right before every effect."""
    if incident.stopped:
        return "a person stopped the automation"
    if incident.phase is Phase.UNKNOWN:
        return "nothing is known about the incident"
    if incident.is_over:
        return f"the incident is {incident.phase.said}"
    if track.episode != incident.episode:
        return "the incident was resolved and reopened since"
    if track.finished is not None:
        return f"the runbook has ended: {track.finished}"
    return None


def facts_of(incident: Incident, now: datetime) -> Facts:
    """What the playbook's conditions are asked about."""
    begun = incident.started_at or now
    return IncidentFacts(
        id=incident.id,
        title=incident.title,
        severity=incident.severity,
        state=str(incident.phase),
        labels=incident.labels,
        alerts=len(incident.firing),
        age=max(now - begun, now - now),
        impact=incident.impact.model_dump(exclude_none=True) if incident.impact is not None else {},
    ).as_facts()


def evolve(incident: Incident, event: Envelope[Event]) -> Incident:
    """The incident after this event, whoever stated it."""
    data = event.data
    if data.OWNER == "remediator":
        if isinstance(data, AutomationStopped):
            return replace(incident, stopped=True)
        if isinstance(data, RequestRefused):
            return replace(incident, refused=incident.refused | {event.cause})
        return replace(incident, tracks=evolve_tracks(incident.tracks, event, incident.episode))
    match data:
        case IncidentOpened():
            return replace(
                incident,
                phase=Phase.TRIGGERED,
                title=data.title,
                severity=data.severity,
                labels=data.labels,
                playbook=data.playbook,
                started_at=data.started_at,
            )
        case AlertGrouped():
            rules = tuple(dict.fromkeys((*incident.rules, data.alert.rule)))
            return replace(incident, rules=rules, firing=incident.firing | {data.alert.fingerprint})
        case AlertCleared() | AlertMoved():
            return replace(incident, firing=incident.firing - {data.fingerprint})
        case ImpactStated():
            return replace(incident, impact=data.impact)
        case SeverityChanged():
            return replace(incident, severity=data.after)
        case RoleAssigned():
            return replace(incident, roles={**incident.roles, data.role: data.person})
        case _:
            return _evolve_phase(incident, data)


def _evolve_phase(incident: Incident, data: Event) -> Incident:
    match data:
        case IncidentAcknowledged():
            phase = incident.work if incident.phase.is_waiting else incident.phase
            return replace(incident, phase=phase, acknowledged_by=data.by.name)
        case StatusUpdated(status=str() as status) if incident.phase.is_held:
            return replace(incident, phase=Phase(status), work=Phase(status))
        case ResponderDeclined(person=incident.acknowledged_by):
            phase = incident.unanswered if incident.phase.is_held else incident.phase
            return replace(incident, phase=phase, acknowledged_by="")
        case IncidentEscalated(reason="unacknowledged") if incident.phase.is_held:
            return replace(incident, phase=incident.unanswered, acknowledged_by="")
        case IncidentMonitoring():
            return replace(incident, phase=Phase.MONITORING, watch_until=data.watch_until)
        case IncidentResumed():
            back = incident.work if incident.acknowledged_by else incident.unanswered
            return replace(incident, phase=back, watch_until=None)
        case IncidentResolved():
            over = Phase.FALSE_ALARM if data.false_alarm else Phase.RESOLVED
            return replace(incident, phase=over, watch_until=None)
        case IncidentReopened():
            return replace(
                incident,
                phase=Phase.REOPENED,
                acknowledged_by="",
                work=Phase.ACKNOWLEDGED,
                muted=False,
                episode=incident.episode + 1,
            )
        case IncidentClosed():
            return replace(incident, phase=Phase.CLOSED)
        case IncidentMuted():
            return replace(incident, muted=True)
        case IncidentUnmuted():
            return replace(incident, muted=False)
        case _:
            return incident
