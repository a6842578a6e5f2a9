"""The turns of a schedule say what `on_call` says, at every moment."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oncall_schedules import HOLIDAYS, layer, moments, schedule, schedules

from tocsin_playbook import Standing, Turn, on_call, standing, turns, whole_turns
from tocsin_playbook.model import Schedule

INSTANT = timedelta(microseconds=1)
spans = st.timedeltas(timedelta(seconds=1), timedelta(days=40))


def utc(day: int, hour: int = 0, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@given(schedules(), moments, spans, st.integers(0, 999))
def test_a_turn_has_whoever_is_on_call_at_each_of_its_moments(
    rota: Schedule, since: datetime, span: timedelta, share: int
) -> None:
    for turn in turns(rota, since, since + span, holidays=HOLIDAYS):
        within = (turn.since, turn.since + (turn.until - turn.since) * share // 1000, turn.until - INSTANT)
        people = {on_call(rota, at, holidays=HOLIDAYS) for at in within}
        assert people == {(turn.person,) if turn.person else ()}


@given(schedules(), moments, spans)
def test_turns_leave_no_gap_and_neighbours_differ(rota: Schedule, since: datetime, span: timedelta) -> None:
    found = turns(rota, since, since + span, holidays=HOLIDAYS)
    assert (found[0].since, found[-1].until) == (since, since + span)
    assert all(turn.since < turn.until for turn in found)
    for one, other in pairwise(found):
        assert one.until == other.since
        assert one.person != other.person


@given(schedules(), moments)
def test_a_standing_is_the_whole_turn_of_its_moment(rota: Schedule, at: datetime) -> None:
    now = standing(rota, at, holidays=HOLIDAYS)
    person = on_call(rota, at, holidays=HOLIDAYS)
    assert (now.person,) == (person or (None,))
    if now.since is not None:
        assert now.since <= at
        assert on_call(rota, now.since, holidays=HOLIDAYS) == person
        assert on_call(rota, now.since - INSTANT, holidays=HOLIDAYS) != person
    if now.until is not None:
        assert now.until > at
        assert on_call(rota, now.until - INSTANT, holidays=HOLIDAYS) == person
        assert on_call(rota, now.until, holidays=HOLIDAYS) != person


def test_overrides_layers_and_restrictions_are_one_row_of_turns() -> None:
    rota = schedule(
        layer("ada", "grace", starts="2026-03-01"),
        layer("owl", restrictions=[{"days": ["monday"], "from": "22:00", "to": "06:00"}]),
        zone="UTC",
        overrides=[{"person": "joan", "from": utc(2, 12).isoformat(), "until": utc(2, 23).isoformat()}],
    )
    assert turns(rota, utc(2), utc(4), holidays=()) == (
        Turn("ada", utc(2), utc(2, 9)),
        Turn("grace", utc(2, 9), utc(2, 12)),
        Turn("joan", utc(2, 12), utc(2, 23)),
        Turn("owl", utc(2, 23), utc(3, 6)),
        Turn("grace", utc(3, 6), utc(3, 9)),
        Turn("ada", utc(3, 9), utc(4)),
    )


def test_what_nobody_covers_is_a_turn_of_nobody() -> None:
    rota = schedule(layer("ada", until="2026-03-03"), zone="UTC")
    assert turns(rota, utc(1, month=2), utc(9), holidays=()) == (
        Turn(None, utc(1, month=2), utc(1)),
        Turn("ada", utc(1), utc(3)),
        Turn(None, utc(3), utc(9)),
    )


def test_a_hand_over_to_oneself_is_none() -> None:
    rota = schedule(layer("ada", "ada", "grace"), zone="UTC")
    assert [turn.person for turn in turns(rota, utc(1, 9), utc(6), holidays=())] == ["ada", "grace", "ada", "grace"][:3]


def test_an_empty_stretch_has_no_turns() -> None:
    assert turns(schedule(layer("ada")), utc(2), utc(2), holidays=()) == ()


def test_moments_without_an_offset_are_refused() -> None:
    with pytest.raises(ValueError, match="without an offset"):
        turns(schedule(layer("ada")), utc(2), datetime(2026, 3, 4), holidays=())  # noqa: DTZ001  # what is refused


def test_the_first_of_whole_turns_begins_where_it_really_does() -> None:
    rota = schedule(layer("ada", "grace", turn="weekly"), zone="UTC")
    assert whole_turns(rota, utc(10), utc(16), holidays=()) == (
        Turn("grace", utc(8, 9), utc(15, 9)),
        Turn("ada", utc(15, 9), utc(16)),
    )


def test_whole_turns_leave_out_holes() -> None:
    rota = schedule(layer("ada", restrictions=[{"from": "09:00", "to": "17:00"}]), zone="UTC")
    assert whole_turns(rota, utc(10), utc(11), holidays=()) == (Turn("ada", utc(10, 9), utc(10, 17)),)
    assert whole_turns(rota, utc(10), utc(10, 5), holidays=()) == ()


def test_a_turn_without_an_end_within_a_year_has_none() -> None:
    rota = schedule(layer("ada"), zone="UTC")
    assert standing(rota, utc(5), holidays=()) == Standing("ada", utc(1), None)


def test_before_a_schedule_begins_nobody_has_ever_been_on_call() -> None:
    rota = schedule(layer("ada"), zone="UTC")
    assert standing(rota, utc(5, month=2), holidays=()) == Standing(None, None, utc(1))


def test_after_a_schedule_has_ended_it_says_since_when_nobody_is() -> None:
    rota = schedule(layer("ada", until="2026-03-03"), zone="UTC")
    assert standing(rota, utc(5, month=9), holidays=()) == Standing(None, utc(3), None)


def test_an_override_before_everything_else_is_where_a_schedule_begins() -> None:
    early = {"person": "joan", "from": utc(1, month=1).isoformat(), "until": utc(2, month=1).isoformat()}
    rota = schedule(layer("ada"), zone="UTC", overrides=[early])
    assert standing(rota, utc(1, 12, month=1), holidays=()) == Standing("joan", utc(1, month=1), utc(2, month=1))


# Holidays: in 2026 the 3rd of April and the 1st of May are Fridays.


def office(holidays: str) -> Schedule:
    hours = {"days": ["thursday", "friday"], "from": "20:00", "to": "08:00", "holidays": holidays}
    return schedule(layer("ada"), layer("owl", restrictions=[hours]), zone="UTC")


@pytest.mark.parametrize(
    ("holidays", "nights"), [("also", [(2, 3), (3, 4), (9, 10)]), ("never", [(2, 3), (9, 10)]), ("only", [(3, 4)])]
)
def test_hours_begin_on_holidays_only_where_they_say_so(holidays: str, nights: list[tuple[int, int]]) -> None:
    found = turns(office(holidays), utc(1, month=4), utc(10, 12, month=4), holidays=HOLIDAYS)
    owls = [(turn.since, turn.until) for turn in found if turn.person == "owl"]
    assert owls == [(utc(one, 20, month=4), utc(other, 8, month=4)) for one, other in nights]


def test_the_night_before_a_holiday_goes_on_into_it() -> None:
    assert on_call(office("never"), utc(3, 7, month=4), holidays=HOLIDAYS) == ("owl",)
    assert on_call(office("never"), utc(3, 21, month=4), holidays=HOLIDAYS) == ("ada",)
