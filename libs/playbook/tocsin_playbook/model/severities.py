"""The severity ladder, and the hours in which business days are counted."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from tocsin_playbook.model.base import Section
from tocsin_playbook.model.durations import BusinessDays, Duration, PositiveDuration, TargetTime
from tocsin_playbook.model.scalars import WEEKDAYS, Day, Line, SeverityName, Text, TimeOfDay, TimeZone, Weekday

Automation = Literal["automatic", "approve", "off"]


class Severity(Section):
    """One step of the ladder. The first in the list is the most severe."""

    name: SeverityName = Field(description="The team's own word: P0, SEV1, critical, …")
    description: Text | None = Field(default=None, description="What an incident of this severity means.")
    examples: tuple[Line, ...] = Field(
        default=(), max_length=50, description="Incidents that would have this severity, for people to compare with."
    )
    acknowledge_within: TargetTime | None = Field(
        default=None,
        description="Response target: by when someone acknowledges. A duration, or `next business day`.",
    )
    resolve_within: TargetTime | None = Field(
        default=None, description="Resolution target: by when the incident is resolved."
    )
    warn_before: PositiveDuration | None = Field(
        default=None,
        description="How long before a target is due those who respond are warned of it. None: they are not.",
    )
    acknowledged_for: PositiveDuration | None = Field(
        default=None,
        description="How long an acknowledgement stops paging that does not say so itself and is not followed by an "
        "update. None: until the incident is over.",
    )
    update_every: PositiveDuration | None = Field(
        default=None,
        description="How often people are told how it stands. None: no updates are asked for.",
    )
    automation: Automation = Field(
        default="approve",
        description="What runbooks may do: `automatic` runs steps, `approve` asks a person first, `off` only proposes.",
    )
    watch_for: Duration | None = Field(
        default=None,
        description="How long alerts must stay quiet before the incident is resolved; default: `group.watch_for`.",
    )


class BusinessHours(Section):
    """When the team works: what `next business day` means."""

    time_zone: TimeZone = Field(default="UTC", description="The IANA zone the hours are in.")
    days: tuple[Weekday, ...] = Field(
        default=WEEKDAYS[:5], min_length=1, max_length=7, description="The working days; default Monday to Friday."
    )
    begins: TimeOfDay = Field(default=time(9), alias="from", description="When work begins; default 09:00.")
    ends: TimeOfDay = Field(default=time(17), alias="to", description="When work ends; default 17:00.")
    holidays: tuple[Day, ...] = Field(default=(), max_length=1000, description="Days without work, such as 2026-12-25.")

    def is_working_day(self, day: date) -> bool:
        """Whether people work on this day."""
        return WEEKDAYS[day.weekday()] in self.days and day not in self.holidays

    def due(self, target: timedelta | BusinessDays, since: datetime) -> datetime:
        """When a target that began at `since` is due: then, or at the end of the last of the business days."""
        if isinstance(target, timedelta):
            return since + target
        zone = ZoneInfo(self.time_zone)
        day, left = since.astimezone(zone).date(), target.count
        last = day + timedelta(days=3660)  # holidays are finite, so this is only a guard
        while left and day < last:
            day += timedelta(days=1)
            left -= self.is_working_day(day)
        return datetime.combine(day, self.ends, tzinfo=zone).astimezone(since.tzinfo)
