# ruff: noqa: E501 - tables of cases, one a line
"""Who is on call, across hand-overs, holes, overrides and both changes of the clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from oncall_schedules import layer, schedule

import tocsin_playbook
from tocsin_playbook import contacts_of, next_handover, people_of
from tocsin_playbook.model import BusinessHours, Playbook, Schedule, UnknownNameError, parse_target

ZURICH = ZoneInfo("Europe/Zurich")


def on_call(rota: Schedule, at: datetime) -> tuple[str, ...]:
    return tocsin_playbook.on_call(rota, at, holidays=())


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
    assert next_handover(daily.layers[0], daily, change - timedelta(minutes=1)) == change
    assert on_call(daily, change - timedelta(seconds=1)) != on_call(daily, change)


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


@pytest.mark.parametrize("until", ["2026-03-01", "2026-02-01"])
def test_a_layer_ends_after_it_starts(until: str) -> None:
    with pytest.raises(ValueError, match="ends before it starts"):
        schedule(layer("ada", until=until))


@pytest.mark.parametrize("days", [{"starts": "0001-01-01"}, {"until": "9999-12-31"}])
def test_a_layer_is_of_our_times(days: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="year is out of range"):
        schedule(layer("ada", **days))


def test_holidays_are_those_of_the_business_hours() -> None:
    office = layer("ada", time_zone="UTC", restrictions=[{"holidays": "never"}])
    playbook = a_team().model_copy(
        update={
            "business_hours": BusinessHours.model_validate({"holidays": ["2026-05-01"]}),
            "oncall": a_team().oncall.model_copy(update={"schedules": (schedule(office),)}),
        }
    )
    there = [people_of(playbook, parse_target("schedule:s"), datetime(2026, 5, day, 12, tzinfo=UTC)) for day in (1, 2)]
    assert there == [(), ("ada",)]
