"""Asking a source for its samples: what the scraper needs of the world, and how it is done over HTTP.

Redirects are not followed, proxies of the environment are not used, and answers are bounded. Secrets in headers
are read when the request is made and never logged.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import httpx

from tocsin_playbook.model.sources import PrometheusSource, Source
from tocsin_promql import ExpositionError, parse_exposition
from tocsin_promql.series import Sample
from tocsin_runtime.secrets import SecretMissingError, reveal

__all__ = ["MAX_ANSWER", "Fetch", "FetchError", "HttpFetch", "scraped"]

MAX_ANSWER = 16 * 1024 * 1024


class FetchError(Exception):
    """What came is no answer. The words are for people, and hold no secret."""


class Fetch(Protocol):
    """Where samples come from."""

    async def fetch(self, source: Source, within: timedelta) -> Sequence[Sample]:
        """Every sample that the source shows now. The source's own labels are added, and give way to a sample's.

        Raises TimeoutError where the answer is not complete after `within`, and FetchError for all else that is none.
        """
        ...


def scraped(source: Source) -> PrometheusSource:
    """How the source is scraped. Raises ValueError for one that is not."""
    if source.prometheus is None or source.prometheus.scrape is None:
        raise ValueError(f"source {source.name!r} is not one to be scraped")
    return source.prometheus


class HttpFetch:
    """Over HTTP, with one client for all sources. The answer is read in a thread: a large one takes a while."""

    def __init__(self, client: httpx.AsyncClient | None = None) -> None:
        self._client = client or _client()

    async def fetch(self, source: Source, within: timedelta) -> Sequence[Sample]:
        config = scraped(source)
        try:
            text = await self._get(config, within)
            return await asyncio.to_thread(parse_exposition, text, extra_labels=dict(config.labels))
        except _FAILURES as error:
            raise FetchError(str(error) or type(error).__name__) from None

    async def close(self) -> None:
        await self._client.aclose()

    async def _get(self, config: PrometheusSource, within: timedelta) -> str:
        async with (
            asyncio.timeout(within.total_seconds()),
            self._client.stream("GET", str(config.scrape), headers=_headers(config)) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise FetchError(f"answered {answer.status_code}")
            parts, size = [], 0
            async for part in answer.aiter_bytes():
                size += len(part)
                if size > MAX_ANSWER:
                    raise FetchError(f"answered more than {MAX_ANSWER} bytes")
                parts.append(part)
        try:
            return b"".join(parts).decode()
        except UnicodeDecodeError as error:
            raise FetchError(f"answered text that is not UTF-8 at byte {error.start}") from None


_FAILURES = (httpx.HTTPError, httpx.InvalidURL, ExpositionError, SecretMissingError)


def _client() -> httpx.AsyncClient:
    # No limit on connections: sources that hang must not keep others from being asked.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=60, limits=limits)


def _headers(config: PrometheusSource) -> dict[str, str]:
    headers = {"Accept": "text/plain;version=0.0.4"}
    for name, value in config.headers.items():
        text = reveal(value)
        if not (text.isascii() and text.isprintable()):
            # The client's own error would repeat the value.
            raise FetchError(f"cannot be asked: what stands for the header {name} cannot stand in a header")
        headers[name] = text
    return headers
