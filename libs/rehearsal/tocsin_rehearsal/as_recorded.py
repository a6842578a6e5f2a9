"""Targets that answer as they did: what actions and checks came to is read off a recorded log.

The n-th execution at an address is answered as the n-th that was recorded there, and takes as long. What was never
recorded is answered as a target does by default. Where today's playbook gives a step another address, that is asked
in the place of the recorded one.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from tocsin_playbook import Playbook
from tocsin_playbook.model import Expect, Step, Verify
from tocsin_rehearsal.bus.streams import Stored
from tocsin_rehearsal.outside.web import Behaviour, Kind
from tocsin_rehearsal.world import World
from tocsin_remediator.core.runbook import find_step
from tocsin_remediator.core.verification import looks_needed
from tocsin_schemas import Envelope, Event, PlaybookRef
from tocsin_schemas.events import (
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionSucceeded,
    IncidentOpened,
    VerificationFailed,
    VerificationPassed,
)

__all__ = ["OutsideAsRecorded"]

T = TypeVar("T")

Playbooks = Mapping[PlaybookRef, Playbook]

_STATUS = re.compile(r"status (\d{3})\b")
_GONE = {404, 410}
_NO_ANSWER = Behaviour(fault="refused")
_NEVER = timedelta.max


@dataclass(frozen=True, slots=True)
class _Check:
    """How a check is answered: it is not as expected until so long after the action."""

    good_after: timedelta
    good: Behaviour


class OutsideAsRecorded:
    """Give its `answer` to a world's `web.fault_of`."""

    def __init__(self, world: World, events: Sequence[Envelope[Event]], playbooks: Playbooks) -> None:
        """`events`: a recorded log. `playbooks`: what its incidents were opened under."""
        self._world = world
        self._recorded, self._now = _Steps(playbooks), _Steps(playbooks)
        self._executions: dict[str, list[Behaviour]] = defaultdict(list)
        self._checks: dict[str, list[_Check]] = defaultdict(list)
        self._claimed: Counter[str] = Counter()
        self._succeeded: Counter[str] = Counter()
        self._acted_at: dict[str, datetime] = {}
        self._unknown: set[tuple[str, int]] = set()
        self._probed: dict[str, str] = {}
        self._moved = _moved(playbooks, events)
        self._read(events)
        self._acted_at.clear()
        world.broker.streams["INCIDENTS"].on_stored(self._watch)

    def answer(self, kind: Kind, url: str) -> Behaviour | None:
        """As it was answered then; none where that is not recorded."""
        if kind == "probe":
            return self._probe(url)
        url = self._moved.get(url, url)
        if kind == "action":
            return _nth(self._executions[url], self._claimed[url])
        check = _nth(self._checks[url], self._succeeded[url])
        if check is None:
            return None
        return check.good if self._world.now - self._acted_at[url] >= check.good_after else _NO_ANSWER

    def _probe(self, url: str) -> Behaviour | None:
        """Nobody could say then; in every other case whoever asks hears the truth."""
        probed = {**self._probed, **{now: self._probed.get(then, "") for now, then in self._moved.items()}}
        asked = next((action for prefix, action in probed.items() if action and url.startswith(prefix)), None)
        return _NO_ANSWER if asked is not None and (asked, self._claimed[asked]) in self._unknown else None

    # --- then ---------------------------------------------------------------------------------------------------------

    def _read(self, events: Sequence[Envelope[Event]]) -> None:
        claims: dict[str, datetime] = {}
        for event in events:
            step = self._recorded.step_of(event)
            match event.data:
                case ActionClaimed(execution=execution):
                    claims[execution] = event.time
                case ActionSucceeded(execution=execution) | ActionFailed(execution=execution):
                    self._ended(event, step, claims.get(execution, event.time))
                case ActionOutcomeUnknown(execution=execution):
                    self._ended(event, step, claims.get(execution, event.time))
                case VerificationPassed() | VerificationFailed():
                    self._verified(event, step)

    def _ended(self, event: Envelope[Event], step: Step | None, claimed_at: datetime) -> None:
        if step is None or step.http is None:
            return
        took = min(event.time - claimed_at, step.timeout * 0.9).total_seconds()
        url = step.http.url
        self._executions[url].append(_outcome(event.data, step.http.expect, took))
        if step.http.probe is not None:
            self._probed[step.http.probe.url.partition("{")[0]] = url
            if isinstance(event.data, ActionOutcomeUnknown):
                self._unknown.add((url, len(self._executions[url])))
        if isinstance(event.data, ActionSucceeded) and step.verify is not None and step.verify.http is not None:
            url = step.verify.http.url
            self._acted_at[url] = event.time
            self._checks[url].append(_Check(_NEVER, _answer(step.verify.http.expect)))

    def _verified(self, event: Envelope[Event], step: Step | None) -> None:
        if step is None or step.verify is None or step.verify.http is None:
            return
        url = step.verify.http.url
        if isinstance(event.data, VerificationPassed) and self._checks[url]:
            after = event.time - self._acted_at[url] - _row(step.verify)
            self._checks[url][-1] = _Check(after, self._checks[url][-1].good)

    # --- now ----------------------------------------------------------------------------------------------------------

    def _watch(self, stored: Stored) -> bool:
        event: Envelope[Event] = stored.envelope  # type: ignore[assignment]  # the log holds events and nothing else
        step = self._now.step_of(event)
        if step is not None and step.http is not None:
            if isinstance(event.data, ActionClaimed):
                self._claimed[self._moved.get(step.http.url, step.http.url)] += 1
            elif isinstance(event.data, ActionSucceeded) and step.verify is not None and step.verify.http is not None:
                url = self._moved.get(step.verify.http.url, step.verify.http.url)
                self._succeeded[url] += 1
                self._acted_at[url] = event.time
        return True


