"""Which subjects a reader is shown."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter

__all__ = ["Filter", "matches"]


class Filter:
    """The subjects under any of some filters of NATS (`*` is one token, `>` all that follow).

    What it found is kept by the tokens that its filters name, so that subjects which differ elsewhere, as in the
    name of an incident, are looked at once.
    """

    __slots__ = ("_filters", "_key", "_known", "_least")

    def __init__(self, filters: tuple[str, ...]) -> None:
        self._filters = [one.split(".") for one in filters]
        places = {place for one in self._filters for place, token in enumerate(one) if token not in ("*", ">")} | {0}
        self._key: Callable[[Sequence[str]], object] = itemgetter(*sorted(places))
        self._least = max(places) + 1
        self._known: dict[tuple[int, object], bool] = {}

    @staticmethod
    @lru_cache(maxsize=1024)
    def of(filters: tuple[str, ...]) -> "Filter":
        """The filter of these; the same ones share what they found."""
        return Filter(filters)

    def takes(self, tokens: Sequence[str]) -> bool:
        """Whether a subject, split into its tokens, is under one of the filters."""
        count = len(tokens)
        if count < self._least:
            return self._looked_at(tokens)
        key = (count, self._key(tokens))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._looked_at(tokens)
        return known

    def _looked_at(self, tokens: Sequence[str]) -> bool:
        return any(matches(each, tokens) for each in self._filters)


def matches(pattern: Sequence[str], tokens: Sequence[str]) -> bool:
    """Whether the tokens of a subject are under one filter, split likewise."""
    for index, wanted in enumerate(pattern):
        if wanted == ">":
            return len(tokens) > index
        if index >= len(tokens) or wanted not in ("*", tokens[index]):
            return False
    return len(pattern) == len(tokens)
