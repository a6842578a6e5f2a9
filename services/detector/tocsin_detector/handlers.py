"""What the detector does as time passes: follow the playbooks in force, end leases that ran out."""

from datetime import timedelta

import httpx
import structlog

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.adapters.watch import Watch
from tocsin_detector.core.foreign import decide_expired
from tocsin_promql import PromQLError
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_runtime.playbooks import Playbooks

__all__ = ["Watches", "end_leases"]

log = structlog.get_logger(__name__)

_CHECK_EVERY = 1.0


async def end_leases(book: AlertBook, clock: Clock, grace: timedelta) -> None:
    """For ever: tell of foreign alerts that nobody renewed."""
    while True:
        await clock.sleep(_CHECK_EVERY)
        expired = decide_expired(book.known, clock.now(), grace)
        try:
            await book.tell(expired)
        except BusUnavailableError as error:
            log.warning("leases end later: the bus cannot be reached", alerts=len(expired), reason=str(error))


class Watches:
    """One watch for each playbook in force."""

    def __init__(
        self, playbooks: Playbooks, book: AlertBook, client: httpx.AsyncClient, clock: Clock, *, max_series: int
    ) -> None:
        self._playbooks, self._book, self._client, self._clock = playbooks, book, client, clock
        self._max_series = max_series
        self._watches: dict[str, Watch] = {}
        self._refused: dict[str, str] = {}

    async def keep_current(self) -> None:
        """For ever: watch the revisions in force, and no others."""
        while True:
            await self.update()
            for watch in self._watches.values():
                if watch.failed is not None:
                    raise watch.failed
            await self._clock.sleep(0.2)

    async def update(self) -> None:
        """Replace the watches whose playbook has another revision by now."""
        heads = self._playbooks.heads()
        for name, ref in heads.items():
            running = self._watches.get(name)
            if (running is not None and running.ref == ref) or self._refused.get(name) == ref.revision:
                continue
            try:
                watch = Watch(
                    self._playbooks.get(ref), ref, self._book, self._client, self._clock, max_series=self._max_series
                )
            except PromQLError as error:
                log.error(
                    "a rule cannot be understood; the revision before is watched on", playbook=name, reason=str(error)
                )
                self._refused[name] = ref.revision
                continue
            if running is not None:
                await running.stop()
            watch.start()
            self._watches[name] = watch
            self._refused.pop(name, None)
            log.info("watching", playbook=name, revision=ref.revision, sources=len(watch.scrapers))

    async def stop(self) -> None:
        for watch in self._watches.values():
            await watch.stop()
        await self._client.aclose()

    def problem(self) -> str | None:
        """What keeps a playbook from being watched."""
        if self._refused:
            return "not understood: " + ", ".join(sorted(self._refused))
        return None
