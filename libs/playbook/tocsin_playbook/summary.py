"""A rule's one-line summary: text with `{{ value | percent }}` and `{{ labels.x }}` in it, and nothing more.

No expressions, no calls, no loops: rendering takes time in proportion to the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_VALUE = re.compile(r"\s*value\s*\|\s*([a-z]+)\s*")
_LABEL = re.compile(r"\s*labels\.([A-Za-z_][A-Za-z0-9_]*)\s*")


class SummaryError(ValueError):
    """What stands between braces is not known; `offset` is where in the text."""

    def __init__(self, message: str, expected: str, offset: int) -> None:
        super().__init__(f"{message}; expected {expected}")
        self.message = message
        self.expected = expected
        self.offset = offset


@dataclass(frozen=True, slots=True)
class _Value:
    form: str


@dataclass(frozen=True, slots=True)
class _Label:
    name: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary that has been read."""

    parts: tuple[str | _Value | _Label, ...]

    def render(self, value: float, labels: Mapping[str, str]) -> str:
        """The line for an alert. A label that is not there is empty."""
        return "".join(self._text(part, value, labels) for part in self.parts)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it shows."""
        return tuple(part.name for part in self.parts if isinstance(part, _Label))

    @staticmethod
    def _text(part: str | _Value | _Label, value: float, labels: Mapping[str, str]) -> str:
        if isinstance(part, _Value):
            return FORMS[part.form](value)
        return labels.get(part.name, "") if isinstance(part, _Label) else part


def parse_summary(text: str) -> Summary:
    """Read a summary; raises SummaryError for anything but the forms above."""
    parts: list[str | _Value | _Label] = []
    end = 0
    for place in _PLACE.finditer(text):
        parts += [_literal(text, end, place.start()), _placed(place)]
        end = place.end()
    parts.append(_literal(text, end, len(text)))
    return Summary(tuple(part for part in parts if part))


def percent(value: float) -> str:
    """0.253 → 25.3%"""
    return f"{_short(value * 100)}%" if math.isfinite(value) else number(value)


def duration(value: float) -> str:
    """Seconds for people: 0.85 → 850ms, 1.25 → 1.25s, 5400 → 1h30m."""
    if not math.isfinite(value):
        return number(value)
    sign, size = ("-" if value < 0 else ""), abs(value)
    if size < 1:
        return f"{sign}{_short(size * 1000)}ms"
    if size < 60:
        return f"{sign}{_short(size)}s"
    if size > timedelta(days=36600).total_seconds():
        return f"{sign}{number(size)}s"
    hours, rest = divmod(round(size), 3600)
    days, hours = divmod(hours, 24)
    minutes, seconds = divmod(rest, 60)
    named = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return sign + "".join(f"{amount}{unit}" for amount, unit in named if amount)


def number(value: float) -> str:
    """1234.5678 → 1234.57; at most six digits that count."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.6g}"


FORMS: Mapping[str, Callable[[float], str]] = {"percent": percent, "duration": duration, "number": number}
_FORM_LIST = ", ".join(FORMS)
_EXPECTED = "{{ value | percent }}, {{ value | duration }}, {{ value | number }} or {{ labels.<name> }}"


def _placed(place: re.Match[str]) -> _Value | _Label:
    inner, offset = place[1], place.start(1)
    if match := _VALUE.fullmatch(inner):
        if match[1] in FORMS:
            return _Value(match[1])
        raise SummaryError(f"there is no form {match[1]!r}", _FORM_LIST, offset + match.start(1))
    if match := _LABEL.fullmatch(inner):
        return _Label(match[1])
    shown = inner.strip()
    at = offset + len(inner) - len(inner.lstrip()) if shown else offset
    raise SummaryError(f"a summary cannot show {shown[:40]!r}", _EXPECTED, at)


def _literal(text: str, start: int, end: int) -> str:
    for brace in ("{{", "}}", "{%"):
        at = text.find(brace, start, end)
        if at >= 0:
            raise SummaryError(f"{brace} stands alone", _EXPECTED, at)
    return text[start:end]


def _short(value: float) -> str:
    """At most three digits that count, never in exponent form for what people read daily."""
    if abs(value) >= 1000:
        return f"{value:.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.3g}"
