"""CloudEvents 1.0 over NATS: attributes in headers (binary mode), the data as JSON in the body.

Spec: cloudevents/bindings/nats-protocol-binding.md (1.0.3-wip). Structured mode is read too, never written.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Generic, TypeVar
from urllib.parse import quote, unquote_to_bytes

from pydantic import ValidationError

from tocsin_schemas.commands import COMMANDS
from tocsin_schemas.events import EVENTS
from tocsin_schemas.ids import derive_id, event_id, trace_id
from tocsin_schemas.moments import format_moment, parse_moment
from tocsin_schemas.payload import Payload
from tocsin_schemas.signals import SIGNALS
from tocsin_schemas.strict_json import StrictJsonError, loads
from tocsin_schemas.text import _check_line
from tocsin_schemas.upcast import upcast

__all__ = ["PAYLOADS", "Envelope", "EnvelopeError", "caused_by", "decode", "encode", "read_headers"]

PAYLOADS: dict[str, type[Payload]] = {**EVENTS, **COMMANDS, **SIGNALS}
"""Everything that may stand in an envelope, by CloudEvents type."""

D = TypeVar("D", bound=Payload)
D_co = TypeVar("D_co", bound=Payload, covariant=True)
_SOURCE = "tocsin/"
_UNESCAPED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_HEADER_LIMIT = 4096
_ATTRIBUTE_LIMIT = 256
_TOGETHER_LIMIT = 1000
_WHOLE_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class EnvelopeError(ValueError):
    """A message is not what the contract says. `field` is the attribute or the place in the data."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Envelope(Generic[D_co]):
    """One message: what is said (`data`) and who says it, when, of what, because of what.

    `together` is how many events the decision has that it is of: they have one source, incident and cause, and are
    written at once. `sequence` is its place in its stream, 0 as long as it has none.
    """

    id: str
    source: str
    time: datetime
    data: D_co
    incident: str = ""
    cause: str = ""
    traceparent: str = ""
    together: int = 1
    sequence: int = 0

    @property
    def type(self) -> str:
        return self.data.type_name()

    def at(self, sequence: int) -> "Envelope[D_co]":
        """This message at its place in the stream."""
        return replace(self, sequence=sequence)


def caused_by(
    cause: str, position: int, service: str, incident: str, time: datetime, data: D, *, together: int = 1
) -> Envelope[D]:
    """Wrap what `service` states because of the message `cause`. The id follows from the cause alone."""
    name = event_id(cause, incident, data.type_name(), position)
    trace = trace_id(incident) if incident else trace_id(derive_id("cause", cause))
    return Envelope(
        id=name,
        source=_SOURCE + service,
        time=time,
        data=data,
        incident=incident,
        cause=cause,
        traceparent=f"00-{trace}-{name[:8]}{name[9:13]}{name[14:18]}-01",  # as `span_id` has it
        together=together,
    )


# --- writing ---------------------------------------------------------------------------------------------------------


def encode(envelope: Envelope[Payload]) -> tuple[dict[str, str], bytes]:
    """Headers and body for NATS. `Nats-Msg-Id` is the event's id, so that the server takes each event once."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": _escape(envelope.id),
        "ce-type": envelope.type,
        "ce-source": _escape(envelope.source),
        "ce-time": format_moment(envelope.time),
        "ce-datacontenttype": "application/json",
        "Nats-Msg-Id": _escape(envelope.id),
        "message_id": _escape(envelope.id),
    }
    if envelope.incident:
        headers["ce-subject"] = headers["correlation_id"] = _escape(envelope.incident)
    if envelope.cause:
        headers["ce-causationid"] = _escape(envelope.cause)
    if envelope.together > 1:
        headers["ce-together"] = str(envelope.together)
    if envelope.traceparent:
        headers["traceparent"] = envelope.traceparent
    return headers, envelope.data.to_json()


def _escape(value: str) -> str:
    return quote(value, safe=_UNESCAPED)


# --- reading ---------------------------------------------------------------------------------------------------------


def decode(
    headers: Mapping[str, str] | None, body: bytes, *, sequence: int = 0, trusted: bool = False
) -> Envelope[Payload]:
    """Read one message. Raises EnvelopeError naming the field.

    `trusted` leaves out the search for JSON that can be read in two ways: for our own log, whose every entry
    was checked when it was written.
    """
    attributes = read_headers(headers or {})
    if attributes.get("content-type", "").lower().startswith("application/cloudevents"):
        attributes, body = _unwrap_structured(body)
    if attributes.get("ce-specversion") != "1.0":
        raise EnvelopeError("ce-specversion", "is not 1.0; is this a CloudEvent?")
    type_name = _required(attributes, "ce-type")
    try:
        time = parse_moment(_required(attributes, "ce-time"))
    except ValueError as error:
        raise EnvelopeError("ce-time", str(error)) from None
    return Envelope(
        id=_required(attributes, "ce-id"),
        source=_required(attributes, "ce-source"),
        time=time,
        data=_read_data(type_name, body, trusted=trusted),
        incident=_attribute(attributes, "ce-subject"),
        cause=_attribute(attributes, "ce-causationid"),
        traceparent=_attribute(attributes, "traceparent"),
        together=_count(attributes, "ce-together"),
        sequence=sequence,
    )


def read_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by lower-case name, CloudEvents attributes decoded (quotes stripped, one round of percent-decoding)."""
    read: dict[str, str] = {}
    for raw_name, raw_value in headers.items():
        name, value = _lower(str(raw_name)), str(raw_value)
        if len(value) > _HEADER_LIMIT:
            raise EnvelopeError(name[:64], f"{len(value)} characters; at most {_HEADER_LIMIT} are allowed")
        if name.startswith("ce-"):
            if name in read:  # as ce-id and CE-ID: two readers could take different ones
                raise EnvelopeError(name[:64], "is given twice")
            if value[:1] == '"' or "%" in value:
                value = _unescape(name, value)
        read[name] = value
    return read


