"""The systems that actions are done to, and that tell how they are.

A target answers as it is told to, in order, and then as it does by default. It knows every execution by its key:
what it was asked to do twice under one key, it has done once, if it honours keys at all. It counts what it did, which
is how a simulation knows whether anything was done twice.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Literal

from tocsin_playbook.model import HttpAction, HttpCheck, OutcomeProbe
from tocsin_rehearsal.loop import Life
from tocsin_remediator.core.expectation import mismatch
from tocsin_remediator.core.outcomes import PROBE_TIMEOUT, Answered, Lost, NotSent, Reply

__all__ = ["Behaviour", "Call", "Fault", "Kind", "ModelTarget", "Web"]

Kind = Literal["action", "probe", "check"]
Fault = Literal["", "lost", "refused", "hangs"]
"""`lost`: it is done, and its answer never comes. `refused`: no connection. `hangs`: neither effect nor answer."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one request is answered."""

    status: int = 200
    body: str = ""
    fault: Fault = ""
    takes: float = 0.0
    """Seconds until it is answered."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that reached a target."""

    at: float
    kind: Kind
    method: str
    url: str
    execution: str
    body: str
    status: int | None
    """None where no answer came back."""
    done: bool
    """Whether it had an effect."""


@dataclass(slots=True)
class _Rule:
    pattern: str
    method: str
    kinds: frozenset[Kind]
    behaviours: list[Behaviour]
    repeats_last: bool

    def next(self, method: str, url: str, kind: Kind) -> Behaviour | None:
        if kind not in self.kinds or not self.behaviours or self.method not in ("*", method):
            return None
        if not (fnmatchcase(url, self.pattern) or self.pattern in url):
            return None
        if self.repeats_last and len(self.behaviours) == 1:
            return self.behaviours[0]
        return self.behaviours.pop(0)


@dataclass(slots=True)
class Web:
    """All targets. What was told last about an address counts first."""

    calls: list[Call] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    """How often each execution had its effect."""
    on_done: list[Callable[[Call], None]] = field(default_factory=list)
    """Called when an action has had its effect: what a world does then, such as getting better."""
    fault_of: Callable[[Kind, str], Behaviour | None] = lambda kind, url: None
    """Asked first: how a simulation makes requests fail."""
    _rules: list[_Rule] = field(default_factory=list)

    def answer(
        self,
        pattern: str,
        *behaviours: Behaviour,
        method: str = "*",
        kinds: tuple[Kind, ...] = ("action", "probe", "check"),
        for_good: bool = True,
    ) -> None:
        """Answer requests to addresses that contain or match (`*`) the pattern so, in order; `for_good`: the last
        one from then on."""
        self._rules.insert(0, _Rule(pattern, method, frozenset(kinds), list(behaviours), for_good))

    def forget(self, pattern: str) -> None:
        """Answer as if nothing had been told about this pattern."""
        self._rules = [rule for rule in self._rules if rule.pattern != pattern]

    def behaviour(self, method: str, url: str, kind: Kind, execution: str) -> Behaviour:
        """How this request is answered. Who asks about an execution, and was told nothing, hears the truth."""
        if (fault := self.fault_of(kind, url)) is not None:
            return fault
        for rule in self._rules:
            if (found := rule.next(method, url, kind)) is not None:
                return found
        if kind == "probe":
            return Behaviour(200 if self.done[execution] else 404)
        return Behaviour()

    def note(self, call: Call) -> None:
        """It has reached its target."""
        self.calls.append(call)
        if call.kind == "action" and call.done:
            self.done[call.execution] += 1
            for told in self.on_done:
                told(call)


class ModelTarget:
    """One remediator's way to the targets: in the place of `HttpTarget`."""

    def __init__(self, web: Web, life: Life) -> None:
        self._web, self._life = web, life

    async def act(self, action: HttpAction, execution: str, traceparent: str, timeout: timedelta) -> Reply:
        body = action.body or ("" if action.json_body is None else str(action.json_body))
        return await self._exchange("action", action.method, action.url, execution, body, timeout)

    async def ask(self, probe: OutcomeProbe, execution: str) -> Reply:
        return await self._exchange("probe", "GET", probe.url_of(execution), execution, "", PROBE_TIMEOUT)

    async def look(self, check: HttpCheck, timeout: timedelta) -> str | None:
        reply = await self._exchange("check", check.method, check.url, "", "", timeout)
        match reply:
            case Answered(status):
                return mismatch(check.expect, status, reply.body, whole=reply.whole)
            case NotSent(reason) | Lost(reason):
                return reason

    async def _exchange(
        self, kind: Kind, method: str, url: str, execution: str, body: str, timeout: timedelta
    ) -> Reply:
        told = self._web.behaviour(method, url, kind, execution)
        span = timeout.total_seconds()
        if told.fault == "refused":
            return NotSent("no connection: refused")
        now = asyncio.get_running_loop().time()
        answers = told.fault == "" and told.takes < span
        done = told.fault != "hangs" and (told.status < 400 or told.fault == "lost")
        self._web.note(Call(now, kind, method, url, execution, body, told.status if answers else None, done))
        if not answers:
            await asyncio.sleep(span)
            return Lost(f"no answer within {span:g} s")
        if told.takes > 0:
            await asyncio.sleep(told.takes)
        return Answered(told.status, told.body.encode(), whole=True)
