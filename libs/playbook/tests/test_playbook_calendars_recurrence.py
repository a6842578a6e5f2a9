"""The days of a repeated event, beside what dateutil makes of the same rule."""

from datetime import date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # publishes no types
from hypothesis import assume, given
from hypothesis import strategies as st
from icalendar import vRecur

from tocsin_playbook.calendars import CalendarError
from tocsin_playbook.calendars.recurrence import Rule

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
numbered = st.builds("{}{}".format, st.sampled_from((-5, -2, -1, 1, 2, 4, 5)), st.sampled_from(DAYS))


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(("DAILY", "WEEKLY", "MONTHLY", "YEARLY")))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 5))}", f"WKST={draw(st.sampled_from(DAYS))}"]
    if draw(st.booleans()):
        months = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True))
        parts.append("BYMONTH=" + ",".join(map(str, months)))
    if draw(st.booleans()):
        # Not both in one rule: dateutil takes those that are both, and RFC 5545 asks for either.
        days = numbered if frequency == "MONTHLY" and draw(st.booleans()) else st.sampled_from(DAYS)
        parts.append("BYDAY=" + ",".join(draw(st.lists(days, min_size=1, max_size=3, unique=True))))
    if frequency != "WEEKLY" and draw(st.booleans()):
        chosen = draw(
            st.lists(st.sampled_from((-31, -2, -1, 1, 2, 15, 29, 30, 31)), min_size=1, max_size=3, unique=True)
        )
        parts.append("BYMONTHDAY=" + ",".join(map(str, chosen)))
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 20))}")
    return ";".join(parts)


def rule_of(text: str, first: date) -> Rule | None:
    """None where the first day is none of the rule's."""
    try:
        return Rule.of(vRecur.from_ical(text), first, "e")
    except CalendarError:
        return None


def test_days_with_and_without_a_number_are_either() -> None:
    own = rule_of("FREQ=MONTHLY;BYDAY=1MO,FR", date(2026, 3, 2))
    assert own is not None
    days = own.days(date(2026, 3, 2), date(2026, 3, 2), date(2026, 3, 31))
    assert [day.day for day in days] == [2, 6, 13, 20, 27]


@pytest.mark.parametrize(("starts", "days"), [("MO", [5, 10, 19, 24]), ("SU", [5, 17, 19, 31])])
def test_every_other_week_is_counted_from_the_day_on_which_weeks_start(starts: str, days: list[int]) -> None:
    first = date(1997, 8, 5)
    own = rule_of(f"FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={starts}", first)
    assert own is not None
    assert [day.day for day in own.days(first, first, date(1997, 12, 31))] == days


@given(rules(), st.dates(date(2020, 1, 1), date(2024, 12, 31)), st.integers(0, 1500))
def test_the_days_are_those_that_dateutil_finds(rule: str, first: date, ahead: int) -> None:
    since, last = first + timedelta(days=ahead), first + timedelta(days=ahead + 700)
    start, end = datetime.combine(first, datetime.min.time()), datetime.combine(last, datetime.min.time())
    own = rule_of(rule, first)
    assume(own is not None)
    assert own is not None
    wanted = rrulestr(rule, dtstart=start).between(datetime.combine(since, datetime.min.time()), end, inc=True)
    assert list(own.days(first, since, last)) == [each.date() for each in wanted]
