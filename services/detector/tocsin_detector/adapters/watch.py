"""Watching one playbook: its sources are scraped, its rules evaluated, its alerts told.

When another revision is put in force, a new watch takes over: the samples of sources that are the same, what is
pending in rules that are the same, and what could not be told yet. Alerts that fire go on firing, because the stream
says so.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import structlog
from prometheus_client import Counter, Histogram

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.adapters.fetch import Fetch
from tocsin_detector.adapters.scraper import Scraper
from tocsin_detector.adapters.together import Together
from tocsin_detector.core.known import AlertEvent, KnownAlerts, Word
from tocsin_detector.core.plan import Plan, PlannedRule
from tocsin_detector.core.rules import RuleState, Seen, WatchedRule, evaluate_rule
from tocsin_detector.core.source_down import Failing, decide_source_down
from tocsin_detector.core.withdrawn import decide_withdrawn
from tocsin_playbook import Playbook
from tocsin_playbook.model.detect import Rule
from tocsin_promql import EvaluationError, SeriesStore, evaluate
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_schemas import Envelope, PlaybookRef

__all__ = ["MAX_UNTOLD", "Limits", "Watch"]

log = structlog.get_logger(__name__)

EVALUATIONS = Counter("tocsin_rule_evaluations_total", "Rule evaluations by how they ended", ["outcome"])
EVALUATION_SECONDS = Histogram("tocsin_rule_evaluation_seconds", "All rules of one playbook, once")
REFUSED_SERIES = Counter("tocsin_rule_series_refused_total", "Series whose labels cannot be an alert's")

MAX_UNTOLD = 10_000
"""Events that wait for the bus. With more, nothing is evaluated until they are told."""

_WITHOUT_RULES = 60.0
"""Seconds between two looks where only alerts of rules that are gone can be told of."""

_RETENTION_MARGIN = timedelta(minutes=1)


@cache
def _evaluations(outcome: str) -> Counter:
    """To find it by its label takes longer than to count."""
    return EVALUATIONS.labels(outcome)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many series a source may have, and how long it may be silent before somebody hears of it."""

    max_series: int = 100_000
    source_patience: timedelta = timedelta(seconds=30)


