"""What holds for every text and all series, not only for those somebody thought of."""

import contextlib
import math
from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tocsin_promql import (
    EvaluationError,
    ExpositionError,
    NotationError,
    PromQLError,
    Sample,
    SeriesStore,
    Vector,
    evaluate,
    expand,
    load,
    parse,
    parse_exposition,
)
from tocsin_promql.patterns import PatternError, compile_pattern
from tocsin_schemas.labels import Labels

floats = st.floats() | st.sampled_from([0.0, -0.0, 1.0, math.inf, -math.inf, math.nan, 5e-324, 1.7e308])
counts = st.integers(0, 10**6).map(float)
label_values = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=10)
label_sets = st.dictionaries(st.sampled_from(["a", "b", "job", "le"]), st.sampled_from(["1", "2", "0.5", "+Inf"]))

METRICS = ("x", "y")
ATOMS = [
    "1",
    "0.5",
    "-2",
    "x",
    "y",
    'x{a="1"}',
    'y{a=~"1|2"}',
    "{a!=''}",
    "x offset 1m",
    "NaN",
    "Inf",
    "time()",
    "nothing",
]
WRAPPERS = [
    "({})", "-({})", "abs({})", "sum({})", "avg by (a) ({})", "max without (b) ({})", "stddev({})", "topk(2, {})",
    "quantile by (a) (0.5, {})", 'count_values("v", {})', "rate(({})[2m:20s])", "sum_over_time(({})[90s:30s])",
    "stdvar_over_time(({})[3m:30s])", "predict_linear(({})[3m:30s], 60)", "quantile_over_time(0.7, ({})[2m:30s])",
    "absent({})", "histogram_quantile(0.9, {})", "sort({})", "round({}, 0.1)", "clamp({}, -1, 1)", "scalar({})",
    "vector({})", "timestamp({})", 'label_replace({}, "a", "$1", "b", "(.*)")', "hour({})", "exp({})", "ln({})",
    "deriv(({})[2m:20s])", "irate(({})[2m:20s])", "resets(({})[2m:20s])",
]  # fmt: skip
OPERATORS = [
    "+", "-", "*", "/", "%", "^", "==", "!=", ">", "<= bool", "and", "or", "unless", "/ on (a)", "* ignoring (b)",
    "+ on (a) group_left ()", "- on (a) group_right (b)", "and on (a)", "> on (a) group_left (le)",
]  # fmt: skip


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    wrapped = st.builds(lambda wrapper, text: wrapper.replace("{}", text), st.sampled_from(WRAPPERS), inner)
    joined = st.builds(lambda a, o, b: f"({a}) {o} ({b})", inner, st.sampled_from(OPERATORS), inner)
    return wrapped | joined


queries = st.recursive(st.sampled_from(ATOMS), combined, max_leaves=4)
samples_of_a_page = st.builds(
    lambda name, labels, value: Sample(Labels({"__name__": name, **labels}), value),
    st.sampled_from(METRICS),
    label_sets,
    floats,
)
scrapes = st.lists(st.none() | st.lists(samples_of_a_page), max_size=12)


def scraped(pages: list[list[Sample] | None]) -> SeriesStore:
    store = SeriesStore(retention=timedelta(hours=1))
    for step, page in enumerate(pages):
        store.append_scrape(page, step * 20_000, target="shop")
    return store


@given(st.text() | st.text("abx{}[]()=~\"'`@#+-*/,.: \n15m", max_size=60))
def test_a_query_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(PromQLError):
        assert parse(text).text == text


@given(st.text() | st.text('up{}="\\,# \t19.eE+-NaInf\n_', max_size=80))
def test_a_page_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ExpositionError):
        parse_exposition(text)


@given(st.text() | st.text("019x_+-.staleNInf ", max_size=20))
def test_a_notation_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(NotationError):
        expand(text)


@given(st.text() | st.text("ab.*+?|()[]{}^$\\d-,12:P<>i", max_size=20))
def test_a_pattern_is_compiled_or_refused(text: str) -> None:
    with contextlib.suppress(PatternError):
        compile_pattern(text).fullmatch("ab12" * 8)


