"""The small typed values a playbook is written with: names, texts, numbers, addresses of the web, times of day."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from tocsin_playbook.model.base import refuse

NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9 _.\-]{0,62}[A-Za-z0-9_.\-])?$"
TOKEN_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$"  # noqa: S105 - a pattern, not a password
LABEL_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
DNS_LABEL_PATTERN = r"^[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?$"
DNS_SUBDOMAIN_PATTERN = r"^[a-z0-9]([a-z0-9.\-]{0,251}[a-z0-9])?$"

_UNSEEN = frozenset("\u061c\u200b\u200e\u200f\u2028\u2029\ufeff")
_UNSEEN_RANGES = ((0x202A, 0x202E), (0x2060, 0x2069))


def _matching(pattern: str, what: str, expected: str, value: str) -> str:
    if re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value):
        return value
    raise refuse(f"{value[:40]!r} is no {what}", expected)


def _name(value: str) -> str:
    return _matching(NAME_PATTERN, "name", "up to 64 letters, digits, spaces, `_`, `.` and `-`", value)


def _token(value: str) -> str:
    return _matching(TOKEN_PATTERN, "name", "up to 64 letters, digits, `_` and `-`", value)


def _label_name(value: str) -> str:
    return _matching(LABEL_NAME_PATTERN, "label name", "letters, digits and `_`, not starting with a digit", value)


def _dns_label(value: str) -> str:
    expected = "up to 63 lower-case letters, digits and `-` (DNS-1123)"
    return _matching(DNS_LABEL_PATTERN, "Kubernetes name", expected, value)


def _dns_subdomain(value: str) -> str:
    expected = "lower-case letters, digits, `-` and `.` (DNS-1123)"
    if ".." in value or ".-" in value or "-." in value:
        raise refuse(f"{value[:40]!r} is no Kubernetes name", expected)
    return _matching(DNS_SUBDOMAIN_PATTERN, "Kubernetes name", expected, value)


def plain_text(value: str) -> str:
    """Text people can see all of: no control characters but tab and newline, no bidirectional tricks."""
    for character in value:
        code = ord(character)
        hidden = character in _UNSEEN or any(low <= code <= high for low, high in _UNSEEN_RANGES)
        if hidden or (unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"):
            raise refuse(f"the text holds the invisible character U+{code:04X}", "visible characters")
    return value


def _one_line(value: str) -> str:
    if "\n" in value or "\t" in value:
        raise refuse("the text has more than one line", "one line")
    return plain_text(value)


def parse_ratio(value: object) -> float:
    """`"25%"` → 0.25; a finite number stays itself."""
    expected = "a number or a percentage like 25%"
    if isinstance(value, str) and (match := re.fullmatch(r"(-?[0-9]{1,12}(?:\.[0-9]{1,12})?) ?%", value)):
        return float(match[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = repr(value[:40]) if isinstance(value, str) else "this"
        raise refuse(f"{shown} is no number", expected)
    if (isinstance(value, int) and abs(value) > 2**63) or not math.isfinite(value):
        raise refuse("the number is not finite", expected)
    return float(value)


def _share(value: float) -> float:
    if 0 < value < 1:
        return value
    raise refuse(f"{value:g} is no share of a whole", "more than 0% and less than 100%")


def _url(value: str) -> str:
    expected = "an address like https://example.org/path"
    if len(value) > 2048 or not value.isprintable() or not value.isascii() or set(value) & set(' \\"<>`'):
        raise refuse("the URL holds characters that do not belong there", expected)
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise refuse("this is no URL", expected) from error
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise refuse("this is no http or https URL", expected)
    if parts.username is not None or parts.password is not None:
        raise refuse("the URL holds a user name or password", "a URL without credentials; put secrets in headers")
    return value


def parse_time_of_day(value: object) -> time:
    """`"09:30"` → time. 24-hour clock; the day's end is written 00:00."""
    if isinstance(value, time):
        return value
    if isinstance(value, str) and (match := re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value)):
        return time(int(match[1]), int(match[2]))
    raise refuse("this is no time of day", 'a time like "09:30", in quotes')


