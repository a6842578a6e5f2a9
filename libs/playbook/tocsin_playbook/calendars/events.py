"""The events of a calendar: when each happens, in its own zone, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from icalendar import Component

from tocsin_playbook.calendars.problems import CalendarError
from tocsin_playbook.calendars.recurrence import Rule
from tocsin_playbook.oncall.wall_clock import local_time, moment

_NOT_UNDERSTOOD = ("RDATE", "EXRULE")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One event, repeated or not. Times are on the wall clock of its zone."""

    uid: str
    summary: str
    attendees: tuple[str, ...]
    """Names and addresses."""
    begins: datetime
    length: timedelta
    zone: tzinfo
    rule: Rule | None
    until: datetime | date | None
    """The last moment, or the last day, at which a repetition begins."""
    left_out: frozenset[datetime | date]
    """Repetitions that do not happen: the moments in UTC at which they would begin, or whole days."""
    replaces: datetime | date | None
    """Which repetition of the event of the same UID this one stands for; likewise."""

    def occurrences(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """When it happens between two moments: whole occurrences that touch that stretch, in UTC and in order."""
        for local in self._local(since, until):
            begins, ends = moment(local, self.zone), moment(local + self.length, self.zone)
            if begins < until and ends > since:
                yield begins, ends

    def _local(self, since: datetime, until: datetime) -> Iterator[datetime]:
        if self.rule is None:
            yield self.begins
            return
        first, clock = self.begins.date(), self.begins.time()
        earliest = (since.astimezone(self.zone).replace(tzinfo=None) - self.length).date() - _DAY
        for day in self.rule.days(first, earliest, until.astimezone(self.zone).date() + _DAY):
            local = datetime.combine(day, clock)
            if self._is_over(local):
                return
            if moment(local, self.zone) not in self.left_out and day not in self.left_out:
                yield local

    def _is_over(self, local: datetime) -> bool:
        if isinstance(self.until, datetime):
            return moment(local, self.zone) > self.until
        return self.until is not None and local.date() > self.until


def event_of(component: Component, number: int, floating: tzinfo) -> CalendarEvent:
    """An event as it stands in a calendar; times without a zone are in `floating`. Raises CalendarError."""
    uid = _text(component, "UID") or f"number {number}"
    fields = _Fields(component, uid, floating)
    for name in _NOT_UNDERSTOOD:
        if name in component:
            raise CalendarError("is not understood", uid=uid, field=name)
    begins, zone = fields.local("DTSTART")
    rule, until = fields.rule(begins.date())
    return CalendarEvent(
        uid=uid,
        summary=_text(component, "SUMMARY"),
        attendees=tuple(_attendees(component)),
        begins=begins,
        length=fields.length(begins, zone),
        zone=zone,
        rule=rule,
        until=until,
        left_out=frozenset(fields.listed("EXDATE", zone)),
        replaces=fields.replaced(zone),
    )


class _Fields:
    """Properties of one event, read with the care that foreign text needs."""

    def __init__(self, component: Component, uid: str, floating: tzinfo) -> None:
        self._component = component
        self._uid = uid
        self._floating = floating
        self._broken = dict(component.errors)

    def local(self, name: str) -> tuple[datetime, tzinfo]:
        """A time on the wall, and the zone of the wall. A day begins at its midnight."""
        value = self._when(self._one(name), name)
        if not isinstance(value, datetime):
            return datetime.combine(value, time()), self._floating
        return value.replace(tzinfo=None), value.tzinfo or self._floating

    def length(self, begins: datetime, zone: tzinfo) -> timedelta:
        """From its beginning to its end, on the wall."""
        length: Any = None
        if "DTEND" in self._component:
            field = "DTEND"
            length = _as_local(self._when(self._one(field), field), zone) - begins
        elif "DURATION" in self._component:
            field, length = "DURATION", getattr(self._one("DURATION"), "dt", None)
        else:
            field = "DTSTART"
            is_day = not isinstance(getattr(self._one(field), "dt", None), datetime)
            length = _DAY if is_day else timedelta()
        if not isinstance(length, timedelta) or not timedelta() < length <= timedelta(days=3660):
            raise self._refuse("the event has no length, or one of years", field)
        return length

    def rule(self, first: date) -> tuple[Rule | None, datetime | date | None]:
        if "RRULE" not in self._component:
            return None, None
        parts: Mapping[str, Sequence[Any]] = self._one("RRULE")
        try:
            rule = Rule.of(parts, first, self._uid)
        except CalendarError:
            raise
        except ValueError as error:
            raise self._refuse(f"holds what is no number: {error}", "RRULE") from None
        until = next(iter(parts.get("UNTIL", ())), None)
        if isinstance(until, datetime):
            until = moment(until.replace(tzinfo=None), until.tzinfo or self._floating)
        return rule, until

    def listed(self, name: str, zone: tzinfo) -> Iterator[datetime | date]:
        """The moments and days of a list such as EXDATE; times without a zone are in this one."""
        self._check(name)
        found = self._component.get(name, [])
        for values in found if isinstance(found, list) else [found]:
            for value in values.dts:
                yield _moment_or_day(self._when(value, name), zone)

    def replaced(self, zone: tzinfo) -> datetime | date | None:
        name = "RECURRENCE-ID"
        if name not in self._component:
            return None
        value = self._one(name)
        if "RANGE" in value.params:
            raise self._refuse("RANGE is not understood", name)
        return _moment_or_day(self._when(value, name), zone)

    def _one(self, name: str) -> Any:  # the library types its properties at run time only
        self._check(name)
        value = self._component.get(name)
        if value is None:
            raise self._refuse("is missing", name)
        if isinstance(value, list):
            raise self._refuse("is there more than once", name)
        return value

    def _check(self, name: str) -> None:
        if name in self._broken:
            raise self._refuse(self._broken[name], name)

    def _when(self, value: Any, name: str) -> datetime | date:
        when = getattr(value, "dt", None)
        if not isinstance(when, date):
            raise self._refuse("is no date and no time", name)
        if not 1970 < when.year < 8990:
            raise self._refuse("the year is out of range", name)
        if isinstance(when, datetime) and when.tzinfo is None and "TZID" in value.params:
            raise self._refuse(f"there is no time zone {str(value.params['TZID'])[:80]!r}", name)
        return when

    def _refuse(self, problem: str, name: str) -> CalendarError:
        return CalendarError(problem, uid=self._uid, field=name)


def _as_local(when: datetime | date, zone: tzinfo) -> datetime:
    if not isinstance(when, datetime):
        return datetime.combine(when, time())
    return when if when.tzinfo is None else local_time(when.astimezone(UTC), zone)


def _moment_or_day(when: datetime | date, zone: tzinfo) -> datetime | date:
    return moment(when.replace(tzinfo=None), when.tzinfo or zone) if isinstance(when, datetime) else when


def _attendees(component: Component) -> Iterator[str]:
    found = component.get("ATTENDEE", [])
    for attendee in found if isinstance(found, list) else [found]:
        address = str(attendee)
        yield address[7:] if address[:7].casefold() == "mailto:" else address
        yield str(attendee.params.get("CN", ""))


def _text(component: Component, name: str) -> str:
    value = component.get(name, "")
    return str(value[0] if isinstance(value, list) else value)
