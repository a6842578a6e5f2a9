"""One request and its answer. Every request has a connection of its own, and the moment of the first byte is told."""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from tocsin_remediator.core.outcomes import Answered
from tocsin_remediator.core.reach import refuse_address

__all__ = ["MOST_BYTES", "Exchange", "HttpExchange", "RefusedAddressError", "Request"]

MOST_BYTES = 64 * 1024
"""Of an answer. The rest is not read."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. Its headers may hold secrets, and are not shown. At most one of `text` and `json` is the body."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    text: str | None = None
    json: object = None
    wants_body: bool = False
    """Whether the body of the answer matters; else it is not read."""


class RefusedAddressError(Exception):
    """A host's name leads where it must not."""


class Exchange(Protocol):
    """How a request gets its answer."""

    async def exchange(self, request: Request, sent: Callable[[], None]) -> Answered:
        """Send it once, follow nothing, and read the answer; the caller bounds the time.

        `sent` is called when the first byte leaves. Raises whatever it likes: what counts is whether `sent` was called.
        """
        ...


class HttpExchange:
    """Over HTTP. Neither proxies of the environment nor redirects; certificates are verified."""

    def __init__(self) -> None:
        self._tls = ssl.create_default_context()

    async def exchange(self, request: Request, sent: Callable[[], None]) -> Answered:
        """Raises RefusedAddressError, and httpx's and the system's own errors."""
        there = httpx.URL(request.url)
        address = await _resolve(there)
        async with httpx.AsyncClient(
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113  # the whole exchange has one deadline, the caller's
            limits=httpx.Limits(max_keepalive_connections=0),
        ) as client:
            made = client.build_request(
                request.method,
                there.copy_with(host=address),
                headers={
                    "User-Agent": "tocsin-remediator",
                    "Accept-Encoding": "identity",
                    **request.headers,
                    "Host": there.netloc.decode("ascii"),
                },
                content=request.text.encode() if request.text is not None else None,
                json=request.json,
                extensions={"sni_hostname": there.host, "trace": _telling(sent)},
            )
            response = await client.send(made, stream=True)
            try:
                found, whole = await _read(response) if request.wants_body else (b"", False)
            finally:
                await response.aclose()
        return Answered(response.status_code, found, whole)


def _telling(sent: Callable[[], None]) -> object:
    """What httpcore calls for each step of a request."""

    async def note(name: str, _: object) -> None:
        if name.endswith("send_request_headers.started"):
            sent()

    return note


async def _resolve(url: httpx.URL) -> str:
    """The one address that is connected to: resolved once, so that what was checked is what is used."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(url.host, url.port or (443 if url.scheme == "https" else 80), type=1)
    address = str(found[0][4][0])
    if refusal := refuse_address(url.host, address):
        raise RefusedAddressError(refusal)
    return str(ipaddress.ip_address(address.partition("%")[0]))


async def _read(response: httpx.Response) -> tuple[bytes, bool]:
    """The answer's beginning, and whether that is all of it. A body cut short is no whole one."""
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MOST_BYTES:
                return bytes(body[:MOST_BYTES]), False
    except httpx.TransportError:
        return bytes(body), False
    return bytes(body), True
