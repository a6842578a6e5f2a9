"""Kill anything at a random moment of an incident: only the latency may change.

Each round is one incident: an alert is posted, a page must arrive, two actions are carried out of which the second
helps, the alert ends, the incident is resolved. At a random moment one process gets SIGKILL and is started again.
"""

import asyncio
import os
import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from chaos_playbook import chaos_playbook
from system import System
from target import Target

from tocsin_runtime import Connection
from tocsin_runtime.bus.follow import Follower
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.events import (
    ActionClaimed,
    ActionOutcomeUnknown,
    IncidentOpened,
    IncidentResolved,
    NotificationDelivered,
    ResponderPaged,
    RunbookFinished,
)
from tocsin_schemas.subjects import INCIDENTS

ROUNDS = 6
LONG_ROUNDS = 120
WITHIN = 75.0  # seconds for one round, restarts included


class Log:
    """Everything that was said about incidents, as it is said."""

    def __init__(self, connection: Connection) -> None:
        self.events: list[Envelope[Payload]] = []
        self.follower = Follower(connection, "INCIDENTS", (INCIDENTS,), self._take, service="operator")

    async def _take(self, batch: Iterable[Envelope[Payload]]) -> None:
        self.events.extend(batch)

    def of(self, service_label: str) -> list[Envelope[Payload]]:
        """Events of the incidents of this group."""
        incidents = {
            event.incident
            for event in self.events
            if isinstance(event.data, IncidentOpened) and event.data.labels.get("service") == service_label
        }
        return [event for event in self.events if event.incident in incidents]


@dataclass
class Round:
    number: int
    system: System
    target: Target
    log: Log
    dice: random.Random

    @property
    def label(self) -> str:
        return f"chaos{self.number}"

    async def run(self) -> str:
        """One incident with one killing in it; the answer says who was killed when."""
        self.target.healthy = False
        victim, moment = self.dice.choice(self.system.victims), self.dice.uniform(0, 2.5)
        story = f"round {self.number}: {victim.name} killed after {moment:.2f} s"
        killing = asyncio.create_task(self._kill(victim, moment))
        try:
            async with asyncio.timeout(WITHIN):
                await self._post(firing=True)
                await self._until(lambda events: any(isinstance(e.data, RunbookFinished) for e in events))
                await self._until(lambda events: any(isinstance(e.data, NotificationDelivered) for e in events))
                await killing
                await self._post(firing=False)
                await self._until(lambda events: any(isinstance(e.data, IncidentResolved) for e in events))
        except TimeoutError:
            told = "\n".join(f"{e.time:%H:%M:%S.%f} {e.type} {e.data}" for e in self.log.of(self.label))
            raise AssertionError(f"{story}: not over within {WITHIN:g} s\n{told}") from None
        self._check(story)
        return story

    async def _kill(self, victim: object, moment: float) -> None:
        await asyncio.sleep(moment)
        await asyncio.to_thread(victim.kill)  # type: ignore[attr-defined]  # a ServerProcess
        await asyncio.sleep(self.dice.uniform(0, 0.5))
        await asyncio.to_thread(victim.start)  # type: ignore[attr-defined]

    async def _post(self, *, firing: bool) -> None:
        """As Prometheus does: again and again until it is taken."""
        alert: dict[str, object] = {"labels": {"alertname": "Broken", "service": self.label, "severity": "P1"}}
        if not firing:
            alert["endsAt"] = "2026-01-01T00:00:00Z"
        async with httpx.AsyncClient(timeout=3, trust_env=False) as client:
            while True:
                try:
                    url = f"{self.system.first('detector').url}/api/v2/alerts"
                    if (await client.post(url, json=[alert])).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass  # it is being restarted: the next try will tell
                await asyncio.sleep(0.1)

    async def _until(self, holds: Callable[[list[Envelope[Payload]]], bool]) -> None:
        while not holds(self.log.of(self.label)):  # the log is a list: looking is simple enough
            await asyncio.sleep(0.02)

    def _check(self, story: str) -> None:
        events = self.log.of(self.label)
        opened = [e for e in events if isinstance(e.data, IncidentOpened)]
        assert len(opened) == 1, f"{story}: {len(opened)} incidents"
        assert len({e.id for e in events}) == len(events), f"{story}: an event is in the log twice"
        self._check_pages(story, events)
        self._check_actions(story, events)

    def _check_pages(self, story: str, events: list[Envelope[Payload]]) -> None:
        first = [e.data for e in events if isinstance(e.data, ResponderPaged) and e.data.reason == "opened"]
        assert [page.target for page in first] == ["person:ada"], f"{story}: paged {first}"
        receipts = [
            e.data for e in events if isinstance(e.data, NotificationDelivered) and e.data.page == first[0].page
        ]
        assert len({receipt.notification for receipt in receipts}) == 1, f"{story}: receipts {receipts}"
        sent = self._sent(receipts[0].notification)
        assert 1 <= sent <= 2, f"{story}: the page was sent {sent} times; one more than once is what a crash may cost"

    def _sent(self, notification: str) -> int:
        return sum(notification in str(message.metadata) for message in self.system.slack.messages)

    def _check_actions(self, story: str, events: list[Envelope[Payload]]) -> None:
        claims = [e.data for e in events if isinstance(e.data, ActionClaimed)]
        assert len({(c.action, c.attempt) for c in claims}) == len(claims), f"{story}: claimed twice: {claims}"
        for (action, key), count in self.target.calls.items():
            assert count == 1, f"{story}: {action} was carried out {count} times under {key}"
        claimed = {e.data.execution for e in self.log.events if isinstance(e.data, ActionClaimed)}
        assert {key for _, key in self.target.calls} <= claimed, f"{story}: something unclaimed was carried out"
        finished = [e.data for e in events if isinstance(e.data, RunbookFinished)]
        unknown = any(isinstance(e.data, ActionOutcomeUnknown) for e in events)
        assert finished[0].outcome.value == "mitigated" or unknown, f"{story}: ended as {finished}"


async def killing_rounds(folder: Path, rounds: int, seed: int, replicas: int) -> None:
    dice = random.Random(seed)
    with Target() as target, System(folder, replicas=replicas) as system:
        await system.push(chaos_playbook(target.url, system.slack.api_url, system.mail.port))
        await asyncio.to_thread(system.start_services)
        connection = await system.connect()
        log = Log(connection)
        await log.follower.start()
        try:
            for number in range(rounds):
                story = await Round(number, system, target, log, dice).run()
                sys.stderr.write(f"seed {seed}: {story}\n")
        finally:
            await log.follower.stop()
            await connection.close()


SEED = int(os.environ.get("TOCSIN_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)


@pytest.mark.timeout(600)
async def test_killing_anything_at_any_time_changes_only_the_latency(tmp_path: Path) -> None:
    await killing_rounds(tmp_path, ROUNDS, SEED, replicas=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("replicas", [1, 2])
async def test_killing_anything_for_long(tmp_path: Path, replicas: int) -> None:
    await killing_rounds(tmp_path, LONG_ROUNDS, SEED, replicas=replicas)
