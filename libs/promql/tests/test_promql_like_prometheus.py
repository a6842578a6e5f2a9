"""The same series and expressions through Debian's promtool: what Prometheus says, we must say too.

promtool compares to the last bit and prints what it got where that differs from what was expected. So it is
told to expect nonsense, and what it got is read from its complaints.

Windows are (start, end] as in Prometheus 3; Debian's Prometheus 2 still includes the start. The moments are chosen
so that no sample lies on a border.
"""

import json
import math
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin_promql import STALE, SeriesStore, evaluate, parse
from tocsin_promql.parse import LOOKBACK
from tocsin_schemas.labels import Labels

STEP = 15_000  # milliseconds

SERIES: dict[str, list[float | None]] = {
    'requests_total{job="api", code="200", instance="a"}': [n * 30 for n in range(80)],
    'requests_total{job="api", code="500", instance="a"}': [max(0, n - 20) * 7 for n in range(80)],
    'requests_total{job="api", code="200", instance="b"}': [(n * 20) % 700 for n in range(80)],
    'requests_total{job="web", code="200", instance="c"}': [None] * 10 + [n * 11 for n in range(70)],
    'temperature{room="x"}': [20 + 5 * math.sin(n / 7) for n in range(80)],
    'temperature{room="y"}': [18 - n / 10 for n in range(40)] + [None] * 40,
    'temperature{room="z"}': [21.5] * 30 + [math.nan] * 10 + [22.5] * 40,
    'gauge{a="1", b="2"}': [n - 40 for n in range(80)],
    'gauge{a="2", b="2"}': [40 - n for n in range(80)],
    'capacity{a="1"}': [100.0] * 80,
    'capacity{a="2"}': [0.0] * 80,
    'info{a="1", version="v1"}': [1.0] * 80,
    'info{a="2", version="v2"}': [1.0] * 80,
    'latency_bucket{le="0.1"}': [n * 5 for n in range(80)],
    'latency_bucket{le="0.5"}': [n * 8 for n in range(80)],
    'latency_bucket{le="1"}': [n * 9 for n in range(80)],
    'latency_bucket{le="+Inf"}': [n * 10 for n in range(80)],
}

EXPRESSIONS = """
requests_total
requests_total{code="200"}
requests_total{code!="200"}
requests_total{code=~"5.."}
requests_total{instance!~"a|b"}
rate(requests_total[1m])
rate(requests_total[5m])
irate(requests_total[2m])
increase(requests_total[3m])
delta(temperature[4m])
idelta(temperature[1m])
deriv(temperature[5m])
predict_linear(temperature[5m], 600)
resets(requests_total[10m])
changes(temperature[5m])
avg_over_time(temperature[5m])
min_over_time(temperature[5m])
max_over_time(temperature[5m])
sum_over_time(gauge[5m])
count_over_time(temperature[5m])
last_over_time(temperature[5m])
present_over_time(temperature[5m])
stddev_over_time(gauge[5m])
stdvar_over_time(gauge[5m])
quantile_over_time(0.9, gauge[5m])
absent(nothing)
absent(nothing{a="b", c=~"d"})
absent(temperature)
absent_over_time(nothing{a="b"}[5m])
sum(requests_total)
sum by (job) (rate(requests_total[5m]))
sum without (instance) (requests_total)
avg by (code) (requests_total)
min(temperature)
max by (room) (temperature)
count(requests_total)
group by (job) (requests_total)
stddev(gauge)
stdvar(gauge)
quantile(0.5, requests_total)
topk(2, requests_total)
bottomk(1, requests_total)
count_values("value", capacity)
sum(rate(requests_total{code=~"5.."}[5m])) / sum(rate(requests_total[5m]))
gauge / on (a) capacity
gauge * on (a) group_left (version) info
info * on (a) group_right () gauge
gauge > 0
gauge > bool 0
0 < gauge
gauge == on (a) capacity
gauge and on (a) (capacity > 50)
gauge or temperature
gauge unless on (a) (capacity > 50)
-gauge
gauge % 7
gauge ^ 2
2 ^ 3 ^ 2
1 - 2 * 3
abs(gauge)
ceil(temperature)
floor(temperature)
round(temperature)
round(temperature, 0.5)
clamp(gauge, -5, 5)
clamp_min(gauge, 3)
clamp_max(gauge, 3)
sgn(gauge)
sqrt(capacity)
ln(capacity)
log2(capacity)
log10(capacity)
exp(capacity / 100)
scalar(sum(gauge)) + 1
vector(3)
time()
timestamp(capacity)
hour(vector(1700000000))
day_of_week(vector(1700000000))
day_of_month(vector(1700000000))
days_in_month(vector(1709251200))
month(vector(1700000000))
year(vector(1700000000))
minute(vector(1700000000))
histogram_quantile(0.5, latency_bucket)
histogram_quantile(0.95, rate(latency_bucket[5m]))
histogram_quantile(0.99, sum by (le) (rate(latency_bucket[2m])))
label_replace(gauge, "c", "x-$1", "a", "(.*)")
label_join(gauge, "c", "-", "a", "b")
requests_total offset 2m
rate(requests_total[2m] offset 3m)
max_over_time(rate(requests_total[1m])[5m:1m])
avg_over_time(sum(gauge)[4m:30s])
sum(requests_total) > 100 or vector(0)
""".strip().splitlines()

