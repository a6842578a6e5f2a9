"""CloudEvents over NATS: what is written is read again, and what is not one is refused with the field named."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schemas_builders import ANY_TEXT, GOOD, MOMENTS, NOW, Json, any_of, any_payload, example

from tocsin_schemas import PAYLOADS, Actor, Envelope, EnvelopeError, Payload, caused_by, decode, encode
from tocsin_schemas.commands import Acknowledge
from tocsin_schemas.events import AlertFired, NoteAdded
from tocsin_schemas.ids import event_id, span_id, trace_id
from tocsin_schemas.strict_json import MAX_BYTES

HEADERS, DATA = example("tocsin.NoteAdded.v1")
BODY = json.dumps(DATA).encode()
NOTE = NoteAdded(text="noted", by=Actor.person("ada", "cli"))
INCIDENT = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)


def refused(headers: Json, body: bytes = BODY, *, trusted: bool = False) -> EnvelopeError:
    with pytest.raises(EnvelopeError) as error:
        decode(headers, body, trusted=trusted)
    return error.value


def structured(**attributes: Json) -> tuple[dict[str, str], bytes]:
    names = {"specversion": "1.0", "id": "a", "source": "x", "type": "tocsin.NoteAdded.v1", "time": HEADERS["ce-time"]}
    document = {key: value for key, value in {**names, "data": DATA, **attributes}.items() if value != "absent"}
    return {"Content-Type": "application/cloudevents+json; charset=utf-8"}, json.dumps(document).encode()


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_name", PAYLOADS)
def test_every_type_is_read_as_it_was_written(type_name: str) -> None:
    @settings(max_examples=10)
    @given(any_of(PAYLOADS[type_name]), INCIDENT, MOMENTS)
    def there_and_back(data: Payload, incident: str, time: object) -> None:
        envelope = caused_by("cause", 0, "escalator", incident, time, data)  # type: ignore[arg-type]  # a datetime
        headers, body = encode(envelope)
        assert decode(headers, body) == decode(headers, body, trusted=True) == envelope
        assert json.loads(body) == json.loads(body, parse_constant=lambda constant: pytest.fail(constant))

    there_and_back()


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_every_attribute_is_read_as_it_was_written(one: str, two: str, three: str) -> None:
    envelope = Envelope(id=one, source=two, time=NOW, data=NOTE, incident=three, cause=one + two)
    headers, body = encode(envelope)
    assert all(0x20 <= ord(character) < 0x7F for value in headers.values() for character in value)
    assert decode(headers, body) == envelope


@given(any_payload())
def test_a_body_is_compact_and_leaves_out_what_holds_nothing(data: Payload) -> None:
    document = json.loads(data.to_json())
    assert None not in document.values()
    assert len(data.to_json()) <= len(json.dumps(document).encode())


def test_an_envelope_knows_its_place() -> None:
    envelope = Envelope("a", "tocsin/x", NOW, NOTE)
    assert envelope.sequence == 0
    assert envelope.at(7) == replace(envelope, sequence=7)
    assert decode(*encode(envelope), sequence=7) == envelope.at(7)


def test_what_follows_from_a_cause_follows_from_it_alone() -> None:
    one = caused_by("cause", 1, "escalator", "inc1", NOW, NOTE)
    later = caused_by("cause", 1, "escalator", "inc1", NOW + timedelta(hours=1), NOTE)
    assert one.id == later.id == event_id("cause", "inc1", "tocsin.NoteAdded.v1", 1)
    assert one.traceparent == f"00-{trace_id('inc1')}-{span_id(one.id)}-01"
    assert (one.source, one.cause) == ("tocsin/escalator", "cause")
    others = [("other", 1, "inc1"), ("cause", 2, "inc1"), ("cause", 1, "inc2")]
    assert one.id not in {caused_by(c, p, "escalator", i, NOW, NOTE).id for c, p, i in others}


def test_a_message_outside_of_incidents_has_the_trace_of_its_cause() -> None:
    one, other = (caused_by("cause", n, "detector", "", NOW, NOTE) for n in (0, 1))
    assert one.traceparent.split("-")[1] == other.traceparent.split("-")[1]
    assert one.traceparent != other.traceparent


def test_the_server_is_told_the_id_so_that_it_takes_each_event_once() -> None:
    headers, _ = encode(caused_by("cause", 0, "escalator", "inc1", NOW, NOTE))
    assert headers["Nats-Msg-Id"] == headers["ce-id"] == headers["message_id"]
    assert headers["ce-subject"] == headers["correlation_id"] == "inc1"
    assert "ce-subject" not in encode(Envelope("a", "x", NOW, NOTE))[0]


# --- attributes in headers --------------------------------------------------------------------------------------------


def test_the_example_of_the_specification() -> None:
    """CloudEvents HTTP binding 1.0.2, section 3.1.3.2."""
    text, escaped = "Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"
    assert encode(Envelope(text, "x", NOW, NOTE))[0]["ce-id"] == escaped
    assert decode({**HEADERS, "ce-id": escaped}, BODY).id == text
    assert decode({**HEADERS, "ce-id": escaped.lower().replace("euro", "Euro")}, BODY).id == text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a%2520b", "a%20b"),
        ('"a b"', "a b"),
        (r'"a \"b\" \\ c"', r'a "b" \ c'),
        (r'"a\b"', "ab"),
        ('"a%20b"', "a b"),
        ('"', '"'),
        ("a%2", "a%2"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("a b", "a b"),
        ("Zürich", "Zürich"),
        ("👩‍🚒", "👩‍🚒"),
    ],
)
def test_what_others_write_is_read_as_they_mean_it(written: str, read: str) -> None:
    assert decode({**HEADERS, "ce-id": written}, BODY).id == read


@pytest.mark.parametrize("change", [str.upper, str.title, str.lower])
def test_the_names_of_headers_have_any_case(change: object) -> None:
    headers = {change(name): value for name, value in HEADERS.items()}  # type: ignore[operator]  # a function of text
    assert decode(headers, BODY) == decode(HEADERS, BODY)


def test_the_same_attribute_in_two_cases_is_refused() -> None:
    assert str(refused({**HEADERS, "CE-ID": "other"})) == "ce-id: is given twice"


@pytest.mark.parametrize("name", ["ce-specversion", "ce-id", "ce-type", "ce-source", "ce-time"])
@pytest.mark.parametrize("value", [None, "", '""'])
def test_a_required_attribute_that_is_missing_is_named(name: str, value: str | None) -> None:
    headers = {key: text for key, text in {**HEADERS, name: value}.items() if text is not None}
    assert refused(headers).field == name


@pytest.mark.parametrize("headers", [None, {}, {"Nats-Msg-Id": "a"}])
def test_a_message_without_attributes_is_no_cloud_event(headers: dict[str, str] | None) -> None:
    assert refused(headers).field == "ce-specversion"


def test_optional_attributes_may_be_missing() -> None:
    required = {name: HEADERS[name] for name in ("ce-specversion", "ce-id", "ce-type", "ce-source", "ce-time")}
    read = decode(required, BODY)
    assert (read.incident, read.cause, read.traceparent) == ("", "", "")


ATTRIBUTES = ["ce-id", "ce-source", "ce-type", "ce-time", "ce-subject", "ce-causationid", "traceparent"]


@pytest.mark.parametrize("name", ATTRIBUTES)
@pytest.mark.parametrize("size", [257, 4097, 65_536])
def test_an_attribute_that_is_too_long_is_named(name: str, size: int) -> None:
    error = refused({**HEADERS, name: "a" * size})
    assert (error.field, "are allowed" in error.reason) == (name, True)
    assert len(str(error)) < 200


def test_an_attribute_may_be_as_long_as_is_promised() -> None:
    assert len(decode({**HEADERS, "ce-id": "%61" * 256}, BODY).id) == 256


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name.startswith("ce-")])
@pytest.mark.parametrize(
    "value", ["%ff", "%ED%A0%80", "a%C3", "\udce4", "%41\udce4", "a%0D%0Ab", "%1F", "\u202e", "\x1b[2J"]
)
def test_an_attribute_that_is_no_text_on_one_line_is_named(name: str, value: str) -> None:
    assert refused({**HEADERS, name: value}).field == name


def test_a_trace_with_a_line_break_is_refused() -> None:
    assert refused({**HEADERS, "traceparent": "00-a\r\nEvil: 1"}).field == "traceparent"


@pytest.mark.parametrize("version", ["0.3", "1", "1.0.1", "2.0", "1.0 "])
def test_another_version_of_the_specification_is_refused(version: str) -> None:
    assert refused({**HEADERS, "ce-specversion": version}).field == "ce-specversion"


@pytest.mark.parametrize("time", ["yesterday", "2026-03-01T12:00:00", "1772366400", "9999-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    assert refused({**HEADERS, "ce-time": time}).field == "ce-time"


@pytest.mark.parametrize("name", ["tocsin.Unheard.v1", "tocsin.NoteAdded.v2", "NoteAdded", "__class__", "tocsin.*.>"])
def test_an_unknown_type_is_refused_by_name(name: str) -> None:
    error = refused({**HEADERS, "ce-type": name})
    assert (error.field, name in error.reason) == ("ce-type", True)


# --- structured mode --------------------------------------------------------------------------------------------------


def test_a_whole_event_in_the_body_is_read() -> None:
    headers, body = structured(subject="inc1", causationid="c", traceparent="00-1-2-01", dataschema=None)
    read = decode(headers, body)
    assert (read.id, read.source, read.incident, read.cause, read.traceparent) == ("a", "x", "inc1", "c", "00-1-2-01")
    assert isinstance(read.data, NoteAdded)
    assert read.data.text == DATA["text"]


def test_in_the_body_nothing_is_escaped() -> None:
    assert decode(*structured(id="100%25 €")).id == "100%25 €"


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"id": "absent"}, "ce-id"),
        ({"id": None}, "ce-id"),
        ({"id": 1}, "ce-id"),
        ({"id": "a" * 257}, "ce-id"),
        ({"id": "a\r\nb"}, "ce-id"),
        ({"ID": "b"}, "ce-id"),
        ({"subject": "a" * 100_000}, "ce-subject"),
        ({"traceparent": "00-a\r\nEvil: 1"}, "traceparent"),
        ({"specversion": "0.3"}, "ce-specversion"),
        ({"time": "now"}, "ce-time"),
        ({"type": "tocsin.Unheard.v1"}, "ce-type"),
        ({"extension": {"a": 1}}, "ce-extension"),
        ({"data": "absent"}, "data"),
        ({"data": None}, "data"),
        ({"data": "absent", "data_base64": "e30="}, "data"),
        ({"data": {"text": 1, "by": {"kind": "person", "name": "ada"}}}, "text"),
    ],
)
def test_a_whole_event_that_is_wrong_is_refused_with_the_field(attributes: dict[str, Json], field: str) -> None:
    assert refused(*structured(**attributes)).field == field


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"id": 1, "id": 2}', b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_event_is_refused(body: bytes) -> None:
    assert refused({"content-type": "application/cloudevents+json"}, body).field == "body"
    assert refused({"content-type": "APPLICATION/CLOUDEVENTS-BATCH+JSON"}, body).field == "body"


# --- hostile bodies ---------------------------------------------------------------------------------------------------

HOSTILE = [
    b"", b"{", b"null", b"[]", b'"text"', b"1", b"\xff", b"\xef\xbb\xbf{}", b"{}{}", b"[" * 500_000, b'{"a":' * 100_000,
    b'{"by": ' + b"[" * 100_000, b'{"unknown": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"9" * 100_000,
    b'{"text": "\\ud800"}', b'{"text": NaN}', b'{"text": 1e999}',
]  # fmt: skip


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:16]) + str(len(body)))
@pytest.mark.parametrize("type_name", ["tocsin.NoteAdded.v1", "tocsin.Unheard.v1"])
def test_a_hostile_body_is_refused(type_name: str, body: bytes, trusted: bool) -> None:
    """Deep nesting above all: a RecursionError would end the consumer instead of the message."""
    refused({**HEADERS, "ce-type": type_name}, body, trusted=trusted)


def test_a_body_over_the_limit_is_refused() -> None:
    assert "at most" in refused(HEADERS, b" " * (MAX_BYTES + 1)).reason


@pytest.mark.parametrize(
    "body", [b'{"text":"a","text":"b","by":{"kind":"person","name":"ada"}}', b'{"x":NaN,' + BODY[1:]]
)
def test_json_that_can_be_read_in_two_ways_is_refused(body: bytes) -> None:
    assert refused(HEADERS, body).field == "data"


def test_every_truncation_of_a_good_body_is_refused() -> None:
    for size in range(len(BODY)):
        refused(HEADERS, BODY[:size])
        refused(HEADERS, BODY[:size], trusted=True)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(PAYLOADS)) | st.text(max_size=20),
    st.binary(max_size=200) | ANY_JSON.map(lambda value: json.dumps(value).encode()),
    st.booleans(),
)
def test_no_body_raises_anything_but_an_envelope_error(type_name: str, body: bytes, trusted: bool) -> None:
    with suppress(EnvelopeError):
        decode({**HEADERS, "ce-type": type_name}, body, trusted=trusted)


@settings(max_examples=150)
@given(st.sampled_from(sorted(PAYLOADS)), st.data())
def test_a_good_body_with_one_wrong_value_raises_nothing_else(type_name: str, draw: st.DataObject) -> None:
    headers, data = example(type_name)
    wrong = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=5)
        | st.just([])
        | st.just({"a": [1]})
    )
    name = draw.draw(st.sampled_from(sorted(data) or ["nothing"]))
    body = json.dumps({**data, name: draw.draw(wrong)}).encode()
    read = []
    for trusted in (False, True):
        with suppress(EnvelopeError):
            read.append(decode(headers, body, trusted=trusted))
    assert len(read) < 2 or read[0] == read[1]


@given(
    st.dictionaries(
        st.sampled_from([*HEADERS, "content-type", "x"]) | st.text(max_size=9), st.text(st.characters(), max_size=30)
    )
)
def test_no_headers_raise_anything_but_an_envelope_error(headers: dict[str, str]) -> None:
    for given_headers in (headers, {**HEADERS, **headers}):
        with suppress(EnvelopeError):
            decode(given_headers, BODY)


@given(st.sampled_from(GOOD))
def test_a_trusted_reader_reads_good_messages_alike(message: tuple[dict[str, str], dict[str, Json]]) -> None:
    headers, data = message
    body = json.dumps(data, ensure_ascii=False).encode()
    assert decode(headers, body, trusted=True) == decode(headers, body)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_an_error_names_the_place_inside_the_data() -> None:
    headers, data = example("tocsin.SamplesPushed.v1")
    data = {**data, "samples": [*data["samples"], {**data["samples"][0], "value": None}]}
    assert refused(headers, json.dumps(data).encode()).field == "samples.1.value"


def test_an_error_is_short_whatever_was_sent() -> None:
    headers, data = example("tocsin.AlertFired.v1")
    hostile = {**data, "annotations": {"k" * 100_000: 1}, "labels": {"\u202e" * 100_000: "1"}}
    error = refused(headers, json.dumps(hostile).encode())
    assert len(str(error)) < 2000
    assert AlertFired.__name__ not in error.field


def test_a_duration_is_bounded() -> None:
    headers, data = example("tocsin.Acknowledge.v1")
    for lasting in ("PT0S", "-PT1S", "P31D", "forever"):
        assert refused(headers, json.dumps({**data, "lasting": lasting}).encode()).field.startswith("lasting")
    assert Acknowledge.model_validate({**data, "lasting": "P30D"}).lasting == timedelta(days=30)


def test_of_how_many_events_a_decision_is_stands_in_each_where_they_are_several() -> None:
    several = caused_by("cause", 0, "escalator", "inc1", NOW, NOTE, together=12)
    headers, body = encode(several)
    assert headers["ce-together"] == "12"
    assert decode(headers, body) == several
    alone, body = encode(caused_by("cause", 0, "escalator", "inc1", NOW, NOTE))
    assert "ce-together" not in alone
    assert decode(alone, body).together == 1


@pytest.mark.parametrize("value", ["0", "-1", "1001", "99999", "01", "1.0", "many", "", "٣"])
def test_another_number_of_events_is_refused(value: str) -> None:
    assert refused({**HEADERS, "ce-together": value}).field == "ce-together"
