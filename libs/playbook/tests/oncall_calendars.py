"""Calendars and a playbook for tests of what is read from them and written to them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin_playbook.calendars import CalendarError, Imported, read_overrides
from tocsin_playbook.model import Playbook

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=366)


def playbook(**schedule: Any) -> Playbook:
    people = [
        {"name": "ada", "full_name": "Ada Lovelace", "contacts": [{"channel": "mail", "address": "Ada@example.com"}]},
        {
            "name": "grace",
            "full_name": "Grace Hopper",
            "contacts": [{"channel": "mail", "address": "grace@example.com"}],
        },
        {"name": "lovelace", "contacts": [{"channel": "slack", "address": "#lovelace"}]},
    ]
    layer = {"people": ["ada", "grace"], "turn": "weekly", "handover": {"day": "monday"}, "starts": "2026-01-05"}
    return Playbook.model_validate(
        {
            "apiVersion": "tocsin/v1",
            "kind": "Playbook",
            "metadata": {"name": "shop"},
            "severities": [{"name": "P0"}],
            "oncall": {
                "people": people,
                "schedules": [{"name": "primary", "time_zone": "Europe/Berlin", "layers": [layer], **schedule}],
            },
        }
    )


def event(*lines: str, uid: str = "e1", summary: str = "Ada Lovelace") -> str:
    """One event; without lines it is an hour of the 5th of March."""
    own = lines or ("DTSTART:20260305T080000Z", "DTEND:20260305T090000Z")
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{summary}", *own, "END:VEVENT", ""])


def calendar(*events: str) -> bytes:
    return ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n" + "".join(events) + "END:VCALENDAR\r\n").encode()


def read(*events: str, since: datetime = SINCE, until: datetime = UNTIL) -> Imported:
    made = playbook()
    return read_overrides(calendar(*events), made, made.schedule("primary"), since, until)


def turns(*events: str) -> list[tuple[str, str, str]]:
    """Who, from when until when, as UTC without seconds."""
    return [
        (each.person, f"{each.begins:%m-%d %H:%M}", f"{each.until:%m-%d %H:%M}") for each in read(*events).overrides
    ]


def read_or_refused(text: bytes) -> Imported | CalendarError:
    """What is read from a file, or why nothing is; any other error is the test's."""
    made = playbook()
    try:
        return read_overrides(text, made, made.schedule("primary"), SINCE, UNTIL)
    except CalendarError as error:
        return error
