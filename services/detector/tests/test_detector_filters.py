"""Filters of `GET /api/v2/alerts`: what amtool writes, and what would keep Python's `re` busy for ever."""

import time

import pytest

from tocsin_detector.core.filters import read_filter

LABELS = {"alertname": "HighLatency", "zone": "eu-1", "path": 'a"b'}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('alertname="HighLatency"', True),
        ("alertname=HighLatency", True),
        (' alertname = "HighLatency" ', True),
        ('alertname!="HighLatency"', False),
        ('zone=~"eu-.*|us-.*"', True),
        ('zone=~"us-.+"', False),
        ('zone!~"us-.*"', True),
        ("zone=~eu-.*", True),
        ('nothing=""', True),
        ('nothing!=""', False),
        (r'path="a\"b"', True),
    ],
)
def test_a_filter_means_what_it_means_to_alertmanager(text: str, fits: bool) -> None:
    assert read_filter(text).matches(LABELS) is fits


@pytest.mark.parametrize(
    "text",
    ["", "alertname", '="x"', '1a="x"', 'a=="x"', 'a="x" or b="y"', 'a=~"["', 'a=~"(x)"', 'a="' + "x" * 2000 + '"'],
)
def test_what_is_no_filter_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"^filter "):
        read_filter(text)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "a{1,30}{1,30}", "([a-z]+,?)*$"])
def test_a_pattern_that_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="alternatives of words"):
        read_filter(f'a=~"{pattern}"')


def test_the_worst_allowed_pattern_is_fast_on_the_longest_label() -> None:
    wanted = read_filter('a=~"' + ".*a" * 300 + 'b"')
    begun = time.perf_counter()
    assert not wanted.matches({"a": "a" * 1024})
    assert time.perf_counter() - begun < 10
