"""Requests to the systems that are acted upon: one at a time, never followed elsewhere, never waited for too long.

What matters about a request that got no good answer is whether any of it left this process: a refused connection is
a request that was certainly not carried out, a cut one is not. So every request has a connection of its own, and
the moment of the first byte is noted.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

import httpx

from tocsin_playbook.model import Expect, HttpAction, HttpCheck, OutcomeProbe, SecretRef
from tocsin_remediator.adapters.secrets import SecretError, reveal_headers
from tocsin_remediator.core.expectation import mismatch, needs_body
from tocsin_remediator.core.outcomes import PROBE_TIMEOUT, Answered, Lost, NotSent, Reply
from tocsin_remediator.core.reach import AllowedHosts, refuse_address

__all__ = ["MOST_BYTES", "HttpTarget"]

MOST_BYTES = 64 * 1024
"""Of an answer. The rest is not read."""

_OURS = {"host", "content-length", "transfer-encoding", "connection", "idempotency-key", "traceparent", "user-agent"}
"""Headers that a playbook cannot set: they are what makes a request safe and recognisable."""


@dataclass(frozen=True, slots=True)
class _Body:
    text: str | None = None
    json: object = None


_NO_BODY = _Body()


@dataclass(slots=True)
class _Progress:
    sent: bool = False

    async def note(self, name: str, _: object) -> None:
        """Called by httpcore for each step of a request."""
        if name.endswith("send_request_headers.started"):
            self.sent = True


class HttpTarget:
    """The outside systems over HTTP. `allowed` is asked again for every request, probes and checks included."""

    def __init__(self, allowed: AllowedHosts) -> None:
        self._allowed = allowed
        self._tls = ssl.create_default_context()

    async def act(self, action: HttpAction, execution: str, traceparent: str, timeout: timedelta) -> Reply:
        """Send the action once, under its execution's key."""
        ours = {"Idempotency-Key": execution, "traceparent": traceparent}
        body = _Body(text=action.body, json=action.json_body)
        return await self._ask(action.method, action.url, action.headers, action.expect, timeout, ours, body)

    async def ask(self, probe: OutcomeProbe, execution: str) -> Reply:
        """Ask the target what it knows of an execution."""
        return await self._ask("GET", probe.url_of(execution), probe.headers, probe.expect, PROBE_TIMEOUT)

    async def look(self, check: HttpCheck, timeout: timedelta) -> str | None:
        """What is wrong there; none if all is as the playbook expects."""
        reply = await self._ask(check.method, check.url, check.headers, check.expect, timeout)
        match reply:
            case Answered(status):
                return mismatch(check.expect, status, reply.body, whole=reply.whole)
            case NotSent(reason) | Lost(reason):
                return reason

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str | SecretRef],
        expect: Expect,
        timeout: timedelta,
        ours: Mapping[str, str] = MappingProxyType({}),
        body: _Body = _NO_BODY,
    ) -> Reply:
        if refusal := self._allowed.refusal(url):
            return NotSent(refusal)
        progress = _Progress()
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                theirs = {name: value for name, value in headers.items() if name.lower() not in _OURS}
                revealed = {**reveal_headers(theirs), **ours}
                return await self._exchange(method, url, revealed, progress, body, read=needs_body(expect))
        except SecretError as error:
            return NotSent(str(error))
        except _RefusedAddressError as error:
            return NotSent(str(error))
        except (TimeoutError, httpx.TimeoutException):
            said = f"no answer within {timeout.total_seconds():g} s"
            return Lost(said) if progress.sent else NotSent(f"no connection within {timeout.total_seconds():g} s")
        except Exception as error:  # noqa: BLE001  # whatever it is: what counts is whether a byte has left; tested
            # Only the type is told: the words of a client may hold the headers, and so a secret.
            return (Lost if progress.sent else NotSent)(_words(error, sent=progress.sent))

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        progress: _Progress,
        body: _Body,
        *,
        read: bool,
    ) -> Reply:
        there = httpx.URL(url)
        address = await _resolve(there)
        async with httpx.AsyncClient(
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113  # the whole exchange has one deadline, in `_ask`
            limits=httpx.Limits(max_keepalive_connections=0),
        ) as client:
            request = client.build_request(
                method,
                there.copy_with(host=address),
                headers={
                    "User-Agent": "tocsin-remediator",
                    "Accept-Encoding": "identity",
                    **headers,
                    "Host": there.netloc.decode("ascii"),
                },
                content=body.text.encode() if body.text is not None else None,
                json=body.json,
                extensions={"sni_hostname": there.host, "trace": progress.note},
            )
            response = await client.send(request, stream=True)
            try:
                found, whole = await _read(response) if read else (b"", False)
            finally:
                await response.aclose()
        return Answered(response.status_code, found, whole)


class _RefusedAddressError(Exception):
    """A host's name leads where it must not."""


async def _resolve(url: httpx.URL) -> str:
    """The one address that is connected to: resolved once, so that what was checked is what is used."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(url.host, url.port or (443 if url.scheme == "https" else 80), type=1)
    address = str(found[0][4][0])
    if refusal := refuse_address(url.host, address):
        raise _RefusedAddressError(refusal)
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


def _words(error: Exception, *, sent: bool) -> str:
    if sent:
        return f"the connection was lost before an answer came ({type(error).__name__})"
    name = type(error).__name__
    return f"no connection: {_CAUSES.get(name, name)}"


_CAUSES = {"gaierror": "the host's name leads nowhere", "ConnectError": "refused, or TLS failed"}
