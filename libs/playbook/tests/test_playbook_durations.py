# ruff: noqa: E501 - tables of cases, one a line
"""Durations, targets, thresholds and the other small values."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tocsin_playbook.model import (
    BusinessDays,
    BusinessHours,
    format_duration,
    parse_duration,
    parse_target_time,
    scalars,
)
from tocsin_playbook.model.durations import LONGEST, Duration, PositiveDuration
from tocsin_playbook.model.oncall import Turn


def reading(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refusal(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as refused:
        reading(kind, value)
    return str(refused.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("15s", timedelta(seconds=15)),
        ("1m", timedelta(minutes=1)),
        ("1h30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
        ("1w2d3h4m5s6ms", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5, milliseconds=6)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_read_in_its_units(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@given(st.timedeltas(min_value=timedelta(), max_value=LONGEST))
def test_every_duration_reads_back_as_itself(length: timedelta) -> None:
    whole = timedelta(milliseconds=length // timedelta(milliseconds=1))
    assert parse_duration(format_duration(whole)) == whole


@pytest.mark.parametrize(
    "value",
    [
        "",
        "5",
        "1.5h",
        "-1s",
        "1s1m",
        "1m1m",
        "1 m",
        "m",
        "\u0661s",
        "1h\n",
        "9999999999s",
        "4000d",
        15,
        1.5,
        True,
        None,
        [],
    ],
)
def test_anything_else_is_no_duration(value: object) -> None:
    refusal(Duration, value)


def test_a_bare_number_is_told_that_it_lacks_a_unit() -> None:
    assert refusal(Duration, 15) == "15 is a duration without a unit"


def test_a_positive_duration_is_not_zero() -> None:
    assert refusal(PositiveDuration, "0s") == "the duration is zero"


def test_business_days_are_targets_of_their_own() -> None:
    assert parse_target_time("next business day") == BusinessDays(count=1)
    assert parse_target_time("3 business days") == BusinessDays(count=3)
    assert parse_target_time(BusinessDays(count=2)) == BusinessDays(count=2)
    assert parse_target_time("4h") == timedelta(hours=4)
    assert [str(BusinessDays(count=count)) for count in (1, 2)] == ["1 business day", "2 business days"]


def test_business_days_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(Exception, match="is no target"):
        parse_target_time("some business days")


def test_a_business_day_ends_with_the_teams_working_hours() -> None:
    hours = BusinessHours.model_validate({"time_zone": "Europe/Zurich", "holidays": ["2026-12-25"]})
    thursday = datetime(2026, 12, 24, 12, tzinfo=UTC)
    assert hours.due(BusinessDays(count=1), thursday) == datetime(2026, 12, 28, 16, tzinfo=UTC)
    assert hours.due(timedelta(hours=4), thursday) == datetime(2026, 12, 24, 16, tzinfo=UTC)


@pytest.mark.parametrize(("text", "number"), [("25%", 0.25), ("99.9 %", 0.999), (5, 5.0), (0.5, 0.5), ("-3%", -0.03)])
def test_a_percentage_is_a_ratio(text: object, number: float) -> None:
    assert reading(scalars.Ratio, text) == pytest.approx(number)


@pytest.mark.parametrize("value", ["5", "25%%", True, None, float("nan"), float("inf"), 10**400, "%", [5]])
def test_what_is_no_finite_number_is_no_ratio(value: object) -> None:
    refusal(scalars.Ratio, value)


def test_a_share_is_between_nothing_and_all() -> None:
    assert refusal(scalars.Share, "100%") == "1 is no share of a whole"


@pytest.mark.parametrize("name", ["P0", "checkout failing", "a.b_c-d", "x" * 64])
def test_names_are_words(name: str) -> None:
    assert reading(scalars.Name, name) == name


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "a*", ">", "a\n", "x" * 65, "café", "a/b", "a\u202eb", "-a", "a\x1b[2J"]
)
def test_names_hold_nothing_that_means_something_elsewhere(name: str) -> None:
    refusal(scalars.Name, name)


@pytest.mark.parametrize("name", ["a.b", "a b", "*", ">", ""])
def test_tokens_are_one_part_of_a_subject(name: str) -> None:
    refusal(scalars.Token, name)


@pytest.mark.parametrize("text", ["\u202eabc", "a\x00", "\x1b[2J", "a\u2028b", "\ufeff", "\u200b", "\u2066"])
def test_texts_hold_nothing_invisible(text: str) -> None:
    assert "invisible" in refusal(scalars.Text, text)


def test_a_line_is_one_line() -> None:
    assert refusal(scalars.Line, "a\nb") == "the text has more than one line"


@pytest.mark.parametrize(
    "url",
    ["ftp://a/", "file:///etc/passwd", "http://", "http://a b", "http://u:p@h/", "http://[::1", "javascript:x", "http://h:0/", "http://h:99999/", "//h", "http://é/", 'http://h/"', "http://h/" + "x" * 2100],
)  # fmt: skip
def test_only_http_addresses_without_credentials_are_urls(url: str) -> None:
    refusal(scalars.Url, url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:7390/x?y=1#z", "https://example.org", "http://[::1]:80/"])
def test_http_addresses_are_urls(url: str) -> None:
    assert reading(scalars.Url, url) == url


@pytest.mark.parametrize("name", ["Foo", "a/b", "a..b", "-a", "a_b", "--namespace=kube-system", "x" * 64, "a\n"])
def test_kubernetes_names_are_dns_labels(name: str) -> None:
    refusal(scalars.DnsLabel, name)


@pytest.mark.parametrize("name", ["foo/../../secrets", "a..b", "a.-b", "a-.b", "A", ""])
def test_deployments_are_dns_subdomains(name: str) -> None:
    refusal(scalars.DnsSubdomain, name)
    assert reading(scalars.DnsSubdomain, "web.v1") == "web.v1"


@pytest.mark.parametrize("value", ["24:00", "9:30", "09:60", 570, None])
def test_times_of_day_are_four_digits(value: object) -> None:
    refusal(scalars.TimeOfDay, value)


@pytest.mark.parametrize(
    "value", ["2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", 5]
)
def test_moments_have_an_offset(value: object) -> None:
    refusal(scalars.Moment, value)


def test_values_that_are_already_typed_stay_themselves() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert reading(scalars.Moment, moment) is moment
    assert reading(scalars.Day, date(2026, 1, 1)) == date(2026, 1, 1)
    assert reading(scalars.TimeOfDay, moment.time()) == moment.time()


@pytest.mark.parametrize("value", ["2026-02-30", "20260101", 5])
def test_days_exist(value: object) -> None:
    refusal(scalars.Day, value)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Europe", "", "é"])
def test_time_zones_exist(zone: str) -> None:
    refusal(scalars.TimeZone, zone)


def test_there_are_at_most_64_labels() -> None:
    assert refusal(scalars.Labels, {f"l{number}": "" for number in range(65)}) == "65 labels"


@pytest.mark.parametrize("name", ["1a", "a-b", "a.b", "*", ""])
def test_label_names_are_those_of_prometheus(name: str) -> None:
    assert "label name" in refusal(scalars.Labels, {name: "x"})


@pytest.mark.parametrize(("text", "hours"), [("daily", 24), ("weekly", 168), ("12h", 12), ("2w", 336)])
def test_turns_are_whole_hours(text: str, hours: int) -> None:
    assert reading(Turn, text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["monthly", "90m", "0s", 7])
def test_other_turns_are_refused(text: object) -> None:
    refusal(Turn, text)
