"""promtool's notation for series. That it means the same is told by test_promql_like_prometheus.py."""

import math
from datetime import timedelta

import pytest

from tocsin_promql import NotationError, SeriesStore, evaluate, expand, is_stale, load, parse


@pytest.mark.parametrize(
    ("notation", "steps"),
    [
        ("", []),
        ("1 2 _ _ 3", [1, 2, None, None, 3]),
        ("0+10x3", [0, 10, 20, 30]),
        ("5-1x2", [5, 4, 3]),
        ("-2+1.5x2", [-2, -0.5, 1]),
        ("7x2", [7, 7, 7]),
        ("1x0", [1]),
        ("_x3", [None, None, None]),
        ("_x0", []),
        ("1e3 +.5 Inf -Inf", [1000, 0.5, math.inf, -math.inf]),
    ],
)
def test_a_notation_stands_for_steps(notation: str, steps: list[float | None]) -> None:
    assert expand(notation) == steps


def test_stale_and_nan_are_two_things() -> None:
    nan, stale = expand("NaN stale")
    assert nan is not None
    assert stale is not None
    assert math.isnan(nan)
    assert not is_stale(nan)
    assert is_stale(stale)


@pytest.mark.parametrize(
    "item", ["x", "1+1", "1+x3", "x3", "1x", "1x-1", "_+1x3", "stale+1x2", "stalex3", "1xx2", "1_0", "\u0663",
             "{{sum:1}}", "1x100000", "1x999999999", "1x9999999999", "1+1x3x4"],
)  # fmt: skip
def test_what_is_no_notation_is_named(item: str) -> None:
    with pytest.raises(NotationError) as error:
        expand(f"1 {item} 2")
    assert error.value.item == item


def test_the_steps_are_bounded_all_together() -> None:
    assert len(expand("1x49999 " * 2)) == 100_000
    with pytest.raises(NotationError, match="100000 steps"):
        expand("1x49999 " * 3)


def test_series_are_loaded_side_by_side() -> None:
    store = SeriesStore(retention=timedelta(hours=1))
    load(store, {'a{x="1"}': "1 2 3", "b": "_ 5 _"}, every=timedelta(seconds=10), start=60_000)
    assert evaluate(parse("a"), store, 80_000).as_vector()[0][1] == 3
    assert evaluate(parse("timestamp(b)"), store, 80_000).as_vector()[0][1] == 70


@pytest.mark.parametrize("series", ["", "a{", 'a{x="1"} 5', "a b", "# a", 'a{x="1"}\nb', "1a", "a #"])
def test_what_is_no_series_is_named(series: str) -> None:
    with pytest.raises(NotationError) as error:
        load(SeriesStore(retention=timedelta(hours=1)), {series: "1"}, every=timedelta(seconds=1))
    assert error.value.item == series


def test_an_interval_is_more_than_nothing() -> None:
    with pytest.raises(NotationError, match="more than 0"):
        load(SeriesStore(retention=timedelta(hours=1)), {"a": "1"}, every=timedelta(0))
