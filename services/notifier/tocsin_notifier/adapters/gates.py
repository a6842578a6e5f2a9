"""Bulkheads: how many messages may be on their way through one channel at a time.

A channel that hangs fills its own gate and no other's. Announcements may use half of it, so that there is always
room for a page; an announcement that finds no room is put back instead of waiting here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Gates", "NoRoomError"]


class NoRoomError(Exception):
    """The channel has its hands full with other announcements."""


class _Gate:
    def __init__(self, room: int) -> None:
        self.all = asyncio.Semaphore(room)
        self.for_news = max(1, room // 2)
        self.news = 0


class Gates:
    """One gate a channel of a playbook."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._gates: dict[tuple[str, str], _Gate] = {}

    @asynccontextmanager
    async def through(self, playbook: str, channel: str, *, is_page: bool) -> AsyncIterator[None]:
        """Hold a place. A page waits for one; anything else raises NoRoomError where there is none."""
        gate = self._gates.setdefault((playbook, channel), _Gate(self._room))
        if is_page:
            async with gate.all:
                yield
            return
        if gate.news >= gate.for_news or gate.all.locked():
            raise NoRoomError
        gate.news += 1
        try:
            async with gate.all:
                yield
        finally:
            gate.news -= 1
