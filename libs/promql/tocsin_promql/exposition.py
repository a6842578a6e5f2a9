"""The text format in which programs expose metrics: Prometheus 0.0.4, and what OpenMetrics shares with it."""

import re
from collections.abc import Mapping
from math import inf, nan

from tocsin_promql.series import Sample
from tocsin_schemas.labels import Labels

__all__ = ["MAX_LINES", "ExpositionError", "parse_exposition"]

MAX_LINES = 500_000
_LONGEST_LINE = 16_384

_LINE = re.compile(
    r"""(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
        (?:\{(?P<labels>[^\n]*)\})?
        [ \t]+(?P<value>[^ \t#]+)
        (?:[ \t]+(?P<time>-?[0-9]+(?:\.[0-9]+)?))?
        [ \t]*(?:\#.*)?""",
    re.VERBOSE,
)
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}
_WORDS = {"+inf": inf, "inf": inf, "-inf": -inf, "nan": nan, "+infinity": inf, "infinity": inf, "-infinity": -inf}


class ExpositionError(ValueError):
    """A text that is no exposition. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line, self.reason = line, reason


def parse_exposition(text: str, *, extra_labels: Mapping[str, str] | None = None) -> list[Sample]:
    """Every sample of the text. `extra_labels` are added to each and give way to the text's own.

    Times in the text are milliseconds (0.0.4). Raises ExpositionError for a line that is neither sample nor
    comment, for labels outside the bounds of `Labels`, and for more than 500,000 lines.
    """
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise ExpositionError(MAX_LINES, f"{len(lines)} lines; at most {MAX_LINES} are allowed")
    samples: list[Sample] = []
    known: dict[str, Labels] = {}
    extra = dict(extra_labels or {})
    for number, line in enumerate(lines, 1):
        if not line or line[0] == "#" or not (bare := line.strip()):
            continue
        if len(bare) > _LONGEST_LINE:
            raise ExpositionError(number, f"{len(bare)} characters; at most {_LONGEST_LINE} are allowed")
        found = _LINE.fullmatch(bare)
        if found is None:
            raise ExpositionError(number, f"is no sample: {bare[:80]!r}")
        name, labels, value, time = found.groups()
        key = bare[: found.end("labels")] if labels is not None else name
        if key not in known:
            known[key] = _labels(number, name, labels, extra)
        samples.append(Sample(known[key], _value(number, value), None if time is None else int(float(time))))
    return samples


def _labels(number: int, name: str, text: str | None, extra: Mapping[str, str]) -> Labels:
    own: dict[str, str] = {}
    place = 0
    while text and place < len(text):
        found = _LABEL.match(text, place)
        if found is None:
            if text[place:].strip():
                raise ExpositionError(number, f"is no label: {text[place : place + 60]!r}")
            break
        if found[1] in own:
            raise ExpositionError(number, f"label {found[1]!r} is given twice")
        own[found[1]] = _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[0]), found[2]) if "\\" in found[2] else found[2]
        place = found.end()
    try:
        return Labels({**extra, **own, "__name__": name})
    except ValueError as error:
        raise ExpositionError(number, str(error)) from None


def _value(number: int, text: str) -> float:
    try:
        return float(text) if len(text) < 64 and "_" not in text else _refuse(number, text)
    except ValueError:
        found = _WORDS.get(text.lower())
        return found if found is not None else _refuse(number, text)


def _refuse(number: int, text: str) -> float:
    raise ExpositionError(number, f"is no number: {text[:40]!r}")
