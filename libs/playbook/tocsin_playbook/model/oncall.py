"""People, teams and schedules: whom a page can reach."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from tocsin_playbook.model.base import Section, refuse
from tocsin_playbook.model.durations import Duration, format_duration, parse_duration
from tocsin_playbook.model.references import Target
from tocsin_playbook.model.scalars import (
    WEEKDAYS,
    Day,
    Line,
    Moment,
    Name,
    SeverityName,
    Text,
    TimeOfDay,
    TimeZone,
    Weekday,
    plain_text,
)

_HOUR = timedelta(hours=1)
_NAMED_TURNS = {"daily": timedelta(days=1), "weekly": timedelta(weeks=1)}


def _address(value: str) -> str:
    if value == value.strip() and "\n" not in value and "\t" not in value:
        return plain_text(value)
    raise refuse("the address has spaces around it or more than one line", "one address")


def parse_turn(value: object) -> timedelta:
    """`daily`, `weekly`, or a duration of whole hours such as `12h` or `2w`."""
    expected = "daily, weekly, or whole hours like 12h, 3d or 2w"
    if isinstance(value, str) and value in _NAMED_TURNS:
        return _NAMED_TURNS[value]
    if isinstance(value, str) and re.fullmatch(r"[a-z]+", value):
        raise refuse(f"{value[:40]!r} is no turn", expected)
    turn = parse_duration(value)
    if turn < _HOUR or turn % _HOUR:
        raise refuse("a turn is at least one hour, in whole hours", expected)
    return turn


Address = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_address)]
Turn = Annotated[
    timedelta,
    BeforeValidator(parse_turn),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(daily|weekly|([0-9]+w)?([0-9]+d)?([0-9]+h)?)$"}),
]


Access = Literal["viewer", "responder", "commander", "admin"]
"""What somebody may ask for; each may what those before it may."""


class Contact(Section):
    """One way to reach a person."""

    name: Name | None = Field(default=None, description="What `rules` call it; default: its channel.")
    channel: Name = Field(description="The name of a channel of `communicate.channels`.")
    address: Address = Field(description="The person there: an e-mail address, a Slack channel or user, a number.")

    @property
    def called(self) -> str:
        """What a rule names it by."""
        return self.name or self.channel


class NotificationRule(Section):
    """When a page that nobody has answered yet uses which contact."""

    contact: Name = Field(description="A contact of this person: its `name`, or its channel.")
    after: Duration = Field(default=timedelta(), description="How long after the page; default 0s: at once.")
    severities: tuple[SeverityName, ...] = Field(
        default=(), max_length=20, description="Only for incidents of these severities; default all."
    )


class Person(Section):
    """Someone who can be paged."""

    name: Name = Field(description="How the playbook calls this person: `person:ada`.")
    full_name: Line | None = Field(default=None, description="How other people do.")
    title: Line | None = Field(default=None, description="What they do, such as Engineering Manager.")
    contacts: tuple[Contact, ...] = Field(
        default=(), max_length=20, description="In order: the next is tried when one fails."
    )
    rules: tuple[NotificationRule, ...] = Field(
        default=(),
        max_length=50,
        description="Which contact is used when, in order of `after`; default: the first, others where it fails.",
    )
    time_zone: TimeZone | None = Field(default=None, description="Where they live; for times in their messages.")
    access: Access = Field(default="responder", description="What they may ask for; default responder.")


class Team(Section):
    """Several people at once."""

    name: Name = Field(description="How the playbook calls it: `team:shop`.")
    description: Text | None = Field(default=None, description="What the team looks after.")
    members: tuple[Name, ...] = Field(max_length=500, description="Names of people.")
    lead: Name | None = Field(default=None, description="The person who speaks for it.")


class Handover(Section):
    """The wall-clock moment at which one turn ends and the next begins."""

    at: TimeOfDay = Field(default=time(9), description="The time, in the layer's zone; default 09:00.")
    day: Weekday | None = Field(
        default=None, description="The weekday, for turns of whole weeks; default: of `starts`."
    )


class Restriction(Section):
    """Hours of the week in which a layer counts, by the clock on the wall of its zone. They may cross midnight."""

    days: tuple[Weekday, ...] = Field(
        default=WEEKDAYS, min_length=1, max_length=7, description="The days they begin on; default all."
    )
    begins: TimeOfDay = Field(default=time(), alias="from", description="When they begin; default 00:00.")
    ends: TimeOfDay = Field(
        default=time(), alias="to", description="When they end; default 00:00. Not after `from`: the next day."
    )
    holidays: Literal["also", "never", "only"] = Field(
        default="also",
        description="Whether they begin on `business_hours.holidays` too: `also` (default), `never`, or `only` then.",
    )

    def begins_on(self, day: date, holidays: Collection[date]) -> bool:
        """Whether its hours begin on this day."""
        if WEEKDAYS[day.weekday()] not in self.days:
            return False
        return self.holidays == "also" or (day in holidays) == (self.holidays == "only")


class Layer(Section):
    """One rotation of a schedule."""

    name: Name | None = Field(default=None, description="What it is called.")
    time_zone: TimeZone | None = Field(
        default=None, description="The IANA zone of its hand-overs, days and hours; default: the schedule's."
    )
    people: tuple[Name, ...] = Field(min_length=1, max_length=100, description="In the order of their turns.")
    turn: Turn = Field(
        default=timedelta(weeks=1), description="How long each is on call: daily, weekly, 12h; default weekly."
    )
    handover: Handover = Field(default=Handover(), description="When turns change, by the local clock.")
    starts: Day = Field(description="The day it begins, in its zone, with the first person.")
    until: Day | None = Field(default=None, description="The day before which it ends; default: never.")
    restrictions: tuple[Restriction, ...] = Field(
        default=(), max_length=50, description="Only in these hours of the week; default: always."
    )

    @model_validator(mode="after")
    def _weekday_of_whole_weeks(self) -> Layer:
        if self.handover.day is None or not self.turn % timedelta(weeks=1):
            return self
        raise refuse("a weekday for turns that are not whole weeks", "no `day`, or a turn of weeks")

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Layer:
        if not all(1970 < day.year < 9000 for day in (self.starts, self.until or self.starts)):
            raise refuse("the year is out of range", "a year from 1971 to 8999")
        if self.until is not None and self.until <= self.starts:
            raise refuse("the layer ends before it starts", "until after starts")
        return self


class Override(Section):
    """Someone else for a while."""

    person: Name = Field(description="Who is on call instead.")
    begins: Moment = Field(alias="from", description="From when.")
    until: Moment = Field(description="Until when.")
    because: Line | None = Field(default=None, description="Why.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Override:
        if self.begins < self.until:
            return self
        raise refuse("the override ends before it begins", "until after from")

    def holds(self, at: datetime) -> bool:
        """Whether it is in force at this moment."""
        return self.begins <= at < self.until


class Schedule(Section):
    """Who is on call when. Overrides win over layers, later layers over earlier ones."""

    name: Name = Field(description="How the playbook calls it: `schedule:primary`.")
    description: Text | None = Field(default=None, description="What it is for.")
    time_zone: TimeZone = Field(default="UTC", description="The IANA zone of its hand-overs and hours.")
    layers: tuple[Layer, ...] = Field(min_length=1, max_length=20, description="Its rotations; later ones win.")
    overrides: tuple[Override, ...] = Field(default=(), max_length=500, description="Swaps; later ones win.")


class Role(Section):
    """A part someone plays in an incident, such as incident commander."""

    name: Name = Field(description="The role: incident commander, communications lead, …")
    description: Text | None = Field(default=None, description="What the role does.")
    held_by: Target | None = Field(default=None, description="Who has it unless it is assigned to someone else.")
    severities: tuple[SeverityName, ...] = Field(
        default=(), max_length=50, description="The incidents that have it, by severity; default: all."
    )


class OnCall(Section):
    """Everyone a page can reach."""

    people: tuple[Person, ...] = Field(default=(), max_length=2000, description="Who can be paged.")
    teams: tuple[Team, ...] = Field(default=(), max_length=500, description="Who is paged together.")
    schedules: tuple[Schedule, ...] = Field(default=(), max_length=200, description="Who is paged when.")
    roles: tuple[Role, ...] = Field(default=(), max_length=50, description="The parts people play in an incident.")
    others: Access = Field(
        default="responder", description="What those may ask for whom `people` does not name; default responder."
    )
