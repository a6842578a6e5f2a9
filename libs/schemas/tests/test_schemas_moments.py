"""Moments: with a zone, in UTC, within what every store can hold; a number is no moment."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from schemas_builders import MOMENTS

from tocsin_schemas.moments import EARLIEST, LATEST, Moment, format_moment, parse_moment

FIELD: TypeAdapter[datetime] = TypeAdapter(Moment)


@given(MOMENTS)
def test_what_is_written_is_read_again(moment: datetime) -> None:
    assert parse_moment(format_moment(moment)) == FIELD.validate_python(format_moment(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_moments_sort_as_text(one: datetime, other: datetime) -> None:
    assert (format_moment(one) < format_moment(other)) == (one < other)


@given(MOMENTS, st.timedeltas(timedelta(hours=-14), timedelta(hours=14)))
def test_every_zone_becomes_utc(moment: datetime, offset: timedelta) -> None:
    read = FIELD.validate_python(moment.astimezone(timezone(offset)))
    assert (read, read.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00Z", "2026-03-01t12:00:00z", "2026-03-01 12:00:00+00:00", "2026-03-01T13:30:00+01:30",
        "2026-03-01T12:00:00.000000000Z",
    ],
)  # fmt: skip
def test_rfc_3339_is_read(text: str) -> None:
    assert parse_moment(text) == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "1772366400", "2026-03-01", "2026-03-01T12:00:00", "20260301T120000Z", "2026-W01-1T00:00:00Z",
        "2026-03-01T12Z", "2026-03-01T12:00Z", "2026-03-01T24:00:00Z", "2016-12-31T23:59:60Z", "2026-02-30T12:00:00Z",
        "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "2200-01-01T00:00:01Z", "9999-12-31T23:59:59-14:00",
        "292277026596-01-01T00:00:00Z", "-2026-03-01T12:00:00Z", "2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00Z\n",
        "\uff12026-03-01T12:00:00Z", "2026-03-01T12:00:00\ud800Z",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_moment(text)


@given(st.text(st.characters()))
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert EARLIEST <= parse_moment(text) <= LATEST


@pytest.mark.parametrize("number", [0, 1_772_366_400, 1_772_366_400_000, 1.7e9, "1772366400", "1772366400.5", True])
def test_a_number_is_refused_because_its_unit_would_be_a_guess(number: object) -> None:
    with pytest.raises(ValidationError, match="is not a moment"):
        FIELD.validate_python(number)


def test_a_moment_without_a_zone_is_refused() -> None:
    for naive in (datetime(2026, 3, 1), "2026-03-01T12:00:00"):  # noqa: DTZ001  # what the test is about
        with pytest.raises(ValidationError, match="timezone"):
            FIELD.validate_python(naive)


def test_the_bounds_belong_to_what_is_allowed() -> None:
    for bound in (EARLIEST, LATEST):
        assert FIELD.validate_python(bound) == bound
    for outside in (EARLIEST - timedelta(microseconds=1), LATEST + timedelta(microseconds=1)):
        with pytest.raises(ValidationError, match="1970 to 2200"):
            FIELD.validate_python(outside)
