"""One schedule at a moment, on a terminal and for machines."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console

from tocsin_playbook import Playbook, Standing, UnknownNameError, standing
from tocsin_playbook.model import Schedule
from tocsin_schemas.events import OverrideSet

__all__ = ["Shown"]


class Shown:
    """One schedule at a moment, with whoever comes next, and the standing overrides that are not over then."""

    def __init__(
        self, playbook: Playbook, schedule: Schedule, at: datetime, overrides: Sequence[OverrideSet] = ()
    ) -> None:
        self._playbook = playbook
        self._schedule = schedule
        people = {person.name for person in playbook.oncall.people}
        self._overrides = [each for each in overrides if each.ends_at > at and each.person in people]
        holidays = playbook.business_hours.holidays
        self._now = standing(schedule, at, holidays=holidays)
        self._next = None if self._now.until is None else standing(schedule, self._now.until, holidays=holidays)

    def as_json(self) -> dict[str, object]:
        return {
            "playbook": self._playbook.metadata.name,
            "schedule": self._schedule.name,
            "time_zone": self._schedule.time_zone,
            "now": self._turn(self._now),
            "next": None if self._next is None else self._turn(self._next),
            "overrides": [self._override(each) for each in self._overrides],
        }

    def print(self, out: Console, *, apart: bool, named: bool) -> None:
        """A line for the schedule, one for whoever is on call, one for whoever is next."""
        title = f"{self._playbook.metadata.name}: {self._schedule.name}" if named else self._schedule.name
        out.print(f"{chr(10) if apart else ''}[bold]{title}[/bold] [dim]{self._schedule.time_zone}[/dim]")
        rows = [("now", self._now)] + ([("next", self._next)] if self._next is not None else [])
        width = max(len(self._who(turn)) for _, turn in rows)
        for label, turn in rows:
            who = self._who(turn)
            style = "red" if turn.person is None else "bold" if label == "now" else ""
            out.print(f"  {label:<4}  ", end="")
            out.print(who, style=style, markup=False, end="")
            when = f"{self._clock(turn.since):<26} to {self._clock(turn.until)}".rstrip()
            if out.is_terminal and 8 + width + 2 + 56 > out.width:
                out.print(f"\n        {when}", markup=False)
            else:
                out.print(f"{'':<{width - len(who)}}  {when}", markup=False)

        for each in self._overrides:
            because = f": {each.because}" if each.because else ""
            when = f"{self._clock(each.begins_at)} to {self._clock(each.ends_at)}"
            out.print(f"  override {each.override}: {each.person}, {when}, by {each.by.name}{because}", markup=False)

    def _override(self, order: OverrideSet) -> dict[str, object]:
        return {
            "override": order.override,
            "person": order.person,
            "full_name": self._full_name(order.person),
            "since": self._local(order.begins_at).isoformat(),
            "until": self._local(order.ends_at).isoformat(),
            "because": order.because,
            "by": order.by.name,
        }

    def _turn(self, turn: Standing) -> dict[str, object]:
        person = None if turn.person is None else self._full_name(turn.person)
        return {
            "person": turn.person,
            "full_name": person,
            "since": None if turn.since is None else self._local(turn.since).isoformat(),
            "until": None if turn.until is None else self._local(turn.until).isoformat(),
        }

    def _who(self, turn: Standing) -> str:
        if turn.person is None:
            return "nobody"
        full_name = self._full_name(turn.person)
        return f"{turn.person} ({full_name})" if full_name else turn.person

    def _full_name(self, person: str) -> str | None:
        try:
            return self._playbook.person(person).full_name
        except UnknownNameError:  # `lint` says so; here the name itself is all there is to show
            return None

    def _clock(self, at: datetime | None) -> str:
        if at is None:
            return "…"
        local = self._local(at)
        return f"{local:%a} {local.isoformat(' ', 'minutes')}"

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(ZoneInfo(self._schedule.time_zone))
