"""The overrides that a calendar of another system asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component

from tocsin_playbook.calendars.events import CalendarEvent, event_of
from tocsin_playbook.calendars.names import Names
from tocsin_playbook.calendars.problems import CalendarError
from tocsin_playbook.model import Override, Playbook, Schedule
from tocsin_schemas.text import clean_line

MAX_BYTES = 1024 * 1024
MAX_EVENTS = 5000
MAX_REPEATED = 200
MAX_OVERRIDES = 500
"""As many as a schedule can hold."""

_FOLD = re.compile(rb"\r?\n[ \t]")
_ZONE_MARK = re.compile(rb"\s*(BEGIN|END)\b.*\bVTIMEZONE\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Imported:
    """What a calendar asks for between two moments."""

    overrides: tuple[Override, ...]
    """In order; no two at the same time."""
    left_out: int
    """Events that were cancelled, or happen at no time in the stretch that was looked at."""


@dataclass(frozen=True, slots=True)
class _Shift:
    event: CalendarEvent
    person: str
    begins: datetime
    ends: datetime


def read_overrides(text: bytes, playbook: Playbook, schedule: Schedule, since: datetime, until: datetime) -> Imported:
    """One override for each time at which an event happens between two moments; repeated events are unfolded.

    An event is about the person whom its ATTENDEE or its SUMMARY names: by name, full name or e-mail address. Whole
    days are those of the schedule's zone, and so are times without a zone. Zones are told by their names; a
    calendar's own definitions of them are not read. Raises CalendarError: the file is no calendar or too large, an
    event cannot be understood, is about nobody or several people, or two of different people overlap.
    """
    events, cancelled = _events(text, schedule)
    names = Names(playbook)
    shifts: list[_Shift] = []
    absent = cancelled
    for event in events:
        times = list(event.occurrences(since, until))
        absent += not times
        if times:
            person = names.person(event.uid, event.summary, event.attendees)
            shifts += (_Shift(event, person, begins, ends) for begins, ends in times)
        if len(shifts) > MAX_OVERRIDES:
            raise CalendarError(
                f"more than {MAX_OVERRIDES} turns until {until:%Y-%m-%d}; a schedule holds no more overrides"
            )
    shifts.sort(key=lambda shift: (shift.begins, shift.ends))
    _check_overlaps(shifts)
    overrides = (Override(person=shift.person, begins=shift.begins, until=shift.ends) for shift in shifts)
    return Imported(tuple(dict.fromkeys(overrides)), absent)


def _events(text: bytes, schedule: Schedule) -> tuple[Sequence[CalendarEvent], int]:
    """The events that are to happen, and how many are cancelled."""
    if len(text) > MAX_BYTES:
        raise CalendarError(f"the file has more than {MAX_BYTES // 1024} KiB")
    try:
        calendar = Calendar.from_ical(_without_zones(text))
    except ValueError as error:
        raise CalendarError(f"this is no calendar: {error}") from None
    if calendar.name != "VCALENDAR":
        raise CalendarError("this is no calendar: there is no VCALENDAR")
    components = calendar.walk("VEVENT")
    if len(components) > MAX_EVENTS:
        raise CalendarError(f"more than {MAX_EVENTS} events")
    return _happening(components, ZoneInfo(schedule.time_zone))


def _without_zones(text: bytes) -> bytes:
    """Without definitions of time zones: what they say can differ from the name they have, and cost hours to unfold."""
    kept: list[bytes] = []
    inside = False
    for line in _FOLD.sub(b"", text).split(b"\n"):
        mark = _ZONE_MARK.fullmatch(line)
        if mark is not None and (mark[1].upper() == b"BEGIN") == inside:
            raise ValueError("a definition of a time zone has no beginning or no end")
        if mark is not None:
            inside = not inside
        elif not inside:
            kept.append(line)
    return b"\n".join(kept)


def _happening(components: Sequence[Component], floating: ZoneInfo) -> tuple[Sequence[CalendarEvent], int]:
    """Without what is cancelled; a repeated event without the repetitions that others stand for."""
    events: list[CalendarEvent] = []
    replaced: dict[str, set[datetime | date]] = {}
    cancelled = 0
    for number, component in enumerate(components, start=1):
        is_cancelled = str(component.get("STATUS", "")).upper() == "CANCELLED"
        cancelled += is_cancelled
        if is_cancelled and "RECURRENCE-ID" not in component:
            continue
        event = event_of(component, number, floating)
        if event.replaces is not None:
            replaced.setdefault(event.uid, set()).add(event.replaces)
        if not is_cancelled:
            events.append(event)
    if sum(event.rule is not None for event in events) > MAX_REPEATED:
        raise CalendarError(f"more than {MAX_REPEATED} repeated events")
    return [replace(each, left_out=each.left_out | replaced.get(each.uid, set())) for each in events], cancelled


def _check_overlaps(shifts: Iterable[_Shift]) -> None:
    """Of shifts in order; the same person may be there twice."""
    longest: _Shift | None = None
    for shift in shifts:
        if longest is not None and shift.begins < longest.ends and shift.person != longest.person:
            raise CalendarError(
                f"{shift.person} from {shift.begins:%Y-%m-%d %H:%M}Z, while {longest.person} is on call by the event "
                f"{clean_line(longest.event.uid, 80)} until {longest.ends:%Y-%m-%d %H:%M}Z",
                uid=shift.event.uid,
                field="DTSTART",
            )
        if longest is None or shift.ends > longest.ends:
            longest = shift
