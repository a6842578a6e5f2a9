"""What is expected, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, WithJsonSchema, model_validator

from tocsin_playbook.model.base import Section, exactly_one, refuse
from tocsin_playbook.model.communicate import TemplateName
from tocsin_playbook.model.references import AnyTarget, ChannelRef, PersonRef, Target, parse_target
from tocsin_playbook.model.scalars import Count, Flag, Labels, Line, Name, PositiveCount, SeverityName, Text, Token
from tocsin_rehearsal.cases.model.impact import KnownImpact
from tocsin_rehearsal.cases.model.times import (
    NONE,
    Between,
    ListedOrNone,
    Offset,
    OneOrMore,
    Throughout,
    or_text,
)
from tocsin_schemas import DeadlineKind, Role

AT_WIDTH = timedelta(seconds=1)
"""`at: 5m` means: within the second that begins then. Messages take a moment to travel."""

PhaseName = Literal[
    "triggered", "reopened", "acknowledged", "investigating", "identified", "mitigating", "monitoring", "resolved",
    "false_alarm", "closed", "open",
]  # fmt: skip
PageOutcome = Literal["delivered", "failed", "decided"]
ActionOutcome = Literal[
    "started", "proposed", "approved", "succeeded", "failed", "unknown", "refused", "helped", "did_not_help"
]
ComponentState = Literal["operational", "degraded", "partial_outage", "major_outage", "maintenance"]
Mode = Literal["at", "by", "between", "throughout"]

STATEMENTS = (
    "alerts", "incident", "pages", "nobody_paged", "approvals", "actions", "messages", "status_page", "deadlines",
    "events",
)  # fmt: skip
"""The keys that say what is expected, in the order in which they are compared."""


class AlertExpected(Section):
    """An alert that fires."""

    name: Name | None = Field(default=None, description="The alert's name.")
    severity: SeverityName | None = Field(default=None, description="Its severity.")
    source: Name | None = Field(default=None, description="Where it was seen.")
    labels: Labels = Field(default={}, description="Labels it has, perhaps among others.")
    firing: Flag = Field(default=True, description="false: no such alert fires.")

    @model_validator(mode="after")
    def _says_which(self) -> AlertExpected:
        if self.name is None and self.severity is None and self.source is None and not self.labels:
            raise refuse("this does not say which alert", "name, severity, source or labels")
        return self


def _incident(value: object) -> object:
    return {"count": 0} if value == NONE else value


class RolesExpected(Section):
    """Who has which role."""

    incident_commander: Name | None = Field(default=None, description="Who leads.")
    technical_lead: Name | None = Field(default=None, description="Who leads the technical work.")
    communications_lead: Name | None = Field(default=None, description="Who says how it stands.")
    support_lead: Name | None = Field(default=None, description="Who speaks with customers.")

    @property
    def said(self) -> dict[str, str]:
        """The roles that are spoken of."""
        people = {role.value: getattr(self, role.value) for role in Role}
        return {role: person for role, person in people.items() if person is not None}


class IncidentExpected(Section):
    """An incident as it stands."""

    phase: PhaseName | None = Field(
        default=None, description="Where it is in its life; `open`: neither resolved nor closed."
    )
    severity: SeverityName | None = Field(default=None, description="Its severity.")
    labels: Labels = Field(default={}, description="Labels it has, perhaps among others.")
    roles: RolesExpected = Field(default=RolesExpected(), description="Who has which role, perhaps among others.")
    impact: KnownImpact | None = Field(default=None, description="What is known of what it does to people.")
    part_of: Labels = Field(default={}, description="Labels of the incident that it is a part of.")
    origin: Name | None = Field(default=None, description="The service that it is suspected to come from.")
    war_room: Line | None = Field(default=None, description="The name of the room that was asked for.")
    count: Count | None = Field(
        default=None, description="How many such incidents there are; default: at least one. `incident: none` is 0."
    )


def parse_who(value: object) -> AnyTarget:
    """`"ada"` → PersonRef(name="ada"); a place as in a playbook. Teams and schedules are several people over time."""
    target = parse_target(f"person:{value}" if isinstance(value, str) and ":" not in value else value)
    if isinstance(target, PersonRef | ChannelRef):
        return target
    raise refuse(f"{target} is no person", "who is to be paged: a person, or channel:<channel>:<address>")


Who = Annotated[
    Target,
    BeforeValidator(parse_who),
    WithJsonSchema({"type": "string", "examples": ["channel:slack:#incidents", "ada"]}),
]


class PageExpected(Section):
    """Somebody is paged: told to take the incident on. Who is asked to approve an action is not: see `approvals`."""

    who: Who | None = Field(
        default=None, description="The person, or the place as `channel:slack:#incidents`; default: anybody."
    )
    channel: Token | None = Field(default=None, description="The channel it goes by.")
    level: PositiveCount | None = Field(default=None, description="The escalation level, from 1.")
    way: PositiveCount | None = Field(
        default=None,
        description="Which of the person's own rules it follows, from 1; later ones wait for an answer.",
    )
    severity: SeverityName | None = Field(default=None, description="The incident's severity then.")
    outcome: PageOutcome = Field(
        default="delivered",
        description="`delivered`: a channel has taken it (default); `failed`: a channel has not; `decided`: it is "
        "decided, whatever becomes of it.",
    )
    incident: Labels = Field(default={}, description="Labels of its incident.")
    times: Count | None = Field(default=None, description="How many times exactly; default: at least once.")


class ApprovalExpected(Section):
    """Somebody is asked whether a step of a runbook may run."""

    who: Who | None = Field(default=None, description="The person, or the place; default: anybody.")
    step: Name | None = Field(default=None, description="The step that waits.")
    runbook: Name | None = Field(default=None, description="Its runbook.")
    channel: Token | None = Field(default=None, description="The channel it goes by.")
    outcome: PageOutcome = Field(default="delivered", description="As that of a page.")
    incident: Labels = Field(default={}, description="Labels of its incident.")
    times: Count | None = Field(default=None, description="How many times exactly; default: at least once.")


class ActionExpected(Section):
    """A step of a runbook."""

    step: Name | None = Field(default=None, description="The step.")
    runbook: Name | None = Field(default=None, description="Its runbook.")
    outcome: ActionOutcome = Field(
        default="started",
        description="`started`: it runs, whatever comes of it (default); `proposed`; `approved`; `succeeded`: the "
        "target says so; `helped` or `did_not_help`: what its verification finds; `failed`; `unknown`: nobody can say; "
        "`refused`: it is not run.",
    )
    incident: Labels = Field(default={}, description="Labels of its incident.")
    times: Count | None = Field(default=None, description="How many times exactly; default: at least once.")


class MessageExpected(Section):
    """A message that leaves: a page, or news."""

    containing: OneOrMore[Text] = Field(default=(), description="Text in it, or several.")
    channel: Token | None = Field(default=None, description="The channel it goes by.")
    to: Line | None = Field(default=None, description="The address in the channel, such as #incidents.")
    person: Name | None = Field(default=None, description="The person it is for.")
    about: TemplateName | None = Field(default=None, description="What it is about: page, opened, resolved, …")
    incident: Labels = Field(default={}, description="Labels of its incident.")
    times: Count | None = Field(default=None, description="How many times exactly; default: at least once.")


class DeadlineExpected(Section):
    """A deadline that is open."""

    kind: DeadlineKind = Field(description="What is due.")
    due: Offset | None = Field(default=None, description="When, counted from the start, to the second.")
    level: PositiveCount | None = Field(default=None, description="The escalation level that is told then, from 1.")
    incident: Labels = Field(default={}, description="Labels of its incident.")


class EventExpected(Section):
    """Any event of the log: for what no other key can say."""

    type: Name = Field(description="The event, such as IncidentEscalated.")
    fields: Mapping[str, JsonValue] = Field(
        default={},
        alias="with",
        max_length=50,
        description="Its fields, as the event catalogue names them; `by.name` is a field of a field.",
    )
    incident: Labels = Field(default={}, description="Labels of its incident.")
    times: Count | None = Field(default=None, description="How many times exactly; default: at least once.")


class Expectation(Section):
    """What is expected, and when: exactly one of `at`, `between`, `by` and `throughout`."""

    at: Offset | None = Field(
        default=None, description="At this time: within the second that begins then, for messages take a moment."
    )
    between: Between | None = Field(
        default=None, description="At some moment between two times; what must not be, at no moment."
    )
    by: Offset | None = Field(default=None, description="By this time: it has happened, or it is so then.")
    throughout: Throughout | None = Field(
        default=None, description="At every moment between two times; `true`: of the whole test."
    )
    alerts: ListedOrNone[Annotated[AlertExpected, *or_text("name")]] = Field(
        default=None, max_length=200, description="Alerts that fire. `none`: no alert fires."
    )
    incident: Annotated[IncidentExpected, *or_text("phase"), BeforeValidator(_incident)] | None = Field(
        default=None, description="An incident. `incident: resolved` is its phase; `none`: there is no incident."
    )
    pages: ListedOrNone[Annotated[PageExpected, *or_text("who")]] = Field(
        default=None, max_length=200, description="Who is paged. `none`: nobody."
    )
    nobody_paged: Flag = Field(default=False, description="`true`: nobody is paged.")
    approvals: ListedOrNone[Annotated[ApprovalExpected, *or_text("who")]] = Field(
        default=None, max_length=200, description="Who is asked to approve an action. `none`: nobody."
    )
    actions: ListedOrNone[Annotated[ActionExpected, *or_text("step")]] = Field(
        default=None, max_length=200, description="What runbooks do. `none`: nothing is run."
    )
    messages: ListedOrNone[Annotated[MessageExpected, *or_text("containing")]] = Field(
        default=None, max_length=200, description="Messages that leave. `none`: nothing leaves."
    )
    status_page: Mapping[Name, ComponentState] | None = Field(
        default=None, description="Component → its state on the status page."
    )
    deadlines: ListedOrNone[Annotated[DeadlineExpected, *or_text("kind")]] = Field(
        default=None, max_length=200, description="What is due. `none`: nothing is."
    )
    events: ListedOrNone[Annotated[EventExpected, *or_text("type")]] = Field(
        default=None, max_length=200, description="Any events of the log. `none`: nothing happens at all."
    )
    only: OneOrMore[Literal["pages", "approvals", "actions", "messages", "events"]] = Field(
        default=(),
        description="Of these, no others may come in this time than those that are listed here: `only: pages`.",
    )

    @model_validator(mode="after")
    def _says_when_and_what(self) -> Expectation:
        exactly_one(self, "at", "between", "by", "throughout")
        if not self.statements:
            raise refuse("nothing is expected", f"one of {', '.join(STATEMENTS)}")
        if self.nobody_paged and self.pages is not None:
            raise refuse("pages and nobody_paged exclude each other", "one of pages and nobody_paged")
        for name in self.only:
            if not getattr(self, name):
                raise refuse(f"`only` names {name}, and none are listed", f"`{name}` with what may come")
        return self

    @property
    def statements(self) -> tuple[str, ...]:
        """The keys that say something."""
        return tuple(name for name in STATEMENTS if getattr(self, name) not in (None, False))

    @property
    def mode(self) -> Mode:
        """Which of the ways to say when is used."""
        if self.at is not None:
            return "at"
        if self.by is not None:
            return "by"
        return "between" if self.between is not None else "throughout"

    def window(self, until: timedelta) -> tuple[timedelta, timedelta]:
        """The first and the last moment that count, in a test that ends at `until`."""
        if self.at is not None:
            return self.at, self.at + AT_WIDTH
        if self.by is not None:
            return timedelta(), self.by
        begin, end = self.between or self.throughout or (timedelta(), None)
        return begin, until if end is None else end

    @property
    def last_named(self) -> timedelta | None:
        """The last time it names; None for the whole test."""
        if self.between is not None or self.throughout is not None:
            return (self.between or self.throughout or (timedelta(), None))[1]
        return self.at if self.at is not None else self.by
