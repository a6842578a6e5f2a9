"""Schedules for tests, by hand and by Hypothesis, in zones whose clocks change in different ways."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tocsin_playbook.model import Schedule

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata")
"""An hour at 02:00; an hour at 02:00 on other days; half an hour; an hour at midnight; never."""

HOLIDAYS = (date(2026, 4, 3), date(2026, 5, 1), date(2026, 12, 25))
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def layer(*people: str, **more: Any) -> dict[str, Any]:
    return {"people": people, "turn": "daily", "handover": {"at": "09:00"}, "starts": "2026-03-01", **more}


def schedule(*layers: dict[str, Any], zone: str = "Europe/Zurich", **more: Any) -> Schedule:
    return Schedule.model_validate({"name": "s", "time_zone": zone, "layers": layers, **more})


clock_times = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from((0, 0, 1, 15, 30, 45, 59)))
moments = st.datetimes(datetime(2026, 2, 20), datetime(2027, 3, 20)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001  # given its zone at once
turns_of = st.sampled_from(("daily", "weekly", "1h", "5h", "12h", "36h", "2w"))


@st.composite
def restrictions(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "days": draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True)),
        "from": draw(clock_times),
        "to": draw(clock_times),
        "holidays": draw(st.sampled_from(("also", "never", "only"))),
    }


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Any]:
    starts = date(2026, 1, 1) + timedelta(days=draw(st.integers(0, 300)))
    made = layer(
        *draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4)),
        turn=draw(turns_of),
        handover={"at": draw(clock_times)},
        starts=starts.isoformat(),
        restrictions=draw(st.lists(restrictions(), max_size=2)),
        time_zone=draw(st.sampled_from((None, *ZONES))),
    )
    if draw(st.booleans()):
        made["until"] = (starts + timedelta(days=draw(st.integers(1, 200)))).isoformat()
    return made


@st.composite
def overrides(draw: st.DrawFn) -> dict[str, Any]:
    begins = draw(moments)
    ends = begins + timedelta(minutes=draw(st.integers(1, 20_000)))
    return {"person": draw(st.sampled_from("xy")), "from": begins.isoformat(), "until": ends.isoformat()}


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    return schedule(
        *draw(st.lists(layers(), min_size=1, max_size=3)),
        zone=draw(st.sampled_from(ZONES)),
        overrides=draw(st.lists(overrides(), max_size=3)),
    )
