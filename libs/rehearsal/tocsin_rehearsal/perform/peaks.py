"""How far the values of a test's rules went, for a test in which an alert did not fire.

The detector does not say. So its rules are evaluated once more, over what the sources of the test show.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tocsin_detector.adapters.together import Together
from tocsin_detector.core.plan import Plan, PlannedRule, plan_watch
from tocsin_playbook import Playbook
from tocsin_playbook.model.sources import Source
from tocsin_promql import EvaluationError, Sample, SeriesStore, StoreFullError, evaluate
from tocsin_rehearsal.cases.loader import TestFile
from tocsin_rehearsal.cases.model import Case, Feed
from tocsin_rehearsal.cases.peaks import Peak
from tocsin_rehearsal.loop import VirtualLoop
from tocsin_rehearsal.outside.metrics import Metrics
from tocsin_rehearsal.perform.outsides import show
from tocsin_rehearsal.time import VirtualClock
from tocsin_schemas import Labels

__all__ = ["peaks_of"]

_MOST_LOOKS = 20_000
"""Evaluations of one playbook; in a longer test what comes later is not looked at."""


def peaks_of(file: TestFile, case: Case) -> tuple[Peak, ...]:
    """Those of all rules, in the order of the playbooks. Rules that cannot be evaluated had no value."""
    feeds, start = file.feeds(case), file.document.start
    return tuple(peak for loaded in file.playbooks for peak in _Looking(loaded.playbook, feeds, start).peaks(case.ends))


@dataclass(slots=True)
class _Looking:
    playbook: Playbook
    feeds: Sequence[Feed]
    start: datetime
    stores: dict[str, SeriesStore] = field(default_factory=dict)

    def peaks(self, until: timedelta) -> Iterator[Peak]:
        plan = plan_watch(self.playbook)
        records: dict[str, list[tuple[timedelta, float]]] = {planned.rule.name: [] for planned in plan.rules}
        for at in self._looks(plan, until):
            for planned in plan.rules:
                value = self._furthest(planned, at)
                past = records[planned.rule.name]
                if value is not None and (not past or _is_further(planned, value, past[-1][1])):
                    past.append((at, value))
        return (Peak(planned.rule, tuple(records[planned.rule.name])) for planned in plan.rules)

    def _looks(self, plan: Plan, until: timedelta) -> Iterator[timedelta]:
        """The moments at which rules are evaluated, each when the samples of that moment are there."""
        loop = VirtualLoop()
        metrics = Metrics(VirtualClock(loop, self.start))
        self.stores = {
            source.name: SeriesStore(retention=plan.lookback + timedelta(minutes=1)) for source in plan.sources
        }
        for feed in self.feeds:
            loop.call_at(feed.begins.total_seconds(), show, metrics, feed)
        scraped = dict.fromkeys(self.stores, timedelta())
        every, last = self.playbook.detect.every, min(until, self.playbook.detect.every * _MOST_LOOKS)
        at = timedelta()
        while at <= last:
            for source in plan.sources:
                while scraped[source.name] <= at:
                    loop.run_until(scraped[source.name].total_seconds())
                    self._scrape(source, metrics, scraped[source.name])
                    scraped[source.name] += _pace(source)
            yield at
            at += every
        loop.close()

    def _scrape(self, source: Source, metrics: Metrics, at: timedelta) -> None:
        own = source.prometheus.labels if source.prometheus is not None else {}
        shown = [Sample(Labels({**own, **labels}), value) for labels, value in metrics.read(source.name)]
        try:
            self.stores[source.name].append_scrape(shown, _milliseconds(self.start + at), target=source.name)
        except StoreFullError:
            return  # as in the detector: this scrape is lost

    def _furthest(self, planned: PlannedRule, at: timedelta) -> float | None:
        stores = {name: self.stores[name] for name in planned.sources}
        store = next(iter(stores.values())) if len(stores) == 1 else Together(stores)
        try:
            values = evaluate(planned.query, store, _milliseconds(self.start + at)).as_vector()
        except EvaluationError:
            return None
        numbers = [value for _, value in values if value == value]
        if not numbers:
            return None
        return max(numbers) if planned.rule.ladder[0].above is not None else min(numbers)


def _is_further(planned: PlannedRule, value: float, than: float) -> bool:
    return value > than if planned.rule.ladder[0].above is not None else value < than


def _pace(source: Source) -> timedelta:
    return source.prometheus.every if source.prometheus is not None else timedelta(seconds=15)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
