"""A line of a recording: what goes in comes out, and what is not a line is refused with its field."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_builders import NOW, fired, recorded

from tocsin_rehearsal.recording import LineError, Meta, Recorded
from tocsin_rehearsal.recording.format import (
    MAX_LINE,
    config_digest,
    decode_line,
    decode_meta,
    encode_line,
    encode_meta,
    exact_time,
)

TIME = "2026-03-01T12:00:00.123456789Z"
LINE = {"stream": "ALERTS", "sequence": 7, "time": TIME, "subject": "tocsin.alerts.1", "headers": [], "data": {}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
payloads = st.binary(max_size=200) | st.dictionaries(st.text(), json_values).map(
    lambda document: json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
)
header_names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1)
header_values = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))


@given(payloads, st.lists(st.tuples(header_names, header_values), max_size=6), st.integers(1, 2**63 - 1))
def test_a_message_comes_back_byte_for_byte(data: bytes, headers: list[tuple[str, str]], sequence: int) -> None:
    message = Recorded("INCIDENTS", sequence, TIME, "tocsin.incidents.a.escalator.opened", tuple(headers), data)
    assert decode_line(encode_line(message)) == message


def test_our_own_payloads_can_be_read_in_the_file() -> None:
    (message,) = recorded(fired())
    line = json.loads(encode_line(message))
    assert line["data"]["rule"] == "Errors"
    assert "base64" not in line
    assert decode_line(encode_line(message)).decode() == message.decode()


@pytest.mark.parametrize(
    "data", [b"", b"[1]", b'{"a": 1}', b'{"a":1,"a":2}', b'{"a":1e999}', b"\xff", b'{"a":"\\u0041"}', b'{"a":1e2}']
)
def test_what_our_encoder_would_write_otherwise_is_kept_as_bytes(data: bytes) -> None:
    line = encode_line(Recorded("ALERTS", 1, TIME, "tocsin.alerts.1", (), data))
    assert "base64" in json.loads(line)
    assert decode_line(line).data == data


def test_headers_keep_their_order_and_their_doubles() -> None:
    headers = (("zeta", "1"), ("Alpha", " ü "), ("zeta", "2"))
    message = Recorded("ALERTS", 1, TIME, "tocsin.alerts.1", headers, b"{}")
    assert decode_line(encode_line(message)).headers == headers


def test_nanoseconds_are_kept_and_sort_as_text() -> None:
    times = [exact_time(f"2026-03-01T12:00:00{fraction}Z") for fraction in ("", ".000000001", ".1", ".123456789")]
    assert times == sorted(times)
    assert times[1] == "2026-03-01T12:00:00.000000001Z"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"stream": 7}, "stream"),
        ({"stream": "A.B"}, "stream"),
        ({"stream": "ALERTS\n"}, "stream"),
        ({"sequence": "7"}, "sequence"),
        ({"sequence": 0}, "sequence"),
        ({"sequence": 2**63}, "sequence"),
        ({"sequence": True}, "sequence"),
        ({"time": 7}, "time"),
        ({"time": "2026-03-01T12:00:00+01:00"}, "time"),
        ({"time": "2026-13-01T12:00:00Z"}, "time"),
        ({"time": "9026-03-01T12:00:00Z"}, "time"),
        ({"subject": "tocsin.alerts.1 x"}, "subject"),
        ({"subject": ""}, "subject"),
        ({"headers": {"a": "b"}}, "headers"),
        ({"headers": [["a"]]}, "headers.0"),
        ({"headers": [["a b", "c"]]}, "headers"),
        ({"headers": [["a:", "c"]]}, "headers"),
        ({"headers": [["a", "c\r\nNats-Rollup: all"]]}, "headers.0.1"),
        ({"headers": [["a", 1]]}, "headers.0.1"),
        ({"headers": [["a", "b"]] * 257}, "headers"),
        ({"data": "text"}, "data"),
        ({"data": None}, "data"),
        ({"base64": "e30="}, "data"),
        ({"data": None, "base64": "not base64"}, "base64"),
        ({"data": None, "base64": "é"}, "base64"),
        ({"data": None, "base64": 7}, "base64"),
    ],
)
def test_a_hostile_line_is_refused_with_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(LineError) as refused:
        decode_line(json.dumps({**LINE, **change}).encode())
    assert refused.value.field.startswith(field)


@pytest.mark.parametrize(
    "line", [b"", b"nonsense", b"[]", b"{}", b'{"stream":"A","stream":"B"}', b'{"sequence":NaN}', b"\xff", b"[" * 5000]
)
def test_what_is_no_line_at_all_is_refused(line: bytes) -> None:
    with pytest.raises(LineError):
        decode_line(line)


def test_a_message_that_is_too_large_for_a_line_is_refused_when_it_is_written() -> None:
    with pytest.raises(LineError, match="at most"):
        encode_line(Recorded("ALERTS", 1, TIME, "tocsin.alerts.1", (), b"\xff" * MAX_LINE))


def test_the_first_line_says_what_was_recorded() -> None:
    meta = Meta(version="0.1.0", recorded_at=NOW, server="s", since=NOW, incident="inc1", streams={"ALERTS": "ab"})
    assert decode_meta(encode_meta(meta)) == meta


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"{}", "tocsin_recording"),
        (b"[]", "tocsin_recording"),
        (b"nonsense", "line"),
        (b'{"tocsin_recording":2,"version":"1","recorded_at":"2026-03-01T12:00:00Z"}', "tocsin_recording"),
        (b'{"tocsin_recording":true,"version":"1","recorded_at":"2026-03-01T12:00:00Z"}', "tocsin_recording"),
        (b'{"tocsin_recording":1,"version":"1"}', "recorded_at"),
        (b'{"tocsin_recording":1,"version":1,"recorded_at":"2026-03-01T12:00:00Z"}', "version"),
        (b'{"tocsin_recording":1,"version":"1","recorded_at":7}', "recorded_at"),
    ],
)
def test_a_first_line_of_something_else_is_refused(line: bytes, field: str) -> None:
    with pytest.raises(LineError) as refused:
        decode_meta(line)
    assert refused.value.field == field


def test_a_configuration_has_the_same_digest_in_any_order() -> None:
    assert config_digest({"a": 1, "b": [{"c": 1, "d": 2}]}) == config_digest({"b": [{"d": 2, "c": 1}], "a": 1})
    assert config_digest({"a": 1}) != config_digest({"a": 2})
