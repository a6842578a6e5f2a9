"""Both changes of the clocks, in zones that change them in different ways: every moment has exactly one turn."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oncall_schedules import ZONES, clock_times, layer, moments, schedule, turns_of

from tocsin_playbook import next_handover, on_call
from tocsin_playbook.model import Schedule
from tocsin_playbook.oncall.rotation import Rotation
from tocsin_playbook.oncall.wall_clock import local_time, midnight, moment

SECOND = timedelta(seconds=1)
CHANGES = {
    "Europe/Berlin": ("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"),
    "America/New_York": ("2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"),
    "Australia/Lord_Howe": ("2026-10-03T15:30:00Z", "2026-04-04T15:00:00Z"),
    "America/Santiago": ("2026-09-06T04:00:00Z", "2026-04-05T03:00:00Z"),
}
"""When the clocks are put forward and back in 2026."""

ALL_CHANGES = [(zone, datetime.fromisoformat(change)) for zone, both in CHANGES.items() for change in both]
near_changes = st.sampled_from(ALL_CHANGES).flatmap(
    lambda change: st.tuples(
        st.just(change[0]), st.timedeltas(timedelta(hours=-30), timedelta(hours=30)).map(lambda off: change[1] + off)
    )
)
anywhere = st.one_of(near_changes, st.tuples(st.sampled_from(ZONES), moments))


@pytest.mark.parametrize(("zone", "change"), ALL_CHANGES)
def test_these_are_moments_at_which_the_clocks_change(zone: str, change: datetime) -> None:
    before, after = ((change + off).astimezone(ZoneInfo(zone)).utcoffset() for off in (-SECOND, timedelta()))
    assert before != after


# The one rule.


@given(anywhere)
def test_a_time_comes_at_the_first_moment_at_which_the_clock_shows_it_or_a_later_one(
    place: tuple[str, datetime],
) -> None:
    zone, at = ZoneInfo(place[0]), place[1].replace(microsecond=0)
    local = local_time(at, zone)
    first = moment(local, zone)
    assert first <= at
    assert local_time(first, zone) >= local
    assert local_time(first - SECOND, zone) < local


@pytest.mark.parametrize(("zone", "change"), [(zone, both[0]) for zone, both in CHANGES.items()])
def test_every_skipped_time_comes_when_the_clocks_are_put_forward(zone: str, change: str) -> None:
    at, place = datetime.fromisoformat(change), ZoneInfo(zone)
    skipped, gap = local_time(at - SECOND, place) + SECOND, local_time(at, place)
    while skipped < gap:
        assert moment(skipped, place) == at
        skipped += timedelta(minutes=7)


@given(anywhere, st.timedeltas(timedelta(), timedelta(hours=50)))
def test_a_later_time_never_comes_earlier(place: tuple[str, datetime], later: timedelta) -> None:
    zone = ZoneInfo(place[0])
    local = place[1].replace(tzinfo=None)
    assert moment(local, zone) <= moment(local + later, zone)


def test_a_day_that_the_calendar_skips_has_no_length() -> None:
    apia = ZoneInfo("Pacific/Apia")  # went over the date line at the end of the 29th of December 2011
    assert midnight(date(2011, 12, 30), apia) == midnight(date(2011, 12, 31), apia)


# Turns.


@given(anywhere, turns_of, clock_times)
def test_every_moment_is_in_exactly_one_turn(place: tuple[str, datetime], turn: str, clock: str) -> None:
    zone, at = place
    rota = schedule(layer("a", "b", "c", turn=turn, handover={"at": clock}, starts="2026-01-01"), zone=zone)
    rotation = Rotation.of(rota.layers[0], rota, ())
    number = rotation.turn(at)
    assert rotation.handover(number) <= at or number == 0
    assert at < rotation.handover(number + 1)
    near = [rotation.handover(each) for each in range(max(number - 3, 0), number + 5)]
    assert near == sorted(near), "turns do not overlap"


@given(anywhere, turns_of, clock_times)
def test_whoever_is_on_call_stays_so_until_the_next_hand_over(
    place: tuple[str, datetime], turn: str, clock: str
) -> None:
    zone, at = place
    people = [str(number) for number in range(100)]  # nobody comes twice near a moment
    rota = schedule(layer(*people, turn=turn, handover={"at": clock}, starts="2026-01-01"), zone=zone)
    end = next_handover(rota.layers[0], rota, at)
    assert end > at
    assert on_call(rota, end - timedelta(microseconds=1), holidays=()) == on_call(rota, at, holidays=())
    assert on_call(rota, end, holidays=()) != on_call(rota, at, holidays=())


@given(anywhere, st.sampled_from(["daily", "weekly", "2w"]), clock_times)
def test_every_hand_over_stays_at_its_time_on_the_wall(place: tuple[str, datetime], turn: str, clock: str) -> None:
    zone, at = place
    rota = schedule(layer("a", "b", turn=turn, handover={"at": clock}, starts="2026-01-01"), zone=zone)
    handover = next_handover(rota.layers[0], rota, at)
    shown = local_time(handover, ZoneInfo(zone))
    wanted = datetime.combine(shown.date(), time.fromisoformat(clock))
    if local_time(moment(wanted, ZoneInfo(zone)), ZoneInfo(zone)) == wanted:
        assert shown == wanted
    else:
        assert handover == moment(wanted, ZoneInfo(zone)), "skipped: when the clocks are put forward"


@pytest.mark.parametrize(("zone", "change"), ALL_CHANGES)
def test_hourly_turns_go_on_through_both_changes(zone: str, change: datetime) -> None:
    rota = schedule(layer("a", "b", "c", turn="1h", handover={"at": "00:00"}, starts="2026-01-01"), zone=zone)
    at = change - timedelta(hours=4)
    while at < change + timedelta(hours=4):
        end = next_handover(rota.layers[0], rota, at)
        assert timedelta() < end - at <= timedelta(hours=2), "the doubled hour is one turn of two hours"
        at = end


# Restrictions.


def night_and_day(zone: str, evening: str, morning: str) -> Schedule:
    return schedule(
        layer("day", restrictions=[{"from": morning, "to": evening}], starts="2026-01-01"),
        layer("night", restrictions=[{"from": evening, "to": morning}], starts="2026-01-01"),
        zone=zone,
    )


@given(anywhere, clock_times, clock_times)
def test_restrictions_that_touch_cover_every_moment_once(place: tuple[str, datetime], one: str, other: str) -> None:
    if one == other:
        return
    zone, at = place
    rota = night_and_day(zone, one, other)
    covering = [each.people[0] for each in rota.layers if Rotation.of(each, rota, ()).covers(at)]
    assert len(covering) == 1


@pytest.mark.parametrize(
    ("zone", "change"), [(zone, datetime.fromisoformat(both[1])) for zone, both in CHANGES.items()]
)
def test_hours_that_begin_in_a_doubled_hour_begin_once(zone: str, change: datetime) -> None:
    edge = local_time(change, ZoneInfo(zone)) + timedelta(minutes=15)  # shown before the change and again after it
    opposite = edge + timedelta(hours=12)
    rota = night_and_day(zone, f"{edge:%H:%M}", f"{opposite:%H:%M}")
    people = [on_call(rota, change + timedelta(minutes=each), holidays=()) for each in range(-120, 120)]
    assert people[0] == ("day",)
    assert people[-1] == ("night",)
    assert sum(one != other for one, other in pairwise(people)) == 1


def test_hours_within_a_skipped_hour_are_none() -> None:
    rota = schedule(layer("a"), layer("b", restrictions=[{"from": "02:10", "to": "02:50"}]), zone="Europe/Berlin")
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    people = {on_call(rota, change + timedelta(minutes=each), holidays=()) for each in range(-60, 60)}
    assert people == {("a",)}


# Follow the sun.

SUN = ("Australia/Lord_Howe", "Europe/Berlin", "America/New_York")


def follow_the_sun() -> Schedule:
    """Three sites on their own clocks; the first fills what the others leave."""
    hours = {"Europe/Berlin": ("08:00", "17:00"), "America/New_York": ("11:00", "20:00")}
    return schedule(
        layer("sydney", time_zone=SUN[0], starts="2026-01-01"),
        *(
            layer(zone.partition("/")[2], time_zone=zone, starts="2026-01-01", restrictions=[{"from": a, "to": b}])
            for zone, (a, b) in hours.items()
        ),
        zone="UTC",
    )


@given(anywhere)
def test_each_site_follows_its_own_clock(place: tuple[str, datetime]) -> None:
    at = place[1]
    new_york, berlin = (at.astimezone(ZoneInfo(zone)).time() for zone in ("America/New_York", "Europe/Berlin"))
    wanted = "sydney"
    if time(8) <= berlin < time(17):
        wanted = "Berlin"
    if time(11) <= new_york < time(20):
        wanted = "New_York"
    assert on_call(follow_the_sun(), at, holidays=()) == (wanted,)


def test_a_layer_starts_and_ends_on_the_days_of_its_own_zone() -> None:
    rota = schedule(layer("ada", time_zone="Asia/Kolkata", starts="2026-03-01", until="2026-03-03"), zone="UTC")
    begins, ends = datetime(2026, 2, 28, 18, 30, tzinfo=UTC), datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
    assert on_call(rota, begins - SECOND, holidays=()) == ()
    assert on_call(rota, begins, holidays=()) == ("ada",)
    assert on_call(rota, ends - SECOND, holidays=()) == ("ada",)
    assert on_call(rota, ends, holidays=()) == ()


def test_a_layer_that_starts_on_a_day_without_a_midnight_starts_with_its_first_hour() -> None:
    rota = schedule(layer("ada", starts="2026-09-06"), zone="America/Santiago")
    change = datetime(2026, 9, 6, 4, tzinfo=UTC)
    assert on_call(rota, change - SECOND, holidays=()) == ()
    assert on_call(rota, change, holidays=()) == ("ada",)