def parse_moment(value: object) -> datetime:
    """An RFC 3339 date and time with an offset, such as `2026-03-29T01:00:00Z`."""
    expected = "a moment with its offset, like 2026-03-29T01:00:00Z"
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str) and len(value) <= 40:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise refuse(f"{value!r} is no moment in time", expected) from error
    else:
        raise refuse("this is no moment in time", expected)
    if moment.tzinfo is None:
        raise refuse("the moment has no offset from UTC", expected)
    if not 1970 < moment.year < 9000:
        raise refuse("the year is out of range", expected)
    return moment


def parse_day(value: object) -> date:
    """`"2026-12-25"` → date."""
    expected = "a day like 2026-12-25"
    if type(value) is date:
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise refuse("this is no day", expected)
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise refuse(f"there is no day {value}", expected) from error


def _time_zone(value: str) -> str:
    expected = "an IANA time zone like Europe/Zurich or UTC"
    if not re.fullmatch(r"[A-Za-z0-9_+\-/]{1,64}", value):
        raise refuse("this is no time zone", expected)
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError) as error:  # a folder of zones, a path outside, an unknown key
        raise refuse(f"there is no time zone {value}", expected) from error
    return value


def _labels(value: Mapping[str, str]) -> Mapping[str, str]:
    if len(value) <= 64:
        return value
    raise refuse(f"{len(value)} labels", "at most 64 labels")


Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": NAME_PATTERN})]
"""What things are called: a valid value of a Prometheus label, safe to print anywhere."""

Token = Annotated[str, AfterValidator(_token), Field(json_schema_extra={"pattern": TOKEN_PATTERN})]
"""A name that becomes one token of a NATS subject."""

LabelName = Annotated[str, AfterValidator(_label_name), Field(json_schema_extra={"pattern": LABEL_NAME_PATTERN})]
LabelValue = Annotated[str, Field(max_length=1024), AfterValidator(_one_line)]
Labels = Annotated[Mapping[LabelName, LabelValue], AfterValidator(_labels)]

Line = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_one_line)]
Text = Annotated[str, Field(min_length=1, max_length=8000), AfterValidator(plain_text)]
Template = Annotated[str, Field(min_length=1, max_length=16000), AfterValidator(plain_text)]
"""A message as Jinja text; the notifier renders it in a sandbox."""

Expression = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(plain_text)]
"""PromQL. Whether it parses is the linter's business."""

ConditionText = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(plain_text)]
"""CEL. Whether it compiles is the linter's business."""

DnsLabel = Annotated[str, AfterValidator(_dns_label), Field(json_schema_extra={"pattern": DNS_LABEL_PATTERN})]
DnsSubdomain = Annotated[
    str, AfterValidator(_dns_subdomain), Field(json_schema_extra={"pattern": DNS_SUBDOMAIN_PATTERN})
]

_NUMBER_SCHEMA = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)? ?%$"}],
    "examples": [0.5, "25%"],
}
Ratio = Annotated[float, BeforeValidator(parse_ratio), WithJsonSchema(_NUMBER_SCHEMA)]
"""A finite number; 25% is 0.25."""

Share = Annotated[float, BeforeValidator(parse_ratio), AfterValidator(_share), WithJsonSchema(_NUMBER_SCHEMA)]
"""A part of a whole: between 0 and 1, neither included."""

Url = Annotated[str, AfterValidator(_url), Field(json_schema_extra={"pattern": "^https?://"})]
TimeOfDay = Annotated[
    time,
    BeforeValidator(parse_time_of_day),
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
Day = Annotated[date, BeforeValidator(parse_day), WithJsonSchema({"type": "string", "format": "date"})]
Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
TimeZone = Annotated[str, AfterValidator(_time_zone), Field(json_schema_extra={"examples": ["UTC", "Europe/Zurich"]})]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)

Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0, le=100_000)]
PositiveCount = Annotated[int, Field(strict=True, ge=1, le=100_000)]
SeverityName = Name
"""The name of one of the playbook's own severities."""
