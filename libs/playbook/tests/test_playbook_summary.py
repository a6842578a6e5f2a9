"""The one-line summary of an alert."""

import math

import pytest

from tocsin_playbook import SummaryError, parse_summary
from tocsin_playbook.summary import duration, number, percent


def test_a_summary_shows_values_and_labels() -> None:
    summary = parse_summary("{{ value | percent }} of {{labels.route}} fail{{ labels.gone }}")
    assert summary.render(0.253, {"route": "/checkout"}) == "25.3% of /checkout fail"
    assert summary.labels == ("route", "gone")


def test_what_a_label_holds_is_not_read_again() -> None:
    assert parse_summary("{{ labels.x }}").render(0, {"x": "{{ value | percent }}"}) == "{{ value | percent }}"


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("a {{ value | bytes }}", "there is no form 'bytes'", 13),
        ("a {{ value }}", "a summary cannot show 'value'", 5),
        ("{{7*7}}", "a summary cannot show '7*7'", 2),
        ("{{ cycler.__init__.__globals__ }}", "a summary cannot show 'cycler.__init__.__globals__'", 3),
        ("{{ labels.a.b }}", "a summary cannot show 'labels.a.b'", 3),
        ("{{}}", "a summary cannot show ''", 2),
        ("a {{ value", "{{ stands alone", 2),
        ("a }}", "}} stands alone", 2),
        ("{% for x in y %}", "{% stands alone", 0),
    ],
)
def test_anything_else_between_braces_is_refused(text: str, message: str, offset: int) -> None:
    with pytest.raises(SummaryError) as refused:
        parse_summary(text)
    assert (refused.value.message, refused.value.offset) == (message, offset)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.253, "25.3%"), (1, "100%"), (0.0005, "0.05%"), (12.5, "1250%"), (math.nan, "NaN"), (-0.1, "-10%")],
)
def test_percentages_have_three_digits_that_count(value: float, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.85, "850ms"),
        (1.25, "1.25s"),
        (0, "0ms"),
        (90, "1m30s"),
        (5400, "1h30m"),
        (90000, "1d1h"),
        (-90, "-1m30s"),
        (math.inf, "+Inf"),
        (1e30, "1e+30s"),
        (59.999, "60s"),
    ],
)
def test_durations_are_written_for_people(value: float, text: str) -> None:
    assert duration(value) == text


@pytest.mark.parametrize(("value", "text"), [(1234.5678, "1234.57"), (3, "3"), (-math.inf, "-Inf"), (math.inf, "+Inf")])
def test_numbers_have_six_digits(value: float, text: str) -> None:
    assert number(value) == text
