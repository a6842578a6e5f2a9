"""Who watches live. A watcher is woken and told which incidents have changed; what changed it reads from the database.

So there is nothing to queue: a slow reader costs a set of ids, news that come faster than it reads fall together, and
it misses nothing.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from tocsin_recorder.metrics import WATCHERS

__all__ = ["LiveFeed", "Watcher"]

_MOST_IDS = 200
"""Of more changed incidents than these the watcher is told only that there are many: it lists them anew anyway."""


@dataclass(slots=True, eq=False)
class Watcher:
    """One who watches: an incident, or (with `incident` None) all of them. `ended`: the service stops."""

    incident: str | None
    ended: bool = False
    _changed: set[str] = field(default_factory=set)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def changed(self, patience: float) -> set[str]:
        """Which incidents have changed since the last call, as soon as one has; none after `patience` seconds."""
        try:
            await asyncio.wait_for(self._woken.wait(), patience)
        except TimeoutError:
            return set()
        if not self.ended:
            self._woken.clear()
        changed, self._changed = self._changed, set()
        return changed

    def tell(self, incidents: Iterable[str]) -> None:
        """These have changed. Never waits."""
        concerned = [name for name in incidents if self.incident in (None, name)]
        self._changed.update(concerned[: _MOST_IDS - len(self._changed)])
        if concerned:
            self._woken.set()

    def end(self) -> None:
        self.ended = True
        self._woken.set()


class LiveFeed:
    """Everybody who watches. `most` is for whoever lets watchers in to ask about."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._watchers: set[Watcher] = set()
        self._closed = False

    @property
    def is_full(self) -> bool:
        """Whether nobody else should be let in."""
        return len(self._watchers) >= self._most

    def join(self, incident: str | None) -> Watcher:
        """Begin to watch."""
        watcher = Watcher(incident)
        if self._closed:
            watcher.end()
        else:
            self._watchers.add(watcher)
            WATCHERS.inc()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Watch no more; leaving twice is leaving once."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)
            WATCHERS.dec()

    def publish(self, incidents: Iterable[str]) -> None:
        """These incidents have changed."""
        changed = list(dict.fromkeys(incidents))
        for watcher in self._watchers:
            watcher.tell(changed)

    def close(self) -> None:
        """The service stops: all watching ends now."""
        self._closed = True
        for watcher in tuple(self._watchers):
            watcher.end()
            self.leave(watcher)
