"""The shapes of the API's answers."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer

from tocsin_recorder.adapters.queries import Break, DeadLetter, Incident, Verified
from tocsin_recorder.core.sentences import sentence
from tocsin_recorder.core.summary import (
    Action,
    Alert,
    Deadline,
    Linked,
    Mute,
    Origin,
    Page,
    Phase,
    Reason,
    Stage,
    StatusUpdate,
    WarRoom,
    stages_at,
)
from tocsin_recorder.core.timeline import Entry, read
from tocsin_schemas import Impact
from tocsin_schemas.strict_json import StrictJsonError, loads

__all__ = [
    "DeadLetterList",
    "EntryDocument",
    "IncidentDocument",
    "IncidentItem",
    "IncidentList",
    "TimelinePage",
    "Verification",
    "entry_document",
    "incident_document",
    "incident_item",
    "verification",
]

Seconds = Annotated[timedelta, PlainSerializer(lambda duration: round(duration.total_seconds(), 6), return_type=float)]
"""A duration; in JSON a number of seconds."""


class Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class IncidentItem(Document):
    """An incident in a list."""

    id: str
    title: str
    severity: str
    phase: Phase
    active: bool
    opened_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    updated_at: datetime | None
    part_of: str | None
    entries: int


class StagesDocument(Document):
    """How long each stage has taken so far."""

    detect: Seconds
    respond: Seconds
    mitigate: Seconds
    monitor: Seconds


class IncidentDocument(IncidentItem):
    """An incident. Lists end after 100 items; the counts beside them do not."""

    summary: str
    labels: dict[str, str]
    playbook: Reason | None
    previous: str | None
    stage: Stage | None
    stages: StagesDocument
    started_at: datetime | None
    mitigated_at: datetime | None
    closed_at: datetime | None
    acknowledged_until: datetime | None
    time_to_acknowledge: Seconds | None
    time_to_mitigate: Seconds | None
    time_to_resolve: Seconds | None
    reopened: int
    level: int | None
    roles: dict[str, str]
    waiting_for: tuple[str, ...]
    declined: tuple[str, ...]
    severity_held_by: str | None
    impact: Impact | None
    origin: Origin | None
    war_room: WarRoom | None
    last_update: StatusUpdate | None
    updates: int
    false_alarm: bool
    mute: Mute | None
    links: tuple[Linked, ...]
    links_seen: int
    alerts: tuple[Alert, ...]
    alerts_seen: int
    alerts_firing: int
    pages: tuple[Page, ...]
    pages_sent: int
    paged: tuple[str, ...]
    notifications_delivered: int
    notifications_failed: int
    actions: tuple[Action, ...]
    actions_seen: int
    automation_stopped_by: str | None
    deadlines: tuple[Deadline, ...]
    deadlines_missed: int
    notes: int
    status_page: str | None
    review_due_at: datetime | None
    head_hash: str


class IncidentList(Document):
    """A page of incidents, newest first. `next` is the `cursor` of the page after it."""

    incidents: tuple[IncidentItem, ...]
    next: str | None


class EntryDocument(Document):
    """One entry. `sentence` is worded for people; `data` is the event as it was stated, `hash` seals it."""

    seq: int
    id: str
    type: str
    service: str
    at: str
    cause: str
    sentence: str
    data: Any  # JSON, in the shape of its type
    stream_sequence: int
    hash: str


class TimelinePage(Document):
    """Entries in their order. `next_after` is the `after` of the page that follows."""

    incident: str
    entries: tuple[EntryDocument, ...]
    next_after: int | None


class BrokenEntry(Document):
    seq: int
    id: str
    reason: str


class Verification(Document):
    """Whether the chain of an incident holds, and the first entry at which it does not."""

    incident: str
    intact: bool
    entries: int
    head_hash: str
    first_broken: BrokenEntry | None


class DeadLetterList(Document):
    """Messages that could not be handled, newest first, and moments at which the log was found to be another."""

    dead_letters: tuple[DeadLetter, ...]
    next: str | None
    log_breaks: tuple[Break, ...]


def incident_item(incident: Incident) -> IncidentItem:
    return IncidentItem(**_item(incident))


def incident_document(incident: Incident, now: datetime) -> IncidentDocument:
    summary = incident.summary
    stages = stages_at(summary, now)
    same = (
        "playbook", "previous", "stage", "started_at", "mitigated_at", "closed_at", "acknowledged_until", "reopened",
        "time_to_acknowledge", "time_to_mitigate", "time_to_resolve", "level", "alerts", "alerts_seen",
        "alerts_firing", "pages", "pages_sent", "paged", "actions", "actions_seen", "automation_stopped_by",
        "deadlines", "notes", "status_page", "review_due_at", "waiting_for", "declined", "severity_held_by", "impact",
        "origin", "war_room", "last_update", "updates", "false_alarm", "mute", "links", "links_seen",
    )  # fmt: skip
    return IncidentDocument(
        **_item(incident),
        **{name: getattr(summary, name) for name in same},
        summary=summary.text,
        labels=dict(summary.labels),
        roles=dict(summary.roles),
        stages=StagesDocument(**{name: getattr(stages, name) for name in StagesDocument.model_fields}),
        notifications_delivered=summary.delivered,
        notifications_failed=summary.undelivered,
        deadlines_missed=summary.missed,
        head_hash=incident.head.hash,
    )


def _item(incident: Incident) -> dict[str, Any]:
    """`Any`: fields by name, checked by the model."""
    summary = incident.summary
    same = (
        "title", "severity", "phase", "active", "opened_at", "acknowledged_at", "acknowledged_by", "resolved_at",
        "updated_at", "part_of",
    )  # fmt: skip
    return {**{name: getattr(summary, name) for name in same}, "id": summary.incident, "entries": incident.head.seq}


def entry_document(entry: Entry) -> EntryDocument:
    event = read(entry)
    return EntryDocument(
        seq=entry.seq,
        id=entry.id,
        type=entry.type,
        service=entry.service,
        at=entry.at,
        cause=entry.cause,
        sentence=sentence(event.data if event else None),
        data=_data(entry.data),
        stream_sequence=entry.stream_sequence,
        hash=entry.hash,
    )


def _data(stored: str) -> Any:
    """The event's JSON; as plain text where it is none any more."""
    try:
        return loads(stored.encode())
    except StrictJsonError:
        return stored


def verification(verified: Verified) -> Verification:
    broken = verified.broken
    return Verification(
        incident=verified.head.incident,
        intact=broken is None,
        entries=verified.head.seq,
        head_hash=verified.head.hash,
        first_broken=None if broken is None else BrokenEntry(seq=broken.seq, id=broken.id, reason=broken.reason),
    )
