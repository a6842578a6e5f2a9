"""A cache with a time to live and a limit; what was used longest ago goes first."""

from collections import OrderedDict
from datetime import timedelta
from typing import Generic, TypeVar

from storefront.settings import Clock

V = TypeVar("V")


class Cache(Generic[V]):
    def __init__(self, ttl: timedelta, clock: Clock, limit: int = 1000) -> None:
        self._ttl = ttl.total_seconds()
        self._clock = clock
        self._limit = limit
        self._entries: OrderedDict[str, tuple[float, V]] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def get(self, key: str) -> V | None:
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._clock():
            self._entries.pop(key, None)
            self.misses += 1
            return None
        self._entries.move_to_end(key)
        self.hits += 1
        return entry[1]

    def put(self, key: str, value: V) -> None:
        self._entries[key] = (self._clock() + self._ttl, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def clear(self) -> int:
        """Forgets everything; returns how many entries that were."""
        count = len(self._entries)
        self._entries.clear()
        return count

    def __len__(self) -> int:
        return len(self._entries)
