"""promtool's notation for series, as in `promtool test rules` and in a playbook's own tests.

1 2 _ 3        one value a step; `_` is no sample
0+10x4         0 10 20 30 40: a start, a slope, and how many more follow
5-1x3          5 4 3 2
7x2            7 7 7
_x3            three steps without a sample
stale          the series ends here
NaN Inf -Inf   as values
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

from tocsin_promql.exposition import series_labels
from tocsin_promql.series import STALE, SeriesStore
from tocsin_schemas.labels import Labels

__all__ = ["MAX_STEPS", "NotationError", "expand", "load", "read_series"]

MAX_STEPS = 100_000
"""How many steps one notation may stand for."""

_NUMBER = r"(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[iI]nf|NaN|nan)"
_ITEM = re.compile(rf"(?P<start>[+-]?{_NUMBER}|stale|_)(?P<slope>[+-]{_NUMBER})?(?:x(?P<times>[0-9]{{1,9}}))?")


class NotationError(ValueError):
    """A text that is not in the notation. `item` is the part that cannot be read."""

    def __init__(self, item: str, reason: str) -> None:
        super().__init__(f"{item[:80]!r}: {reason}")
        self.item, self.reason = item, reason


def expand(notation: str) -> list[float | None]:
    """The value at each step; none where there is no sample, `STALE` where the series ends.

    Raises NotationError.
    """
    steps: list[float | None] = []
    for item in notation.split():
        steps += _expanded(item, MAX_STEPS - len(steps))
    return steps


def read_series(text: str) -> Labels:
    """The labels of `name{label="value"}`. Raises NotationError."""
    try:
        return series_labels(text.strip())
    except ValueError as error:
        raise NotationError(text, f'{error}; expected name{{label="value"}}') from None


def load(store: SeriesStore, series: Mapping[str, str], *, every: timedelta, start: int = 0) -> None:
    """Put series, by their labels, into the store: their first step at `start` (milliseconds), one step `every`.

    Samples go in by time, as scrapes would bring them. Raises NotationError, and StoreFullError.
    """
    step = every // timedelta(milliseconds=1)
    if step <= 0:
        raise NotationError(str(every), "is no interval; expected more than 0")
    expanded = [(read_series(text), expand(notation)) for text, notation in series.items()]
    for index in range(max((len(values) for _, values in expanded), default=0)):
        for labels, values in expanded:
            if index < len(values) and (value := values[index]) is not None:
                store.append(labels, start + index * step, value)


def _expanded(item: str, room: int) -> Iterable[float | None]:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise NotationError(item, "is no value; expected one such as 1, 0+10x5, _, _x3 or stale")
    start, slope = found["start"], found["slope"]
    more = int(found["times"] or 0)
    if more + 1 > room:
        raise NotationError(item, f"more than {MAX_STEPS} steps in all")
    if slope is not None and start in ("_", "stale"):
        raise NotationError(item, f"{start} has no slope")
    if found["times"] and start == "stale":
        raise NotationError(item, "a series ends once; expected stale")
    if slope is not None and found["times"] is None:
        raise NotationError(item, f"how often? expected {item}x followed by a number")
    if start == "_":
        return [None] * (more if found["times"] else 1)
    if start == "stale":
        return [STALE]
    # Added up step by step, as promtool does, so that rounding is the same.
    value, by = float(start), float(slope or 0)
    values: list[float | None] = [value]
    for _ in range(more):
        value += by
        values.append(value)
    return values
