"""Announcements that were put back, by place: bounded, so that a storm of news cannot stand in a page's way."""

from tocsin_notifier.core.incident import Place

__all__ = ["Waiting"]

_MOST_KEPT = 10_000


class Waiting:
    """Who waits where, and how many were left out since the last message that got through."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._waiting: dict[Place, set[str]] = {}
        self._left_out: dict[Place, int] = {}

    def put_back(self, place: Place, notification: str) -> bool:
        """Whether there is room for it to wait; if not, it is counted as left out."""
        waiting = self._waiting.setdefault(place, set())
        if notification in waiting or len(waiting) < self._room:
            waiting.add(notification)
            return True
        if len(self._left_out) < _MOST_KEPT:
            self._left_out[place] = self._left_out.get(place, 0) + 1
        return False

    def settled(self, place: Place, notification: str) -> None:
        """It waits no more."""
        waiting = self._waiting.get(place)
        if waiting is not None:
            waiting.discard(notification)
            if not waiting:
                del self._waiting[place]

    def left_out(self, place: Place) -> int:
        """How many were left out there."""
        return self._left_out.get(place, 0)

    def told(self, place: Place, count: int) -> None:
        """A message that got through has said that so many were left out."""
        left = self._left_out.get(place, 0) - count
        if left > 0:
            self._left_out[place] = left
        else:
            self._left_out.pop(place, None)
