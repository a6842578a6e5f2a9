"""People act over HTTP and in the console: a real nats-server with its identities, an escalator, two recorders."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from tocsin_escalator.app import build as build_escalator
from tocsin_escalator.settings import EscalatorSettings
from tocsin_recorder.app import build as build_recorder
from tocsin_recorder.settings import RecorderSettings
from tocsin_runtime import Address, Connection, Host
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.identities import IDENTITIES, users
from tocsin_runtime.playbooks import push
from tocsin_runtime.tokens import hash_of, new_token, token_line
from tocsin_schemas import Envelope, Event, Labels, caused_by
from tocsin_schemas.events import AlertFired, CommandRejected, IncidentAcknowledged, IncidentEscalated
from tocsin_schemas.ids import alert_episode, derive_id, fingerprint
from tocsin_schemas.subjects import alert_subject
from tocsin_testkit.nats import NatsServer

PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}, {name: P1}]
group: {by: [service]}
communicate: {channels: [{name: term, console: {}}]}
escalate: [{severities: [P0, P1], levels: [{after: 0s, notify: ["person:ada"]}, {after: 3s, notify: ["person:bob"]}]}]
oncall:
  people:
    - {name: ada, contacts: [{channel: term, address: ada}]}
    - {name: bob, contacts: [{channel: term, address: bob}]}
    - {name: mallory, access: viewer, contacts: [{channel: term, address: mallory}]}
"""
ADA, MALLORY = new_token(), new_token()


