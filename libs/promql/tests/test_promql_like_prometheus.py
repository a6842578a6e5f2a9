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
from random import Random

import pytest

from tocsin_promql import STALE, EvaluationError, PromQLError, SeriesStore, evaluate, is_stale, load, parse
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
    'odd{kind="inf"}': [math.inf] * 30 + [-math.inf] * 20 + [0.0] * 30,
    'odd{kind="both"}': [math.inf, -math.inf] * 40,
    'odd{kind="huge"}': [1.5e308, 1e308, -1e308, 1e-320] * 20,
    'odd{kind="nan"}': [math.nan] * 80,
    'odd{kind="zero"}': [-0.0] * 80,
    'ended{a="1"}': [float(n) for n in range(30)] + [STALE] + [None] * 20 + [5.0] * 29,
    'ended{a="2"}': [float(n) for n in range(80)],
    'ended{a="3"}': [1.0, None, None, STALE, 2.0] * 16,
    'late{a="1"}': [None] * 45 + [100.0 + n for n in range(35)],
    'broken_bucket{le="0.1"}': [float(n * 5) for n in range(80)],
    'broken_bucket{le="0.5"}': [float(n * 4) for n in range(80)],
    'broken_bucket{le="1"}': [float(n * 9) for n in range(80)],
    'broken_bucket{le="+Inf"}': [float(n * 9) for n in range(80)],
    'open_bucket{le="0.1"}': [float(n) for n in range(80)],
    'open_bucket{le="1"}': [float(n * 2) for n in range(80)],
    'negative_bucket{le="-1"}': [float(n) for n in range(80)],
    'negative_bucket{le="0"}': [float(n * 2) for n in range(80)],
    'negative_bucket{le="+Inf"}': [float(n * 3) for n in range(80)],
    'empty_bucket{le="1"}': [0.0] * 80,
    'empty_bucket{le="+Inf"}': [0.0] * 80,
}

EXPRESSIONS = [
    line
    for line in Path(__file__).with_name("expressions.promql").read_text().splitlines()
    if line and not line.startswith("#")
]

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
REFUSAL = re.compile(r'expr: (?P<expr>"(?:[^"\\]|\\.)*"), time: (?P<time>[^,]+), err: ')
SAMPLE = re.compile(r'(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}) (\S+?)(?:, (?=\{)|$)')


def ask_promtool(
    series: dict[str, str], expressions: list[str], moments: tuple[str, ...], folder: Path
) -> dict[tuple[str, str], dict[Labels, float] | None]:
    """What Prometheus makes of each expression at each moment; none where it refuses to answer."""
    inputs = [{"series": labels, "values": notation} for labels, notation in series.items()]
    tests = [
        {"expr": expression, "eval_time": moment, "exp_samples": [{"labels": NONSENSE, "value": 1}]}
        for expression in expressions
        for moment in moments
    ]
    document = {
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": inputs, "promql_expr_test": tests}],
    }
    file = folder / "test.yml"
    file.write_text(json.dumps(document))
    judged = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    said: dict[tuple[str, str], dict[Labels, float] | None] = {}
    for found in REFUSAL.finditer(judged.stdout + judged.stderr):
        said[json.loads(found["expr"]), found["time"]] = None
    for found in COMPLAINT.finditer(judged.stdout + judged.stderr):
        got = found["got"].strip()
        samples = {} if got == "nil" else {read_labels(labels): float(value) for labels, value in SAMPLE.findall(got)}
        said[json.loads(found["expr"]), found["time"]] = samples
    return said


def written(series: dict[str, list[float | None]]) -> dict[str, str]:
    return {
        labels: " ".join("_" if value is None else number(value) for value in values)
        for labels, values in series.items()
    }


def read_labels(text: str) -> Labels:
    return Labels({name: json.loads(value) for name, value in re.findall(r'([a-zA-Z_]\w*)=("(?:[^"\\]|\\.)*")', text)})


def number(value: float) -> str:
    if is_stale(value):
        return "stale"
    if math.isnan(value):
        return "NaN"
    return repr(value)


def ask_us(store: SeriesStore, expression: str, moment: str) -> dict[Labels, float] | None:
    try:
        return dict(evaluate(parse(expression), store, milliseconds(moment)).as_vector())
    except EvaluationError:
        return None


