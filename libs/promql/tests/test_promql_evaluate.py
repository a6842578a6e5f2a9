"""What a query is worth. That the values are Prometheus' own is told by test_promql_like_prometheus.py."""

import math
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tocsin_promql import EvaluationError, Result, Scalar, SeriesStore, Vector, evaluate, load, parse
from tocsin_promql.functions import AGGREGATIONS, FUNCTIONS
from tocsin_schemas.labels import Labels

SECOND = 1000
MINUTE = 60 * SECOND
STOREFRONT = Path(__file__).parents[3] / "examples" / "storefront" / "playbook.yaml"


def holding(series: dict[str, str], every: timedelta = timedelta(seconds=15)) -> SeriesStore:
    store = SeriesStore(retention=timedelta(hours=4))
    load(store, series, every=every)
    return store


def value(store: SeriesStore, text: str, at: int) -> Result:
    return evaluate(parse(text), store, at)


def only_value(store: SeriesStore, text: str, at: int) -> float:
    items = value(store, text, at).as_vector()
    assert len(items) == 1, items
    return items[0][1]


def test_the_storefronts_rules_see_half_of_the_checkouts_fail_slowly() -> None:
    rules = {rule["name"]: rule["expr"] for rule in yaml.safe_load(STOREFRONT.read_text())["detect"]["rules"]}
    store = holding(
        {
            'storefront_requests_total{route="/checkout", code="200"}': "0+3x40",
            'storefront_requests_total{route="/checkout", code="503"}': "0+2x40",
            'storefront_requests_total{route="/checkout", code="500"}': "0+1x40",
            'storefront_requests_total{route="/cart", code="500"}': "0+9x40",
            'storefront_request_seconds_bucket{route="/checkout", le="0.5"}': "0+1x40",
            'storefront_request_seconds_bucket{route="/checkout", le="1.0"}': "0+1x40",
            'storefront_request_seconds_bucket{route="/checkout", le="2.0"}': "0+5x40",
            'storefront_request_seconds_bucket{route="/checkout", le="+Inf"}': "0+5x40",
        },
        every=timedelta(milliseconds=500),
    )
    assert only_value(store, rules["CheckoutErrors"], 20 * SECOND) == pytest.approx(0.5)
    assert 1.0 < only_value(store, rules["CheckoutLatency"], 20 * SECOND) < 2.0


def test_a_ratio_of_nothing_has_no_value_and_of_no_traffic_is_nan() -> None:
    store = holding({'hits{code="200"}': "5x40"})
    ratio = 'sum(rate(hits{code="500"}[1m])) / sum(rate(hits[1m]))'
    assert not value(store, ratio, 5 * MINUTE).as_vector()
    assert math.isnan(only_value(store, "sum(rate(hits[1m])) / sum(rate(hits[1m]))", 5 * MINUTE))


def test_windows_are_open_on_the_left_as_in_prometheus_3() -> None:
    store = holding({"up": "1x20"})
    assert only_value(store, "count_over_time(up[1m])", 2 * MINUTE) == 4


def test_the_present_value_is_less_than_five_minutes_old() -> None:
    store = holding({"up": "1"})
    assert only_value(store, "up", 5 * MINUTE - 1) == 1
    assert not value(store, "up", 5 * MINUTE).as_vector()


def test_a_stale_series_has_no_value_at_once_and_comes_back_with_the_next_sample() -> None:
    store = holding({"up": "1 stale _ 2"})
    assert only_value(store, "up", 14 * SECOND) == 1
    assert not value(store, "up", 15 * SECOND).as_vector()
    assert only_value(store, "up", 45 * SECOND) == 2
    assert only_value(store, "count_over_time(up[5m])", MINUTE) == 2


def test_a_subquery_without_a_step_looks_once_a_minute() -> None:
    store = holding({"up": "0+1x60"})
    assert only_value(store, "count_over_time(up[10m:])", 10 * MINUTE) == 10


def test_a_counter_that_restarts_has_lost_nothing() -> None:
    store = holding({"hits": "0+10x10 0+10x10"}, every=timedelta(seconds=10))
    assert only_value(store, "resets(hits[5m])", 210 * SECOND) == 1
    assert only_value(store, "increase(hits[211s])", 210 * SECOND) == pytest.approx(200)


def test_values_beyond_the_largest_number_are_infinite_and_never_an_error() -> None:
    store = holding({'huge{a="1"}': "1.7e308x20", 'huge{a="2"}': "-1.7e308x20", 'huge{a="3"}': "1.7e308x20"})
    for operation in sorted(AGGREGATIONS - {"count_values", "topk", "bottomk", "quantile"}):
        assert len(value(store, f"{operation}(huge)", MINUTE).as_vector()) == 1
    for function in sorted(name for name in FUNCTIONS if name.endswith("_over_time") and name.count("_") == 2):
        if function not in {"quantile_over_time", "absent_over_time"}:
            assert len(value(store, f"{function}(huge[1m])", MINUTE).as_vector()) == 3, function
    assert only_value(store, 'sum(huge{a=~"1|3"})', MINUTE) == math.inf
    assert only_value(store, "avg(huge)", MINUTE) == pytest.approx(1.7e308 / 3)


def test_every_function_that_is_said_to_be_carried_out_is() -> None:
    special = {
        "absent_over_time": "absent_over_time(x[1m])",
        "clamp": "clamp(x, 1, 2)",
        "clamp_max": "clamp_max(x, 1)",
        "clamp_min": "clamp_min(x, 1)",
        "histogram_quantile": "histogram_quantile(0.5, x)",
        "label_join": 'label_join(x, "a", "-", "b")',
        "label_replace": 'label_replace(x, "a", "$1", "b", "(.*)")',
        "predict_linear": "predict_linear(x[1m], 5)",
        "quantile_over_time": "quantile_over_time(0.5, x[1m])",
        "time": "time()",
        "vector": "vector(1)",
    }
    ranged = {"rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets"}
    store = holding({'x{b="1", le="1"}': "1+1x20"})
    for name in sorted(FUNCTIONS):
        window = "[1m]" if name in ranged or name.endswith("_over_time") else ""
        assert isinstance(value(store, special.get(name, f"{name}(x{window})"), MINUTE), Scalar | Vector)


def test_an_ambiguous_match_names_both_series() -> None:
    store = holding({'a{x="1"}': "1", 'b{x="1", y="1"}': "1", 'b{x="1", y="2"}': "1"})
    with pytest.raises(EvaluationError, match=r'y="1".*y="2".*on the right side of `/` both match.*x="1"'):
        value(store, "a / on (x) b", 0)
    with pytest.raises(EvaluationError, match=r"on the left side of `/` match .*say group_left or group_right"):
        value(store, "b / on (x) a", 0)


def test_series_told_apart_by_their_name_alone_cannot_lose_it() -> None:
    store = holding({"a": "1x20", "b": "2x20"})
    with pytest.raises(EvaluationError, match="same labels afterwards"):
        value(store, 'rate({__name__=~"a|b"}[1m])', MINUTE)
    assert len(value(store, '{__name__=~"a|b"} > 0', MINUTE).as_vector()) == 2


def test_a_label_that_cannot_be_is_an_error_of_the_evaluation() -> None:
    store = holding({'a{x="1"}': "1"})
    with pytest.raises(EvaluationError, match="not a label name"):
        value(store, 'label_replace(a, "no name", "1", "x", ".*")', 0)


def test_a_number_is_a_vector_without_labels_to_who_wants_one() -> None:
    assert evaluate(parse("1 + 1"), SeriesStore(retention=timedelta(hours=1)), 0).as_vector() == ((Labels(), 2.0),)