def _moved(playbooks: Playbooks, events: Sequence[Envelope[Event]]) -> dict[str, str]:
    """By the address that a step asks today, the one it asked then, where that is another one. Of probes the part
    before the id."""
    opened_under = {event.data.playbook for event in events if isinstance(event.data, IncidentOpened)}
    then = {
        (ref.name, runbook, step): addresses
        for ref in opened_under & playbooks.keys()
        for runbook, step, addresses in _addresses(playbooks[ref])
    }
    asked = {address for addresses in then.values() for address in addresses}
    return {
        today: before
        for ref, playbook in playbooks.items()
        for runbook, step, addresses in _addresses(playbook)
        for today, before in zip(addresses, then.get((ref.name, runbook, step), addresses), strict=True)
        if today and before and today not in asked
    }


def _addresses(playbook: Playbook) -> Iterator[tuple[str, str, tuple[str, str, str]]]:
    """Runbook, step, and what it asks to act, to verify, and to find out; empty where it does not ask."""
    for runbook in playbook.remediate.runbooks:
        for step in runbook.steps:
            act = step.http.url if step.http is not None else ""
            verify = step.verify.http.url if step.verify is not None and step.verify.http is not None else ""
            probe = step.http.probe.url if step.http is not None and step.http.probe is not None else ""
            yield runbook.name, step.name, (act, verify, probe.partition("{")[0])


class _Steps:
    """Which step of which playbook an event of a log is about."""

    def __init__(self, playbooks: Playbooks) -> None:
        self._playbooks = playbooks
        self._opened_under: dict[str, Playbook] = {}

    def step_of(self, envelope: Envelope[Event]) -> Step | None:
        event = envelope.data
        if isinstance(event, IncidentOpened):
            if (playbook := self._playbooks.get(event.playbook)) is not None:
                self._opened_under[envelope.incident] = playbook
            return None
        opened_under = self._opened_under.get(envelope.incident)
        name, step = getattr(event, "runbook", None), getattr(event, "step", None)
        if opened_under is None or name is None or step is None:
            return None
        runbook = next((each for each in opened_under.remediate.runbooks if each.name == name), None)
        return None if runbook is None else find_step(runbook, step)


def _nth(items: Sequence[T], number: int) -> T | None:
    """The item of this number, from 1."""
    return items[number - 1] if 0 < number <= len(items) else None


def _outcome(event: Event, expect: Expect, took: float) -> Behaviour:
    """The answer after which the remediator says what it said."""
    if isinstance(event, ActionSucceeded):
        if event.found_by_probe:
            return Behaviour(fault="lost")
        return _answer(expect, took)
    found = _STATUS.search(getattr(event, "reason", ""))
    status = int(found[1]) if found else 0
    if isinstance(event, ActionFailed):
        if status in _GONE:
            return Behaviour(fault="hangs")  # and the target, when asked, knows nothing of it
        return Behaviour(status, takes=took) if status else _NO_ANSWER
    return Behaviour(status, takes=took) if status else Behaviour(fault="lost")


def _answer(expect: Expect, took: float = 0.0) -> Behaviour:
    """An answer that is as expected."""
    document: dict[str, object] = {}
    for path, wanted in expect.json_values.items():
        *parents, last = path.split(".")
        inner = document
        for name in parents:
            inner = inner.setdefault(name, {})  # type: ignore[assignment]  # made here, one level after the other
        inner[last] = wanted
    if expect.contains is not None and document:
        document[""] = expect.contains
    body = json.dumps(document, ensure_ascii=False) if document else expect.contains or ""
    return Behaviour(expect.status[0], body, takes=took)


def _row(verify: Verify) -> timedelta:
    """How long before it passes a verification sees the first good answer, and half a look more."""
    lasting = verify.every * -(-verify.lasting // verify.every)
    return max(verify.every * (looks_needed(verify) - 1), lasting) + verify.every / 2
