"""Lengths of time as people write them: `500ms`, `15s`, `1h30m`, `2d`, `1 business day`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from tocsin_playbook.model.base import Section, refuse

LONGEST = timedelta(days=3660)
"""No duration in a playbook is longer than about ten years."""

EXPECTED = "a duration like 500ms, 15s, 1h30m, 2d or 1w"

_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PATTERN = "".join(rf"(?:(?P<{unit}>[0-9]{{1,9}}){unit})?" for unit in _UNITS)
_DURATION = re.compile(_PATTERN)
_SCHEMA_PATTERN = "^(?=.)" + re.sub(r"\?P<\w+>", "?:", _PATTERN) + "$"
_BUSINESS_DAYS = re.compile(r"(next|[1-9][0-9]?) business days?")


class BusinessDays(Section):
    """A number of business days: due when the last of them ends, in the playbook's business hours."""

    count: int

    def __str__(self) -> str:
        return f"{self.count} business day{'s' if self.count > 1 else ''}"


def parse_duration(value: object) -> timedelta:
    """`"1h30m"` → timedelta. Whole numbers, units in falling order, each at most once."""
    if isinstance(value, timedelta):
        return _bounded(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise refuse(f"{_kind(value)} is no duration", EXPECTED)
    if not isinstance(value, str):
        raise refuse(f"{value} is a duration without a unit", EXPECTED)
    match = _DURATION.fullmatch(value)
    if match is None or not value:
        raise refuse(f"{_shown(value)} is no duration", EXPECTED)
    parts = ((unit, amount) for unit, amount in match.groupdict().items() if amount is not None)
    return _bounded(sum((int(amount) * _UNITS[unit] for unit, amount in parts), timedelta()))


def format_duration(length: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as the same length (to the millisecond)."""
    if not length:
        return "0s"
    text, rest = "", length
    for unit, size in _UNITS.items():
        amount, rest = divmod(rest, size)
        text += f"{amount}{unit}" if amount else ""
    return text


def parse_target_time(value: object) -> timedelta | BusinessDays:
    """A duration, or a number of business days: `4h`, `next business day`, `2 business days`."""
    if isinstance(value, BusinessDays):
        return value
    if isinstance(value, str) and (match := _BUSINESS_DAYS.fullmatch(value)):
        return BusinessDays(count=1 if match[1] == "next" else int(match[1]))
    if isinstance(value, str) and "business" in value:
        raise refuse(f"{_shown(value)} is no target", "`next business day` or `2 business days`")
    return _positive(parse_duration(value))


def _format_target_time(value: timedelta | BusinessDays) -> str:
    return str(value) if isinstance(value, BusinessDays) else format_duration(value)


def _bounded(length: timedelta) -> timedelta:
    if timedelta() <= length <= LONGEST:
        return length
    raise refuse("the duration is out of range", f"0s to {format_duration(LONGEST)}")


def _positive(length: timedelta) -> timedelta:
    if length > timedelta():
        return length
    raise refuse("the duration is zero", "a duration longer than 0s")


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:40] + "…")


def _kind(value: object) -> str:
    names = {bool: "true/false", type(None): "nothing", list: "a list", dict: "a mapping"}
    return names.get(type(value), "this")


_SCHEMA: dict[str, object] = {"type": "string", "pattern": _SCHEMA_PATTERN, "examples": ["500ms", "15s", "1h30m"]}

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_SCHEMA),
]
"""Zero or longer."""

PositiveDuration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(_positive),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_SCHEMA),
]

TargetTime = Annotated[
    timedelta | BusinessDays,
    BeforeValidator(parse_target_time),
    PlainSerializer(_format_target_time, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [_SCHEMA, {"type": "string", "pattern": f"^{_BUSINESS_DAYS.pattern}$"}],
            "examples": ["15m", "4h", "next business day"],
        }
    ),
]
"""By when something is due: a duration, or business days."""
