"""Who hears what, when, and where: announcements, updates, the status page, the war room."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from tocsin_playbook.model.base import Section, refuse
from tocsin_playbook.model.channels import Channel
from tocsin_playbook.model.durations import Duration, PositiveDuration
from tocsin_playbook.model.references import AlertMatcher, Secret, Target
from tocsin_playbook.model.scalars import ConditionText, Flag, Line, Name, SeverityName, Template, Token, Url

Occasion = Literal[
    "opened",
    "severity_changed",
    "acknowledged",
    "escalated",
    "deadline_missed",
    "action",
    "update",
    "monitoring",
    "resolved",
    "reopened",
    "closed",
    "review",
]
"""What a message can be about."""

TemplateName = Literal[
    "page",
    "reminder",
    "approval",
    "role",
    "warning",
    "war_room",
    "opened",
    "severity_changed",
    "acknowledged",
    "escalated",
    "deadline_missed",
    "action",
    "update",
    "monitoring",
    "resolved",
    "reopened",
    "closed",
    "review",
]
"""An occasion, or a message to some people: a page, a reminder to write an update, a request to approve, a role that
they have got, a warning that a target comes near, a war room."""

Phase = Literal["investigating", "identified", "monitoring", "resolved"]


class Announcement(Section):
    """Who hears of an incident's course, besides the people who are paged."""

    severities: tuple[SeverityName, ...] = Field(
        default=(), max_length=50, description="Incidents of these severities; default: all."
    )
    to: tuple[Target, ...] = Field(
        min_length=1, max_length=50, description="Places and people: slack:#incidents, person:ada, team:shop."
    )
    on: tuple[Occasion, ...] = Field(
        default=("opened", "severity_changed", "resolved"), min_length=1, max_length=20, description="The occasions."
    )
    when: ConditionText | None = Field(default=None, description="CEL: only incidents for which this holds.")


class Cadence(Section):
    """How often updates are due for some severities; wins over the severity's `update_every`."""

    severities: tuple[SeverityName, ...] = Field(min_length=1, max_length=50, description="For these severities.")
    every: PositiveDuration = Field(description="How often an update is due.")
    remind: tuple[Target, ...] = Field(
        default=(), max_length=20, description="Who is reminded when it is; default: whoever is responding."
    )


class Component(Section):
    """A part of the system as customers know it."""

    name: Name = Field(description="What the status page calls it.")
    description: Line | None = Field(default=None, description="What it is, for customers.")
    match: tuple[AlertMatcher, ...] = Field(
        default=(), max_length=20, description="The alerts that affect it: all must match; default: none do."
    )
    id: Token | None = Field(default=None, description="Its id at the status page's provider.")


class StatuspageIo(Section):
    """A page at statuspage.io, or one that speaks its API."""

    url: Url = Field(default="https://api.statuspage.io/v1/", description="The API's address.")
    page: Token = Field(description="The page's id.")
    token: Secret = Field(description="The API key.")


class StatusPage(Section):
    """What the world is told."""

    title: Line = Field(default="Status", description="The page's title.")
    severities: tuple[SeverityName, ...] = Field(
        default=(), max_length=50, description="Which incidents are published; default: none."
    )
    within: Duration = Field(
        default=timedelta(minutes=15), description="By when the first word must be there; default 15m."
    )
    approval: Flag = Field(default=True, description="Whether a person must agree to each text; default true.")
    components: tuple[Component, ...] = Field(default=(), max_length=200, description="What is on the page.")
    wording: Mapping[Phase, Template] = Field(
        default={}, description="The text for each phase: investigating, identified, monitoring, resolved."
    )
    statuspage_io: StatuspageIo | None = Field(default=None, description="Also publish there.")


_ROOM_TOKENS = ("YYYYMMDD", "HHMM", "NNN")


def _room_name(value: str) -> str:
    expected = "a name like #incident-YYYYMMDD-HHMM or #incident-YYYYMMDD-NNN"
    rest = value
    for token in _ROOM_TOKENS:
        rest = rest.replace(token, "")
    if not any(token in value for token in _ROOM_TOKENS):
        raise refuse("every war room would have the same name", expected)
    if not 0 < len(value) <= 70 or not all(c.islower() or c.isdigit() or c in "#-_" for c in rest if c.isascii()):
        raise refuse("this is no name of a room", expected)
    if not rest.isascii():
        raise refuse("this is no name of a room", expected)
    return value


class WarRoom(Section):
    """A place made for one incident."""

    severities: tuple[SeverityName, ...] = Field(
        default=(), max_length=50, description="Incidents of these severities have one; default: all."
    )
    channel: Token = Field(description="The channel it is made in, such as slack.")
    name: Annotated[str, AfterValidator(_room_name)] = Field(
        default="#incident-YYYYMMDD-HHMM",
        description="Its name: YYYYMMDD is the date and HHMM the time of opening (UTC), NNN the day's number.",
    )
    invite: tuple[Target, ...] = Field(default=(), max_length=50, description="Who is invited besides responders.")
    topic: Template | None = Field(default=None, description="The room's topic.")

    @property
    def counts_the_day(self) -> bool:
        """Whether the name has the day's number in it."""
        return "NNN" in self.name

    def name_for(self, opened: datetime, number: int = 1) -> str:
        """The room's name for an incident that was opened then, as the day's so-many-th (from 1)."""
        text = self.name.replace("YYYYMMDD", f"{opened:%Y%m%d}").replace("HHMM", f"{opened:%H%M}")
        return text.replace("NNN", f"{number:03d}")


class Communicate(Section):
    """Every word that leaves for a person."""

    channels: tuple[Channel, ...] = Field(default=(), max_length=100, description="The channels there are.")
    announce: tuple[Announcement, ...] = Field(default=(), max_length=200, description="Who hears of what.")
    cadence: tuple[Cadence, ...] = Field(default=(), max_length=50, description="How often updates are due.")
    templates: Mapping[TemplateName, Template] = Field(
        default={}, description="Texts by occasion, as Jinja; default: built-in ones."
    )
    status_page: StatusPage | None = Field(default=None, description="What the world is told.")
    war_room: WarRoom | None = Field(default=None, description="A place made for one incident.")

    @model_validator(mode="after")
    def _one_cadence_each(self) -> Communicate:
        seen: set[str] = set()
        for cadence in self.cadence:
            if again := seen & set(cadence.severities):
                raise refuse(f"two cadences for {', '.join(sorted(again))}", "one cadence for each severity")
            seen |= set(cadence.severities)
        return self
