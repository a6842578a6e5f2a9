"""What the detector does as time passes: follow the playbooks in force, end leases that ran out."""

from datetime import datetime, timedelta

import httpx
import structlog

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.adapters.watch import Limits, Watch
from tocsin_detector.core.foreign import decide_expired
from tocsin_detector.core.plan import plan_watch
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_runtime.playbooks import Playbooks
from tocsin_schemas import PlaybookRef

__all__ = ["Leases", "Steps", "Watches"]

log = structlog.get_logger(__name__)

_LEASES_EVERY = 1.0
_PLAYBOOKS_EVERY = 0.2
_STEP = timedelta(seconds=5)


class Steps:
    """Notices that the wall clock was set: it went another way than the time that passed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = self._beginning()

    def _beginning(self) -> datetime:
        return self._clock.now() - timedelta(seconds=self._clock.monotonic())

    def clock_was_set(self) -> bool:
        """Whether it was, since the last time this was asked."""
        began = self._beginning()
        if abs(began - self._began) < _STEP:
            return False
        log.warning("the clock was set", by_seconds=(began - self._began).total_seconds())
        self._began = began
        return True


class Leases:
    """Ends foreign alerts that nobody renewed, but only after senders had the time to renew them here."""

    def __init__(self, book: AlertBook, clock: Clock, *, grace: timedelta, patience: timedelta) -> None:
        self._book, self._clock = book, clock
        self._grace, self._patience = grace, patience
        self._steps = Steps(clock)
        self._open_since = clock.monotonic()

    async def end_for_ever(self) -> None:
        self._open_since = self._clock.monotonic()
        while True:
            await self._clock.sleep(_LEASES_EVERY)
            await self.end()

    async def end(self) -> None:
        """Tell of those that have run out. While nothing could be taken (the bus was away, we were not up, the
        clock was set) nothing could be renewed either: time begins anew."""
        if not self._book.is_open or self._steps.clock_was_set():
            self._open_since = self._clock.monotonic()
        if self._clock.monotonic() - self._open_since < self._patience.total_seconds():
            return
        known = self._book.known
        expired = decide_expired(known, self._clock.now(), self._grace)
        try:
            await self._book.tell(self._book.wrap(expired, known))
        except BusUnavailableError as error:
            log.warning("leases end later: the bus cannot be reached", alerts=len(expired), reason=str(error))


class Watches:
    """One watch for each playbook in force."""

    def __init__(
        self, playbooks: Playbooks, book: AlertBook, client: httpx.AsyncClient, clock: Clock, limits: Limits
    ) -> None:
        self._playbooks, self._book, self._client, self._clock = playbooks, book, client, clock
        self._limits = limits
        self._steps = Steps(clock)
        self._watches: dict[str, Watch] = {}
        self._refused: dict[str, tuple[PlaybookRef, str]] = {}

    async def keep_current(self) -> None:
        """For ever: watch the revisions in force, and no others."""
        while True:
            if self._steps.clock_was_set():
                await self._begin_anew()
            await self.update()
            for watch in self._watches.values():
                if watch.failed is not None:
                    raise watch.failed
            await self._clock.sleep(_PLAYBOOKS_EVERY)

    async def update(self) -> None:
        """Replace the watches whose playbook has another revision by now."""
        for name, ref in self._playbooks.heads().items():
            running = self._watches.get(name)
            refused = self._refused.get(name)
            if (running is not None and running.ref == ref) or (refused is not None and refused[0] == ref):
                continue
            await self._watch(name, ref, running)

    async def _watch(self, name: str, ref: PlaybookRef, running: Watch | None) -> None:
        playbook = self._playbooks.get(ref)
        plan = plan_watch(playbook)
        self._refused.pop(name, None)
        if plan.not_understood:
            reasons = "; ".join(f"{rule}: {why}" for rule, why in plan.not_understood.items())
            self._refused[name] = ref, reasons
            instead = "the revision before" if running is not None else "the other rules"
            log.error("not understood", playbook=name, revision=ref.revision, reason=reasons, watched=instead)
            if running is not None:
                return
        watch = Watch(playbook, ref, plan, self._book, self._client, self._clock, self._limits, before=running)
        self._watches[name] = watch
        if running is not None:
            await running.stop(but=watch.scrapers.values())
        watch.start()
        log.info("watching", playbook=name, revision=ref.revision, sources=len(watch.scrapers))

    async def _begin_anew(self) -> None:
        """Forget all samples and whatever is pending: their times mean nothing any more."""
        for watch in self._watches.values():
            await watch.stop()
        self._watches.clear()
        self._refused.clear()

    async def stop(self) -> None:
        for watch in self._watches.values():
            await watch.stop()
        await self._client.aclose()

    def problem(self) -> str | None:
        """What keeps a playbook from being watched."""
        if self._refused:
            return "; ".join(f"{name} is not understood: {why}" for name, (_, why) in sorted(self._refused.items()))
        return None