@given(
    st.dictionaries(st.from_regex(r"[a-zA-Z][a-z0-9_]{0,5}", fullmatch=True), label_values, max_size=5),
    floats,
    st.none() | st.integers(-(2**52), 2**52),
)
def test_what_is_written_in_the_format_is_read_back(labels: dict[str, str], value: float, at: int | None) -> None:
    inside = ",".join(
        '{}="{}"'.format(name, text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n"))
        for name, text in labels.items()
    )
    (sample,) = parse_exposition(f"up{{{inside}}} {value!r}" + ("" if at is None else f" {at}"))
    assert sample.labels == Labels({"__name__": "up", **labels})
    assert (sample.value, sample.at) == (value, at) or (math.isnan(value) and math.isnan(sample.value))


@settings(max_examples=100, deadline=None)
@given(queries, scrapes, st.integers(0, 400_000))
def test_a_query_has_a_value_or_says_why_not(text: str, pages: list[list[Sample] | None], at: int) -> None:
    try:
        query = parse(text)
    except PromQLError:
        assume(False)
    store = scraped(pages)
    with contextlib.suppress(EvaluationError):
        result = evaluate(query, store, at)
        items = result.as_vector()
        assert all(isinstance(value, float) for _, value in items)
        if isinstance(result, Vector):
            assert len({labels for labels, _ in items}) == len(items), "each set of labels once"
        assert repr(evaluate(query, store, at)) == repr(result), "and the same every time"


@given(st.lists(counts, min_size=2, max_size=30), st.integers(0, 700_000), st.integers(1, 600))
def test_a_counters_rate_is_never_negative(values: list[float], at: int, seconds: int) -> None:
    store = scraped([[Sample(Labels(__name__="x"), value)] for value in values])
    for function in ("rate", "increase", "irate"):
        for _, value in evaluate(parse(f"{function}(x[{seconds}s])"), store, at).as_vector():
            assert value >= 0


@given(st.lists(st.tuples(label_sets, counts), min_size=1))
def test_however_series_are_grouped_the_sum_of_the_sums_is_the_sum(
    given_series: list[tuple[dict[str, str], float]],
) -> None:
    store = scraped([[Sample(Labels({"__name__": "x", **labels}), value) for labels, value in given_series]])

    def worth(text: str) -> list[float]:
        return [value for _, value in evaluate(parse(text), store, 0).as_vector()]

    for grouping in ("by (a)", "by (a, b)", "without (a)", "without ()"):
        assert worth(f"sum(sum {grouping} (x))") == worth("sum(x)")
        assert worth(f"sum(count {grouping} (x))") == worth("count(x)")
        assert worth(f"max(max {grouping} (x))") == worth("max(x)")
        assert worth(f"min(min {grouping} (x))") == worth("min(x)")
    assert worth("x") == worth("x or x") == worth("x and x")
    assert not worth("x unless x")
    assert len(worth("topk(3, x)")) == min(3, len(worth("x")))


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=8), st.floats(0, 1))
def test_a_quantile_lies_within_its_histogram(counts_of_buckets: list[float], q: float) -> None:
    total = 0.0
    notations = {}
    for bound, count in enumerate(counts_of_buckets):
        total += count
        last = bound == len(counts_of_buckets) - 1
        notations[f'x{{le="{"+Inf" if last else bound + 1}"}}'] = repr(total)
    assume(total > 0)
    store = SeriesStore(retention=timedelta(hours=1))
    load(store, notations, every=timedelta(seconds=1))
    ((_, value),) = evaluate(parse(f"histogram_quantile({q!r}, x)"), store, 0).as_vector()
    assert 0 <= value <= len(counts_of_buckets) - 1


@given(st.lists(st.tuples(st.integers(-(2**40), 2**40), floats), max_size=40))
def test_samples_are_kept_in_order_of_time_and_counted_when_dropped(samples: list[tuple[int, float]]) -> None:
    store = SeriesStore(retention=timedelta(days=20_000))
    for at, value in samples:
        store.append(Labels(__name__="x"), at, value)
    kept = [list(series.times) for series in store.select(parse("x").root.matchers)]  # type: ignore[union-attr]
    times = kept[0] if kept else []
    assert times == sorted(set(times))
    assert len(times) + store.out_of_order == len(samples)
