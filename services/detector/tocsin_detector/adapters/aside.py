"""Work of our own that takes a while, done so that nothing else waits for it: in a thread, as a rule."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

__all__ = ["Aside", "at_once"]

P = ParamSpec("P")
T = TypeVar("T")


class Aside(Protocol):
    """How such work is done; `asyncio.to_thread` is one way."""

    async def __call__(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it; the answer, or the error, is that of the work."""
        ...


async def at_once(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """On the spot: for a simulation, which has one thread and counts no time for computing."""
    return work(*args, **kwargs)
