"""Scraping `/metrics`: one loop a source, into the series of its playbook.

Redirects are not followed, proxies of the environment are not used, and answers are bounded. Secrets in headers
are read when the request is made and never logged.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import structlog
from prometheus_client import Counter, Histogram

from tocsin_playbook.model.sources import Source
from tocsin_promql import ExpositionError, SeriesStore, StoreFullError, parse_exposition
from tocsin_runtime import Clock
from tocsin_runtime.secrets import SecretMissingError, reveal
from tocsin_schemas.text import clean_line

__all__ = ["Scraper", "SourceHealth"]

log = structlog.get_logger(__name__)

SCRAPES = Counter("tocsin_scrapes_total", "Scrapes by how they ended", ["outcome"])
SCRAPE_SECONDS = Histogram("tocsin_scrape_seconds", "How long a scrape took, answer read and stored")

MAX_ANSWER = 16 * 1024 * 1024


@dataclass(slots=True)
class SourceHealth:
    """How the last scrape of a source went."""

    since: datetime
    failing: str = ""
    failing_since: datetime | None = None

    def answered(self) -> None:
        self.failing, self.failing_since = "", None

    def failed(self, reason: str, now: datetime) -> None:
        self.failing, self.failing_since = reason, self.failing_since or now


class Scraper:
    """One source of one playbook, asked every so often for as long as it runs."""

    def __init__(self, source: Source, store: SeriesStore, client: httpx.AsyncClient, clock: Clock) -> None:
        if source.prometheus is None or source.prometheus.scrape is None:
            raise ValueError(f"source {source.name!r} is not one to be scraped")
        self.source = source
        self.health = SourceHealth(clock.now())
        self._url, self._config = source.prometheus.scrape, source.prometheus
        self._store, self._client, self._clock = store, client, clock

    async def run(self) -> None:
        """Scrape at a steady pace; a slow answer delays the next scrape, never piles them up."""
        every = self._config.every.total_seconds()
        due = self._clock.monotonic()
        while True:
            await self.scrape()
            due = max(due + every, self._clock.monotonic())
            await self._clock.sleep(due - self._clock.monotonic())

    async def scrape(self) -> None:
        """One scrape. Whatever goes wrong is this source's state, not an exception."""
        now = self._clock.now()
        try:
            with SCRAPE_SECONDS.time():
                text = await self._get(min(self._config.timeout, _LONGEST))
                samples = parse_exposition(text, extra_labels=dict(self._config.labels))
                self._store.append_scrape(samples, _milliseconds(now), target=self.source.name)
        except _FAILURES as error:
            self._failed(clean_line(str(error) or type(error).__name__, 300), now)
        else:
            if self.health.failing:
                log.info("source answers again", source=self.source.name)
            self.health.answered()
            SCRAPES.labels("ok").inc()

    def _failed(self, reason: str, now: datetime) -> None:
        if not self.health.failing:
            log.warning("source does not answer", source=self.source.name, reason=reason)
        self.health.failed(reason, now)
        self._store.append_scrape(None, _milliseconds(now), target=self.source.name)
        SCRAPES.labels("failed").inc()

    async def _get(self, timeout: timedelta) -> str:
        headers = {name: reveal(value) for name, value in self._config.headers.items()}
        headers.setdefault("Accept", "text/plain;version=0.0.4")
        async with asyncio.timeout(timeout.total_seconds()):
            async with self._client.stream("GET", str(self._url), headers=headers) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise _AnswerError(f"answered {answer.status_code}")
                parts, size = [], 0
                async for part in answer.aiter_bytes():
                    size += len(part)
                    if size > MAX_ANSWER:
                        raise _AnswerError(f"answered more than {MAX_ANSWER} bytes")
                    parts.append(part)
        try:
            return b"".join(parts).decode()
        except UnicodeDecodeError as error:
            raise _AnswerError(f"answered text that is not UTF-8 at byte {error.start}") from None


_LONGEST = timedelta(seconds=60)


class _AnswerError(Exception):
    """An answer that is none."""


_FAILURES = (httpx.HTTPError, _AnswerError, ExpositionError, StoreFullError, SecretMissingError, TimeoutError)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
