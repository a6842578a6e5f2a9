"""A schedule as a calendar that other programs read."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event
from oncall_calendars import playbook
from oncall_schedules import moments

from tocsin_playbook.calendars import read_overrides, write_calendar
from tocsin_playbook.model import Person, Playbook

NOW = datetime(2026, 3, 25, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
HOSTILE = "END:VEVENT; Ada\\n, \\; BEGIN:VALARM 🙂" + "ä" * 100


def written(made: Playbook, since: datetime = NOW, stamp: datetime = NOW) -> bytes:
    return write_calendar(made, made.schedule("primary"), since, since + MONTH, stamp=stamp)


def events(text: bytes) -> list[Event]:
    return [each for each in Calendar.from_ical(text).walk("VEVENT") if isinstance(each, Event)]


def renamed(full_name: str, **schedule: Any) -> Playbook:
    made = playbook(**schedule)
    people = tuple(
        Person(name=each.name, full_name=full_name if each.name == "ada" else each.full_name)
        for each in made.oncall.people
    )
    return made.model_copy(update={"oncall": made.oncall.model_copy(update={"people": people})})


def test_there_is_an_event_for_each_turn_in_utc_and_the_first_is_whole() -> None:
    found = events(written(playbook()))
    assert [(str(each["SUMMARY"]), each.start, each.end) for each in found[:3]] == [
        ("On call: Grace Hopper", datetime(2026, 3, 23, 8, tzinfo=UTC), datetime(2026, 3, 30, 7, tzinfo=UTC)),
        ("On call: Ada Lovelace", datetime(2026, 3, 30, 7, tzinfo=UTC), datetime(2026, 4, 6, 7, tzinfo=UTC)),
        ("On call: Grace Hopper", datetime(2026, 4, 6, 7, tzinfo=UTC), datetime(2026, 4, 13, 7, tzinfo=UTC)),
    ]
    assert found[-1].end == NOW + MONTH
    assert b"DTSTART:20260323T080000Z\r\n" in written(playbook())


def test_every_event_has_a_uid_a_stamp_and_a_description() -> None:
    found = events(written(playbook(description="Payments; first, always"), stamp=datetime(2026, 1, 1, tzinfo=UTC)))
    assert len({str(each["UID"]) for each in found}) == len(found)
    assert {each.DTSTAMP for each in found} == {datetime(2026, 1, 1, tzinfo=UTC)}
    about = "Schedule primary of the playbook shop.\n\nPayments; first, always"
    assert {str(each["DESCRIPTION"]) for each in found} == {about}


def test_lines_end_in_cr_lf_and_are_at_most_75_bytes_long() -> None:
    text = written(renamed(HOSTILE))
    assert text.count(b"\n") == text.count(b"\r\n")
    assert max(map(len, text.split(b"\r\n"))) <= 75


def test_the_uid_of_a_turn_stays_when_the_calendar_is_written_again() -> None:
    first, later = (events(written(playbook(), NOW + timedelta(days=days), NOW)) for days in (0, 3))
    uids = {each.start: str(each["UID"]) for each in first}
    assert {each.start: str(each["UID"]) for each in later if each.start in uids} == uids


def test_two_schedules_share_no_uid() -> None:
    one, other = (events(write_calendar(made, made.oncall.schedules[0], NOW, NOW + MONTH, stamp=NOW))
                  for made in (playbook(), playbook(name="secondary")))  # fmt: skip
    assert not {str(each["UID"]) for each in one} & {str(each["UID"]) for each in other}


def test_a_hostile_name_stays_one_text() -> None:
    found = events(written(renamed(HOSTILE)))
    assert len(found) == len(events(written(playbook())))
    assert str(found[1]["SUMMARY"]) == f"On call: {HOSTILE}"


def test_someone_the_playbook_does_not_define_is_shown_by_name() -> None:
    override = {"person": "joan", "from": NOW.isoformat(), "until": (NOW + MONTH).isoformat()}
    assert [str(each["SUMMARY"]) for each in events(written(playbook(overrides=[override])))] == ["On call: joan"]


@given(moments.filter(lambda at: at > datetime(2026, 1, 6, tzinfo=UTC)), st.integers(1, 120))
def test_what_is_written_is_read_back_as_the_same_turns(since: datetime, days: int) -> None:
    made, since = playbook(), since.replace(microsecond=0)
    schedule, until = made.schedule("primary"), since + timedelta(days=days)
    text = write_calendar(made, schedule, since, until, stamp=NOW)
    found = read_overrides(text, made, schedule, since, until).overrides
    names = {"Ada Lovelace": "ada", "Grace Hopper": "grace"}
    wanted = [(names[str(each["SUMMARY"])[9:]], each.start, each.end) for each in events(text)]
    assert [(each.person, each.begins, each.until) for each in found] == wanted
