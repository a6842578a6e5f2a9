"""The text format in which programs expose metrics: Prometheus 0.0.4, and what OpenMetrics shares with it.

A page is read whole or not at all: one line that cannot be read makes it an error, as for Prometheus.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from math import isinf

from tocsin_promql.labelling import METRIC_NAME
from tocsin_promql.series import Sample
from tocsin_schemas.labels import Labels

__all__ = ["MAX_LINES", "ExpositionError", "parse_exposition", "series_labels"]

MAX_LINES = 500_000
_LONGEST_LINE = 16_384
_LATEST = 1 << 53  # milliseconds: some 285,000 years

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t]*(?:(,)|(?=\}))')
_OPEN = re.compile(r"[ \t]*\{")
_END = re.compile(r"[ \t]*\}")
_PLAIN = re.compile(r"([a-zA-Z_:][^#]*\}|[a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]+([0-9.eE+-]{1,64})[ \t\r]*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?|nan", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}

_Extra = tuple[tuple[str, str], ...]


class ExpositionError(ValueError):
    """A text that is no exposition. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line, self.reason = line, reason


class _LineError(ValueError):
    """What is wrong with one line."""


def parse_exposition(text: str, *, extra_labels: Mapping[str, str] | None = None) -> list[Sample]:
    """Every sample of the text. `extra_labels` are added to each and give way to the text's own.

    Times in the text are milliseconds (0.0.4), or seconds where the text ends with `# EOF` (OpenMetrics). Raises
    ExpositionError for a line that is neither sample nor comment, for labels outside the bounds of `Labels`, and for
    more than 500,000 lines.
    """
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise ExpositionError(MAX_LINES, f"{len(lines)} lines; at most {MAX_LINES} are allowed")
    in_seconds = text.rstrip().endswith("# EOF")
    extra = tuple(sorted((extra_labels or {}).items()))
    samples: list[Sample] = []
    for number, line in enumerate(lines, 1):
        try:
            if (plain := _PLAIN.fullmatch(line)) and len(line) <= _LONGEST_LINE:
                samples.append(Sample(series_labels(plain[1], extra), _value(plain[2])))
            elif not (bare := line.strip()).startswith("#") and bare:
                samples.append(_sample(bare, extra, in_seconds=in_seconds))
        except ValueError as error:
            raise ExpositionError(number, str(error)) from None
    return samples


def _sample(line: str, extra: _Extra, *, in_seconds: bool) -> Sample:
    """A line that may have a time, and an exemplar with braces of its own after a `#`."""
    if len(line) > _LONGEST_LINE:
        raise _LineError(f"{len(line)} characters; at most {_LONGEST_LINE} are allowed")
    end = _series_end(line)
    rest = line[end:].partition("#")[0].split()
    if not 1 <= len(rest) <= 2 or (line[end - 1] != "}" and line[end] not in " \t"):
        raise _LineError(f"is no sample: {line[:80]!r}")
    at = None if len(rest) == 1 else _time(rest[1], in_seconds=in_seconds)
    return Sample(series_labels(line[:end], extra), _value(rest[0]), at)


@lru_cache(maxsize=65_536)
def series_labels(series: str, extra: _Extra = ()) -> Labels:
    """The labels of `name{label="value"}`. Raises ValueError for what is none.

    A page has the same series at every scrape, so they are remembered.
    """
    if _series_end(series) != len(series):
        raise _LineError(f"is no series: {series[:80]!r}")
    name, _, inside = series.partition("{")
    labels = {METRIC_NAME: name.rstrip()}
    place = 0
    while found := _LABEL.match(inside, place):
        if found[1] in labels:
            raise _LineError(f"label {found[1]!r} is given twice")
        labels[found[1]] = _ESCAPE.sub(_unescaped, found[2]) if "\\" in found[2] else found[2]
        place = found.end()
    return Labels({**dict(extra), **labels})


def _series_end(line: str) -> int:
    """Where the name and the labels end."""
    name = _NAME.match(line)
    if name is None:
        raise _LineError(f"is no sample: {line[:80]!r}")
    place = name.end()
    opened = _OPEN.match(line, place)
    if opened is None:
        return place
    place = opened.end()
    while found := _LABEL.match(line, place):
        place = found.end()
    end = _END.match(line, place)
    if end is None:
        raise _LineError(f"is no label: {line[place : place + 60]!r}")
    return end.end()


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[1], found[0])


def _value(text: str) -> float:
    if len(text) > 64 or not _NUMBER.fullmatch(text):  # `float` takes more: 1_000, digits of other scripts
        raise _LineError(f"is no number: {text[:40]!r}")
    value = float(text)
    if isinf(value) and text[-1] in "0123456789.":
        raise _LineError(f"{text[:40]!r} is beyond the largest number")
    return value


def _time(text: str, *, in_seconds: bool) -> int:
    seconds_or_milliseconds = _value(text)
    if not abs(seconds_or_milliseconds) < _LATEST or (not in_seconds and not seconds_or_milliseconds.is_integer()):
        raise _LineError(f"is no time: {text[:40]!r}")
    return round(seconds_or_milliseconds * 1000) if in_seconds else int(seconds_or_milliseconds)
