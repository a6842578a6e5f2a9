"""What the remediator needs to know of an incident: is it open, how severe is it, and what has been done about it."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from tocsin_playbook import Facts, IncidentFacts
from tocsin_remediator.core.actions import Action, Track, evolve_tracks
from tocsin_schemas import Envelope, Event, Labels, PlaybookRef
from tocsin_schemas.events import (
    AlertCleared,
    AlertGrouped,
    AutomationStopped,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentMonitoring,
    IncidentMuted,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentUnmuted,
    SeverityChanged,
)

__all__ = ["Incident", "Phase", "evolve", "facts_of", "why_not_wanted"]


class Phase(StrEnum):
    """Where the incident is in its life."""

    UNKNOWN = "unknown"  # nothing about it has been read
    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    MONITORING = "monitoring"  # all alerts are clear; it is watched
    RESOLVED = "resolved"
    CLOSED = "closed"


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
    acknowledged: bool = False
    stopped: bool = False
    """A person forbade any further action."""
    muted: bool = False
    """Nobody is told of it for now, and nothing new is begun."""
    tracks: tuple[Track, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether mitigations are wanted: alerts are firing and nobody has said that it is over."""
        return self.phase in (Phase.TRIGGERED, Phase.ACKNOWLEDGED)

    @property
    def is_over(self) -> bool:
        return self.phase in (Phase.RESOLVED, Phase.CLOSED)

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
        return f"the incident is {incident.phase}"
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
    ).as_facts()


def evolve(incident: Incident, event: Envelope[Event]) -> Incident:
    """The incident after this event, whoever stated it."""
    data = event.data
    if data.OWNER == "remediator":
        if isinstance(data, AutomationStopped):
            return replace(incident, stopped=True)
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
        case AlertCleared():
            return replace(incident, firing=incident.firing - {data.fingerprint})
        case SeverityChanged():
            return replace(incident, severity=data.after)
        case _:
            return _evolve_phase(incident, data)


def _evolve_phase(incident: Incident, data: Event) -> Incident:
    match data:
        case IncidentAcknowledged() if incident.is_open:
            return replace(incident, phase=Phase.ACKNOWLEDGED, acknowledged=True)
        case IncidentAcknowledged():
            return replace(incident, acknowledged=True)
        case IncidentMonitoring():
            return replace(incident, phase=Phase.MONITORING, watch_until=data.watch_until)
        case IncidentResumed():
            back = Phase.ACKNOWLEDGED if incident.acknowledged else Phase.TRIGGERED
            return replace(incident, phase=back, watch_until=None)
        case IncidentResolved():
            return replace(incident, phase=Phase.RESOLVED, watch_until=None)
        case IncidentReopened():
            return replace(
                incident, phase=Phase.TRIGGERED, acknowledged=False, muted=False, episode=incident.episode + 1
            )
        case IncidentClosed():
            return replace(incident, phase=Phase.CLOSED)
        case IncidentMuted():
            return replace(incident, muted=True)
        case IncidentUnmuted():
            return replace(incident, muted=False)
        case _:
            return incident
