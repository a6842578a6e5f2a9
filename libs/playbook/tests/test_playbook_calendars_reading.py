# ruff: noqa: E501 - tables of cases, one a line
"""What calendars of other systems say about who is on call."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oncall_calendars import SINCE, UNTIL, calendar, event, playbook, read, read_or_refused, turns

from tocsin_playbook.calendars import CalendarError, read_overrides
from tocsin_playbook.calendars.reading import MAX_BYTES, MAX_EVENTS, MAX_OVERRIDES, MAX_REPEATED
from tocsin_schemas.text import clean_line

HOUR = ("DTSTART:20260305T080000Z", "DTEND:20260305T090000Z")
WEEKLY = ("DTSTART;TZID=Europe/Berlin:20260323T090000", "DTEND;TZID=Europe/Berlin:20260323T170000")
NO_CALENDAR = "this is no calendar: "


# When.


@pytest.mark.parametrize(
    ("lines", "begins", "ends"),
    [
        (HOUR, "03-05 08:00", "03-05 09:00"),
        (("DTSTART:20260305T080000Z", "DURATION:PT8H"), "03-05 08:00", "03-05 16:00"),
        (("DTSTART;TZID=America/New_York:20260305T080000", "DTEND;TZID=America/New_York:20260306T080000"), "03-05 13:00", "03-06 13:00"),
        (("DTSTART;TZID=W. Europe Standard Time:20260305T080000", "DURATION:PT1H"), "03-05 07:00", "03-05 08:00"),
        (("DTSTART:20260305T080000", "DTEND:20260305T100000"), "03-05 07:00", "03-05 09:00"),  # without a zone: the schedule's
        (("DTSTART;VALUE=DATE:20260305", "DTEND;VALUE=DATE:20260307"), "03-04 23:00", "03-06 23:00"),
        (("DTSTART;VALUE=DATE:20260329",), "03-28 23:00", "03-29 22:00"),  # a day of 23 hours
        (("DTSTART;TZID=Europe/Berlin:20260329T023000", "DURATION:PT5H"), "03-29 01:00", "03-29 05:30"),  # skipped
        (("DTSTART:20260305T080000Z", "DTEND;TZID=Europe/Berlin:20260305T180000"), "03-05 08:00", "03-05 17:00"),
    ],
)  # fmt: skip
def test_an_event_is_an_override(lines: tuple[str, ...], begins: str, ends: str) -> None:
    assert turns(event(*lines)) == [("ada", begins, ends)]


def test_overrides_are_in_order_and_each_is_there_once() -> None:
    later = event("DTSTART:20260306T080000Z", "DTEND:20260306T090000Z", uid="2", summary="grace")
    assert turns(later, event(uid="3"), event()) == [
        ("ada", "03-05 08:00", "03-05 09:00"),
        ("grace", "03-06 08:00", "03-06 09:00"),
    ]


def test_what_is_over_cancelled_or_too_far_ahead_is_left_out_and_counted() -> None:
    found = read(
        event("DTSTART:20260201T080000Z", "DTEND:20260301T000000Z", uid="over", summary="somebody else"),
        event("DTSTART:20280201T080000Z", "DTEND:20280201T090000Z", uid="far"),
        event(*HOUR, "STATUS:CANCELLED", uid="not"),
        event("DTSTART:20260201T080000Z", "DTEND:20260301T000001Z", uid="under way"),
    )
    assert [override.begins for override in found.overrides] == [datetime(2026, 2, 1, 8, tzinfo=UTC)]
    assert found.left_out == 3


def test_an_empty_calendar_asks_for_nothing() -> None:
    assert read().overrides == ()


def test_the_definitions_of_zones_are_not_read() -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0000\r\n"
        "TZOFFSETTO:+1400\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    lines = ("DTSTART;TZID=Europe/Berlin:20260305T080000", "DURATION:PT1H")
    assert turns(zone, event(*lines)) == [("ada", "03-05 07:00", "03-05 08:00")]


# Repeated events.


def test_a_repeated_event_stays_at_its_time_on_the_wall() -> None:
    assert turns(event(*WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=2")) == [
        ("ada", "03-23 08:00", "03-23 16:00"),
        ("ada", "03-30 07:00", "03-30 15:00"),
    ]


@pytest.mark.parametrize(
    "last", ["UNTIL=20260406T070000Z", "UNTIL=20260406T090000", "UNTIL=20260406", "UNTIL=20260412T235959Z"]
)
def test_a_repeated_event_ends_with_its_until(last: str) -> None:
    days = [begins[:5] for _, begins, _ in turns(event(*WEEKLY, f"RRULE:FREQ=WEEKLY;{last}"))]
    assert days == ["03-23", "03-30", "04-06"]


def test_a_repetition_that_began_before_the_stretch_and_lasts_into_it_is_there() -> None:
    lines = ("DTSTART:20260101T000000Z", "DTEND:20260108T000000Z", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=6")
    assert [begins for _, begins, _ in turns(event(*lines))] == ["02-26 00:00", "03-12 00:00"]


def test_repetitions_that_are_excluded_moved_or_cancelled_do_not_happen() -> None:
    moved = event(
        "RECURRENCE-ID;TZID=Europe/Berlin:20260330T090000", "DTSTART:20260331T070000Z", "DTEND:20260331T080000Z",
        summary="Grace Hopper",
    )  # fmt: skip
    cancelled = event(*WEEKLY, "RECURRENCE-ID:20260406T070000Z", "STATUS:CANCELLED")
    rule = ("RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20260413T090000")
    assert turns(event(*WEEKLY, *rule), moved, cancelled) == [
        ("ada", "03-23 08:00", "03-23 16:00"),
        ("grace", "03-31 07:00", "03-31 08:00"),
        ("ada", "04-20 07:00", "04-20 15:00"),
    ]


def test_whole_days_are_repeated_and_excluded_as_days() -> None:
    lines = ("DTSTART;VALUE=DATE:20260328", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20260330")
    assert turns(event(*lines)) == [
        ("ada", "03-27 23:00", "03-28 23:00"),
        ("ada", "03-28 23:00", "03-29 22:00"),
        ("ada", "03-30 22:00", "03-31 22:00"),
    ]


# Who.


@pytest.mark.parametrize(
    ("summary", "attendees", "person"),
    [
        ("On call: Ada Lovelace", (), "ada"),
        ("Lovelace - secondary", (), "lovelace"),  # a name within the name of another
        ("ADA LOVELACE\\, on-call", (), "ada"),
        ("ada@example.com is on call for payments", (), "ada"),
        ("Grace Hopper (Ada Lovelace)", ("ATTENDEE:mailto:grace@example.com",), "grace"),
        ("payments primary", ("ATTENDEE;CN=Nobody:MAILTO:GRACE@example.com",), "grace"),
        ("payments primary", ("ATTENDEE;CN=Grace Hopper:mailto:gh@example.org",), "grace"),
        ("payments primary", ("ATTENDEE:mailto:grace@example.com", "ATTENDEE:mailto:desk@example.com"), "grace"),
        ("Ada Lovelace", ("ATTENDEE:mailto:grace@example.com", "ATTENDEE:mailto:ada@example.com"), "ada"),
    ],
)
def test_an_attendee_names_the_person_or_else_the_summary(
    summary: str, attendees: tuple[str, ...], person: str
) -> None:
    assert [found for found, _, _ in turns(event(*HOUR, *attendees, summary=summary))] == [person]


# What is refused, with the event and the field.


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("DTEND:20260305T090000Z",), "event e1: DTSTART: is missing"),
        (("DTSTART:tomorrow",), "event e1: DTSTART: Wrong date format tomorrow"),
        (("DTSTART:080000",), "event e1: DTSTART: is no date and no time"),
        (("DTSTART:20260305T080000Z",), "event e1: DTSTART: the event has no length"),
        ((*HOUR, "DTEND:20260305T100000Z"), "event e1: DTEND: is there more than once"),
        (("DTSTART:20260305T080000Z", "DTEND:20260305T080000Z"), "event e1: DTEND: the event has no length"),
        (("DTSTART:20260305T080000Z", "DURATION:-PT1H"), "event e1: DURATION: the event has no length"),
        (("DTSTART:20260305T080000Z", "DTEND:20560305T080000Z"), "event e1: DTEND: the event has no length, or one of years"),
        (("DTSTART:00010101T000000Z", "DURATION:PT1H"), "event e1: DTSTART: the year is out of range"),
        (("DTSTART;TZID=Middle/Earth:20260305T080000", "DURATION:PT1H"), "event e1: DTSTART: there is no time zone 'Middle/Earth'"),
        ((*HOUR, "RDATE:20260306T080000Z"), "event e1: RDATE: is not understood"),
        ((*HOUR, "EXDATE:never"), "event e1: EXDATE: "),
        ((*HOUR, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260306T080000Z"), "event e1: RECURRENCE-ID: RANGE is not understood"),
        ((*HOUR, "RRULE:FREQ=HOURLY"), "event e1: RRULE: FREQ=HOURLY is not understood; there are DAILY, WEEKLY"),
        ((*HOUR, "RRULE:FREQ=OFTEN"), "event e1: RRULE: Expected frequency, got: OFTEN"),
        ((*HOUR, "RRULE:COUNT=2"), "event e1: RRULE: FREQ= is not understood"),
        ((*HOUR, "RRULE:FREQ=DAILY;BYSETPOS=1;BYHOUR=9"), "event e1: RRULE: BYHOUR, BYSETPOS is not understood"),
        ((*HOUR, "RRULE:FREQ=DAILY;INTERVAL=0"), "event e1: RRULE: INTERVAL and COUNT are at least 1"),
        ((*HOUR, "RRULE:FREQ=DAILY;COUNT=-1"), "event e1: RRULE: INTERVAL and COUNT are at least 1"),
        ((*HOUR, "RRULE:FREQ=WEEKLY;BYDAY=1MO"), "event e1: RRULE: BYDAY with a number"),
        ((*HOUR, "RRULE:FREQ=WEEKLY;BYDAY=MO"), "event e1: DTSTART: the event itself is none of the repetitions"),
    ],
)  # fmt: skip
def test_an_event_that_is_not_understood_is_refused(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(CalendarError) as caught:
        read(event(*lines))
    assert str(caught.value).startswith(message)
    assert (caught.value.uid, caught.value.field) == ("e1", message.split(": ")[1])


@pytest.mark.parametrize(
    ("summary", "attendees", "message"),
    [
        ("Bob", (), "SUMMARY: 'Bob' names nobody of the playbook, and no ATTENDEE does"),
        ("", (), "SUMMARY: an empty one names nobody"),
        ("adamant", (), "SUMMARY: 'adamant' names nobody"),
        ("Ada Lovelace and grace", (), "SUMMARY: names several people: ada, grace"),
        ("x", ("ATTENDEE:grace", "ATTENDEE:mailto:ada@example.com"), "ATTENDEE: names several people: ada, grace"),
    ],
)
def test_an_event_is_about_one_person(summary: str, attendees: tuple[str, ...], message: str) -> None:
    with pytest.raises(CalendarError) as caught:
        read(event(*HOUR, *attendees, summary=summary))
    assert str(caught.value).startswith(f"event e1: {message}")


def test_two_people_at_once_are_refused() -> None:
    long = event("DTSTART:20260305T080000Z", "DTEND:20260310T080000Z", uid="long")
    same = event("DTSTART:20260306T080000Z", "DTEND:20260306T090000Z", uid="same")
    other = event("DTSTART:20260309T080000Z", "DTEND:20260309T090000Z", uid="other", summary="grace")
    with pytest.raises(CalendarError) as caught:
        read(other, same, long)
    assert str(caught.value) == (
        "event other: DTSTART: grace from 2026-03-09 08:00Z, "
        "while ada is on call by the event long until 2026-03-10 08:00Z"
    )


def test_an_event_without_a_uid_is_told_by_its_number() -> None:
    with pytest.raises(CalendarError, match="event number 2: DTSTART: is missing"):
        read(event(), "BEGIN:VEVENT\r\nSUMMARY:Ada\r\nEND:VEVENT\r\n")


def test_what_an_error_repeats_moves_no_cursor() -> None:
    with pytest.raises(CalendarError) as caught:
        read(event(uid="\x1b[2J" + "x" * 500, summary="\u202eBob\x07"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 450


# A file as a whole.


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello",
        b"\xff\xfe\x00",
        b"BEGIN:VCALENDAR\r\n",
        b"END:VEVENT\r\n",
        calendar("TZID:x\r\nEND:VTIM\r\n EZONE\r\n"),
        calendar("BEGIN:VTIMEZONE\r\nBEGIN;X=1:VTIMEZONE\r\nEND:VTIMEZONE\r\n"),
        event().encode(),
        calendar() + calendar(),
    ],
)
def test_a_file_that_is_no_calendar_is_refused(text: bytes) -> None:
    found = read_or_refused(text)
    assert isinstance(found, CalendarError)
    assert str(found).startswith(NO_CALENDAR)
    assert (found.uid, found.field) == ("", "")


def test_a_file_a_number_of_events_and_of_turns_are_bounded() -> None:
    made = playbook()
    with pytest.raises(CalendarError, match="more than 1024 KiB"):
        read_overrides(b"x" * (MAX_BYTES + 1), made, made.schedule("primary"), SINCE, UNTIL)
    with pytest.raises(CalendarError, match=f"more than {MAX_EVENTS} events"):
        read("BEGIN:VEVENT\r\nEND:VEVENT\r\n" * (MAX_EVENTS + 1))
    with pytest.raises(CalendarError, match=f"more than {MAX_REPEATED} repeated events"):
        read(event(*HOUR, "RRULE:FREQ=YEARLY") * (MAX_REPEATED + 1))
    with pytest.raises(CalendarError, match=f"more than {MAX_OVERRIDES} turns until 2027-03-02"):
        read(*(event(*HOUR, "RRULE:FREQ=DAILY", uid=str(number)) for number in range(2)))


FRAGMENTS = (
    "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VALARM", "END:VALARM", "BEGIN:VCALENDAR", "UID:1", "SUMMARY:ada", "SUMMARY;X=\"",
    "DTSTART:20260305T080000Z", "DTEND:20260305T090000Z", "DTSTART;VALUE=DATE:20260305", "DTSTART;VALUE=TEXT:x", "DTSTART:",
    "DTSTART;VALUE=PERIOD:20260305T080000Z/PT1H", "DURATION:P1W", "DURATION:PT", "RRULE:FREQ=DAILY;COUNT=3", "RRULE:",
    "RRULE:FREQ=WEEKLY;BYDAY=XX", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;UNTIL=never", "RRULE:FREQ=DAILY;INTERVAL=x;WKST=1",
    "RRULE:FREQ=YEARLY;BYMONTH=5L", "RRULE:FREQ=DAILY;FREQ=WEEKLY", "RRULE:FREQ=DAILY;COUNT=", "RRULE:FREQ=WEEKLY;WKST=QQ",
    "EXDATE:20260305T080000Z,x", "EXDATE:", "EXDATE;VALUE=DATE:20260305", "RECURRENCE-ID:20260305", "RECURRENCE-ID:x",
    "RECURRENCE-ID;VALUE=DATE:20260305", "ATTENDEE:", "ATTENDEE;CN=:x", "STATUS:CANCELLED", "STATUS;X:", " folded", "\x00",
    "TZID:x", "BEGIN:VTIMEZONE", "END:VTIMEZONE", "BEGIN:", "END:", ":", ";", "RRULE;X=Y:FREQ=DAILY", "UID;X=1:\\n", "RDATE:1",
    "DTSTART;TZID=:20260305T080000", "DTSTART;TZID=../x:20260305T080000", "DTSTART;TZID=\"a,b\",c:20260305T080000",
    "DTSTART:99991231T235959Z", "DTEND:19700101T000000Z", "RRULE:FREQ=DAILY;UNTIL=00010101", "RRULE:FREQ=DAILY;UNTIL=99991231T235959Z",
    "RRULE:FREQ=MONTHLY;BYMONTHDAY=-31,31,0;BYMONTH=13", "RRULE:FREQ=DAILY;UNTIL=20260306T000000,20260307", "RRULE:FREQ=DAILY;BYDAY=99MO",
)  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14), st.booleans())
def test_hostile_calendars_are_read_or_refused(lines: list[str], within: bool) -> None:
    body = "\r\n".join(lines) + "\r\n"
    found = read_or_refused(calendar(f"BEGIN:VEVENT\r\n{body}SUMMARY:ada\r\nEND:VEVENT\r\n" if within else body))
    if isinstance(found, CalendarError):
        assert clean_line(str(found)) == str(found)
    else:
        assert all(override.begins < override.until for override in found.overrides)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    found = read_or_refused(calendar(event()) + text)
    assert not isinstance(found, CalendarError) or clean_line(str(found)) == str(found)
