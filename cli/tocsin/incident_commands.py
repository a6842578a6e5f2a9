"""The commands about incidents: those that show them, and those by which people ask for something."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

import typer
from pydantic_core import PydanticCustomError

from tocsin import incidents as show_incidents
from tocsin.operator import Operator, ProblemError
from tocsin.terminal import HERE, Folder, Incident, Json, guarded, out
from tocsin_playbook.model.durations import parse_duration
from tocsin_schemas import Command, Impact
from tocsin_schemas.commands import (
    Acknowledge,
    AddNote,
    AddResponder,
    ApproveAction,
    AssignRole,
    Decline,
    Escalate,
    Link,
    Merge,
    ReleaseSeverity,
    Reopen,
    Resolve,
    SetSeverity,
    Split,
    StateImpact,
    StopAutomation,
    TakeOver,
    Update,
)
from tocsin_schemas.parts import Role

__all__ = ["commands"]

commands = typer.Typer()

Because = Annotated[str, typer.Option(help="Why.")]
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?) ?%")


# --- showing ----------------------------------------------------------------------------------------------------------


@commands.command()
def incidents(
    active: Annotated[bool, typer.Option("--active", help="Only those that are not over.")] = False,
    data: Folder = HERE,
    as_json: Json = False,
) -> None:
    """List incidents, newest first."""
    guarded(lambda: show_incidents.table(Operator.here(data), out, active=active, as_json=as_json))


@commands.command()
def show(incident: Incident, data: Folder = HERE, as_json: Json = False) -> None:
    """One incident with its timeline."""
    guarded(lambda: show_incidents.timeline(Operator.here(data), out, incident, as_json=as_json))


# --- answering a page -------------------------------------------------------------------------------------------------


@commands.command()
def ack(
    incident: Incident,
    lasting: Annotated[str, typer.Option("--for", help="Page again after this time, such as 30m.")] = "",
    data: Folder = HERE,
) -> None:
    """I am on it: stop paging."""
    _ask(data, incident, lambda me, name: Acknowledge(incident=name, by=me.actor, lasting=_duration("--for", lasting)))


@commands.command()
def take(incident: Incident, data: Folder = HERE) -> None:
    """I am on it, and I lead: acknowledges, and makes you the incident commander."""
    _ask(data, incident, lambda me, name: TakeOver(incident=name, by=me.actor))


@commands.command()
def decline(incident: Incident, because: Because = "", data: Folder = HERE) -> None:
    """I cannot take it: tell the next level now."""
    _ask(data, incident, lambda me, name: Decline(incident=name, by=me.actor, because=because))


@commands.command()
def escalate(incident: Incident, because: Because = "", data: Folder = HERE) -> None:
    """Tell the next level now."""
    _ask(data, incident, lambda me, name: Escalate(incident=name, by=me.actor, because=because))


@commands.command()
def page(
    incident: Incident,
    target: Annotated[str, typer.Argument(help="person:NAME, team:NAME or schedule:NAME.")],
    because: Because = "",
    data: Folder = HERE,
) -> None:
    """Page a further person, team or schedule."""

    def make(me: Operator, name: str) -> Command:
        return AddResponder(incident=name, by=me.actor, target=_target(target), because=because)

    _ask(data, incident, make)


@commands.command()
def assign(incident: Incident, role: Role, person: str, data: Folder = HERE) -> None:
    """Give a person a role in the incident."""
    _ask(data, incident, lambda me, name: AssignRole(incident=name, by=me.actor, role=role, person=person))


# --- how it stands ----------------------------------------------------------------------------------------------------


@commands.command()
def update(
    incident: Incident,
    text: str,
    status: Annotated[
        Literal["investigating", "identified", "mitigating"] | None, typer.Option(help="How far the work is.")
    ] = None,
    data: Folder = HERE,
) -> None:
    """Say how it stands; the next update is due one cadence later."""
    _ask(data, incident, lambda me, name: Update(incident=name, by=me.actor, text=text, status=status))


@commands.command()
def note(incident: Incident, text: str, data: Folder = HERE) -> None:
    """Write on the timeline."""
    _ask(data, incident, lambda me, name: AddNote(incident=name, by=me.actor, text=text))


@commands.command()
def impact(
    incident: Incident,
    users: Annotated[str, typer.Option(help="The share of users who are affected, such as 35%.")] = "",
    data_loss: Annotated[bool | None, typer.Option("--data-loss/--no-data-loss", help="Data is lost.")] = None,
    data_at_risk: Annotated[
        bool | None, typer.Option("--data-at-risk/--no-data-at-risk", help="Customer data is at risk.")
    ] = None,
    security: Annotated[bool | None, typer.Option("--security/--no-security", help="It is about security.")] = None,
    compliance: Annotated[
        bool | None, typer.Option("--compliance/--no-compliance", help="It is about compliance.")
    ] = None,
    workaround: Annotated[bool | None, typer.Option("--workaround/--no-workaround", help="There is one.")] = None,
    recent_deployment: Annotated[
        bool | None, typer.Option("--recent-deployment/--no-recent-deployment", help="There was one.")
    ] = None,
    data: Folder = HERE,
) -> None:
    """Say what it does to people; what is left out stays as it was known."""

    def make(me: Operator, name: str) -> Command:
        stated = Impact(
            users_affected=_share("--users", users),
            data_loss=data_loss,
            data_at_risk=data_at_risk,
            security=security,
            compliance=compliance,
            workaround=workaround,
            recent_deployment=recent_deployment,
        )
        if stated == Impact():
            raise ProblemError("nothing is said: give --users or one of the others (`tocsin impact --help`)")
        return StateImpact(incident=name, by=me.actor, impact=stated)

    _ask(data, incident, make)


@commands.command()
def severity(
    incident: Incident,
    level: Annotated[str, typer.Argument(help="One of the playbook's severities; none with --release.")] = "",
    release: Annotated[
        bool, typer.Option("--release", help="Let alerts, conditions and time change it again instead.")
    ] = False,
    because: Because = "",
    data: Folder = HERE,
) -> None:
    """Set the severity, until a person says otherwise or releases it."""

    def make(me: Operator, name: str) -> Command:
        if release and not level:
            return ReleaseSeverity(incident=name, by=me.actor)
        if level and not release:
            return SetSeverity(incident=name, by=me.actor, severity=level, because=because)
        raise ProblemError("give a severity, or --release and no severity")

    _ask(data, incident, make)


# --- its end, and its others ------------------------------------------------------------------------------------------


@commands.command()
def resolve(
    incident: Incident,
    notes: Annotated[str, typer.Option(help="What it was.")] = "",
    false_alarm: Annotated[bool, typer.Option("--false-alarm", help="There was nothing.")] = False,
    data: Folder = HERE,
) -> None:
    """It is over."""

    def make(me: Operator, name: str) -> Command:
        return Resolve(incident=name, by=me.actor, notes=notes, false_alarm=True if false_alarm else None)

    _ask(data, incident, make)


@commands.command()
def reopen(incident: Incident, because: Because = "", data: Folder = HERE) -> None:
    """It is not over."""
    _ask(data, incident, lambda me, name: Reopen(incident=name, by=me.actor, because=because))


@commands.command()
def merge(incident: Incident, into: Incident, because: Because = "", data: Folder = HERE) -> None:
    """The first incident is a part of the second: people are told of the second only."""

    def make(me: Operator, name: str) -> Command:
        return Merge(incident=name, by=me.actor, into=me.incident(into), because=because)

    _ask(data, incident, make)


@commands.command()
def split(
    incident: Incident,
    alert: Annotated[
        list[str] | None,
        typer.Option("--alert", help="An alert's fingerprint; without any, a merged incident is one again."),
    ] = None,
    because: Because = "",
    data: Folder = HERE,
) -> None:
    """Make some of its alerts an incident of their own."""

    def make(me: Operator, name: str) -> Command:
        return Split(incident=name, by=me.actor, alerts=tuple(alert or ()), because=because)

    _ask(data, incident, make)


@commands.command()
def link(incident: Incident, other: Incident, because: Because = "", data: Folder = HERE) -> None:
    """Two incidents have to do with each other."""

    def make(me: Operator, name: str) -> Command:
        return Link(incident=name, by=me.actor, other=me.incident(other), because=because)

    _ask(data, incident, make)


# --- actions ----------------------------------------------------------------------------------------------------------


@commands.command()
def approve(incident: Incident, action: str, data: Folder = HERE) -> None:
    """Let a proposed action run."""
    _ask(data, incident, lambda me, name: ApproveAction(incident=name, by=me.actor, action=action))


@commands.command("stop-automation")
def stop_automation(incident: Incident, because: Because = "", data: Folder = HERE) -> None:
    """Let no further action run by itself in this incident."""
    _ask(data, incident, lambda me, name: StopAutomation(incident=name, by=me.actor, because=because))


# --- how --------------------------------------------------------------------------------------------------------------


def _ask(folder: Folder, prefix: str, make: Callable[[Operator, str], Command]) -> None:
    def go() -> None:
        me = Operator.here(folder)
        name = me.incident(prefix)
        show_incidents.answers(out, me.ask(make(me, name)))

    guarded(go)


def _duration(option: str, text: str) -> timedelta | None:
    if not text:
        return None
    try:
        return parse_duration(text)
    except PydanticCustomError as error:
        context = error.context or {}
        raise ProblemError(f"{option}: {context['problem']}; expected {context['expected']}") from None


def _share(option: str, text: str) -> float | None:
    if not text:
        return None
    found = _SHARE.fullmatch(text)
    if found is None or float(found[1]) > 100:
        raise ProblemError(f"{option}: {text!r} is no share; expected 0% to 100%, such as 35%")
    return float(found[1]) / 100


def _target(text: str) -> str:
    kind, _, name = text.partition(":")
    if kind in ("person", "team", "schedule") and name:
        return text
    raise ProblemError(f"{text!r} cannot be paged; expected person:NAME, team:NAME or schedule:NAME")
