"""The recording format: JSON Lines. The first line says what it is, every further line is one message of a stream.

    {"tocsin_recording":1,"version":"0.1.0","recorded_at":"…","server":"…","streams":{"ALERTS":"8c1f…"}, …}
    {"stream":"ALERTS","sequence":7,"time":"…","subject":"tocsin.alerts.12","headers":[["ce-id","…"]],"data":{…}}

`time` is the server's, in RFC 3339 with nanoseconds. `headers` keep their order, as the client library reads them: of
a name that stands twice in a message the last value. `data` is the payload where it is a JSON object that our
encoder would write in the same bytes; any other payload stands in `base64`.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from pydantic_core import to_json

from tocsin_schemas import Envelope, Payload, decode
from tocsin_schemas.moments import Moment, parse_moment
from tocsin_schemas.strict_json import MAX_DEPTH, StrictJsonError, loads

__all__ = [
    "FORMAT",
    "MAX_LINE",
    "LineError",
    "Meta",
    "Recorded",
    "config_digest",
    "decode_line",
    "decode_meta",
    "encode_line",
    "encode_meta",
    "exact_time",
    "product_version",
]

FORMAT = 1
MAX_LINE = 2 * 1024 * 1024
"""Bytes of one line. A message of NATS is at most one MiB; in base64 with its headers it stays below this."""

_HEADER_NAME = re.compile(r"[!-9;-~]{1,256}")
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z", re.ASCII)


class LineError(ValueError):
    """A line is not what the format says. `field` is the place in it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message as it stood in its stream. `time` is RFC 3339 in UTC with nine digits, so it sorts as text.

    `is_unambiguous`: the payload is JSON that was found to read in one way only, and need not be asked again.
    """

    stream: str
    sequence: int
    time: str
    subject: str
    headers: tuple[tuple[str, str], ...]
    data: bytes
    is_unambiguous: bool = field(default=False, compare=False)

    @property
    def moment(self) -> datetime:
        """`time` to the microsecond."""
        return parse_moment(self.time)

    def decode(self) -> Envelope[Payload]:
        """What it says. Raises EnvelopeError where it is no message of ours."""
        return decode(dict(self.headers), self.data, sequence=self.sequence, trusted=self.is_unambiguous)


class Meta(BaseModel):
    """The first line: which format, by which version, when and from where, and which stretch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tocsin_recording: int = FORMAT
    version: Annotated[str, Field(max_length=64)]
    recorded_at: Moment
    server: Annotated[str, Field(max_length=256, description="The nats-server's name and version")] = ""
    since: Moment | None = None
    until: Moment | None = None
    incident: Annotated[str, Field(max_length=64)] | None = None
    streams: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=64)]] = Field(
        default_factory=dict, max_length=64, description="The digest of each stream's configuration"
    )


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    stream: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    sequence: Annotated[int, Field(ge=1, lt=2**63)]
    time: str
    subject: Annotated[str, Field(pattern=r"^[!-~]{1,1024}$")]
    headers: list[
        Annotated[
            list[Annotated[str, Field(max_length=65_536, pattern=r"^[^\r\n\x00]*$")]], Field(min_length=2, max_length=2)
        ]
    ] = Field(max_length=256)
    data: dict[str, Any] | None = None  # `Any`: checked already, it comes out of our own reader of JSON
    base64: str | None = None

    @field_validator("headers")
    @classmethod
    def _have_names(cls, headers: list[list[str]]) -> list[list[str]]:
        for name, _ in headers:
            if not _is_header_name(name):
                raise ValueError(f"{name[:64]!r} is not the name of a header")
        return headers


@lru_cache(maxsize=1024)
def _is_header_name(name: str) -> bool:
    return _HEADER_NAME.fullmatch(name) is not None


# --- writing ----------------------------------------------------------------------------------------------------------


def encode_meta(meta: Meta) -> bytes:
    """The first line, without its end."""
    return meta.model_dump_json(exclude_none=True).encode()


def encode_line(message: Recorded) -> bytes:
    """One message's line, without its end. Raises LineError where the message is too large for the format."""
    head = to_json(
        {
            "stream": message.stream,
            "sequence": message.sequence,
            "time": message.time,
            "subject": message.subject,
            "headers": message.headers,
        }
    )
    body = b'"data":' + message.data if _is_canonical(message.data) else b'"base64":"%b"' % _base64(message.data)
    line = b"%b,%b}" % (head[:-1], body)
    if len(line) > MAX_LINE:
        raise LineError("line", f"{len(line)} bytes; at most {MAX_LINE} are allowed")
    return line


def _is_canonical(data: bytes) -> bool:
    try:
        document = loads(data)
    except StrictJsonError:
        return False
    return isinstance(document, dict) and to_json(document) == data


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data)


# --- reading ----------------------------------------------------------------------------------------------------------


def decode_meta(line: bytes) -> Meta:
    """Read the first line. Raises LineError, also for a format that this version does not know."""
    document = _document(line)
    if not isinstance(document, dict) or "tocsin_recording" not in document:
        raise LineError("tocsin_recording", "is missing; is this a recording of Tocsin?")
    found = document["tocsin_recording"]
    if found != FORMAT or isinstance(found, bool):
        raise LineError("tocsin_recording", f"format {str(found)[:32]} is unknown; this version reads {FORMAT}")
    try:
        return Meta.model_validate_json(line)
    except ValidationError as error:
        raise _first_problem(error) from None


def decode_line(line: bytes) -> Recorded:
    """Read one message's line. Raises LineError naming the field."""
    document = _document(line)
    try:
        read = _Line.model_validate(document)
    except ValidationError as error:
        raise _first_problem(error) from None
    try:
        time = exact_time(read.time)
    except ValueError as error:
        raise LineError("time", str(error)) from None
    headers = tuple((name, value) for name, value in read.headers)
    return Recorded(read.stream, read.sequence, time, read.subject, headers, _payload(read), read.data is not None)


def exact_time(text: str) -> str:
    """RFC 3339 in UTC, as NATS writes it, with all nine digits. Raises ValueError."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("is not a moment of RFC 3339 in UTC, such as 2026-03-01T12:00:00.123456789Z")
    parse_moment(text)
    return f"{match[1]}.{match[2] or '':0<9}Z"


def _payload(read: _Line) -> bytes:
    if (read.data is None) is (read.base64 is None):
        raise LineError("data", "exactly one of data and base64 must be given")
    if read.data is not None:
        return to_json(read.data)
    try:
        return base64.b64decode(read.base64 or "", validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: characters beyond ASCII
        raise LineError("base64", f"cannot be decoded: {error}") from None


def _document(line: bytes) -> JsonValue:
    try:
        return loads(line, max_bytes=MAX_LINE, max_depth=MAX_DEPTH + 1)
    except StrictJsonError as error:
        raise LineError("line", error.reason) from None


def _first_problem(error: ValidationError) -> LineError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "line"
    return LineError(place[:200], first["msg"])


# --- what the first line says -----------------------------------------------------------------------------------------


def config_digest(config: Mapping[str, Any]) -> str:
    """16 hex digits over a stream's configuration as the server tells it. `Any`: it is the server's JSON."""
    return hashlib.sha256(to_json(_sorted(config))).hexdigest()[:16]


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def product_version() -> str:
    """The version of the contract that recorded messages follow."""
    return version("tocsin-schemas")
