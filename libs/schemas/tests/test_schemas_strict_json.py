"""JSON that two readers could read in two ways is refused, and nothing hostile raises anything else."""

import contextlib
import gzip
import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin_schemas.strict_json import MAX_BYTES, MAX_DEPTH, StrictJsonError, loads

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_good_json_is_read_as_everybody_reads_it(value: object) -> None:
    for compact in (True, False):
        document = json.dumps(value, ensure_ascii=compact).encode()
        assert loads(document) == json.loads(document) == value


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b"[Infinity]", "Infinity is not"),
        (b"-Infinity", "-Infinity is not"),
        (b"1e999", "out of range"),
        (b"[-1e999]", "out of range"),
        (b"0." + b"1" * 5000, "out of range"),
        (b'{"a": 1, "a": 2}', "field 'a' is given twice"),
        (b'{"a": {"b": [{"c": 1, "c": 1}]}}', "field 'c' is given twice"),
        (b'{"a": 1, "\\u0061": 2}', "field 'a' is given twice"),
        (b'"\\ud800"', "lone surrogate"),
        (b'{"\\udfff": 1}', "lone surrogate"),
        (b'["\\udc00\\ud800"]', "lone surrogate"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'"\xc0\x80"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b"\xff\xfe[\x001\x00]\x00", "not UTF-8 at byte 0"),
        (b"9" * 5000, "at most 64"),
        (b"-" + b"9" * 64, "at most 64"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 32"),
        (b'{"a":' * 100_000, "nested deeper than 32"),
        (b"[" * 33 + b"]" * 33, "nested deeper than 32"),
        (b'["]", ' + b"[" * 32 + b"]" * 33, "nested deeper than 32"),
        (b'["\\"", ' + b"[" * 32 + b"]" * 33, "nested deeper than 32"),
        (b"", "not JSON"),
        (b" ", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": 1} x', "Extra data"),
        (b"{}{}", "Extra data"),
        (b"{'a': 1}", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"01", "Extra data"),
        (b"+1", "not JSON"),
        (b".5", "not JSON"),
        (b"0x10", "Extra data"),
        (b'"a\nb"', "not JSON"),
        (b'"\\x41"', "not JSON"),
        (b'// comment\n"a"', "not JSON"),
        (b"tru", "not JSON"),
        (gzip.compress(b"{}" * 10_000, mtime=0), "not UTF-8"),
    ],
    ids=lambda value: repr(value[:24]),
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused_with_its_reason(document: bytes, reason: str) -> None:
    with pytest.raises(StrictJsonError) as refused:
        loads(document)
    assert reason in refused.value.reason
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b"-0", 0),
        (b"1e-400", 0.0),
        (b"9007199254740993", 2**53 + 1),
        (b'{"a": 1, "A": 2, "a ": 3, "a\\u200d": 4}', {"a": 1, "A": 2, "a ": 3, "a\u200d": 4}),
        (b'{"\\u00e9": 1, "e\\u0301": 2}', {"\u00e9": 1, "e\u0301": 2}),
        (b'{"__proto__": 1, "__class__": 2, "$where": 3}', {"__proto__": 1, "__class__": 2, "$where": 3}),
        (b'{"0.1": 1}', {"0.1": 1}),
        (b'"\\u0000\\u202e"', "\x00\u202e"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"[" * 32 + b"]" * 32, None),
        (b'["' + b"[{" * 100 + b'"]', ["[{" * 100]),
    ],
    ids=lambda value: repr(value)[:24],
)  # fmt: skip
def test_what_is_only_strange_is_read_as_it_stands(document: bytes, value: object) -> None:
    """Control characters are for the fields to refuse; names that look alike stay different names."""
    read = loads(document)
    assert value is None or read == value


def test_minus_zero_keeps_its_sign() -> None:
    read = loads(b"-0.0")
    assert isinstance(read, float)
    assert math.copysign(1, read) == -1


def test_the_size_is_bounded_before_anything_is_read() -> None:
    body = b'"' + b"a" * (MAX_BYTES - 2) + b'"'
    assert len(str(loads(body))) == MAX_BYTES - 2
    with pytest.raises(StrictJsonError, match=f"at most {MAX_BYTES}"):
        loads(body + b" ")
    with pytest.raises(StrictJsonError, match="at most 3"):
        loads(b"[1,2]", max_bytes=3)


def test_the_depth_counts_only_what_is_nested() -> None:
    many = b"[" + b",".join([b"[]"] * 1000) + b"]"
    assert len(str(loads(many))) > 1000
    with pytest.raises(StrictJsonError, match="deeper than 1 "):
        loads(b"[[]]", max_depth=1)
    assert MAX_DEPTH == 32


def test_every_truncation_of_a_document_is_refused() -> None:
    document = json.dumps({"labels": {"city": "Zürich"}, "value": [1.5, True, None]}, ensure_ascii=False).encode()
    for size in range(len(document)):
        with pytest.raises(StrictJsonError):
            loads(document[:size])


@given(st.binary() | st.text(st.sampled_from('[]{}",:\\u0d8e1-.NaI \n')).map(str.encode))
@example(b"]" * 40 + b"[" * 40)
@example(b'"' + b"[" * 100)
def test_no_bytes_raise_anything_else(document: bytes) -> None:
    with contextlib.suppress(StrictJsonError):
        json.dumps(loads(document), ensure_ascii=False).encode()


def test_a_large_array_is_read_and_a_large_nesting_refused() -> None:
    loads(b"[" + b"1," * 200_000 + b"1]")
    with pytest.raises(StrictJsonError, match="not JSON"):
        loads(b"[" + b"[]," * 100_000 + b"[")
