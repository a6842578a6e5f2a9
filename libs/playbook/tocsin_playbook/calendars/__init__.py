"""Schedules as iCalendar (RFC 5545), and what other calendars say about who is on call.

Nothing else of the playbook language imports this: services do not read calendars.
"""

from __future__ import annotations

from tocsin_playbook.calendars.problems import CalendarError
from tocsin_playbook.calendars.reading import Imported, read_overrides
from tocsin_playbook.calendars.writing import write_calendar

__all__ = ["CalendarError", "Imported", "read_overrides", "write_calendar"]
