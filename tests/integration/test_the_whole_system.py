"""Five services as five processes on a real nats-server, each with its own identity: incidents go the whole way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import httpx
import pytest
from chaos_playbook import chaos_playbook
from system import System
from target import Target

from tocsin_runtime.bus.log import IncidentLog
from tocsin_schemas import Envelope, Event
from tocsin_schemas.events import (
    ActionSucceeded,
    IncidentAcknowledged,
    IncidentOpened,
    IncidentResolved,
    NotificationDelivered,
    ResponderPaged,
    VerificationPassed,
)
from tocsin_schemas.ids import trace_id


class Whole:
    """The system with its target, and what a test asks of it."""

    def __init__(self, system: System, target: Target) -> None:
        self.system, self.target = system, target

    async def post(self, service: str, **more: object) -> None:
        alert = {"labels": {"alertname": "Broken", "service": service, "severity": "P1"}, **more}
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.post(f"{self.system.first('detector').url}/api/v2/alerts", json=[alert])
            answer.raise_for_status()

    async def api(self, path: str, status: int = 200) -> dict[str, object]:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.get(f"{self.system.first('recorder').url}{path}")
        assert answer.status_code == status, answer.text
        document: dict[str, object] = answer.json()
        return document

    async def incident_of(self, service: str) -> str:
        async with asyncio.timeout(30):
            while True:
                listed = (await self.api("/api/v1/incidents"))["incidents"]
                assert isinstance(listed, list)
                for item in listed:
                    if service in item["title"]:
                        return str(item["id"])
                await asyncio.sleep(0.05)

    async def until(self, incident: str, holds: Callable[[Sequence[Envelope[Event]]], bool]) -> list[Envelope[Event]]:
        connection = await self.system.connect()
        try:
            async with asyncio.timeout(40):
                while not holds(events := await IncidentLog(connection).load(incident)):
                    await asyncio.sleep(0.05)
            return events
        finally:
            await connection.close()


def has(kind: type[Event]) -> Callable[[Sequence[Envelope[Event]]], bool]:
    return lambda events: any(isinstance(event.data, kind) for event in events)


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    with Target() as target, System(tmp_path) as system:
        await system.push(chaos_playbook(target.url, system.slack.api_url, system.mail.port))
        await asyncio.to_thread(system.start_services)
        yield Whole(system, target)


@pytest.mark.timeout(240)
async def test_an_alert_becomes_a_page_is_mended_and_resolved(whole: Whole) -> None:
    await whole.post("chaos1")
    incident = await whole.incident_of("chaos1")
    await whole.until(incident, has(VerificationPassed))
    await whole.post("chaos1", endsAt="2026-01-01T00:00:00Z")
    events = await whole.until(incident, has(IncidentResolved))

    assert isinstance(events[0].data, IncidentOpened)
    assert [e.data.step for e in events if isinstance(e.data, ActionSucceeded)] == ["first", "second"]
    assert set(whole.target.calls.values()) == {1}
    assert sum(isinstance(e.data, ResponderPaged) for e in events) == 1
    assert sum(isinstance(e.data, NotificationDelivered) for e in events) >= 1
    assert len(whole.system.slack.messages) >= 1
    # The incident is the trace: every event of every service carries its id.
    assert {event.traceparent.split("-")[1] for event in events} == {trace_id(incident)}
    # The recorder has all of it, in the same order, and says that nothing was tampered with.
    recorded: list[str] = []
    async with asyncio.timeout(20):
        while recorded != [event.id for event in events]:
            events = await whole.until(incident, has(IncidentResolved))
            page = (await whole.api(f"/api/v1/incidents/{incident}/timeline?limit=1000"))["entries"]
            assert isinstance(page, list)
            recorded = [entry["id"] for entry in page]
    assert (await whole.api(f"/api/v1/incidents/{incident}/verify"))["intact"] is True


@pytest.mark.timeout(240)
async def test_people_act_through_the_command_line(whole: Whole) -> None:
    await whole.post("chaos2")
    incident = await whole.incident_of("chaos2")
    system = whole.system
    environment = {
        "TOCSIN_NATS_URL": system.nats.url,
        "TOCSIN_NATS_USER": "operator",
        "TOCSIN_NATS_PASSWORD": system.password("operator"),
        "TOCSIN_CONSOLE_URL": system.first("recorder").url,
        "TOCSIN_USER": "ada",
    }

    async def tocsin(*words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *("/usr/bin/env", *(f"{k}={v}" for k, v in environment.items())),
            *(system.python, "-m", "tocsin", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    status, output = await tocsin("ack", incident[:6])
    assert (status, "ada" in output) == (0, True), output
    events = await whole.until(incident, has(IncidentAcknowledged))
    assert next(e.data.by.name for e in events if isinstance(e.data, IncidentAcknowledged)) == "ada"
    status, output = await tocsin("resolve", incident, "--notes", "it was the cable")
    assert status == 0, output
    status, output = await tocsin("show", incident)
    assert "it was the cable" in output
    status, output = await tocsin("ack", "nothing-like-it")
    assert (status, output.count("\n")) == (1, 1), output
    status, output = await tocsin("incidents", "--active")
    assert (status, incident in output) == (0, False), output


@pytest.mark.timeout(240)
@pytest.mark.long  # ten processes decide the same in test_three_worlds, and kills are in the chaos tests
async def test_two_replicas_of_each_service_do_everything_once(tmp_path: Path) -> None:
    with Target() as target, System(tmp_path, replicas=2) as system:
        await system.push(chaos_playbook(target.url, system.slack.api_url, system.mail.port))
        await asyncio.to_thread(system.start_services)
        whole = Whole(system, target)
        await asyncio.gather(*(whole.post(f"chaos{n}") for n in range(6)))
        for number in range(6):
            incident = await whole.incident_of(f"chaos{number}")
            events = await whole.until(incident, has(VerificationPassed))
            assert sum(isinstance(e.data, IncidentOpened) for e in events) == 1
            assert sum(isinstance(e.data, ResponderPaged) for e in events) == 1
        assert set(target.calls.values()) == {1}
        assert not system.slack.duplicates()
