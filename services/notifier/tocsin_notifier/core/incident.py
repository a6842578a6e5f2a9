"""What messages need of an incident, as data. `fold` says what each event means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from tocsin_schemas import DeadlineKind, Impact, Labels, PlaybookRef, Role
from tocsin_schemas.text import clean_line

__all__ = [
    "NO_RECEIPT", "Action", "ActionState", "Alert", "AlertKey", "Deadline", "Incident", "Note", "Phase", "Place",
    "Receipt",
]  # fmt: skip


class Phase(StrEnum):
    """Where an incident is in its life."""

    UNKNOWN = "unknown"  # nothing about it has been read
    TRIGGERED = "triggered"  # alerts fire and nobody has answered
    REOPENED = "reopened"  # the same, after it had been over
    ACKNOWLEDGED = "acknowledged"  # somebody is on it
    INVESTIGATING = "investigating"  # … and looks for the cause
    IDENTIFIED = "identified"  # … and knows the cause
    MITIGATING = "mitigating"  # … and does something about it
    MONITORING = "monitoring"  # all alerts have cleared; it is watched
    RESOLVED = "resolved"
    FALSE_ALARM = "false_alarm"  # over, and there was nothing
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
    def is_over(self) -> bool:
        return self in (Phase.RESOLVED, Phase.FALSE_ALARM, Phase.CLOSED)


class AlertKey(NamedTuple):
    """One firing of one alert."""

    fingerprint: str
    episode: str


class Place(NamedTuple):
    """Where a message goes: a channel of the playbook, and an address in it."""

    channel: str
    address: str

    @property
    def shown(self) -> str:
        """The address as an event holds it."""
        return clean_line(self.address)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires now."""

    rule: str
    summary: str
    since: datetime


class ActionState(StrEnum):
    NEXT = "next"  # it will be carried out in a moment
    PROPOSED = "proposed"  # a person must approve it
    APPROVED = "approved"
    RUNNING = "running"
    VERIFYING = "verifying"  # it was carried out; whether it helped is being looked at
    HELPED = "helped"
    DID_NOT_HELP = "did not help"
    FAILED = "failed"  # it was certainly not carried out
    UNKNOWN = "unknown"  # nobody can say whether it was carried out
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Action:
    """The last that is known of one step of a runbook."""

    id: str
    runbook: str
    step: str
    state: ActionState
    at: datetime
    description: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """What a person wrote on the timeline."""

    text: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something that is due."""

    kind: DeadlineKind
    due_at: datetime
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the log says of one notification: whether it arrived, and how many channels have failed it."""

    delivered: bool = False
    failures: int = 0


NO_RECEIPT = Receipt()


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as its log tells it, folded from everybody's events."""

    id: str
    phase: Phase = Phase.UNKNOWN
    title: str = ""
    summary: str = ""
    labels: Labels = field(default_factory=Labels)
    playbook: PlaybookRef | None = None
    started_at: datetime | None = None
    opened_at: datetime | None = None
    severities: tuple[tuple[int, str], ...] = ()
    """The severities it has had, each with its place in the log from which it held."""
    alerts: Mapping[AlertKey, Alert] = field(default_factory=dict)
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    prolonged: frozenset[int] = frozenset()
    """Where in the log somebody who was on it already said so again."""
    work: Phase = Phase.ACKNOWLEDGED
    """How far the work was when somebody was last on it."""
    declined: tuple[str, ...] = ()
    """Who cannot take it, the last one last."""
    asked_by: str = ""
    """The person who last asked for more people."""
    impact: Impact | None = None
    origin: str = ""
    """The service where it is suspected to come from."""
    war_room: str = ""
    roles: Mapping[Role, str] = field(default_factory=dict)
    deadlines: Mapping[str, Deadline] = field(default_factory=dict)
    watch_until: datetime | None = None
    resolved_at: datetime | None = None
    resolved_sequence: int = 0
    """Where in the log it was last resolved; 0 if it never was."""
    resolution: str = ""
    reopened: int = 0
    decision: tuple[str, int] = ("", 0)
    """The cause of what the escalator decided last, and where in the log that decision begins."""
    muted: tuple[tuple[int, bool], ...] = ()
    """From which place in the log it was muted, or no longer."""
    merged: tuple[tuple[int, bool], ...] = ()
    """From which place in the log it was a part of another incident, or no longer."""
    paged: Mapping[str, int] = field(default_factory=dict)
    """Who was paged to respond, and where in the log last."""
    escalated_by: str = ""
    """The person who escalated it last; empty where it was the system."""
    actions: Mapping[str, Action] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    receipts: Mapping[str, Receipt] = field(default_factory=dict)
    threads: Mapping[Place, str] = field(default_factory=dict)
    """For each place the channel's own name of the incident's first message there."""

    @property
    def severity(self) -> str:
        """As it stands now."""
        return self.severities[-1][1] if self.severities else ""

    def is_muted_at(self, sequence: int) -> bool:
        """Whether nobody was to be told of it at this place in the log."""
        return next((muted for since, muted in reversed(self.muted) if since <= sequence), False)

    def is_part_at(self, sequence: int) -> bool:
        """Whether people were told of another incident instead at this place in the log."""
        return next((merged for since, merged in reversed(self.merged) if since <= sequence), False)

    def severity_at(self, sequence: int) -> str:
        """As it stood at a place in the log."""
        held = [name for since, name in self.severities if since <= sequence]
        return held[-1] if held else self.severity

    def receipt(self, notification: str) -> Receipt:
        return self.receipts.get(notification, NO_RECEIPT)

    @property
    def commander(self) -> str:
        return self.roles.get(Role.COMMANDER, "")

    @property
    def responding(self) -> tuple[str, ...]:
        """The people who have it: the commander first."""
        return tuple(dict.fromkeys(name for name in (self.commander, self.acknowledged_by) if name))
