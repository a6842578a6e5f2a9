"""The shapes that several events share."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tocsin_schemas.labels import Labels
from tocsin_schemas.moments import Moment
from tocsin_schemas.text import Id, Line, Name, Token

__all__ = [
    "Actor",
    "AlertStatus",
    "AutomationPolicy",
    "DeadlineKind",
    "Fingerprint",
    "GroupedAlert",
    "Impact",
    "IncidentRef",
    "Part",
    "PlaybookRef",
    "Role",
    "RunbookOutcome",
]

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""16 hex digits over the alert's labels (`tocsin_schemas.ids.fingerprint`)."""

IncidentRef = Token
"""An incident's id."""


class Part(BaseModel):
    """A value inside an event: frozen, and lenient towards newer writers as events are."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class PlaybookRef(Part):
    """Which playbook, and which text of it. A revision never changes its content."""

    name: Name
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$", description="SHA-256 of the text, first 12 hex digits")]


class Actor(Part):
    """Who did it: a person, or the system by itself."""

    kind: Literal["person", "system"]
    name: Name
    via: Name | None = Field(default=None, description="How it reached us: cli, console, api, slack and others")

    @classmethod
    def system(cls, service: str) -> "Actor":
        return cls(kind="system", name=service)

    @classmethod
    def person(cls, name: str, via: str) -> "Actor":
        return cls(kind="person", name=name, via=via)


class AlertStatus(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class DeadlineKind(StrEnum):
    """What is due when a deadline is."""

    ACKNOWLEDGE = "acknowledge"  # somebody should have answered (response target)
    RESOLVE = "resolve"  # the incident should be over (resolution target)
    ESCALATE = "escalate"  # the next level is told
    UPDATE = "update"  # the next status update
    WATCH = "watch"  # the alerts have stayed quiet long enough
    CLOSE = "close"  # the time in which a re-fire reopens the incident is over
    MUTE = "mute"  # what mutes the incident may be over
    CONTACT = "contact"  # who was paged and has not answered is told in their next way
    ACKNOWLEDGE_SOON = "acknowledge_soon"  # the response target comes near
    RESOLVE_SOON = "resolve_soon"  # the resolution target comes near


class Role(StrEnum):
    """Roles of an incident."""

    COMMANDER = "incident_commander"
    TECHNICAL_LEAD = "technical_lead"
    COMMUNICATIONS_LEAD = "communications_lead"
    SUPPORT_LEAD = "support_lead"


class Impact(Part):
    """What is known of what an incident does to people. What is none is not known; nobody guesses."""

    users_affected: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="The share of users, from 0 to 1"
    )
    data_loss: bool | None = None
    data_at_risk: bool | None = Field(default=None, description="Customer data")
    security: bool | None = None
    compliance: bool | None = None
    workaround: bool | None = Field(default=None, description="There is one")
    recent_deployment: bool | None = None


class AutomationPolicy(StrEnum):
    """What a severity lets the remediator do."""

    AUTOMATIC = "automatic"
    APPROVE = "approve"  # ask a person before each action
    OFF = "off"


class RunbookOutcome(StrEnum):
    MITIGATED = "mitigated"  # an action was verified
    EXHAUSTED = "exhausted"  # no step is left
    ESCALATED = "escalated"  # the runbook says: a person
    STOPPED = "stopped"  # a person stopped it, or the incident ended


class GroupedAlert(Part):
    """One alert as its incident knows it."""

    fingerprint: Fingerprint
    episode: Id
    rule: Name
    severity: Name | None = None
    labels: Labels
    summary: Line = ""
    starts_at: Moment
    value: float | None = None
    muted: Line | None = Field(
        default=None, description="What muted it when it fired: a silence, or the alert that explains it"
    )
    explained_by: IncidentRef | None = Field(default=None, description="The incident with the alert that explains it")
