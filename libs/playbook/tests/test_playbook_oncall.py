# ruff: noqa: E501 - tables of cases, one a line
"""Who is on call, across hand-overs, holes, overrides and both changes of the clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_playbook import contacts_of, next_handover, on_call, people_of
from tocsin_playbook.model import Playbook, Schedule, UnknownNameError, parse_target
from tocsin_playbook.oncall import weekly_hole

ZURICH = ZoneInfo("Europe/Zurich")


def schedule(*layers: dict[str, Any], **more: Any) -> Schedule:
    return Schedule.model_validate({"name": "s", "time_zone": "Europe/Zurich", "layers": layers, **more})


def layer(*people: str, **more: Any) -> dict[str, Any]:
    return {"people": people, "turn": "daily", "handover": {"at": "09:00"}, "starts": "2026-03-01", **more}


def at(day: str, clock: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}:00").replace(tzinfo=ZURICH, fold=fold)


def test_daily_turns_change_at_the_hand_over() -> None:
    daily = schedule(layer("ada", "grace"))
    assert on_call(daily, at("2026-03-01", "00:00")) == ("ada",), "the first person begins with the day"
    assert on_call(daily, at("2026-03-01", "09:00")) == ("ada",)
    assert on_call(daily, at("2026-03-02", "08:59")) == ("ada",)
    assert on_call(daily, at("2026-03-02", "09:00")) == ("grace",)
    assert on_call(daily, at("2026-03-03", "09:00")) == ("ada",)


def test_nobody_is_on_call_before_a_layer_starts_or_after_it_ends() -> None:
    short = schedule(layer("ada", until="2026-03-03"))
    assert on_call(short, at("2026-02-28", "23:59")) == ()
    assert on_call(short, at("2026-03-02", "23:59")) == ("ada",)
    assert on_call(short, at("2026-03-03", "00:00")) == ()


def test_weekly_turns_change_on_their_weekday() -> None:
    weekly = schedule(layer("ada", "grace", turn="weekly", handover={"day": "monday", "at": "10:00"}))
    assert on_call(weekly, at("2026-03-01", "12:00")) == ("ada",), "a Sunday: before the first hand-over"
    assert on_call(weekly, at("2026-03-09", "09:59")) == ("ada",)
    assert on_call(weekly, at("2026-03-09", "10:00")) == ("grace",)
    assert on_call(weekly, at("2026-03-16", "10:00")) == ("ada",)


def test_turns_of_hours_follow_each_other() -> None:
    shifts = schedule(layer("day", "night", turn="12h"))
    assert on_call(shifts, at("2026-03-05", "20:59")) == ("day",)
    assert on_call(shifts, at("2026-03-05", "21:00")) == ("night",)


@pytest.mark.parametrize(("change", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_hand_over_stays_at_nine_when_the_clocks_change(change: str, hours: int) -> None:
    daily = schedule(layer("ada", "grace"))
    eve = (datetime.fromisoformat(change) - timedelta(days=1)).date().isoformat()
    before, after = at(eve, "09:00"), at(change, "09:00")
    assert (after.astimezone(UTC) - before.astimezone(UTC)) == timedelta(hours=hours)
    assert on_call(daily, at(change, "08:59")) == on_call(daily, before)
    assert on_call(daily, after) != on_call(daily, before)
    assert next_handover(daily.layers[0], daily, before) == after


def test_a_hand_over_at_an_hour_that_comes_twice_happens_once() -> None:
    daily = schedule(layer("ada", "grace", handover={"at": "02:30"}))
    day = "2026-10-25"
    before = on_call(daily, at(day, "02:29"))
    times = [
        at(day, "02:30"),
        at(day, "02:59"),
        at(day, "02:00", fold=1),
        at(day, "02:29", fold=1),
        at(day, "02:30", fold=1),
    ]
    after = {on_call(daily, time) for time in times}
    assert len(after) == 1
    assert after != {before}


def test_a_hand_over_at_an_hour_that_is_skipped_happens_when_the_clocks_have_changed() -> None:
    daily = schedule(layer("ada", "grace", handover={"at": "02:30"}))
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    handover = next_handover(daily.layers[0], daily, change - timedelta(minutes=1))
    assert handover == change + timedelta(minutes=30), "02:30 does not exist; half an hour after 02:00 does"
    assert on_call(daily, handover - timedelta(seconds=1)) != on_call(daily, handover)


@given(st.datetimes(datetime(2026, 3, 2), datetime(2027, 3, 1)), st.sampled_from(["daily", "weekly", "12h", "5h"]))  # noqa: DTZ001
def test_whoever_is_on_call_stays_so_until_the_next_hand_over(naive: datetime, turn: str) -> None:
    rota = schedule(layer("a", "b", "c", turn=turn, handover={"at": "02:30"}))
    moment = naive.replace(tzinfo=UTC)
    end = next_handover(rota.layers[0], rota, moment)
    assert end > moment
    assert on_call(rota, end - timedelta(microseconds=1)) == on_call(rota, moment)
    assert on_call(rota, end) != on_call(rota, moment)


def test_the_next_hand_over_before_the_first_is_the_first() -> None:
    daily = schedule(layer("ada"))
    assert next_handover(daily.layers[0], daily, at("2026-01-01", "00:00")) == at("2026-03-01", "09:00")


def test_an_override_wins_and_the_last_of_two_wins() -> None:
    swap = {"person": "grace", "from": "2026-03-05T00:00:00+01:00", "until": "2026-03-06T00:00:00+01:00"}
    again = {**swap, "person": "joan", "from": "2026-03-05T12:00:00+01:00"}
    daily = schedule(layer("ada"), overrides=[swap, again])
    assert on_call(daily, at("2026-03-04", "23:59")) == ("ada",)
    assert on_call(daily, at("2026-03-05", "00:00")) == ("grace",)
    assert on_call(daily, at("2026-03-05", "12:00")) == ("joan",)
    assert on_call(daily, at("2026-03-06", "00:00")) == ("ada",)


def test_a_later_layer_wins_in_its_hours_and_the_rest_is_the_earlier_ones() -> None:
    hours = [{"days": ["monday", "tuesday"], "from": "22:00", "to": "06:00"}]
    nights = schedule(layer("ada"), layer("owl", restrictions=hours))
    assert on_call(nights, at("2026-03-02", "21:59")) == ("ada",)
    assert on_call(nights, at("2026-03-02", "22:00")) == ("owl",)
    assert on_call(nights, at("2026-03-03", "05:59")) == ("owl",)
    assert on_call(nights, at("2026-03-04", "05:59")) == ("owl",), "Tuesday's night ends on Wednesday"
    assert on_call(nights, at("2026-03-04", "22:00")) == ("ada",)


def test_hours_that_no_layer_covers_are_a_hole() -> None:
    office = schedule(layer("ada", restrictions=[{"from": "09:00", "to": "17:00"}]))
    assert on_call(office, at("2026-03-02", "08:59")) == ()
    assert on_call(office, at("2026-03-02", "09:00")) == ("ada",)
    assert weekly_hole(office) == (0, 540)


def test_layers_that_cover_the_week_together_leave_no_hole() -> None:
    day, night = {"from": "09:00", "to": "21:00"}, {"from": "21:00", "to": "09:00"}
    assert weekly_hole(schedule(layer("a", restrictions=[day]), layer("b", restrictions=[night]))) is None
    assert weekly_hole(schedule(layer("a"))) is None
    assert weekly_hole(schedule(layer("a", restrictions=[{"days": ["monday"]}]))) == (1440, 7 * 1440)


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="without an offset"):
        on_call(schedule(layer("ada")), datetime(2026, 1, 1))  # noqa: DTZ001


def a_team() -> Playbook:
    return Playbook.model_validate(
        {
            "apiVersion": "tocsin/v1", "kind": "Playbook", "metadata": {"name": "x"}, "severities": [{"name": "P0"}],
            "oncall": {
                "people": [{"name": "ada", "contacts": [{"channel": "a", "address": "1"}, {"channel": "b", "address": "2"}]}, {"name": "grace"}],
                "teams": [{"name": "shop", "members": ["grace", "ada", "grace"]}],
                "schedules": [{"name": "primary", "layers": [layer("ada", "grace")]}],
            },
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "people"),
    [("person:ada", ("ada",)), ("team:shop", ("grace", "ada")), ("schedule:primary", ("ada",)), ("slack:#x", ())],
)
def test_a_reference_means_people(reference: str, people: tuple[str, ...]) -> None:
    assert people_of(a_team(), parse_target(reference), datetime(2026, 3, 1, 12, tzinfo=UTC)) == people


def test_contacts_are_in_the_order_to_try_them() -> None:
    assert [contact.channel for contact in contacts_of(a_team(), "ada")] == ["a", "b"]
    with pytest.raises(UnknownNameError, match="no person 'bob'"):
        contacts_of(a_team(), "bob")


def test_a_weekday_needs_turns_of_weeks() -> None:
    with pytest.raises(ValueError, match="not whole weeks"):
        schedule(layer("ada", handover={"day": "monday"}))


def test_an_override_ends_after_it_begins() -> None:
    with pytest.raises(ValueError, match="ends before it begins"):
        schedule(
            layer("ada"), overrides=[{"person": "a", "from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}]
        )
