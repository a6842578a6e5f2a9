"""What people and programs may ask a service to do. Each is answered by an event that names it as its cause."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tocsin_schemas.labels import Labels
from tocsin_schemas.moments import Moment
from tocsin_schemas.parts import Actor, Fingerprint, Impact, IncidentRef, Role
from tocsin_schemas.payload import Command, by_type
from tocsin_schemas.text import Id, Line, Name, Text


class _IncidentCommand(Command):
    OWNER: ClassVar[str] = "escalator"

    incident: IncidentRef
    by: Actor


class Acknowledge(_IncidentCommand):
    """I am on it: stop paging."""

    SLUG: ClassVar[str] = "acknowledge"

    lasting: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=30))] | None = Field(
        default=None, description="Page again after this time; none for as long as the incident lasts"
    )


class AcknowledgeAlert(Command):
    """Somebody is on it who knows the alert and not its incident: acknowledges the incident that has this firing."""

    OWNER: ClassVar[str] = "escalator"
    SLUG: ClassVar[str] = "acknowledge_alert"

    fingerprint: Fingerprint
    episode: Id
    rule: Name
    labels: Labels
    by: Actor


class Resolve(_IncidentCommand):
    """It is over."""

    SLUG: ClassVar[str] = "resolve"

    notes: Text = ""
    false_alarm: bool | None = Field(default=None, description="True: there was nothing")


class Reopen(_IncidentCommand):
    """It is not over."""

    SLUG: ClassVar[str] = "reopen"

    because: Line = ""


class TakeOver(_IncidentCommand):
    """I am on it, and I lead: acknowledges, and makes whoever asks the incident commander."""

    SLUG: ClassVar[str] = "take_over"


class Decline(_IncidentCommand):
    """I was told and cannot take it: tell the next level now."""

    SLUG: ClassVar[str] = "decline"

    because: Line = ""


class AddResponder(_IncidentCommand):
    """Page this person, team or schedule too."""

    SLUG: ClassVar[str] = "add_responder"

    target: Annotated[Line, Field(pattern=r"^(person|team|schedule):.+$")]
    because: Line = ""


class Update(_IncidentCommand):
    """Say how it stands."""

    SLUG: ClassVar[str] = "update"

    text: Annotated[Text, Field(min_length=1)]
    status: Literal["investigating", "identified", "mitigating"] | None = None


class StateImpact(_IncidentCommand):
    """Say what it does to people; what is left out stays as it was known."""

    SLUG: ClassVar[str] = "state_impact"

    impact: Impact


class Escalate(_IncidentCommand):
    """Tell the next level now."""

    SLUG: ClassVar[str] = "escalate"

    because: Line = ""


class SetSeverity(_IncidentCommand):
    """The severity is this, until a person says otherwise."""

    SLUG: ClassVar[str] = "set_severity"

    severity: Name
    because: Line = ""


class ReleaseSeverity(_IncidentCommand):
    """Let alerts, conditions and time change the severity again."""

    SLUG: ClassVar[str] = "release_severity"


class Merge(_IncidentCommand):
    """This incident is a part of that one: people are told of that one only."""

    SLUG: ClassVar[str] = "merge"

    into: IncidentRef
    because: Line = ""


class Split(_IncidentCommand):
    """Some alerts are an incident of their own; without any, an incident that was merged is one again."""

    SLUG: ClassVar[str] = "split"

    alerts: tuple[Fingerprint, ...] = Field(default=(), max_length=256)
    because: Line = ""


class Link(_IncidentCommand):
    """Two incidents have to do with each other."""

    SLUG: ClassVar[str] = "link"

    other: IncidentRef
    because: Line = ""


class AssignRole(_IncidentCommand):
    """Give a person a role."""

    SLUG: ClassVar[str] = "assign_role"

    role: Role
    person: Name


class AddNote(_IncidentCommand):
    """Write on the timeline."""

    SLUG: ClassVar[str] = "add_note"

    text: Annotated[Text, Field(min_length=1)]


class _OrderCommand(Command):
    OWNER: ClassVar[str] = "escalator"

    by: Actor


class Silence(_OrderCommand):
    """Let alerts that match page nobody for a while."""

    SLUG: ClassVar[str] = "silence"

    match: tuple[Annotated[Line, Field(min_length=1)], ...] = Field(
        min_length=1, max_length=20, description='Matchers such as service="shop" or pod=~"web-.*"; all must hold'
    )
    begins_at: Moment | None = Field(default=None, description="None: at once")
    until: Moment
    because: Annotated[Line, Field(min_length=1)]


class LiftSilence(_OrderCommand):
    """End a silence before its time."""

    SLUG: ClassVar[str] = "lift_silence"

    silence: Id
    because: Line = ""


class OverrideOnCall(_OrderCommand):
    """Let somebody else be on call for a while."""

    SLUG: ClassVar[str] = "override_on_call"

    schedule: Name
    person: Name
    begins_at: Moment | None = Field(default=None, description="None: at once")
    until: Moment
    because: Line = ""


class LiftOverride(_OrderCommand):
    """End an override before its time."""

    SLUG: ClassVar[str] = "lift_override"

    override: Id
    because: Line = ""


class _ActionCommand(Command):
    OWNER: ClassVar[str] = "remediator"

    incident: IncidentRef
    by: Actor


class ApproveAction(_ActionCommand):
    """Let the proposed action run."""

    SLUG: ClassVar[str] = "approve_action"

    action: Id


class RunAction(_ActionCommand):
    """Run this step of a runbook now."""

    SLUG: ClassVar[str] = "run_action"

    runbook: Name
    step: Name


class StopAutomation(_ActionCommand):
    """Do nothing more by yourself in this incident."""

    SLUG: ClassVar[str] = "stop_automation"

    because: Line = ""


COMMANDS: dict[str, type[Command]] = by_type(
    (
        Acknowledge, AcknowledgeAlert, Resolve, Reopen, TakeOver, Decline, AddResponder, Update, StateImpact, Escalate,
        SetSeverity, ReleaseSeverity, Merge, Split, Link, AssignRole, AddNote, Silence, LiftSilence, OverrideOnCall,
        LiftOverride, ApproveAction, RunAction, StopAutomation,
    )
)  # fmt: skip
"""Every command by its CloudEvents type."""
