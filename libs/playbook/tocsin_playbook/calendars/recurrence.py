"""The days of a repeated event: the part of RFC 5545's RRULE that calendars write for shifts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tocsin_playbook.calendars.problems import CalendarError

_DAY = timedelta(days=1)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "BYMONTHDAY", "WKST"})

_Weekday = tuple[int, int]
"""Which one in its month (from 1, or from -1 backwards; 0: every), and the day of the week from Monday, 0."""


@dataclass(frozen=True, slots=True)
class Rule:
    """On which days something is repeated; the first is day 1 of `count`."""

    frequency: str
    interval: int
    count: int | None
    weekdays: Collection[_Weekday]
    months: Collection[int]
    month_days: Collection[int]
    week_starts: int

    @classmethod
    def of(cls, parts: Mapping[str, Sequence[Any]], first: date, uid: str) -> Rule:
        """From the parts of an RRULE. Raises CalendarError for what is not understood."""

        def refuse(problem: str) -> CalendarError:
            return CalendarError(problem, uid=uid, field="RRULE")

        given = {str(name).upper(): list(values) for name, values in parts.items()}
        if unknown := sorted(set(given) - _PARTS):
            raise refuse(f"{', '.join(unknown)} is not understood; there are {', '.join(sorted(_PARTS))}")
        frequency = str(given.get("FREQ", [""])[0]).upper()
        if frequency not in _FREQUENCIES:
            raise refuse(f"FREQ={frequency} is not understood; there are {', '.join(_FREQUENCIES)}")
        interval = int(given.get("INTERVAL", [1])[0])
        count = int(given["COUNT"][0]) if "COUNT" in given else None
        if interval < 1 or (count is not None and count < 1):
            raise refuse("INTERVAL and COUNT are at least 1")
        weekdays = frozenset(_weekday(str(value), refuse) for value in given.get("BYDAY", ()))
        months = frozenset(int(value) for value in given.get("BYMONTH", ()))
        if any(nth for nth, _ in weekdays) and frequency != "MONTHLY" and not (frequency == "YEARLY" and months):
            raise refuse("BYDAY with a number is understood within months only")
        month_days = frozenset(int(value) for value in given.get("BYMONTHDAY", ()))
        starts = _WEEKDAYS.index(str(given.get("WKST", ["MO"])[0]).upper())
        made = cls(frequency, interval, count, weekdays, months, month_days, starts)._complete(first)
        if not made._holds(first, first):
            raise CalendarError("the event itself is none of the repetitions of its RRULE", uid=uid, field="DTSTART")
        return made

    def days(self, first: date, since: date, last: date) -> Iterator[date]:
        """The days from `since` to `last`, of a repetition that begins on `first`."""
        day, number = first if self.count is not None else max(first, since), 0
        while day <= last and (self.count is None or number < self.count):
            if self._holds(day, first):
                number += 1
                if day >= since:
                    yield day
            day += _DAY

    def _complete(self, first: date) -> Rule:
        """What a rule leaves out is as on its first day."""
        weekdays, months, month_days = self.weekdays, self.months, self.month_days
        if self.frequency == "WEEKLY" and not weekdays:
            weekdays = frozenset({(0, first.weekday())})
        if self.frequency in ("MONTHLY", "YEARLY") and not weekdays and not month_days:
            month_days = frozenset({first.day})
            if self.frequency == "YEARLY" and not months:
                months = frozenset({first.month})
        return Rule(self.frequency, self.interval, self.count, weekdays, months, month_days, self.week_starts)

    def _holds(self, day: date, first: date) -> bool:
        if self.months and day.month not in self.months:
            return False
        left = _days_in(day) - day.day
        if self.month_days and not {day.day, -left - 1} & set(self.month_days):
            return False
        if self.weekdays:
            nth, backwards = (day.day - 1) // 7 + 1, -(left // 7) - 1
            if not {(each, day.weekday()) for each in (0, nth, backwards)} & set(self.weekdays):
                return False
        return self._period(day, first) % self.interval == 0

    def _period(self, day: date, first: date) -> int:
        """How many days, weeks, months or years after the first one's."""
        if self.frequency == "DAILY":
            return (day - first).days
        if self.frequency == "WEEKLY":
            into = (first.weekday() - self.week_starts) % 7
            return ((day - first).days + into) // 7
        years = day.year - first.year
        return years if self.frequency == "YEARLY" else years * 12 + day.month - first.month


def _weekday(text: str, refuse: Any) -> _Weekday:
    number, name = text[:-2], text[-2:].upper()
    if name not in _WEEKDAYS:
        raise refuse(f"BYDAY={text} is no weekday")
    return int(number or 0), _WEEKDAYS.index(name)


def _days_in(month_of: date) -> int:
    following = (month_of.replace(day=28) + timedelta(days=4)).replace(day=1)
    return (following - _DAY).day
