"""The playbook: all sections, and the questions every service asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from pydantic import Field

from tocsin_playbook.model.base import Section
from tocsin_playbook.model.channels import Channel
from tocsin_playbook.model.communicate import Announcement, Communicate, Occasion
from tocsin_playbook.model.detect import Detect, Signal
from tocsin_playbook.model.durations import BusinessDays
from tocsin_playbook.model.escalate import EscalationPolicy
from tocsin_playbook.model.group import Classification, Group, Inhibition, Service, Silence
from tocsin_playbook.model.oncall import OnCall, Person, Role, Schedule, Team
from tocsin_playbook.model.remediate import Remediate, Runbook
from tocsin_playbook.model.review import Review
from tocsin_playbook.model.scalars import Name, Text, Url
from tocsin_playbook.model.severities import BusinessHours, Severity
from tocsin_playbook.model.sources import Source


class UnknownNameError(LookupError):
    """A name the playbook does not define. The linter finds these before a service does."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"the playbook has no {kind} {name!r}")
        self.kind = kind
        self.name = name


class Metadata(Section):
    """What the playbook is called."""

    name: Name = Field(description="The system it is for.")
    description: Text | None = Field(default=None, description="What the system is, and what matters about it.")
    links: Mapping[Name, Url] = Field(default={}, max_length=100, description="Dashboards and documents, by title.")


Item = TypeVar("Item", bound=Section)


class Playbook(Section):
    """What counts as an incident, how severe it is, who is told and when, what is done, what is said."""

    api_version: Literal["tocsin/v1"] = Field(alias="apiVersion", description="The grammar's version: tocsin/v1.")
    kind: Literal["Playbook"] = Field(description="Always Playbook.")
    metadata: Metadata = Field(description="Its name, and what it is for.")
    severities: tuple[Severity, ...] = Field(
        min_length=1, max_length=20, description="The ladder, most severe first; names are the team's own."
    )
    business_hours: BusinessHours = Field(
        default=BusinessHours(), description="What `next business day` means; default Monday to Friday, 9 to 17 UTC."
    )
    sources: tuple[Source, ...] = Field(default=(), max_length=200, description="Where metrics and alerts come from.")
    detect: Detect = Field(default=Detect(), description="What raises an alert.")
    services: tuple[Service, ...] = Field(
        default=(), max_length=1000, description="The parts of the system and what each depends on."
    )
    group: Group = Field(default=Group(), description="Which alerts are one incident.")
    classify: tuple[Classification, ...] = Field(
        default=(), max_length=200, description="What raises or caps an incident's severity."
    )
    inhibit: tuple[Inhibition, ...] = Field(
        default=(), max_length=200, description="Alerts that are only the consequence of others."
    )
    silences: tuple[Silence, ...] = Field(default=(), max_length=500, description="Planned maintenance.")
    oncall: OnCall = Field(default=OnCall(), description="Whom a page can reach.")
    escalate: tuple[EscalationPolicy, ...] = Field(
        default=(), max_length=50, description="Who is paged, at what minute, at which severity."
    )
    remediate: Remediate = Field(default=Remediate(), description="Runbooks: what is done about incidents.")
    communicate: Communicate = Field(default=Communicate(), description="Who hears what.")
    review: Review = Field(default=Review(), description="What is written down afterwards.")

    # The ladder.

    def rank(self, severity: str) -> int:
        """0 for the most severe."""
        for index, each in enumerate(self.severities):
            if each.name == severity:
                return index
        raise UnknownNameError("severity", severity)

    def severity(self, name: str) -> Severity:
        """The severity of this name."""
        return self.severities[self.rank(name)]

    def highest(self, *severities: str) -> str:
        """The most severe of at least one."""
        return min(severities, key=self.rank)

    def lowest(self, *severities: str) -> str:
        """The least severe of at least one."""
        return max(severities, key=self.rank)

    def is_more_severe(self, one: str, other: str) -> bool:
        """Whether the one is more severe than the other."""
        return self.rank(one) < self.rank(other)

    def classified(self, own: str, holding: Iterable[Classification]) -> str:
        """The severity of an incident whose alerts say `own`, given the classifications that hold."""
        severity, held = own, tuple(holding)
        for raised in (each.severity for each in held if each.applies == "at_least"):
            severity = self.highest(severity, raised)
        for capped in (each.severity for each in held if each.applies == "at_most"):
            severity = self.lowest(severity, capped)
        return severity

    # What belongs to a severity.

    def policy_for(self, severity: str) -> EscalationPolicy | None:
        """The escalation policy for a severity; None when no policy names it."""
        return next((policy for policy in self.escalate if severity in policy.severities), None)

    def due(self, target: timedelta | BusinessDays, since: datetime) -> datetime:
        """When a response or resolution target that began at `since` is due."""
        return self.business_hours.due(target, since)

    def watch_for(self, severity: str) -> timedelta:
        """How long alerts must stay quiet before an incident of this severity is resolved."""
        own = self.severity(severity).watch_for
        return own if own is not None else self.group.watch_for

    def update_every(self, severity: str) -> timedelta | None:
        """How often updates are due; None: never."""
        cadences = (cadence.every for cadence in self.communicate.cadence if severity in cadence.severities)
        return next(cadences, self.severity(severity).update_every)

    def announcements(self, severity: str, occasion: Occasion) -> tuple[Announcement, ...]:
        """The announcements for an occasion. Whether their `when` holds is the caller's to evaluate."""
        return tuple(
            each
            for each in self.communicate.announce
            if occasion in each.on and (not each.severities or severity in each.severities)
        )

    def review_due_within(self, severity: str) -> timedelta | BusinessDays | None:
        """By when, after resolution, the review is due; None: such incidents are not reviewed."""
        if self.review.severities and severity not in self.review.severities:
            return None
        own = (each.due_within for each in self.review.deadlines if severity in each.severities)
        return next(own, self.review.due_within)

    # Things by name.

    def signal(self, name: str) -> Signal:
        """The rule, probe, burn rate, absence or anomaly of this name."""
        return _named(self.detect.signals, "signal", name)

    def person(self, name: str) -> Person:
        """The person of this name."""
        return _named(self.oncall.people, "person", name)

    def team(self, name: str) -> Team:
        """The team of this name."""
        return _named(self.oncall.teams, "team", name)

    def schedule(self, name: str) -> Schedule:
        """The schedule of this name."""
        return _named(self.oncall.schedules, "schedule", name)

    def role(self, name: str) -> Role:
        """The role of this name."""
        return _named(self.oncall.roles, "role", name)

    def channel(self, name: str) -> Channel:
        """The channel of this name."""
        return _named(self.communicate.channels, "channel", name)

    def runbook(self, name: str) -> Runbook:
        """The runbook of this name."""
        return _named(self.remediate.runbooks, "runbook", name)

    def source(self, name: str) -> Source:
        """The source of this name."""
        return _named(self.sources, "source", name)


def _named(items: tuple[Item, ...], kind: str, name: str) -> Item:
    for item in items:
        if getattr(item, "name", None) == name:
            return item
    raise UnknownNameError(kind, name)
