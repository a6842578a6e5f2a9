"""Python's garbage collector, while much is read that stays."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["without_collecting"]

MANY = 200_000
"""New objects that are worth to be never looked at again."""

_readers = 0


@contextmanager
def without_collecting() -> Iterator[Callable[[], None]]:
    """Look for no garbage in this block, and where it leaves many objects, never again at those: a million that stay
    would be looked through over and over, half a second each time. Several may be in such a block at once.

    It is given what ends this before the block does: nobody knows how long reading takes, and garbage has no bound.
    """
    global _readers
    if not _readers and not gc.isenabled():
        yield _nothing
        return
    _readers += 1
    gc.disable()
    through = False

    def end() -> None:
        nonlocal through
        global _readers
        if through:
            return
        through = True
        _readers -= 1
        if not _readers:
            if gc.get_count()[0] > MANY:
                gc.freeze()
            gc.enable()

    try:
        yield end
    finally:
        end()


def _nothing() -> None:
    """Nothing was begun that could be ended."""
