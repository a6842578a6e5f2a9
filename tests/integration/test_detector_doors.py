"""The doors of the detector with the real escalator behind them, each with its own identity on NATS: what amtool and
Alertmanager ask for is carried out, in the name of whose token they come with."""

import asyncio
import json
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from detector_doors import Keys

from tocsin_detector import app as detector
from tocsin_detector.settings import DetectorSettings
from tocsin_escalator import app as escalator
from tocsin_escalator.settings import EscalatorSettings
from tocsin_runtime import Address, Connection, Host
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.identities import IDENTITIES, users
from tocsin_runtime.playbooks import push
from tocsin_schemas import Actor, Event
from tocsin_schemas.events import (
    AlertCleared,
    IncidentAcknowledged,
    IncidentMuted,
    IncidentUnmuted,
    ResponderPaged,
)
from tocsin_schemas.ids import group_key_digest, incident_id
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.ports import free_port

PLAYBOOK = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: critical, acknowledge_within: 5m}, {name: minor}]
group: {by: [alertname]}
detect: {every: 1s, rules: []}
oncall:
  people:
    - {name: ada, access: commander, contacts: [{channel: terminal, address: ada}]}
    - {name: bob, contacts: [{channel: terminal, address: bob}]}
    - {name: eve, access: viewer, contacts: [{channel: terminal, address: eve}]}
communicate: {channels: [{name: terminal, console: {}}]}
escalate:
  - severities: [critical, minor]
    levels: [{after: 0s, notify: ["person:ada"]}, {after: 10m, notify: ["person:bob"]}]
"""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"Debian's {program} is not installed here")


def incident_of(alertname: str, number: int = 0) -> str:
    return incident_id(group_key_digest((("alertname", alertname),), "shop"), number)


class Doors:
    """A server with identities, a detector, an escalator, and a file of access tokens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        passwords = {name: f"secret-{name}" for name in IDENTITIES}
        self.nats = NatsServer(folder / "nats", users=users(passwords))
        self.keys = Keys(folder)
        self.http = httpx.AsyncClient(trust_env=False, timeout=30)
        self.hosts: list[Host[Any]] = []

    def settings(self, service: str) -> dict[str, Any]:
        return {
            "nats_url": self.nats.url,
            "nats_monitor_url": self.nats.monitor_url,
            "nats_user": service,
            "nats_password": f"secret-{service}",
            "http_port": 0,
        }

    async def open(self) -> None:
        await self._start(Host(EscalatorSettings(**self.settings("escalator")), escalator.build))
        await self.add_detector()
        self.connection = Connection(Address(self.nats.url, "operator", "secret-operator"), "operator")
        await self.connection.open()
        await push(self.connection, PLAYBOOK, source="shop.yaml")
        self.log = IncidentLog(self.connection)

    async def add_detector(self) -> str:
        """One more replica; its address."""
        settings = DetectorSettings(**self.settings("detector"), tokens_path=self.keys.path)
        return await self._start(Host(settings, detector.build))

    async def _start(self, host: Host[Any]) -> str:
        await host.start()
        self.hosts.append(host)
        return str(host.ops.url)

    async def close(self) -> None:
        await self.http.aclose()
        await self.connection.close()
        for host in self.hosts:
            await host.stop()

    @property
    def url(self) -> str:
        return str(self.hosts[-1].ops.url)

    async def alert(self, name: str, **labels: str) -> None:
        given = [{"labels": {"alertname": name, "severity": "critical", **labels}}]
        (await self.http.post(f"{self.url}/api/v2/alerts", json=given)).raise_for_status()

    async def enqueue(self, action: str, key: str, **more: Any) -> httpx.Response:
        event = {"routing_key": key, "event_action": action, "dedup_key": "d1", **more}
        return await self.http.post(f"{self.url}/v2/enqueue", json=event)

    async def events(self, incident: str, kind: type[Event]) -> list[Any]:
        return [each.data for each in await self.log.load(incident) if isinstance(each.data, kind)]

    async def wait_for(self, incident: str, kind: type[Event], count: int = 1) -> list[Any]:
        found: list[Any] = []

        async def holds() -> bool:
            found[:] = await self.events(incident, kind)
            return len(found) >= count

        await until(holds)
        return found

    async def amtool(self, *arguments: str, token: str | None = None, basic: bool = False, status: int = 0) -> str:
        """What it says. It brings the token as its configuration has it: as Bearer, or as Basic's password."""
        more: list[str] = []
        if token is not None:
            config = self.folder / "http.yml"
            given = {"basic_auth": {"username": "x", "password": token}}
            config.write_text(json.dumps(given if basic else {"authorization": {"credentials": token}}))
            more = [f"--http.config.file={config}"]
        process = await asyncio.create_subprocess_exec(
            "amtool", f"--alertmanager.url={self.url}", *more, *arguments, stdout=PIPE, stderr=PIPE
        )
        said, complained = await asyncio.wait_for(process.communicate(), 40)
        assert process.returncode == status, complained.decode()
        return (said if status == 0 else complained).decode()


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    made = Doors(tmp_path)
    with made.nats:
        await made.open()
        try:
            yield made
        finally:
            await made.close()


