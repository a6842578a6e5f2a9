"""What the detector does as time passes: follow the playbooks in force, end leases that ran out.

Both rest until there is something to do: nothing is looked at again and again.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.adapters.fetch import Fetch
from tocsin_detector.adapters.watch import Limits, Watch
from tocsin_detector.core.foreign import decide_expired, decide_replaced, next_expiry
from tocsin_detector.core.kept import decide_kept
from tocsin_detector.core.known import AlertEvent, KnownAlerts
from tocsin_detector.core.plan import plan_watch
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_runtime.playbooks import Playbooks
from tocsin_schemas import PlaybookRef

__all__ = ["Leases", "Steps", "Watches"]

log = structlog.get_logger(__name__)

_AT_MOST_EVERY = 1.0
"""Seconds between two looks at the leases: in a storm, something new is known all the time."""
_AT_LEAST_EVERY = 60.0
"""Seconds after which leases are looked at in any case: the wall clock may have been set, and nothing tells of that."""
_STEP = timedelta(seconds=5)


class Steps:
    """Notices that the wall clock was set: it went another way than the time that passed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = self._beginning()

    def _beginning(self) -> datetime:
        return self._clock.now() - timedelta(seconds=self._clock.monotonic())

    @property
    def is_new(self) -> bool:
        """Whether it was, and nobody has taken note of it yet."""
        return abs(self._beginning() - self._began) >= _STEP

    def clock_was_set(self) -> bool:
        """Whether it was, since the last time this was asked."""
        if not self.is_new:
            return False
        began = self._beginning()
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
        self._news = asyncio.Event()

    async def end_for_ever(self) -> None:
        """End each when its time has come. Between that and news nothing happens."""
        self._begin_anew()
        self._book.on_change(self._news.set)
        self._book.on_reopening(self._begin_anew)
        while True:
            self._news.clear()
            await self.end()
            await self._clock.sleep(_AT_MOST_EVERY)
            await self._until_one_can_end()

    def _begin_anew(self) -> None:
        """From now on senders can renew, and have the time to."""
        self._open_since = self._clock.monotonic()

    async def _until_one_can_end(self) -> None:
        """Rest until a lease can have run out, or something new is known."""
        expiry = next_expiry(self._book.known, self._grace)
        if expiry is None:
            await self._news.wait()
            return
        patience = self._open_since + self._patience.total_seconds() - self._clock.monotonic()
        left = max((expiry - self._clock.now()).total_seconds(), patience, 0.0)
        ways = [
            asyncio.create_task(self._clock.sleep(min(left, _AT_LEAST_EVERY)), name="a lease runs out"),
            asyncio.create_task(self._news.wait(), name="news of an alert"),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()

    async def end(self) -> None:
        """Tell of those that have run out. While nothing could be taken (the bus was away, we were not up, the
        clock was set) nothing could be renewed either: time begins anew. What two replicas began is ended at once."""
        await self._say(decide_replaced, "alerts end later: the bus cannot be reached")
        if not self._book.is_open or self._steps.clock_was_set():
            self._begin_anew()
        if self._clock.monotonic() - self._open_since < self._patience.total_seconds():
            return
        await self._say(
            lambda known: decide_expired(known, self._clock.now(), self._grace),
            "leases end later: the bus cannot be reached",
        )
        await self._say(
            lambda known: decide_kept(known, self._clock.now()), "alerts are kept later: the bus cannot be reached"
        )

    async def _say(self, decide: Callable[[KnownAlerts], Iterable[AlertEvent]], otherwise: str) -> None:
        try:
            await self._book.say(decide)
        except BusUnavailableError as error:
            log.warning(otherwise, reason=str(error))


class Watches:
    """One watch for each playbook in force."""

    def __init__(self, playbooks: Playbooks, book: AlertBook, fetch: Fetch, clock: Clock, limits: Limits) -> None:
        self._playbooks, self._book, self._fetch, self._clock = playbooks, book, fetch, clock
        self._limits = limits
        self._steps = Steps(clock)
        self._news = asyncio.Event()
        playbooks.on_change(self._news.set)
        self._watches: dict[str, Watch] = {}
        self._refused: dict[str, tuple[PlaybookRef, str]] = {}

    async def keep_current(self) -> None:
        """For ever: watch the revisions in force, and no others. Raises what a part of a watch has failed by."""
        while True:
            self._news.clear()
            if self._steps.clock_was_set():
                await self._begin_anew()
            await self.update()
            for watch in self._watches.values():
                if watch.failed is not None:
                    raise watch.failed
            await self._until_news()

    async def _until_news(self) -> None:
        """Rest until a playbook was published, the clock was set, or a part of a watch has ended."""
        news = asyncio.create_task(self._news.wait(), name="news of playbooks")
        parts = (task for watch in self._watches.values() for task in watch.tasks if not task.done())
        try:
            await asyncio.wait([news, *parts], return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()

    def _clock_holds(self) -> bool:
        """Asked before each evaluation. On a clock that was set nothing is evaluated: all begins anew."""
        if not self._steps.is_new:
            return True
        self._news.set()
        return False

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
        watch = Watch(
            playbook,
            ref,
            plan,
            self._book,
            self._fetch,
            self._clock,
            self._limits,
            before=running,
            clock_holds=self._clock_holds,
        )
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

    def problem(self) -> str | None:
        """What keeps a playbook from being watched."""
        if self._refused:
            return "; ".join(f"{name} is not understood: {why}" for name, (_, why) in sorted(self._refused.items()))
        return None
