"""Posting over HTTP: no redirects, no proxies of the environment, a bounded answer, and every failure sorted."""

import email.utils
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from tocsin_notifier.adapters.sending import SendError, permanent, temporary

__all__ = ["Answer", "HttpPoster", "status_error"]

MAX_ANSWER = 64 * 1024
_LONGEST_WAIT = 3600.0
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said. Hostile as any text from outside: never shown to people as it is."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpPoster:
    """One HTTP client for all channels. The caller bounds the time."""

    def __init__(self) -> None:
        # A connection that has been idle is not used again: one that died unnoticed would cost a page its deadline.
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=20, keepalive_expiry=2.0)
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=None,  # noqa: S113  # the courier bounds each attempt as a whole, which httpx cannot
            limits=limits,
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post and read the answer. Raises SendError where there is none, or one that is too long."""
        try:
            async with self._client.stream("POST", url, content=body, headers=headers) as response:
                return Answer(response.status_code, response.headers, await _bounded(response))
        except _NEVER_SENT as error:
            if _has_no_address(error):
                raise permanent("cannot connect: the host name is not known") from None
            raise temporary(f"cannot connect: {type(error).__name__}") from None
        except httpx.HTTPError as error:
            raise temporary(f"no answer: {type(error).__name__}", may_have_arrived=True) from None
        except (ValueError, httpx.InvalidURL, UnicodeError) as error:
            raise permanent(f"cannot be sent: {type(error).__name__}") from None

    async def close(self) -> None:
        await self._client.aclose()


def _has_no_address(error: BaseException | None) -> bool:
    """Whether the name of the host does not exist; not merely that nobody answered for now."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno == socket.EAI_NONAME
        error = error.__cause__ or error.__context__
    return False


async def _bounded(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise temporary(f"the answer is longer than {MAX_ANSWER} bytes", may_have_arrived=True)
    return body


def status_error(answer: Answer) -> SendError | None:
    """What a status other than 2xx means; none for 2xx."""
    if 200 <= answer.status < 300:
        return None
    if answer.status == 429:
        return temporary("HTTP 429: too many messages", retry_after=_retry_after(answer.headers))
    if answer.status in (408, 425) or answer.status >= 500:
        return temporary(f"HTTP {answer.status}", retry_after=_retry_after(answer.headers))
    return permanent(f"HTTP {answer.status}")


def _retry_after(headers: Mapping[str, str]) -> float | None:
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
    return min(max((zoned - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_WAIT)
