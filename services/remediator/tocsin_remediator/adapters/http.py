"""Requests to the systems that are acted upon: one at a time, never followed elsewhere, never waited for too long.

What matters about a request that got no good answer is whether any of it left this process: a refused connection is
a request that was certainly not carried out, a cut one is not.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

import httpx

from tocsin_playbook.model import Expect, HttpAction, HttpCheck, OutcomeProbe, SecretRef
from tocsin_remediator.adapters.exchange import Exchange, HttpExchange, RefusedAddressError, Request
from tocsin_remediator.adapters.secrets import SecretError, reveal_headers
from tocsin_remediator.core.expectation import mismatch, needs_body
from tocsin_remediator.core.outcomes import PROBE_TIMEOUT, Answered, Lost, NotSent, Reply
from tocsin_remediator.core.reach import AllowedHosts

__all__ = ["HttpTarget"]

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

    def note(self) -> None:
        self.sent = True


class HttpTarget:
    """The outside systems over HTTP. `allowed` is asked again for every request, probes and checks included.

    `exchange` stands for the network; the network itself, if none is given.
    """

    def __init__(self, allowed: AllowedHosts, exchange: Exchange | None = None) -> None:
        self._allowed = allowed
        self._exchange = exchange or HttpExchange()

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
                request = Request(method, url, revealed, body.text, body.json, wants_body=needs_body(expect))
                return await self._exchange.exchange(request, progress.note)
        except (SecretError, RefusedAddressError) as error:
            return NotSent(str(error))
        except (TimeoutError, httpx.TimeoutException):
            said = f"no answer within {timeout.total_seconds():g} s"
            return Lost(said) if progress.sent else NotSent(f"no connection within {timeout.total_seconds():g} s")
        except Exception as error:  # noqa: BLE001  # whatever it is: what counts is whether a byte has left; tested
            # Only the type is told: the words of a client may hold the headers, and so a secret.
            return (Lost if progress.sent else NotSent)(_words(error, sent=progress.sent))


def _words(error: Exception, *, sent: bool) -> str:
    if sent:
        return f"the connection was lost before an answer came ({type(error).__name__})"
    name = type(error).__name__
    return f"no connection: {_CAUSES.get(name, name)}"


_CAUSES = {"gaierror": "the host's name leads nowhere", "ConnectError": "refused, or TLS failed"}
