"""Posting over HTTP: no redirects, no proxies of the environment, a bounded answer, and every failure sorted."""

import email.utils
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import aiohttp
from aiohttp.http import SERVER_SOFTWARE

from tocsin_notifier.adapters.sending import SendError, permanent, temporary

__all__ = ["Answer", "HttpPoster", "Poster", "status_error"]

MAX_ANSWER = 64 * 1024
_LONGEST_WAIT = 3600.0
_OURS = {"User-Agent": f"tocsin-notifier {SERVER_SOFTWARE}", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said. Hostile as any text from outside: never shown to people as it is."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Poster(Protocol):
    """Something that posts: `HttpPoster`, or what a simulation has in its place. The caller bounds the time."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post and read the answer. Raises SendError where there is none, or one that is too long."""
        ...

    async def close(self) -> None: ...


class HttpPoster:
    """One HTTP client for all channels."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post and read the answer. Raises SendError where there is none, or one that is too long."""
        session = self._session = self._session or _session()
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return Answer(response.status, response.headers, await _bounded(response))
        except aiohttp.ClientConnectorDNSError as error:
            if _has_no_address(error.os_error):
                raise permanent("cannot connect: the host name is not known") from None
            raise temporary("cannot connect: the host name cannot be looked up") from None
        except aiohttp.ClientConnectorError as error:
            raise temporary(f"cannot connect: {type(error).__name__}") from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError) as error:
            raise permanent(f"cannot be sent: {type(error).__name__}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise temporary(f"no answer: {type(error).__name__}", may_have_arrived=True) from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _session() -> aiohttp.ClientSession:
    """Made in the event loop that uses it. Neither cookies nor proxies: no answer changes what is sent next."""
    return aiohttp.ClientSession(
        # A connection that has been idle is not used again: one that died unnoticed would cost a page its deadline.
        connector=aiohttp.TCPConnector(limit=200, keepalive_timeout=2.0, resolver=aiohttp.ThreadedResolver()),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the courier bounds each attempt as a whole
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers=_OURS,
    )


def _has_no_address(error: OSError) -> bool:
    """Whether the name of the host does not exist; not merely that nobody answered for now."""
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise temporary(f"the answer is longer than {MAX_ANSWER} bytes", may_have_arrived=True)
    return body


def status_error(answer: Answer, now: datetime) -> SendError | None:
    """What a status other than 2xx means; none for 2xx. `now`: when it was answered, aware."""
    if 200 <= answer.status < 300:
        return None
    if answer.status == 429:
        return temporary("HTTP 429: too many messages", retry_after=_retry_after(answer.headers, now))
    if answer.status in (408, 425) or answer.status >= 500:
        return temporary(f"HTTP {answer.status}", retry_after=_retry_after(answer.headers, now))
    return permanent(f"HTTP {answer.status}")


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds of a Retry-After header, which may also be a date (RFC 9110 section 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdecimal() and len(text) < 10:
        return min(float(text), _LONGEST_WAIT)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((zoned - now).total_seconds(), 0.0), _LONGEST_WAIT)
