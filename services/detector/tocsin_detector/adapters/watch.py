"""Watching one playbook: its sources are scraped, its rules evaluated, its alerts told.

When another revision is put in force, the watch is replaced; alerts that fire go on firing, because the stream
says so.
"""

import asyncio
from datetime import timedelta

import httpx
import structlog
from prometheus_client import Counter, Histogram

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.adapters.scraper import Scraper
from tocsin_detector.core.rules import RuleState, Seen, evaluate_rule, restore
from tocsin_detector.core.source_down import decide_source_down
from tocsin_playbook import Playbook
from tocsin_playbook.model.detect import Rule
from tocsin_promql import EvaluationError, Query, SeriesStore, evaluate, parse
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_schemas import Labels, PlaybookRef
from tocsin_schemas.events import AlertFired, AlertResolved

__all__ = ["Watch"]

log = structlog.get_logger(__name__)

EVALUATIONS = Counter("tocsin_rule_evaluations_total", "Rule evaluations by how they ended", ["outcome"])
EVALUATION_SECONDS = Histogram("tocsin_rule_evaluation_seconds", "All rules of one playbook, once")
_RETENTION_MARGIN = timedelta(minutes=1)


class Watch:
    """One revision of one playbook, watched until it is stopped."""

    def __init__(
        self,
        playbook: Playbook,
        ref: PlaybookRef,
        book: AlertBook,
        client: httpx.AsyncClient,
        clock: Clock,
        *,
        max_series: int,
    ) -> None:
        self.ref = ref
        self._playbook, self._book, self._clock = playbook, book, clock
        self._rules: list[tuple[Rule, Query]] = [(rule, parse(rule.expr)) for rule in playbook.detect.rules]
        longest = max((query.lookback for _, query in self._rules), default=timedelta(minutes=5))
        self._store = SeriesStore(retention=longest + _RETENTION_MARGIN, max_series=max_series)
        self.scrapers = [
            Scraper(source, self._store, client, clock)
            for source in playbook.sources
            if source.prometheus is not None and source.prometheus.scrape is not None
        ]
        self._states: dict[str, RuleState] = {rule.name: restore(rule, book.known) for rule, _ in self._rules}
        self._down: dict[str, bool] = {}
        self._untold: list[AlertFired | AlertResolved] = []
        self._tasks: list[asyncio.Task[None]] = []
        for kind, left_out in self._not_watched().items():
            log.warning("not watched by this version", playbook=ref.name, what=kind, names=left_out)

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(scraper.run(), name=f"scrape {scraper.source.name}") for scraper in self.scrapers
        ]
        self._tasks.append(asyncio.create_task(self._evaluate_for_ever(), name=f"evaluate {self.ref.name}"))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def failed(self) -> BaseException | None:
        """Why a part of the watch has ended although nobody stopped it."""
        ended = (task for task in self._tasks if task.done() and not task.cancelled())
        return next((task.exception() for task in ended if task.exception() is not None), None)

    async def _evaluate_for_ever(self) -> None:
        every = self._playbook.detect.every.total_seconds()
        due = self._clock.monotonic()
        while True:
            await self.evaluate()
            due = max(due + every, self._clock.monotonic())
            await self._clock.sleep(due - self._clock.monotonic())

    async def evaluate(self) -> None:
        """All rules once. What cannot be told now is told next time, before anything newer."""
        now = self._clock.now()
        with EVALUATION_SECONDS.time():
            for rule, query in self._rules:
                self._evaluate_rule(rule, query)
        for scraper in self.scrapers:
            self._untold += decide_source_down(
                scraper.source.name,
                scraper.health.failing,
                scraper.health.failing_since,
                self._book.known,
                self.ref,
                now,
            )
        if not self._untold:
            return
        try:
            await self._book.tell(self._untold)
        except BusUnavailableError as error:
            log.warning("alerts wait: the bus cannot be reached", alerts=len(self._untold), reason=str(error))
            return
        self._untold = []

    def _evaluate_rule(self, rule: Rule, query: Query) -> None:
        now = self._clock.now()
        blind = self._is_blind(rule)
        values: dict[Labels, float] = {}
        if not blind:
            try:
                result = evaluate(query, self._store, int(now.timestamp() * 1000))
                values = {Labels(dict(labels)): value for labels, value in result.as_vector()}
            except (EvaluationError, ValueError) as error:
                EVALUATIONS.labels("failed").inc()
                log.error("rule cannot be evaluated", rule=rule.name, reason=str(error))
                return
        source = rule.source or "playbook"
        state, events = evaluate_rule(
            rule, self._states[rule.name], Seen(values, blind=blind), self._book.known, self.ref, source, now
        )
        self._states[rule.name] = state
        self._untold += events
        EVALUATIONS.labels("blind" if blind else "ok").inc()

    def _is_blind(self, rule: Rule) -> bool:
        """Whether any source that the rule looks at did not answer last time."""
        looked_at = [s for s in self.scrapers if rule.source is None or s.source.name == rule.source]
        return any(scraper.health.failing for scraper in looked_at)

    def _not_watched(self) -> dict[str, list[str]]:
        detect = self._playbook.detect
        parts = {
            "probes": [each.name for each in detect.probes],
            "burn rates": [each.name for each in detect.burn_rates],
            "absences": [each.name for each in detect.absent],
            "anomalies": [each.name for each in detect.anomalies],
            "sources": [
                each.name
                for each in self._playbook.sources
                if each.webhook is None and (each.prometheus is None or each.prometheus.scrape is None)
            ],
        }
        return {kind: names for kind, names in parts.items() if names}
