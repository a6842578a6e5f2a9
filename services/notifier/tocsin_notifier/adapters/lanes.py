"""Turns: who comes first goes first, for as many as want the same thing."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

__all__ = ["Lanes"]


class _Lane:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class Lanes:
    """Locks by name, there for as long as somebody wants them. They are granted in the order of asking."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, _Lane] = {}

    @asynccontextmanager
    async def turn(self, name: Hashable, *, most: float | None = None) -> AsyncIterator[bool]:
        """Wait for the turn, `most` seconds at most; the answer is whether it came. Whoever is late goes without."""
        lane = self._lanes.setdefault(name, _Lane())
        lane.users += 1
        held = False
        try:
            try:
                async with asyncio.timeout(most):
                    await lane.lock.acquire()
                    held = True
            except TimeoutError:
                held = False
            yield held
        finally:
            if held:
                lane.lock.release()
            lane.users -= 1
            if not lane.users:
                del self._lanes[name]
