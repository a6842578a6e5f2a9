"""Series in memory: what is kept, what is dropped and counted, what ends."""

import math
import struct
from datetime import timedelta

import pytest

from tocsin_promql import STALE, Sample, SeriesStore, StoreFullError, evaluate, is_stale, parse
from tocsin_promql.nodes import matcher
from tocsin_schemas.labels import Labels

UP = Labels(__name__="up", job="shop")
SECOND = 1000


def store(retention: timedelta = timedelta(hours=1), max_series: int = 100) -> SeriesStore:
    return SeriesStore(retention=retention, max_series=max_series)


def now(held: SeriesStore, text: str, at: int) -> list[float]:
    return [value for _, value in evaluate(parse(text), held, at).as_vector()]


def scrape(*names: str, value: float = 1.0) -> list[Sample]:
    return [Sample(Labels(__name__=name), value) for name in names]


def test_only_the_bits_of_prometheus_marker_are_stale() -> None:
    assert struct.pack("<d", STALE) == struct.pack("<Q", 0x7FF0000000000002)
    assert is_stale(STALE)
    assert not is_stale(math.nan)
    assert not is_stale(float("-nan"))
    assert not is_stale(1.0)


def test_the_marker_keeps_its_bits_in_the_store_and_nan_is_a_value() -> None:
    held = store()
    held.append(UP, 0, math.nan)
    assert math.isnan(now(held, "up", 0)[0])
    held.append(UP, 1, STALE)
    assert not now(held, "up", 1)


@pytest.mark.parametrize("value", [math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308])
def test_every_float_is_a_value(value: float) -> None:
    held = store()
    held.append(UP, 0, value)
    assert struct.pack("<d", now(held, "up", 0)[0]) == struct.pack("<d", value)


def test_of_two_samples_at_one_time_the_first_wins_and_earlier_ones_are_dropped() -> None:
    held = store()
    for at, value in ((10, 1.0), (10, 2.0), (5, 3.0), (11, 4.0)):
        held.append(UP, at, value)
    assert now(held, "count_over_time(up[1m])", 20) == [2]
    assert now(held, "up", 10) == [1]
    assert held.out_of_order == 2


def test_a_hundred_thousand_samples_at_one_instant_are_one() -> None:
    held = store()
    held.append_scrape(scrape(*["up"] * 100_000), 1000, target="shop")
    assert now(held, "count_over_time(up[1m])", 1000) == [1]


def test_a_series_that_a_scrape_no_longer_has_ends_with_it() -> None:
    held = store()
    held.append_scrape(scrape("up", "gone"), 1000, target="shop")
    held.append_scrape(scrape("other"), 1000, target="other")
    held.append_scrape(scrape("up"), 2000, target="shop")
    assert now(held, "up", 2000)
    assert not now(held, "gone", 2000)
    assert now(held, "other", 2000), "another target's series lives on"
    held.append_scrape(scrape("up", "gone"), 3000, target="shop")
    assert now(held, "gone", 3000)


def test_a_failed_scrape_ends_all_of_its_target() -> None:
    held = store()
    held.append_scrape(scrape("up", "gone"), 1000, target="shop")
    held.append_scrape(None, 2000, target="shop")
    assert not now(held, "up", 2000)
    assert now(held, "up", 1999)


def test_a_sample_with_its_own_time_keeps_it_and_is_not_ended() -> None:
    held = store()
    held.append_scrape([Sample(UP, 1.0, 500)], 1000, target="shop")
    held.append_scrape([], 2000, target="shop")
    assert now(held, "timestamp(up)", 2000) == [0.5]


@pytest.mark.parametrize("at", [2**62, -(2**62), 10_000 + 11 * 60 * SECOND, -5000 * SECOND])
def test_a_sample_from_another_age_is_dropped_and_counted(at: int) -> None:
    held = store()
    held.append_scrape([Sample(UP, 1.0, at)], 10_000, target="shop")
    held.append_scrape([Sample(UP, 2.0)], 11_000, target="shop")
    assert held.out_of_bounds == 1
    assert now(held, "up", 11_000) == [2]


def test_one_series_too_many_is_refused_by_name_and_nothing_of_its_scrape_is_kept() -> None:
    held = store(max_series=2)
    held.append_scrape(scrape("a"), 1000, target="shop")
    with pytest.raises(StoreFullError, match="more than 2 series; refused one of 'b'") as error:
        held.append_scrape(scrape("a", "b", "c"), 2000, target="shop")
    assert (error.value.metric, error.value.limit) == ("b", 2)
    assert now(held, "timestamp(a)", 2000) == [1]
    held.append_scrape(scrape("a", "b"), 3000, target="shop")
    with pytest.raises(StoreFullError):
        held.append(Labels(__name__="c"), 3000, 1.0)


def test_a_full_store_has_room_again_once_old_series_are_forgotten() -> None:
    held = store(retention=timedelta(minutes=10), max_series=2)
    held.append_scrape(scrape("a", "b"), 0, target="shop")
    held.append_scrape(scrape("c", "d"), 11 * 60 * SECOND, target="shop")
    assert now(held, "c", 11 * 60 * SECOND)
    assert len(held) == 2


def test_what_is_older_than_the_retention_is_forgotten() -> None:
    held = store(retention=timedelta(minutes=1))
    for second in range(600):
        held.append_scrape(scrape("up"), second * SECOND, target="shop")
    kept = now(held, "count_over_time(up[1h])", 599 * SECOND)[0]
    assert 60 <= kept <= 64


def test_a_selection_is_renewed_when_series_come_and_go() -> None:
    held = store(retention=timedelta(minutes=1))
    wanted = (matcher("__name__", "=~", "up|down"),)
    held.append_scrape(scrape("up"), 0, target="shop")
    assert [series.labels["__name__"] for series in held.select(wanted)] == ["up"]
    held.append_scrape(scrape("down"), 1000, target="shop")
    assert {series.labels["__name__"] for series in held.select(wanted)} == {"up", "down"}
    held.append_scrape(scrape("down"), 200 * SECOND, target="shop")
    assert [series.labels["__name__"] for series in held.select(wanted)] == ["down"]


def test_matchers_see_a_missing_label_as_an_empty_one() -> None:
    held = store()
    held.append(UP, 0, 1.0)
    assert now(held, 'up{instance=""}', 0)
    assert now(held, 'up{instance=~"|a"}', 0)
    assert not now(held, 'up{instance!=""}', 0)
    assert not now(held, 'up{instance!~""}', 0)
    assert not now(held, 'up{job="SHOP"}', 0)
