"""People who cannot be reached, teams of nobody, rules that contradict each other, and holes in a schedule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin_playbook.checks.finding import Finding, listed
from tocsin_playbook.model import Person, Playbook, Schedule, format_duration
from tocsin_playbook.oncall import Turn, steps_for, turns
from tocsin_playbook.problems import Path
from tocsin_playbook.roles import role_called
from tocsin_schemas import Role

LOOKED_AHEAD = timedelta(days=90)
"""How far ahead a schedule is searched for a hole."""


def reachable(playbook: Playbook) -> Iterator[Finding]:
    """Everyone has a contact, every team a member."""
    for number, person in enumerate(playbook.oncall.people):
        if not person.contacts:
            yield Finding(
                ("oncall", "people", number, "name"),
                f"{person.name} cannot be reached: there are no contacts",
                "`contacts` with at least one channel and address",
            )
    for number, team in enumerate(playbook.oncall.teams):
        if not team.members:
            yield Finding(
                ("oncall", "teams", number, "members"), f"the team {team.name} has no members", "at least one member"
            )


def known_roles(playbook: Playbook) -> Iterator[Finding]:
    """Roles that nobody can be given, because incidents have no such role."""
    for number, role in enumerate(playbook.oncall.roles):
        if role_called(role.name) is None:
            yield Finding(
                ("oncall", "roles", number, "name"),
                f"incidents have no role {role.name[:80]!r}: nobody is given it",
                listed([each.value.replace("_", " ") for each in Role]),
                level="warning",
            )


def notification_rules(playbook: Playbook) -> Iterator[Finding]:
    """Each rule names one contact of its person, in order of time, and somebody is told at once."""
    for number, person in enumerate(playbook.oncall.people):
        here: Path = ("oncall", "people", number, "rules")
        yield from _contacts_of_rules(person, here)
        for index, (earlier, rule) in enumerate(zip(person.rules, person.rules[1:], strict=False), start=1):
            if rule.after < earlier.after:
                yield Finding(
                    (*here, index, "after"),
                    f"this comes before the rule above it ({format_duration(earlier.after)})",
                    "rules in order of `after`",
                    level="warning",
                )
        for severity in playbook.severities if person.rules else ():
            first = next(iter(steps_for(person, severity.name)), None)
            if first is not None and first.after:
                yield Finding(
                    (*here, 0, "after"),
                    f"a page at {severity.name} tells {person.name} nothing for {format_duration(first.after)}",
                    "a first rule with `after: 0s`",
                    level="warning",
                )
                break


def holiday_restrictions(playbook: Playbook) -> Iterator[Finding]:
    """Hours that ask for holidays where none are listed."""
    if playbook.business_hours.holidays:
        return
    for number, schedule in enumerate(playbook.oncall.schedules):
        for index, layer in enumerate(schedule.layers):
            for place, hours in enumerate(layer.restrictions):
                if hours.holidays != "also":
                    yield Finding(
                        ("oncall", "schedules", number, "layers", index, "restrictions", place, "holidays"),
                        "there are no holidays",
                        "days in `business_hours.holidays`",
                        level="warning",
                    )


def holes(playbook: Playbook, now: datetime) -> Iterator[Finding]:
    """The first stretch of each schedule in the next 90 days in which nobody is on call."""
    for number, schedule in enumerate(playbook.oncall.schedules):
        hole = _first_hole(schedule, playbook.business_hours.holidays, now)
        if hole is None:
            continue
        begins = "now" if hole.since <= now else _shown(hole.since, schedule)
        ends = f"until {_shown(hole.until, schedule)}" if hole.until < now + LOOKED_AHEAD else "on"
        yield Finding(
            ("oncall", "schedules", number, "name"),
            f"nobody is on call from {begins} {ends}",
            "a layer without restrictions, or layers that leave no hole",
            level="warning",
        )


def _first_hole(schedule: Schedule, holidays: Collection[date], now: datetime) -> Turn | None:
    end = now + LOOKED_AHEAD
    for span in (timedelta(days=8), LOOKED_AHEAD):  # most holes come back every week
        found = turns(schedule, now, now + span, holidays=holidays)
        hole = next((turn for turn in found if turn.person is None), None)
        if hole is not None and (hole.until < now + span or now + span == end):
            return hole
    return None


def _contacts_of_rules(person: Person, here: Path) -> Iterator[Finding]:
    called = Counter(contact.called for contact in person.contacts)
    for index, rule in enumerate(person.rules):
        if rule.contact not in called:
            message, expected = f"{person.name} has no contact {rule.contact!r}", listed(list(called))
        elif called[rule.contact] > 1:
            message, expected = (
                f"{person.name} has {called[rule.contact]} contacts called {rule.contact!r}",
                "a `name` for each",
            )
        else:
            continue
        yield Finding((*here, index, "contact"), message, expected)


def _shown(at: datetime, schedule: Schedule) -> str:
    """A moment by the schedule's clock, with the weekday and the offset."""
    local = at.astimezone(ZoneInfo(schedule.time_zone))
    return f"{local:%a} {local.isoformat(' ', 'minutes')}"