def is_same_answer(ours: dict[Labels, float] | None, theirs: dict[Labels, float] | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return ours.keys() == theirs.keys() and all(is_same(ours[labels], theirs[labels]) for labels in ours)


def is_same(ours: float, theirs: float) -> bool:
    return (math.isnan(ours) and math.isnan(theirs)) or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's promtool is not installed here")
def test_prometheus_says_the_same(store: SeriesStore, tmp_path: Path) -> None:
    said = ask_promtool(written(SERIES), EXPRESSIONS, MOMENTS, tmp_path)
    missing = [(e, m) for e in EXPRESSIONS for m in MOMENTS if (e, str(m)) not in said]
    assert not missing
    differences = []
    for (expression, moment), theirs in said.items():
        ours = ask_us(store, expression, moment)
        if not is_same_answer(ours, theirs):
            differences.append(f"{expression} at {moment}\n  ours   {ours}\n  theirs {theirs}")
    assert not differences, "\n".join(differences)


ATOMS = [
    "1", "-2.5", "gauge", "capacity", 'ended{a!="3"}', "requests_total", "temperature", "info", "latency_bucket",
    "late", 'gauge{a="1"}', "gauge offset 1m", "NaN", "Inf", "time()", "nothing", 'nothing{a="x"}', "vector(3)",
    "late > 110", "broken_bucket", "rate(requests_total[121s])", "avg_over_time(temperature[71s])",
    'scalar(info{a="1"})',
]  # fmt: skip
WRAPPERS = [
    "({})", "-({})", "abs({})", "sum({})", "avg by (a) ({})", "max without (b) ({})", "min by (job, a) ({})",
    "count without (a) ({})", "group by (code) ({})", "quantile by (a) (0.5, {})", "sum by (__name__) ({})",
    "rate(({})[121s:20007ms])", "sum_over_time(({})[97s:20007ms])", "stddev_over_time(({})[187s:20007ms])",
    "predict_linear(({})[3m:20007ms], 60)", "deriv(({})[3m:20007ms])", "irate(({})[2m:20007ms])",
    "quantile_over_time(0.7, ({})[2m:20007ms])", "max_over_time(({})[2m:20007ms])", "resets(({})[2m:20007ms])",
    "last_over_time(({})[2m:20007ms])", "absent_over_time(({})[2m:20007ms])", "absent({})", "timestamp({})",
    "histogram_quantile(0.9, {})", "round({}, 0.1)", "clamp({}, -1, 100)", "clamp_min({}, 3)", "scalar({})", "exp({})",
    "vector({})", "ln({})", "sgn({})", "sqrt({})", 'label_replace({}, "n", "x-$1", "job", "(.)(.*)")',
    'label_join({}, "n", "-", "a", "b")', "sort({})",
]  # fmt: skip
OPERATORS = [
    "+", "-", "*", "/", "%", "^", "==", "!=", ">", "<=", "< bool", "== bool", "and", "or", "unless", "/ on (a)",
    "* ignoring (b)", "+ on (a) group_left ()", "+ on (a) group_left (version)", "- on (a) group_right (b)",
    "and on (a)", "or on (a)", "unless ignoring (b)", "> on (a) group_left (version)", "< on (a)", "== bool on (a)",
    "/ ignoring (code) group_left ()", "* on () group_left ()", "> on () group_right (a)",
]  # fmt: skip


def made_at_random(random: Random, depth: int) -> str:
    """A query, right in its syntax but not always in its types."""
    if depth == 0 or random.random() < 0.15:
        return random.choice(ATOMS)
    if random.random() < 0.55:
        return random.choice(WRAPPERS).replace("{}", made_at_random(random, depth - 1))
    left, right = made_at_random(random, depth - 1), made_at_random(random, depth - 1)
    return f"({left}) {random.choice(OPERATORS)} ({right})"


def is_query(text: str) -> bool:
    try:
        return bool(parse(text))
    except PromQLError:
        return False


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's promtool is not installed here")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_prometheus_says_the_same_of_queries_made_at_random(store: SeriesStore, tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    tried = (made_at_random(random, random.randint(1, 4)) for _ in range(600))
    queries = sorted({text for text in tried if is_query(text)})
    said = ask_promtool(written(SERIES), queries, MOMENTS, tmp_path)
    assert len(said) == len(queries) * len(MOMENTS) > 1000
    for (query, moment), theirs in said.items():
        assert is_same_answer(ask_us(store, query, moment), theirs), f"{query} at {moment}"


NOTATIONS = {
    'n{a="1"}': "7x2 _x2 1+0.1x3 stale 5 Inf -Inf 1e3",
    'n{a="2"}': "0+10x20",
    'n{a="3"}': "5-1x3 _ -2 +3 -1-2x4 NaN stale 1x0",
    'n{a="}\\"", b="\\\\x"}': "_x3 .5+.25x6 2e-3",
}


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's promtool is not installed here")
def test_promtool_reads_the_notation_as_we_do(tmp_path: Path) -> None:
    store = SeriesStore(retention=timedelta(days=1))
    load(store, NOTATIONS, every=timedelta(seconds=15))
    moments = tuple(f"{at // 60}m{at % 60}s" for at in range(61, 330, 15))
    expressions = ["n", "count_over_time(n[4m])", "sum_over_time(n[1m])"]
    said = ask_promtool(NOTATIONS, expressions, moments, tmp_path)
    assert len(said) == len(expressions) * len(moments)
    for (expression, moment), theirs in said.items():
        assert is_same_answer(ask_us(store, expression, moment), theirs), (expression, moment)