async def until(holds: Callable[[], Awaitable[bool]], within: float = 30) -> None:
    async with asyncio.timeout(within):
        while not await holds():
            await asyncio.sleep(0.05)


# --- silences ---------------------------------------------------------------------------------------------------------

ADD = ("silence", "add", "--author=ada", "--comment=an upgrade")


@pytest.mark.peers
@needs("amtool")
async def test_amtool_sets_shows_and_ends_a_silence_and_nobody_is_paged_meanwhile(doors: Doors) -> None:
    token = doors.keys.give("ada")
    silence = (await doors.amtool(*ADD, "--duration=2h", "alertname=Down", "zone=~eu-.*", token=token)).strip()
    await doors.alert("Down", zone="eu-1")
    down = incident_of("Down")
    await doors.wait_for(down, IncidentMuted)

    assert silence in await doors.amtool("silence", "query")
    (shown,) = json.loads(await doors.amtool("silence", "query", "--output=json", "alertname=Down"))
    assert (shown["id"], shown["createdBy"], shown["comment"]) == (silence, "ada", "an upgrade")
    assert shown["matchers"] == [
        {"name": "alertname", "value": "Down", "isRegex": False, "isEqual": True},
        {"name": "zone", "value": "eu-.*", "isRegex": True, "isEqual": True},
    ]
    assert await doors.amtool("alert", "query", "--output=json") == "[]\n"
    (alert,) = json.loads(await doors.amtool("alert", "query", "--silenced", "--output=json"))
    assert (alert["status"]["state"], alert["status"]["silencedBy"]) == ("suppressed", [silence])

    await doors.amtool("silence", "expire", silence, token=token)
    await doors.wait_for(down, IncidentUnmuted)
    (paged,) = await doors.wait_for(down, ResponderPaged)
    assert paged.target == "person:ada"
    assert await doors.amtool("silence", "query", "--output=json") == "[]\n"
    (over,) = json.loads(await doors.amtool("silence", "query", "--expired", "--output=json"))
    assert (over["id"], over["status"]["state"]) == (silence, "expired")
    (alert,) = json.loads(await doors.amtool("alert", "query", "--output=json"))
    assert alert["status"]["state"] == "active"


@pytest.mark.peers
@needs("amtool")
async def test_amtool_changes_a_silence(doors: Doors) -> None:
    token = doors.keys.give("ada")
    silence = (await doors.amtool(*ADD, "alertname=Down", token=token)).strip()
    await doors.amtool("silence", "update", "--duration=3h", "--comment=longer", silence, token=token, basic=True)
    (shown,) = json.loads(await doors.amtool("silence", "query", "--output=json"))
    assert shown["comment"] == "longer"
    lasts = datetime.fromisoformat(shown["endsAt"]) - datetime.fromisoformat(shown["startsAt"])
    assert abs(lasts - timedelta(hours=3)) < timedelta(minutes=1)
    assert shown["id"] != silence


@pytest.mark.peers
@needs("amtool")
async def test_amtool_hears_why_a_silence_is_refused(doors: Doors) -> None:
    ada, bob, eve = (doors.keys.give(name) for name in ("ada", "bob", "eve"))
    refused = [
        ("401", None, ("alertname=Down",)),
        ("could match every alert", ada, ("alertname=~.+",)),
        ("alternatives of words", ada, ("alertname=~(a+)+",)),
        ("403", bob, ("--duration=3d", "alertname=Down")),
        ("403", eve, ("alertname=Down",)),
    ]
    for reason, token, arguments in refused:
        assert reason in await doors.amtool(*ADD, *arguments, token=token, status=1)
    assert await doors.amtool("silence", "query", "--output=json") == "[]\n"
    await doors.amtool(*ADD, "--duration=3d", "alertname=Down", token=ada)


