"""What people and programs may ask a service to do. Each is answered by an event that names it as its cause."""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from tocsin_schemas.labels import Labels
from tocsin_schemas.moments import Moment
from tocsin_schemas.parts import Actor, IncidentRef, Role
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


class Resolve(_IncidentCommand):
    """It is over."""

    SLUG: ClassVar[str] = "resolve"

    notes: Text = ""


class Escalate(_IncidentCommand):
    """Tell the next level now."""

    SLUG: ClassVar[str] = "escalate"

    because: Line = ""


class SetSeverity(_IncidentCommand):
    """The severity is this, until a person says otherwise."""

    SLUG: ClassVar[str] = "set_severity"

    severity: Name
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


def _not_empty(match: Labels) -> Labels:
    if not match:
        raise ValueError("is empty, which would match everything")
    return match


class Silence(Command):
    """Let alerts with these labels page nobody until then."""

    OWNER: ClassVar[str] = "escalator"
    SLUG: ClassVar[str] = "silence"

    match: Annotated[Labels, AfterValidator(_not_empty)] = Field(
        description="All of these must be equal; an empty set is refused, for it would match everything"
    )
    until: Moment
    because: Annotated[Line, Field(min_length=1)]
    by: Actor


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
        Acknowledge, Resolve, Escalate, SetSeverity, AssignRole, AddNote, Silence,
        ApproveAction, RunAction, StopAutomation,
    )
)  # fmt: skip
"""Every command by its CloudEvents type."""
