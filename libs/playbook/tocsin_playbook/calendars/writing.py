"""A schedule as a calendar: one event for each turn."""

from __future__ import annotations

from datetime import UTC, datetime

from icalendar import Calendar, Event

from tocsin_playbook.model import Playbook, Schedule, UnknownNameError
from tocsin_playbook.oncall import Turn, whole_turns
from tocsin_schemas.ids import derive_id


def write_calendar(
    playbook: Playbook, schedule: Schedule, since: datetime, until: datetime, *, stamp: datetime
) -> bytes:
    """The turns between two moments as RFC 5545: UTF-8, lines that end in CR LF, times in UTC.

    The turn under way is there from its beginning; the last one ends at `until` at the latest. The UID of an event
    follows from the playbook's name, the schedule's name and the moment its turn begins, so that a calendar that is
    exported again replaces its events. `stamp` is when the calendar is made.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Tocsin//on-call//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"On call: {schedule.name} ({playbook.metadata.name})")
    for turn in whole_turns(schedule, since, until, holidays=playbook.business_hours.holidays):
        calendar.add_component(_event(playbook, schedule, turn, stamp))
    written: bytes = calendar.to_ical()
    return written


def _event(playbook: Playbook, schedule: Schedule, turn: Turn, stamp: datetime) -> Event:
    about = f"Schedule {schedule.name} of the playbook {playbook.metadata.name}."
    event = Event()
    event.add("uid", f"{derive_id('turn', playbook.metadata.name, schedule.name, turn.since.isoformat())}@tocsin")
    event.add("dtstamp", stamp.astimezone(UTC))
    event.add("dtstart", turn.since)
    event.add("dtend", turn.until)
    event.add("summary", f"On call: {_shown(playbook, turn.person or '')}")
    event.add("description", "\n\n".join([about, schedule.description] if schedule.description else [about]))
    event.add("transp", "TRANSPARENT")  # whoever is on call is not busy all week
    return event


def _shown(playbook: Playbook, person: str) -> str:
    try:
        return playbook.person(person).full_name or person
    except UnknownNameError:  # `lint` says so; the turn is shown all the same
        return person