class Watch:
    """One revision of one playbook, watched until it is stopped."""

    def __init__(
        self,
        playbook: Playbook,
        ref: PlaybookRef,
        plan: Plan,
        book: AlertBook,
        fetch: Fetch,
        clock: Clock,
        limits: Limits,
        *,
        before: "Watch | None" = None,
        clock_holds: Callable[[], bool] = lambda: True,
    ) -> None:
        """`clock_holds` is asked before each evaluation: samples of a wall clock that was set since mean nothing."""
        self.ref, self.plan = ref, plan
        self._playbook, self._book, self._clock, self._limits = playbook, book, clock, limits
        self._clock_holds = clock_holds
        same = before.same_scrapers(plan) if before is not None else {}
        self.scrapers = {
            source.name: same.get(source.name) or Scraper(source, fetch, clock, self._store(plan))
            for source in plan.sources
        }
        if before is not None:
            for name, scraper in self.scrapers.items():
                scraper.said_down |= name in before.scrapers and before.scrapers[name].said_down
        self._states = before.states_of(plan) if before is not None else {}
        self._untold: list[Envelope[AlertEvent]] = before.take_untold() if before is not None else []
        self._problems: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        for kind, left_out in plan.left_out.items():
            log.warning("not watched by this version", playbook=ref.name, what=kind, names=list(left_out))

    def _store(self, plan: Plan) -> SeriesStore:
        return SeriesStore(retention=plan.lookback + _RETENTION_MARGIN, max_series=self._limits.max_series)

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        for scraper in self.scrapers.values():
            scraper.start()
        self._task = asyncio.create_task(self._evaluate_for_ever(), name=f"evaluate {self.ref.name}")

    async def stop(self, *, but: Iterable[Scraper] = ()) -> None:
        """End; scrapers that another watch has taken over go on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)  # why it failed, `failed` has told
        kept = set(but)
        await asyncio.gather(*(scraper.stop() for scraper in self.scrapers.values() if scraper not in kept))

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """What it consists of while it runs."""
        tasks = (self._task, *(scraper.task for scraper in self.scrapers.values()))
        return [task for task in tasks if task is not None]

    @property
    def failed(self) -> BaseException | None:
        """Why a part of the watch has ended although nobody stopped it."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            return self._task.exception()
        return next((scraper.failed for scraper in self.scrapers.values() if scraper.failed is not None), None)

    # --- what the next revision takes over ----------------------------------------------------------------------------

    def same_scrapers(self, plan: Plan) -> dict[str, Scraper]:
        """Scrapers of sources that this plan has too, and whose samples are kept long enough for it."""
        if plan.lookback > self.plan.lookback:
            return {}
        same = {source.name: source for source in plan.sources}
        return {name: scraper for name, scraper in self.scrapers.items() if same.get(name) == scraper.source}

    def states_of(self, plan: Plan) -> dict[str, RuleState]:
        """What is pending in rules that this plan has too, word for word."""
        same = {planned.rule.name: planned.rule for planned in plan.rules}
        rules: dict[str, Rule] = {planned.rule.name: planned.rule for planned in self.plan.rules}
        return {name: state for name, state in self._states.items() if same.get(name) == rules[name]}

    def take_untold(self) -> list[Envelope[AlertEvent]]:
        untold, self._untold = self._untold, []
        return untold

    # --- evaluating ---------------------------------------------------------------------------------------------------

    async def _evaluate_for_ever(self) -> None:
        every = self._playbook.detect.every.total_seconds()
        if not self.plan.rules:
            every = max(every, _WITHOUT_RULES)
        due = self._clock.monotonic()
        while True:
            if self._clock_holds():
                await self.evaluate()
            due = max(due + every, self._clock.monotonic())
            await self._clock.sleep(due - self._clock.monotonic())

    async def evaluate(self) -> None:
        """All rules once. What cannot be told now is told next time, before anything newer."""
        if len(self._untold) < MAX_UNTOLD:
            began, known = self._clock.monotonic(), self._known()
            self._untold += self._book.wrap(self._decide(known, self._clock.now()), known)
            EVALUATION_SECONDS.observe(self._clock.monotonic() - began)
        told = list(self._untold)
        try:
            await self._book.tell(told)
        except BusUnavailableError as error:
            self._note("the bus", "alerts wait: the bus cannot be reached", f"{error} ({len(told)} alerts)")
            return
        self._note("the bus", "", "")
        del self._untold[: len(told)]

    def _known(self) -> KnownAlerts:
        """What the stream says, and what we shall have said."""
        waiting = [Word(envelope.data, envelope.time) for envelope in self._untold]
        return self._book.known.with_words(waiting) if waiting else self._book.known

    def _decide(self, known: KnownAlerts, now: datetime) -> list[AlertEvent]:
        events: list[AlertEvent] = [*decide_withdrawn(self._playbook, self.ref, known, now)]
        for planned in self.plan.rules:
            events += self._evaluate_rule(planned, known, now)
        for scraper in self.scrapers.values():
            event = self._look_after(scraper, known, now)
            if event is not None:
                events.append(event)
        return events

    def _evaluate_rule(self, planned: PlannedRule, known: KnownAlerts, now: datetime) -> Iterable[AlertEvent]:
        name = planned.rule.name
        try:
            seen = self._look(planned, now)
        except EvaluationError as error:
            _evaluations("failed").inc()
            self._note(name, "rule cannot be evaluated", str(error))
            return ()
        watched = WatchedRule(planned.rule, self.ref, planned.rule.source or "playbook")
        result = evaluate_rule(watched, self._states.get(name, RuleState()), seen, known, now)
        self._states[name] = result.state
        if result.refused:
            REFUSED_SERIES.inc(len(result.refused))
        self._note(name, "series that cannot be an alert", "; ".join(result.refused[:3]))
        _evaluations("blind" if seen.blind else "ok").inc()
        return result.events

    def _look(self, planned: PlannedRule, now: datetime) -> Seen:
        looked_at = [self.scrapers[name] for name in planned.sources]
        answering = [scraper for scraper in looked_at if scraper.health.is_answering]
        if looked_at and not answering:
            return Seen((), now, blind=True)
        store = (
            answering[0].store
            if len(looked_at) == 1
            else Together({scraper.source.name: scraper.store for scraper in looked_at})
        )
        values = evaluate(planned.query, store, int(now.timestamp() * 1000)).as_vector()
        at = min([scraper.health.answered_at or now for scraper in answering], default=now)
        since = max([scraper.health.answering_since or now for scraper in answering], default=None)
        is_complete = since is None or since + planned.reach <= now
        return Seen(values, at, may_end=len(answering) == len(looked_at) and is_complete)

    def _look_after(self, scraper: Scraper, known: KnownAlerts, now: datetime) -> AlertEvent | None:
        health = scraper.health
        failing = Failing(health.failing, health.failing_since or now) if health.failing else None
        event = decide_source_down(
            scraper.source.name,
            failing,
            known,
            self.ref,
            now,
            patience=self._limits.source_patience,
            said_it=scraper.said_down,
        )
        if event is not None:
            scraper.said_down = failing is not None
        return event

    def _note(self, what: str, message: str, reason: str) -> None:
        """Log a trouble when it begins or changes, not every second."""
        if not reason:
            self._problems.pop(what, None)
        elif self._problems.get(what) != reason:
            self._problems[what] = reason
            log.warning(message, playbook=self.ref.name, what=what, reason=reason)