@lru_cache(maxsize=256)
def _lower(name: str) -> str:
    """Nearly all messages have the same names."""
    return name.lower()


def _unescape(name: str, value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = _QUOTED_PAIR.sub(r"\1", value[1:-1])  # RFC 9110 section 5.6.4
    if "%" not in value:
        return value
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeError:
        raise EnvelopeError(name[:64], "is not UTF-8 after percent-decoding") from None


def _required(attributes: Mapping[str, str], name: str) -> str:
    value = _attribute(attributes, name)
    if not value:
        raise EnvelopeError(name, "is missing")
    return value


def _attribute(attributes: Mapping[str, str], name: str) -> str:
    """An attribute, "" where it is missing. Ids are derived from it: it may not hold what separates their parts."""
    value = attributes.get(name, "")
    if len(value) > _ATTRIBUTE_LIMIT:
        raise EnvelopeError(name, f"{len(value)} characters; at most {_ATTRIBUTE_LIMIT} are allowed")
    if not value.isprintable():
        try:
            _check_line(value).encode()
        except ValueError as error:
            raise EnvelopeError(name, str(error)) from None
    return value


def _count(attributes: Mapping[str, str], name: str) -> int:
    """A whole number from 1 to 1000, 1 where it is missing."""
    value = attributes.get(name, "1")
    if not _WHOLE_NUMBER.fullmatch(value) or int(value) > _TOGETHER_LIMIT:
        raise EnvelopeError(name, f"is not a whole number from 1 to {_TOGETHER_LIMIT}")
    return int(value)


def _unwrap_structured(body: bytes) -> tuple[dict[str, str], bytes]:
    try:
        document = loads(body)
    except StrictJsonError as error:
        raise EnvelopeError("body", error.reason) from None
    if not isinstance(document, dict):
        raise EnvelopeError("body", "is not a JSON object")
    attributes: dict[str, str] = {}
    for name, value in document.items():
        if name == "data" or value is None:  # null is the same as absent
            continue
        attribute = name if name == "traceparent" else f"ce-{name.lower()}"
        if not isinstance(value, str):
            raise EnvelopeError(attribute[:64], "is not a text")
        if attribute in attributes:
            raise EnvelopeError(attribute[:64], "is given twice")
        attributes[attribute] = value
    return attributes, json.dumps(document.get("data")).encode()


def _read_data(type_name: str, body: bytes, *, trusted: bool) -> Payload:
    model = PAYLOADS.get(type_name)
    try:
        if model is None:
            return _read_old(type_name, body)
        if not trusted:
            loads(body)
        return model.model_validate_json(body)
    except StrictJsonError as error:
        raise EnvelopeError("data", error.reason) from None
    except ValidationError as error:
        raise _first_problem(error) from None


def _read_old(type_name: str, body: bytes) -> Payload:
    document = loads(body)
    if not isinstance(document, dict):
        raise EnvelopeError("data", "is not a JSON object")
    try:
        newest, current = upcast(type_name, document)
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # the document is not of that shape
        raise EnvelopeError("data", f"is no {type_name[:128]}: {error!r}") from None
    model = PAYLOADS.get(newest)
    if model is None:
        raise EnvelopeError("ce-type", f"{type_name[:128]!r} is not a type of this version")
    return model.model_validate_json(json.dumps(current))


def _first_problem(error: ValidationError) -> EnvelopeError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "data"
    return EnvelopeError(place[:200], first["msg"])
