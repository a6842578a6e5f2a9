"""What is done at a time: what people ask for, what breaks, what is killed, what other systems raise."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tocsin_playbook.model.base import Section, refuse
from tocsin_playbook.model.durations import PositiveDuration
from tocsin_playbook.model.references import AlertMatcher, ChannelRef, Target
from tocsin_playbook.model.scalars import Flag, Labels, Line, Name, SeverityName, Text
from tocsin_rehearsal.cases.model.impact import KnownImpact
from tocsin_rehearsal.cases.model.times import Offset, OneOrMore, or_text
from tocsin_rehearsal.cases.model.world import World
from tocsin_schemas import Role

Service = Literal["detector", "escalator", "remediator", "notifier", "recorder"]


class Order(Section):
    """What a person asks for."""

    by: Name = Field(description="The person.")
    incident: Labels = Field(
        default={}, description="Labels of the incident that is meant; default: the one opened last."
    )


class Acknowledge(Order):
    """I am on it: stop paging."""

    lasting: PositiveDuration | None = Field(default=None, description="Page again after this time; default: never.")


class Resolve(Order):
    """It is over."""

    notes: Text | None = Field(default=None, description="What it was.")
    false_alarm: Flag = Field(default=False, description="`true`: there was nothing.")


class Reopen(Order):
    """It is not over."""

    because: Line | None = Field(default=None, description="Why.")


class TakeOver(Order):
    """I am on it, and I lead."""


class Decline(Order):
    """I cannot take it: tell the next level now."""

    because: Line | None = Field(default=None, description="Why.")


class AddResponder(Order):
    """Page these people too."""

    target: Target = Field(description="person:<name>, team:<name> or schedule:<name>.")
    because: Line | None = Field(default=None, description="Why.")

    @model_validator(mode="after")
    def _is_people(self) -> AddResponder:
        if isinstance(self.target, ChannelRef):
            raise refuse(f"{self.target} is a place", "person:<name>, team:<name> or schedule:<name>")
        return self


class Update(Order):
    """Say how it stands."""

    text: Text = Field(min_length=1, description="What is said.")
    status: Literal["investigating", "identified", "mitigating"] | None = Field(
        default=None, description="How far the work is; who says so is on it."
    )


class StateImpact(KnownImpact, Order):
    """Say what it does to people. What is left out stays as it was known."""


class Escalate(Order):
    """Tell the next level now."""

    because: Line | None = Field(default=None, description="Why.")


class SetSeverity(Order):
    """The severity is this."""

    to: SeverityName = Field(description="The severity.")
    because: Line | None = Field(default=None, description="Why.")


class ReleaseSeverity(Order):
    """Let alerts, conditions and time change the severity again."""


class Merge(Order):
    """It is a part of another incident: people are told of that one."""

    into: Annotated[Labels, Field(min_length=1)] = Field(description="Labels of the other incident.")
    because: Line | None = Field(default=None, description="Why.")


class Split(Order):
    """Some of its alerts are an incident of their own; without any, it is no part of another any more."""

    alerts: OneOrMore[Labels] = Field(
        default=(), description="Labels of the alerts that are taken out of it, or several; default: none are."
    )
    because: Line | None = Field(default=None, description="Why.")


class Link(Order):
    """It has to do with another incident."""

    other: Annotated[Labels, Field(min_length=1)] = Field(description="Labels of the other incident.")
    because: Line | None = Field(default=None, description="Why.")


class Assign(Order):
    """Give a person a role."""

    role: Role = Field(description="The role.")
    person: Name = Field(description="Who has it from then on.")


class AddNote(Order):
    """Write on the timeline."""

    text: Text = Field(description="What is written.")


class Approve(Order):
    """Let a proposed action run."""

    runbook: Name | None = Field(default=None, description="The action's runbook; default: whichever.")
    step: Name | None = Field(default=None, description="The action's step; default: the one that waits.")


class RunAction(Order):
    """Run a step of a runbook now."""

    runbook: Name = Field(description="The runbook.")
    step: Name = Field(description="The step.")


class StopAutomation(Order):
    """Do nothing more by yourself."""

    because: Line | None = Field(default=None, description="Why.")


class Silence(Section):
    """Let alerts that match page nobody for a while."""

    by: Name = Field(description="The person.")
    name: Name | None = Field(default=None, description="What `lift` calls it.")
    match: Annotated[tuple[AlertMatcher, ...], Field(min_length=1, max_length=20)] = Field(
        description='The alerts, such as `[service="shop"]`: all must match.'
    )
    lasting: PositiveDuration = Field(default=timedelta(hours=1), description="For how long; default 1h.")
    because: Line = Field(default="a test", description="Why.")


class OverrideOnCall(Section):
    """Let somebody else be on call for a while."""

    by: Name = Field(description="Who asks for it.")
    name: Name | None = Field(default=None, description="What `lift` calls it.")
    schedule: Name = Field(description="The schedule.")
    person: Name = Field(description="Who is on call instead.")
    lasting: PositiveDuration = Field(default=timedelta(hours=1), description="For how long; default 1h.")
    because: Line = Field(default="a test", description="Why.")


class Lift(Section):
    """End a silence or an override before its time."""

    by: Name = Field(description="The person.")
    name: Name | None = Field(default=None, description="What it was called; default: the one that was set last.")
    because: Line = Field(default="a test", description="Why.")


class Fire(Section):
    """Another system raises an alert."""

    labels: Annotated[Labels, Field(min_length=1)] = Field(description="Its labels; `alertname` is its name.")
    annotations: Labels = Field(default={}, description="Further facts, such as `summary`.")
    lasting: PositiveDuration | None = Field(default=None, description="How long it fires; default: until cleared.")


AboutIncident = (
    Acknowledge | TakeOver | Decline | AddResponder | Update | StateImpact | Resolve | Reopen | Escalate | SetSeverity
    | ReleaseSeverity | Merge | Split | Link | Assign | AddNote | Approve | RunAction | StopAutomation
)  # fmt: skip
StandingOrder = Silence | OverrideOnCall | Lift
Asked = AboutIncident | StandingOrder


class Act(World):
    """One thing that is done: exactly one key. Besides those below, a channel of the playbook by its name:
    `slack: down`, `slack: {status: 429}`, `slack: up`.
    """

    acknowledge: Annotated[Acknowledge, *or_text("by")] | None = Field(
        default=None, description="A person is on it: stop paging. `acknowledge: ada`."
    )
    ack: Annotated[Acknowledge, *or_text("by")] | None = Field(default=None, description="The same, for short.")
    take_over: Annotated[TakeOver, *or_text("by")] | None = Field(
        default=None, description="A person is on it, and leads. `take_over: ada`."
    )
    decline: Annotated[Decline, *or_text("by")] | None = Field(
        default=None, description="A person cannot take it: the next level is told. `decline: ada`."
    )
    add_responder: AddResponder | None = Field(default=None, description="A person asks for more people.")
    update: Update | None = Field(default=None, description="A person says how it stands.")
    state_impact: StateImpact | None = Field(default=None, description="A person says what it does to people.")
    resolve: Annotated[Resolve, *or_text("by")] | None = Field(
        default=None, description="It is over, a person says. `resolve: ada`."
    )
    reopen: Annotated[Reopen, *or_text("by")] | None = Field(
        default=None, description="It is not over, a person says. `reopen: ada`."
    )
    escalate: Annotated[Escalate, *or_text("by")] | None = Field(
        default=None, description="A person asks for the next level. `escalate: ada`."
    )
    severity: SetSeverity | None = Field(default=None, description="A person sets the severity.")
    release_severity: Annotated[ReleaseSeverity, *or_text("by")] | None = Field(
        default=None, description="A person lets the severity move by itself again. `release_severity: ada`."
    )
    merge: Merge | None = Field(default=None, description="A person says that it is a part of another incident.")
    split: Annotated[Split, *or_text("by")] | None = Field(
        default=None,
        description="A person takes alerts out of it, or it out of another that it was a part of. `split: ada`.",
    )
    link: Link | None = Field(default=None, description="A person says that it has to do with another incident.")
    assign: Assign | None = Field(default=None, description="A person is given a role.")
    note: AddNote | None = Field(default=None, description="A person writes on the timeline.")
    approve: Annotated[Approve, *or_text("by")] | None = Field(
        default=None, description="A person lets the action run that waits for it. `approve: ada`."
    )
    run_action: RunAction | None = Field(default=None, description="A person runs a step of a runbook by hand.")
    stop_automation: Annotated[StopAutomation, *or_text("by")] | None = Field(
        default=None, description="A person forbids any further action. `stop_automation: ada`."
    )
    silence: Silence | None = Field(default=None, description="A person silences alerts.")
    override_on_call: OverrideOnCall | None = Field(
        default=None, description="A person lets somebody else be on call for a while."
    )
    lift: Annotated[Lift, *or_text("by")] | None = Field(
        default=None, description="A person ends a silence or an override. `lift: ada`."
    )
    kill: Service | None = Field(default=None, description="A service is killed, all its replicas.")
    restart: Service | None = Field(default=None, description="A service is started again; killed first if it runs.")
    fire: Fire | None = Field(default=None, description="Another system raises an alert.")
    clear: Annotated[Labels, Field(min_length=1)] | None = Field(
        default=None, description="Another system's alerts with these labels end."
    )

    @model_validator(mode="after")
    def _one_thing(self) -> Act:
        given = self._given()
        if len(given) == 1:
            return self
        problem = f"{' and '.join(given)} stand in one place" if given else "nothing is done"
        raise refuse(problem, "one thing, or a list of things")

    def _given(self) -> list[str]:
        named = [name for name in type(self).model_fields if getattr(self, name) not in (None, ())]
        return [*named, *self.channels]

    @property
    def verb(self) -> str:
        """The one key: a verb, `http`, `nats`, `redis` or the name of a channel. `ack` is `acknowledge`."""
        return "acknowledge" if self.ack is not None else self._given()[0]

    @property
    def asked(self) -> Asked | None:
        """What a person asks for; None where this is nobody's wish."""
        people = (
            self.acknowledge, self.ack, self.take_over, self.decline, self.add_responder, self.update,
            self.state_impact, self.resolve, self.reopen, self.escalate, self.severity, self.release_severity,
            self.merge, self.split, self.link, self.assign, self.note,
            self.approve, self.run_action, self.stop_automation, self.silence,
            self.override_on_call, self.lift,
        )  # fmt: skip
        return next((each for each in people if each is not None), None)


class Doing(Section):
    """Something is done at a time."""

    at: Offset = Field(description="When, counted from the start.")
    do: OneOrMore[Act] = Field(description="What is done; several things in the order of the list.")
