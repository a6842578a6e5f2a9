"""What a receiver received: recorded on the receiver's thread, read and awaited on any other."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Generic, TypeVar

__all__ = ["Inbox", "NothingArrivedError"]

Item = TypeVar("Item")

DEFAULT_TIMEOUT = timedelta(seconds=5)


class NothingArrivedError(AssertionError):
    """The awaited item did not arrive in time; says what did."""

    def __init__(self, timeout: timedelta, received: tuple[object, ...]) -> None:
        self.timeout = timeout
        self.received = received
        listed = "\n".join(f"  {item}" for item in received) or "  nothing"
        super().__init__(f"not received within {timeout.total_seconds():g} s. Received:\n{listed}")


class Inbox(Generic[Item]):
    """Items in order of arrival, found by key, replaced when the sender edits them."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._changed = threading.Condition()  # on a re-entrant lock
        self._listeners: list[Callable[[], None]] = []

    def put(self, key: str, item: Item) -> None:
        """Add the item, or replace the one with this key where it stands."""
        with self._changed:
            self._items[key] = item
            self._changed.notify_all()
            for wake in self._listeners:
                wake()

    def get(self, key: str) -> Item | None:
        with self._changed:
            return self._items.get(key)

    @property
    def items(self) -> tuple[Item, ...]:
        with self._changed:
            return tuple(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    async def wait_for(self, predicate: Callable[[Item], bool], timeout: timedelta = DEFAULT_TIMEOUT) -> Item:
        """The first item, received or yet to come, for which the predicate holds; else NothingArrivedError."""
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        with self._listening(lambda: loop.call_soon_threadsafe(changed.set)):
            try:
                async with asyncio.timeout(timeout.total_seconds()):
                    while (item := self._first(predicate)) is None:
                        await changed.wait()
                        changed.clear()
                    return item
            except TimeoutError:
                raise NothingArrivedError(timeout, self.items) from None

    def wait(self, predicate: Callable[[Item], bool], timeout: timedelta = DEFAULT_TIMEOUT) -> Item:
        """`wait_for` in a test without an event loop."""
        with self._changed:
            self._changed.wait_for(lambda: self._first(predicate) is not None, timeout.total_seconds())
        item = self._first(predicate)
        if item is None:
            raise NothingArrivedError(timeout, self.items)
        return item

    def _first(self, predicate: Callable[[Item], bool]) -> Item | None:
        return next((item for item in self.items if predicate(item)), None)

    @contextmanager
    def _listening(self, wake: Callable[[], object]) -> Iterator[None]:
        def listener() -> None:
            wake()

        with self._changed:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._changed:
                self._listeners.remove(listener)
