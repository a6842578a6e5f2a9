"""What programs expose is read, or refused with the line that is wrong."""

import contextlib
import math
import time

import pytest

from tocsin_promql import ExpositionError, Sample, parse_exposition
from tocsin_schemas.labels import Labels


def one(line: str) -> Sample:
    (sample,) = parse_exposition(line)
    return sample


def test_a_page_of_a_real_shop() -> None:
    page = """# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
"""
    samples = parse_exposition(page)
    assert [sample.value for sample in samples] == [1027, 3, 1.458255915e9, 12.47, math.inf]
    assert samples[0] == Sample(
        Labels({"__name__": "http_requests_total", "method": "post", "code": "200"}), 1027.0, 1395066363000
    )
    assert samples[2].labels["path"] == "C:\\DIR\\FILE.TXT"
    assert samples[2].labels["error"] == 'Cannot find file:\n"FILE.TXT"'
    assert samples[4].at == -3982045


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ("up 1", {}),
        ("up{} 1", {}),
        ('up{a="b",} 1', {"a": "b"}),
        ('up { a = "b" , c = "d" } 1', {"a": "b", "c": "d"}),
        ('up{ a = "b" , c="d" } 1', {"a": "b", "c": "d"}),
        ('up{a="}"} 1', {"a": "}"}),
        ('up{a="} 2 3"} 1', {"a": "} 2 3"}),
        ('up{a="#"} 1', {"a": "#"}),
        ('up{a="\\\\"} 1', {"a": "\\"}),
        ('up{a="\\q"} 1', {"a": "\\q"}),
        ('up{a=""} 1', {}),
        ('\tup{a="b"}\t1\r', {"a": "b"}),
        ('up{a="b"} 1 # {trace_id="x"} 0.5 1600000000', {"a": "b"}),
        ('up{a="#}"} 1 # {trace_id="}"} 0.5', {"a": "#}"}),
    ],
)
def test_labels_are_read_with_their_escapes_and_exemplars_left_out(line: str, labels: dict[str, str]) -> None:
    assert one(line) == Sample(Labels({"__name__": "up", **labels}), 1.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-1.5e3", -1500), (".5", 0.5), ("5.", 5), ("+Inf", math.inf), ("-inf", -math.inf),
     ("Infinity", math.inf), ("1e-400", 0.0), ("-0", -0.0), ("0017", 17)],
)  # fmt: skip
def test_values_are_floats(text: str, value: float) -> None:
    assert one(f"up {text}").value == value
    assert math.copysign(1, one(f"up {text}").value) == math.copysign(1, value)


def test_nan_is_a_value_and_never_the_marker_of_an_ended_series() -> None:
    assert math.isnan(one("up NaN").value)


@pytest.mark.parametrize(
    "line",
    ["up", "up ", "up one", "up 1 2 3", "up 1_000", "up \u0661", "up 0x1p3", "up 1e999", "up --1", "up 1 1.5",
     "up 1 NaN", "up 1 1e300", "1up 1", "{} 1", '{a="b"} 1', "up{a=b} 1", "up{a='b'} 1", 'up{a="b" 1', 'up{a="b} 1',
     'up{a="b"c="d"} 1', 'up{,} 1', 'up{a="b",,} 1', 'up{1a="b"} 1', 'up{a="b",a="c"} 1', 'up{__name__="b"} 1',
     "up\u00a01", 'up{a="b"}} 1', "up" + "x" * 20_000 + " 1", 'up{a="' + "x" * 2000 + '"} 1',
     "up{" + ",".join(f'l{n}="x"' for n in range(70)) + "} 1",
     'up{a="\x1b[2J"} 1', "up " + "9" * 100],
)  # fmt: skip
def test_a_line_that_is_no_sample_is_named(line: str) -> None:
    with pytest.raises(ExpositionError) as error:
        parse_exposition(f"fine 1\n{line}\nfine 2")
    assert error.value.line == 2
    assert str(error.value).startswith("line 2: ")


def test_times_are_seconds_in_openmetrics() -> None:
    assert parse_exposition("up 1 1600000000.5\n# EOF\n")[0].at == 1_600_000_000_500
    assert parse_exposition("up 1 1600000000500\n")[0].at == 1_600_000_000_500


def test_a_sources_labels_are_added_and_give_way_to_the_samples_own() -> None:
    (sample,) = parse_exposition('up{job="own"} 1', extra_labels={"job": "ours", "region": "eu"})
    assert sample.labels == Labels(__name__="up", job="own", region="eu")


def test_a_page_has_a_bounded_number_of_lines() -> None:
    with pytest.raises(ExpositionError, match="at most 500000"):
        parse_exposition("\n" * 500_001)


@pytest.mark.parametrize("line", ["up{" + "}" * 16_000, "up{" * 5_000, 'up{a="' + "\\" * 16_000, "up " + "} " * 8_000,
                                  "up{" + 'a="",' * 3_000, "up" + " " * 16_000 + "x", "#" * 1_000_000])  # fmt: skip
def test_hostile_lines_take_no_time(line: str) -> None:
    begun = time.perf_counter()
    with contextlib.suppress(ExpositionError):
        parse_exposition("\n".join([line] * 20))
    assert time.perf_counter() - begun < 30
