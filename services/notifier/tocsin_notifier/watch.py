"""Whether pages arrive: what makes the service say of itself that it is not well."""

from tocsin_notifier.metrics import UNDELIVERABLE_PAGES
from tocsin_runtime import Clock

__all__ = ["Watch"]

_RED_FOR = 900.0
"""Seconds after which a page that reached nobody is history, if there was no other."""


class Watch:
    """Counts pages that no channel took, since the last one that arrived."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed = 0
        self._last = 0.0

    def page_arrived(self) -> None:
        self._failed = 0
        UNDELIVERABLE_PAGES.set(0)

    def page_failed(self) -> None:
        self._failed += 1
        self._last = self._clock.monotonic()
        UNDELIVERABLE_PAGES.set(self._failed)

    def problem(self) -> str | None:
        """Why the service is not ready: a page reached nobody, and none has arrived since."""
        if not self._failed or self._clock.monotonic() - self._last > _RED_FOR:
            return None
        return f"{self._failed} {'page' if self._failed == 1 else 'pages'} reached nobody, and none has arrived since"