MOMENTS = ("5m7s", "9m52s", "12m7s", "19m49s")


def milliseconds(moment: str) -> int:
    minutes, _, seconds = moment.partition("m")
    return (int(minutes) * 60 + int(seconds.rstrip("s") or 0)) * 1000


def selector(text: str) -> Labels:
    name, _, inside = text.partition("{")
    pairs = dict(pair.strip().split("=", 1) for pair in inside.rstrip("}").split(","))
    return Labels({"__name__": name, **{label: value.strip('"') for label, value in pairs.items()}})


@pytest.fixture(scope="module")
def store() -> SeriesStore:
    made = SeriesStore(retention=timedelta(days=1))
    for text, values in SERIES.items():
        for step, value in enumerate(values):
            if value is not None:
                made.append(selector(text), step * STEP, value)
    return made


NONSENSE = '{nonsense="yes"}'
COMPLAINT = re.compile(r'expr: (?P<expr>"(?:[^"\\]|\\.)*"), time: (?P<time>[^,]+),\s+exp: .*\n\s+got: (?P<got>.*)')
SAMPLE = re.compile(r"(\{.*?\}) (\S+?)(?:, (?=\{)|$)")


def ask_promtool(expressions: list[str], folder: Path) -> dict[tuple[str, str], dict[Labels, float]]:
    """What Prometheus makes of each expression at each moment."""
    inputs = [
        {"series": text, "values": " ".join("_" if value is None else number(value) for value in values)}
        for text, values in SERIES.items()
    ]
    tests = [
        {"expr": expression, "eval_time": moment, "exp_samples": [{"labels": NONSENSE, "value": 1}]}
        for expression in expressions
        for moment in MOMENTS
    ]
    document = {
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": inputs, "promql_expr_test": tests}],
    }
    file = folder / "test.yml"
    file.write_text(json.dumps(document))
    judged = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    said: dict[tuple[str, str], dict[Labels, float]] = {}
    for found in COMPLAINT.finditer(judged.stdout + judged.stderr):
        got = found["got"].strip()
        samples = {} if got == "nil" else {read_labels(labels): float(value) for labels, value in SAMPLE.findall(got)}
        said[json.loads(found["expr"]), found["time"]] = samples
    return said


def read_labels(text: str) -> Labels:
    return Labels({name: json.loads(value) for name, value in re.findall(r'([a-zA-Z_]\w*)=("(?:[^"\\]|\\.)*")', text)})


def number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return repr(value)


def is_same(ours: float, theirs: float) -> bool:
    return (math.isnan(ours) and math.isnan(theirs)) or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's promtool is not installed here")
def test_prometheus_says_the_same(store: SeriesStore, tmp_path: Path) -> None:
    said = ask_promtool(EXPRESSIONS, tmp_path)
    assert len(said) == len(EXPRESSIONS) * len(MOMENTS)
    differences = []
    for (expression, moment), theirs in said.items():
        ours = dict(evaluate(parse(expression), store, milliseconds(moment)).as_vector())
        if ours.keys() != theirs.keys() or not all(is_same(ours[labels], theirs[labels]) for labels in ours):
            differences.append(f"{expression} at {moment}\n  ours   {ours}\n  theirs {theirs}")
    assert not differences, "\n".join(differences)


def test_a_stale_series_ends_at_once_and_an_old_sample_after_five_minutes() -> None:
    store = SeriesStore(retention=timedelta(hours=1))
    labels = Labels(__name__="up")
    store.append(labels, 0, 1.0)
    lookback = int(LOOKBACK.total_seconds() * 1000)
    assert evaluate(parse("up"), store, lookback - 1).as_vector()
    assert not evaluate(parse("up"), store, lookback).as_vector()
    store.append(labels, 1000, STALE)
    assert not evaluate(parse("up"), store, 1000).as_vector()