def silence_of(zone: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "matchers": [{"name": "zone", "value": zone, "isRegex": False}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "ada",
        "comment": "an upgrade",
    }


async def test_the_same_silence_posted_to_two_replicas_at_once_is_one(doors: Doors) -> None:
    urls = [doors.url, await doors.add_detector()]
    headers = {"authorization": f"Bearer {doors.keys.give('ada')}"}

    async def post(url: str, document: dict[str, Any]) -> str:
        answer = await doors.http.post(f"{url}/api/v2/silences", json=document, headers=headers)
        answer.raise_for_status()
        return str(answer.json()["silenceID"])

    silence = silence_of("eu")
    names = await asyncio.gather(*(post(url, silence) for url in urls * 4))
    assert len(set(names)) == 1
    for url in urls:
        lifted = await doors.http.delete(f"{url}/api/v2/silence/{names[0]}", headers=headers)
        assert lifted.status_code == 200
    assert await post(urls[0], silence) != names[0]
    assert await doors.connection.last_sequence("ORDERS") == 3


async def test_the_systems_own_alarms_are_not_shown_as_silenced(doors: Doors) -> None:
    headers = {"authorization": f"Bearer {doors.keys.give('ada')}"}
    answer = await doors.http.post(f"{doors.url}/api/v2/silences", json=silence_of("eu"), headers=headers)
    assert answer.status_code == 200
    await doors.alert("TocsinSourceDown", zone="eu")
    await doors.wait_for(incident_of("TocsinSourceDown"), ResponderPaged)
    (alert,) = (await doors.http.get(f"{doors.url}/api/v2/alerts")).json()
    assert alert["status"]["state"] == "active"


async def test_a_wrong_line_among_the_tokens_stops_nobody_else(doors: Doors) -> None:
    headers = {"authorization": f"Bearer {doors.keys.give('ada')}"}
    with doors.keys.path.open("a") as file:
        file.write("eve tcs_in_clear\n")
    assert (await doors.http.get(f"{doors.url}/readyz")).status_code == 200, "alerts are taken all the same"
    answer = await doors.http.post(f"{doors.url}/api/v2/silences", json=silence_of("eu"), headers=headers)
    assert answer.status_code == 200


# --- PagerDuty's events -----------------------------------------------------------------------------------------------


async def test_an_acknowledgement_reaches_the_incident_that_has_the_alert(doors: Doors) -> None:
    key = doors.keys.give("grafana")
    payload = {"summary": "it is down", "source": "db-1", "severity": "critical", "class": "Down"}
    assert (await doors.enqueue("trigger", key, payload=payload)).status_code == 202
    assert (await doors.enqueue("acknowledge", key)).status_code == 202
    (acknowledged,) = await doors.wait_for(incident_of("Down"), IncidentAcknowledged)
    assert acknowledged.by == Actor.person("grafana", "pagerduty-events")
    assert (await doors.enqueue("acknowledge", key)).status_code == 202
    assert (await doors.enqueue("resolve", key)).status_code == 202
    assert len(await doors.events(incident_of("Down"), IncidentAcknowledged)) == 1


async def test_while_nats_is_away_nothing_is_taken_and_afterwards_all_is(doors: Doors) -> None:
    key = doors.keys.give("grafana")
    payload = {"summary": "it is down", "source": "db-1", "severity": "critical", "class": "Down"}
    doors.nats.stop()
    assert (await doors.enqueue("trigger", key, payload=payload)).status_code == 503
    doors.nats.start()

    async def is_taken() -> bool:
        return (await doors.enqueue("trigger", key, payload=payload)).status_code == 202

    await until(is_taken, within=60)
    await doors.wait_for(incident_of("Down"), ResponderPaged)


ALERTMANAGER = """
route: {{receiver: tocsin, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: tocsin
    pagerduty_configs:
      - url: {url}/v2/enqueue
        routing_key: {key}
        severity: '{{{{ .CommonLabels.severity }}}}'
        class: '{{{{ .CommonLabels.alertname }}}}'
"""


@asynccontextmanager
async def alertmanager(folder: Path, config: str) -> AsyncIterator[str]:
    """A real one for as long as the block; its address."""
    (folder / "alertmanager.yml").write_text(config)
    address = f"127.0.0.1:{free_port()}"
    flags = ["--config.file=alertmanager.yml", f"--web.listen-address={address}", "--cluster.listen-address="]
    command = ("prometheus-alertmanager", *flags, f"--storage.path={folder}")
    with (folder / "alertmanager.log").open("wb") as output:
        process: Process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=DEVNULL, stdout=output, stderr=STDOUT, start_new_session=True
        )
        try:
            yield f"http://{address}"
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.mark.peers
@needs("prometheus-alertmanager")
async def test_a_real_alertmanager_pages_through_its_pagerduty_receiver_and_resolves(
    doors: Doors, tmp_path: Path
) -> None:
    config = ALERTMANAGER.format(url=doors.url, key=doors.keys.give("alertmanager"))
    labels = {"alertname": "CheckoutErrors", "severity": "critical", "zone": "eu-1"}
    async with alertmanager(tmp_path, config) as url:

        async def post(**more: str) -> bool:
            try:
                answer = await doors.http.post(f"{url}/api/v2/alerts", json=[{"labels": labels, **more}])
            except httpx.TransportError:
                return False
            return answer.status_code == 200

        await until(post)
        incident = incident_of("CheckoutErrors")
        (paged,) = await doors.wait_for(incident, ResponderPaged)
        assert (paged.target, paged.severity) == ("person:ada", "critical")
        (shown,) = (await doors.http.get(f"{doors.url}/api/v2/alerts")).json()
        expected = {
            "alertname": "CheckoutErrors",
            "integration": "alertmanager",
            "severity": "critical",
            "num_firing": "1",
        }
        assert {name: shown["labels"].get(name) for name in expected} == expected
        assert "zone = eu-1" in shown["annotations"]["firing"]
        assert await post(endsAt=datetime.now(UTC).isoformat())

        async def is_over() -> bool:
            return (await doors.http.get(f"{doors.url}/api/v2/alerts")).json() == []

        await until(is_over)
        (cleared,) = await doors.wait_for(incident, AlertCleared)
        assert cleared.reason == "recovered"