class Shop:
    """Everything that runs, and what a test asks of it."""

    def __init__(self, nats: NatsServer, passwords: dict[str, str], folder: Path) -> None:
        self.nats, self.folder, self._passwords = nats, folder, passwords
        self.tokens = folder / "tokens"
        owners = {"ada": ADA, "mallory": MALLORY}
        self.tokens.write_text("\n".join(token_line(name, hash_of(token)) for name, token in owners.items()))
        self.hosts: list[Host[Any]] = []
        self.recorders: list[httpx.AsyncClient] = []

    def connection(self) -> Connection:
        return Connection(Address(self.nats.url, "operator", self._passwords["operator"]), "operator")

    def common(self, service: str) -> dict[str, Any]:
        return {
            "nats_url": self.nats.url,
            "nats_user": service,
            "nats_password": self._passwords[service],
            "nats_monitor_url": self.nats.monitor_url,
            "http_port": 0,
        }

    async def start(self) -> None:
        async with self.connection() as connection:
            await ensure_streams(connection)
            await push(connection, PLAYBOOK, source="shop.yaml")
        escalator = Host(EscalatorSettings.model_validate(self.common("escalator")), build_escalator)
        await escalator.start()
        self.hosts.append(escalator)
        for replica in range(2):
            url = f"sqlite+aiosqlite:///{self.folder}/timeline-{replica}.db"
            settings = {**self.common("recorder"), "database_url": url, "tokens_path": self.tokens}
            recorder = Host(RecorderSettings.model_validate(settings), build_recorder)
            await recorder.start()
            self.hosts.append(recorder)
            self.recorders.append(httpx.AsyncClient(base_url=recorder.ops.url, timeout=30, trust_env=False))

    async def stop(self) -> None:
        for client in self.recorders:
            await client.aclose()
        for host in self.hosts:
            await host.stop()

    async def fire(self, service: str) -> str:
        """An alert about this service; the answer is the incident that both recorders show."""
        labels = Labels(alertname="Broken", service=service)
        name = fingerprint(labels)
        alert = AlertFired(
            fingerprint=name,
            episode=alert_episode(name, "0"),
            rule="Broken",
            severity="P1",
            labels=labels,
            starts_at=datetime.now(UTC),
            source="test",
        )
        async with self.connection() as connection:
            fired = caused_by(derive_id("test", service), 0, "detector", "", datetime.now(UTC), alert)
            await connection.publish(alert_subject("Broken"), fired)
        found = {await self._incident_of(service, client) for client in self.recorders}
        assert len(found) == 1
        return found.pop()

    async def _incident_of(self, service: str, client: httpx.AsyncClient) -> str:
        async with asyncio.timeout(30):
            while True:
                for item in (await client.get("/api/v1/incidents")).json()["incidents"]:
                    if (await client.get(f"/api/v1/incidents/{item['id']}")).json()["labels"]["service"] == service:
                        return str(item["id"])
                await asyncio.sleep(0.05)

    async def log(self, incident: str) -> Sequence[Envelope[Event]]:
        async with self.connection() as connection:
            return await IncidentLog(connection).load(incident)

    async def until(self, incident: str, holds: Callable[[Sequence[Envelope[Event]]], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds(await self.log(incident)):
                await asyncio.sleep(0.1)

    async def post(self, slug: str, replica: int = 0, token: str = ADA, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}", "idempotency-key": f"key of {slug}"}
        return await self.recorders[replica].post(f"/api/v1/commands/{slug}", json=body, headers=headers)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    passwords = {name: f"secret-{name}" for name in IDENTITIES}
    with NatsServer(tmp_path / "nats", users=users(passwords)) as nats:
        made = Shop(nats, passwords, tmp_path)
        try:
            await made.start()
            yield made
        finally:
            await made.stop()


def of(events: Sequence[Envelope[Event]], kind: type[Event]) -> list[Envelope[Event]]:
    return [event for event in events if isinstance(event.data, kind)]


async def test_a_request_acknowledges_an_incident_stops_its_paging_and_counts_once(shop: Shop) -> None:
    incident = await shop.fire("checkout")
    first = await shop.post("acknowledge", incident=incident[:6])
    assert first.status_code == 200, first.text
    assert first.json()["events"][0]["sentence"].startswith("ada is on it")
    for replica in (0, 1, 1):
        again = await shop.post("acknowledge", replica, incident=incident)
        assert (again.status_code, again.json()) == (200, first.json())
    (acknowledged,) = of(await shop.log(incident), IncidentAcknowledged)
    assert isinstance(acknowledged.data, IncidentAcknowledged)
    assert (acknowledged.data.by.name, acknowledged.data.by.via) == ("ada", "api")
    # One that nobody acknowledges goes to the next level, although it was opened later; this one does not.
    other = await shop.fire("search")
    await shop.until(other, lambda events: bool(of(events, IncidentEscalated)))
    assert of(await shop.log(incident), IncidentEscalated) == []


async def test_a_viewer_is_refused_and_that_is_on_the_timeline(shop: Shop) -> None:
    incident = await shop.fire("checkout")
    answer = await shop.post("acknowledge", token=MALLORY, incident=incident)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "mallory is a viewer; Acknowledge asks for a responder."
    events = await shop.log(incident)
    (rejected,) = of(events, CommandRejected)
    assert isinstance(rejected.data, CommandRejected)
    assert (rejected.data.by.name, rejected.data.by.via) == ("mallory", "api")
    assert of(events, IncidentAcknowledged) == []


async def test_what_is_over_is_a_conflict_and_an_order_is_answered(shop: Shop) -> None:
    incident = await shop.fire("checkout")
    assert (await shop.post("resolve", incident=incident, notes="the cable")).status_code == 200
    conflict = await shop.post("escalate", incident=incident)
    assert conflict.status_code == 409, conflict.text
    order = {"match": ['service="checkout"'], "until": "2100-01-01T00:00:00Z", "because": "an upgrade"}
    assert (await shop.post("silence", **order)).status_code == 403, "for so long it asks for an admin"
    lifted = await shop.post("lift_silence", silence="nothing")
    assert (lifted.status_code, lifted.json()["detail"]) == (409, "there is no silence nothing, or it is over.")


async def test_somebody_signs_in_acknowledges_and_reads_what_happened(shop: Shop) -> None:
    incident = await shop.fire("checkout")
    path = f"/incidents/{incident}"
    browser, other_replica = shop.recorders
    signed_in = await browser.post("/sign-in", data={"token": ADA, "back": path})
    assert signed_in.headers["location"] == path
    (form,) = re.findall(
        rf'<form action="{path}/acknowledge" method="post">(.*?)</form>', (await browser.get(path)).text, re.DOTALL
    )
    fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    other_replica.cookies.update(dict(browser.cookies))
    answers = await asyncio.gather(
        browser.post(f"{path}/acknowledge", data=fields),
        other_replica.post(f"{path}/acknowledge", data=fields),
    )
    assert [answer.status_code for answer in answers] == [303, 303]
    page = (await browser.get(answers[0].headers["location"])).text
    assert re.search(r'<p class="notice good" role="status">ada is on it', page)
    assert f'action="{path}/acknowledge"' not in page, "the page knows of it already"
    (acknowledged,) = of(await shop.log(incident), IncidentAcknowledged)
    assert isinstance(acknowledged.data, IncidentAcknowledged)
    assert acknowledged.data.by.via == "console"
    shop.tokens.write_text("")
    assert (await browser.post(f"{path}/resolve", data=fields)).status_code == 403


async def test_while_nats_is_away_nothing_is_lost_and_asking_again_does_it_once(shop: Shop) -> None:
    incident = await shop.fire("checkout")
    shop.nats.stop()
    away = await shop.post("add_note", incident=incident, text="looking")
    assert (away.status_code, away.headers["retry-after"]) == (503, "2")
    shop.nats.start()
    async with asyncio.timeout(60):
        while (answer := await shop.post("add_note", incident=incident, text="looking")).status_code != 200:
            assert answer.status_code in (202, 503)
    events = await shop.log(incident)
    assert [event.type for event in events].count("tocsin.NoteAdded.v1") == 1
