"""People who cannot be reached, teams of nobody, and hours in which no one is on call."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin_playbook.checks.finding import Finding
from tocsin_playbook.model import WEEKDAYS, Playbook
from tocsin_playbook.oncall import weekly_hole


def reachable(playbook: Playbook) -> Iterator[Finding]:
    """Everyone has a contact, every team a member, every hour someone."""
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
    for number, schedule in enumerate(playbook.oncall.schedules):
        hole = weekly_hole(schedule)
        if hole is not None:
            yield Finding(
                ("oncall", "schedules", number, "name"),
                f"nobody is on call from {_minute(hole[0])} to {_minute(hole[1])}",
                "a layer without restrictions, or restrictions that cover the week",
                level="warning",
            )


def _minute(of_week: int) -> str:
    day, minute = divmod(of_week, 1440)
    return f"{WEEKDAYS[day % 7].capitalize()} {minute // 60:02d}:{minute % 60:02d}"
