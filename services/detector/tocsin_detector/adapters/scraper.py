"""Scraping `/metrics`: one loop a source, into series of its own.

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

__all__ = ["MAX_ANSWER", "Scraper", "SourceHealth"]

log = structlog.get_logger(__name__)

SCRAPES = Counter("tocsin_scrapes_total", "Scrapes by how they ended", ["outcome"])
SCRAPE_SECONDS = Histogram("tocsin_scrape_seconds", "How long a scrape took, answer read and stored")

MAX_ANSWER = 16 * 1024 * 1024
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

    def __init__(self, source: Source, client: httpx.AsyncClient, clock: Clock, store: SeriesStore) -> None:
        if source.prometheus is None or source.prometheus.scrape is None:
            raise ValueError(f"source {source.name!r} is not one to be scraped")
        self.source = source
        self.store = store
        self.health = SourceHealth()
        self.said_down = False
        self._url, self._config = source.prometheus.scrape, source.prometheus
        self._client, self._clock = client, clock
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
        now = self._clock.now()
        timeout = min(self._config.timeout, _LONGEST)
        try:
            with SCRAPE_SECONDS.time():
                text = await self._get(timeout)
                samples = await asyncio.to_thread(parse_exposition, text, extra_labels=dict(self._config.labels))
                self.store.append_scrape(samples, _milliseconds(now), target=self.source.name)
        except TimeoutError:
            self._failed(f"no answer within {timeout.total_seconds():g} s", now)
        except _FAILURES as error:
            self._failed(clean_line(str(error) or type(error).__name__, 300), now)
        else:
            if self.health.failing:
                log.info("source answers again", source=self.source.name)
            self.health.answered(now)
            SCRAPES.labels("ok").inc()

    def _failed(self, reason: str, now: datetime) -> None:
        if reason != self.health.failing:
            log.warning("source does not answer", source=self.source.name, reason=reason)
        self.health.failed(reason, now)
        self.store.append_scrape(None, _milliseconds(now), target=self.source.name)
        SCRAPES.labels("failed").inc()

    async def _get(self, timeout: timedelta) -> str:
        async with (
            asyncio.timeout(timeout.total_seconds()),
            self._client.stream("GET", str(self._url), headers=self._headers()) as answer,
        ):
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

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "text/plain;version=0.0.4"}
        for name, value in self._config.headers.items():
            text = reveal(value)
            if not (text.isascii() and text.isprintable()):
                # The client's own error would repeat the value.
                raise _AnswerError(f"cannot be asked: what stands for the header {name} cannot stand in a header")
            headers[name] = text
        return headers


class _AnswerError(Exception):
    """An answer that is none."""


_FAILURES = (httpx.HTTPError, httpx.InvalidURL, _AnswerError, ExpositionError, StoreFullError, SecretMissingError)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
