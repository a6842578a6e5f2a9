"""Scraping `/metrics`: one loop a source, into series of its own."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import structlog
from prometheus_client import Counter, Histogram

from tocsin_detector.adapters.fetch import Fetch, FetchError, scraped
from tocsin_playbook.model.sources import Source
from tocsin_promql import SeriesStore, StoreFullError
from tocsin_runtime import Clock
from tocsin_schemas.text import clean_line

__all__ = ["Scraper", "SourceHealth"]

log = structlog.get_logger(__name__)

SCRAPES = Counter("tocsin_scrapes_total", "Scrapes by how they ended", ["outcome"])
SCRAPE_SECONDS = Histogram("tocsin_scrape_seconds", "How long a scrape took, answer read and stored")

_LONGEST = timedelta(seconds=60)


@dataclass(slots=True)
class SourceHealth:
    """How a source has answered.

    `answered_at` is when the last scrape that was answered began, `answering_since` the first of those without a
    failure between; none before.
    """

    failing: str = ""
    failing_since: datetime | None = None
    answered_at: datetime | None = None
    answering_since: datetime | None = None

    @property
    def is_answering(self) -> bool:
        return self.answered_at is not None and not self.failing

    def answered(self, at: datetime) -> None:
        if self.failing or self.answering_since is None:
            self.answering_since = at
        self.failing, self.failing_since = "", None
        self.answered_at = at

    def failed(self, reason: str, at: datetime) -> None:
        self.failing, self.failing_since = reason, self.failing_since or at


class Scraper:
    """One source of one playbook, asked every so often for as long as it runs."""

    def __init__(self, source: Source, fetch: Fetch, clock: Clock, store: SeriesStore) -> None:
        """Raises ValueError for a source that is not one to be scraped."""
        self._config = scraped(source)
        self.source = source
        self.store = store
        self.health = SourceHealth()
        self.said_down = False
        self._fetch, self._clock = fetch, clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Go on scraping. Nothing happens if it does already."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"scrape {self.source.name}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)  # why it failed, `failed` has told

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """The loop, since it was started."""
        return self._task

    @property
    def failed(self) -> BaseException | None:
        """Why it has ended although nobody stopped it."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    async def _run(self) -> None:
        """Scrape at a steady pace; a slow answer delays the next scrape, never piles them up."""
        every = self._config.every.total_seconds()
        due = self._clock.monotonic()
        while True:
            await self.scrape()
            due = max(due + every, self._clock.monotonic())
            await self._clock.sleep(due - self._clock.monotonic())

    async def scrape(self) -> None:
        """One scrape. Whatever goes wrong is this source's state, not an exception."""
        now, began = self._clock.now(), self._clock.monotonic()
        within = min(self._config.timeout, _LONGEST)
        try:
            samples = await self._fetch.fetch(self.source, within)
            self.store.append_scrape(samples, _milliseconds(now), target=self.source.name)
        except TimeoutError:
            self._failed(f"no answer within {within.total_seconds():g} s", now)
        except (FetchError, StoreFullError) as error:
            self._failed(clean_line(str(error), 300), now)
        else:
            if self.health.failing:
                log.info("source answers again", source=self.source.name)
            self.health.answered(now)
            _scrapes("ok").inc()
        finally:
            SCRAPE_SECONDS.observe(self._clock.monotonic() - began)

    def _failed(self, reason: str, now: datetime) -> None:
        if reason != self.health.failing:
            log.warning("source does not answer", source=self.source.name, reason=reason)
        self.health.failed(reason, now)
        self.store.append_scrape(None, _milliseconds(now), target=self.source.name)
        _scrapes("failed").inc()


@cache
def _scrapes(outcome: str) -> Counter:
    """To find it by its label takes longer than to count."""
    return SCRAPES.labels(outcome)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
