"""Which alerts are one incident, how severe it is, and which alerts keep quiet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from tocsin_playbook.model.base import Section, exactly_one, refuse
from tocsin_playbook.model.durations import Duration, PositiveDuration
from tocsin_playbook.model.references import AlertMatcher
from tocsin_playbook.model.scalars import (
    WEEKDAYS,
    ConditionText,
    Flag,
    LabelName,
    Line,
    Moment,
    Name,
    SeverityName,
    TimeOfDay,
    TimeZone,
    Weekday,
)

_DAYS_LOOKED_AT = 9
"""A weekly window that ends at all ends within a week; the clocks may change meanwhile."""


class Group(Section):
    """Alerts whose `by` labels have the same values belong to one incident."""

    by: tuple[LabelName, ...] = Field(
        default=("alertname",), max_length=20, description="The labels that tell incidents apart; default alertname."
    )
    wait: Duration = Field(
        default=timedelta(), description="How long to collect alerts before an incident is opened; default 0s."
    )
    reopen_within: Duration = Field(
        default=timedelta(minutes=30),
        description="An alert that returns this soon after resolution reopens the incident; default 30m.",
    )
    correlate_within: PositiveDuration | None = Field(
        default=None,
        description="Incidents of `services` that depend on each other, or on the same one, are one incident where "
        "they begin this soon after each other; default: each stays its own.",
    )
    watch_for: Duration = Field(
        default=timedelta(minutes=15),
        description="How long alerts must stay quiet before the incident is resolved; default 15m.",
    )

    def key(self, labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """What two alerts of one incident have in common. A missing label counts as empty."""
        return tuple((name, labels.get(name, "")) for name in self.by)


class Classification(Section):
    """A condition that raises (or caps) an incident's severity."""

    when: ConditionText = Field(description="CEL over `incident` and `alert`.")
    severity: SeverityName = Field(description="The severity it asks for.")
    applies: Literal["at_least", "at_most"] = Field(
        default="at_least",
        description="`at_least` raises a lower severity to this one; `at_most` then lowers a higher one to it.",
    )
    because: Line = Field(description="The reason, in words that complete: the severity is P0, because …")
    at_once: Flag = Field(
        default=False,
        description="Whether the next level is told too, at once, whatever the severity; default false. For security "
        "and for data at risk.",
    )


class Service(Section):
    """A part of the system, and what it cannot work without."""

    name: Name = Field(description="What it is called.")
    match: tuple[AlertMatcher, ...] = Field(
        default=(), max_length=20, description="Its alerts: all must match; default: those with label service=<name>."
    )
    depends_on: tuple[Name, ...] = Field(default=(), max_length=100, description="The services it needs.")

    def owns(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is about it."""
        if not self.match:
            return labels.get("service") == self.name
        return all(matcher.matches(labels) for matcher in self.match)


class Inhibition(Section):
    """While one alert fires, others are only its consequences and page no one."""

    name: Name | None = Field(default=None, description="What it is called on the timeline.")
    while_: tuple[AlertMatcher, ...] = Field(
        alias="while", min_length=1, max_length=20, description="The alert that explains the others: all must match."
    )
    mute: tuple[AlertMatcher, ...] = Field(
        min_length=1, max_length=20, description="The alerts that are muted: all must match."
    )
    same: tuple[LabelName, ...] = Field(
        default=(), max_length=20, description="Labels that must have the same value in both."
    )

    def mutes(self, alert: Mapping[str, str], firing: Mapping[str, str]) -> bool:
        """Whether the alert is muted by the firing one. An alert never mutes itself."""
        return (
            alert != firing
            and all(matcher.matches(firing) for matcher in self.while_)
            and all(matcher.matches(alert) for matcher in self.mute)
            and all(alert.get(name, "") == firing.get(name, "") for name in self.same)
        )


class WeeklyWindow(Section):
    """The same hours every week, by the clock on the wall. It may cross midnight."""

    days: tuple[Weekday, ...] = Field(
        default=WEEKDAYS, min_length=1, max_length=7, description="The days it begins on; default all."
    )
    begins: TimeOfDay = Field(default=time(), alias="from", description="When it begins; default 00:00.")
    ends: TimeOfDay = Field(
        default=time(), alias="to", description="When it ends; default 00:00. Not after `from`: it ends the next day."
    )

    def until(self, at: datetime, zone: ZoneInfo) -> datetime:
        """When the window that this moment lies in ends, in UTC. Windows that touch each other are one."""
        day = at.astimezone(zone).date()
        for _ in range(_DAYS_LOOKED_AT):
            edges = (datetime.combine(day, edge, tzinfo=zone).astimezone(UTC) for edge in (self.begins, self.ends))
            for edge in sorted(edges):
                if edge > at and not self.holds(edge.astimezone(zone)):
                    return edge
            day += timedelta(days=1)
        return datetime.max.replace(tzinfo=UTC)

    def holds(self, local: datetime) -> bool:
        """Whether a local time lies in the window: its beginning is in, its end is out."""
        now, today = local.time().replace(tzinfo=None), WEEKDAYS[local.weekday()]
        if self.begins < self.ends:
            return today in self.days and self.begins <= now < self.ends
        yesterday = WEEKDAYS[(local.weekday() - 1) % 7]
        return (today in self.days and now >= self.begins) or (yesterday in self.days and now < self.ends)


class MaintenanceWindow(WeeklyWindow):
    """A weekly window in a time zone of its own."""

    time_zone: TimeZone = Field(default="UTC", description="The IANA zone the hours are in.")


class Silence(Section):
    """Alerts that page no one for a while: planned maintenance. They are still recorded."""

    name: Name = Field(description="What it is called on the timeline.")
    match: tuple[AlertMatcher, ...] = Field(min_length=1, max_length=20, description="The alerts: all must match.")
    because: Line = Field(description="Why no one needs to hear of them.")
    begins: Moment | None = Field(default=None, alias="from", description="When it begins; default: at once.")
    until: Moment | None = Field(default=None, description="When it ends.")
    every: MaintenanceWindow | None = Field(default=None, description="Or a window that comes back every week.")

    @model_validator(mode="after")
    def _ends(self) -> Silence:
        exactly_one(self, "until", "every")
        if self.begins is not None and self.until is not None and self.until <= self.begins:
            raise refuse("the silence ends before it begins", "until after from")
        return self

    def is_active(self, at: datetime) -> bool:
        """Whether it is in force at this moment."""
        if self.begins is not None and at < self.begins:
            return False
        if self.every is not None:
            return self.every.holds(at.astimezone(ZoneInfo(self.every.time_zone)))
        return self.until is not None and at < self.until

    def ends(self, at: datetime) -> datetime | None:
        """When a silence that is in force at this moment is over, in UTC; none if it is not in force."""
        if not self.is_active(at):
            return None
        if self.every is None:
            return self.until
        return self.every.until(at, ZoneInfo(self.every.time_zone))

    def silences(self, labels: Mapping[str, str], at: datetime) -> bool:
        """Whether an alert with these labels is silenced at this moment."""
        return self.is_active(at) and all(matcher.matches(labels) for matcher in self.match)
