"""A storm: 100,000 alerts of 1,000 groups, in any order, over HTTP. Tocsin and Debian's Alertmanager in turns.

Both are posted the same bodies by the same four senders. Tocsin is detector, nats-server that syncs every write and
one or two replicas of the escalator; it is measured until every group has an open incident and its first page is
requested in the log, and until every alert is part of its incident. Alertmanager has `group_wait: 1s`, keeps its alerts
in memory, and is measured until its webhook receiver has been told of every group.

Two replicas of the escalator get the alerts of all groups between them, and lose a race to each other in nearly every
batch. That no page is requested twice is checked in every run.
"""

import asyncio
import http.client
import json
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from bench.figures import Figure, spread_of
from bench.processes import Count, Stage, processor_seconds
from tocsin_runtime import Connection
from tocsin_testkit.processes import ServerProcess

ALERTS = 100_000
GROUPS = 1_000
SENDERS = 4
IN_ONE_REQUEST = 500
ROUNDS = 1
RUNS = ((1, 1.0), (2, 0.1))
"""Replicas of the escalator, and for which part of the alerts. The groups are the same."""
_NOW = b"@now@"
LIMIT = 300.0
"""Seconds after which it is not worth waiting."""

PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: storm}
severities:
  - {name: P1, acknowledge_within: 15m, resolve_within: 4h, update_every: 30m}
group: {by: [service]}
oncall:
  people:
    - {name: ada, contacts: [{channel: slack, address: "#incidents"}]}
    - {name: bob, contacts: [{channel: slack, address: "#incidents"}]}
escalate:
  - severities: [P1]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 15m, notify: ["person:bob"]}
communicate:
  channels:
    - {name: slack, slack: {token: {env: TOCSIN_SLACK_TOKEN}}}
"""

ALERTMANAGER = """\
route: {{receiver: counter, group_by: [service], group_wait: 1s, group_interval: 5m, repeat_interval: 4h}}
receivers:
  - name: counter
    webhook_configs: [{{url: "http://127.0.0.1:{port}/", send_resolved: false}}]
"""


class Alertmanager(ServerProcess):
    """Debian's, with everything but its alerts in a folder."""

    name = "alertmanager"

    def __init__(self, folder: Path, counter: int) -> None:
        super().__init__(folder)
        self._counter = counter

    def prepare(self) -> None:
        (self.folder / "alertmanager.yml").write_text(ALERTMANAGER.format(port=self._counter))

    def command(self) -> Sequence[str]:
        program = shutil.which("prometheus-alertmanager")
        if program is None:
            raise FileNotFoundError("no prometheus-alertmanager; Debian's package of that name has it")
        return [
            program,
            f"--config.file={self.folder}/alertmanager.yml",
            f"--storage.path={self.folder}/data",
            f"--web.listen-address={self.host}:{self.port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=1)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except http.client.HTTPException:
            return False
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class _Storm:
    """Seconds from the first request: until all groups are told, all is posted, all is done; and processor time."""

    told: float
    posted: float
    done: float
    cpu: float


def measure(share: float = 1.0) -> list[Figure]:
    figures = []
    for turn, (replicas, part) in enumerate(RUNS):
        alerts, groups = int(ALERTS * part * share), max(2, int(GROUPS * share))
        ours: list[_Storm] = []
        theirs: list[_Storm] = []
        for _ in range(ROUNDS):
            bodies = _bodies(alerts, groups, turn)
            if (turn + len(ours)) % 2:
                ours.append(_tocsin(bodies, alerts, groups, replicas))
                theirs.append(_alertmanager(bodies, groups))
            else:
                theirs.append(_alertmanager(bodies, groups))
                ours.append(_tocsin(bodies, alerts, groups, replicas))
        figures += _figures(ours, theirs, f"{alerts:,} alerts, {replicas} escalator{'s' if replicas > 1 else ''}")
    return figures


def _figures(ours: Sequence[_Storm], theirs: Sequence[_Storm], what: str) -> list[Figure]:
    ratios = [our.told / their.told for our, their in zip(ours, theirs, strict=True)]
    return [
        spread_of(f"{what}: all open, pages requested", [each.told for each in ours], "s"),
        spread_of(f"{what}: that, times Alertmanager's", ratios, "x", target=1.0),
        spread_of(f"{what}: all posted", [each.posted for each in ours], "s"),
        spread_of(f"{what}: each in its incident", [each.done for each in ours], "s"),
        spread_of(f"{what}: processor, all services", [each.cpu for each in ours], "CPU s"),
        spread_of("  Alertmanager: all groups told", [each.told for each in theirs], "s"),
        spread_of("  Alertmanager: all posted", [each.posted for each in theirs], "s"),
        spread_of("  Alertmanager: processor", [each.cpu for each in theirs], "CPU s"),
    ]


# --- the two --------------------------------------------------------------------------------------------------------


def _tocsin(bodies: Sequence[bytes], alerts: int, groups: int, replicas: int) -> _Storm:
    with TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True) as name, Stage(Path(name)) as stage:
        stage.push(PLAYBOOK)
        detector = stage.add("detector")
        for number in range(replicas):
            stage.add("escalator", number)
        before = processor_seconds(stage.processes)
        senders = _Senders(f"127.0.0.1:{detector.port}", bodies)
        began = senders.start()
        told, done = asyncio.run(_watch(stage, alerts, groups, began))
        posted = senders.join() - began
        return _Storm(told - began, posted, done - began, processor_seconds(stage.processes) - before)


async def _watch(stage: Stage, alerts: int, groups: int, began: float) -> tuple[float, float]:
    """When all pages were requested, and when all alerts were taken. Raises RuntimeError for a page too many."""
    connection = await stage.connect()
    try:
        pages, taken = Count(connection, "responder_paged"), Count(connection, "alert_grouped")
        await pages.begin()
        await taken.begin()
        told = await _reach(pages, groups, began)
        done = await _reach(taken, alerts, began)
        await _check(connection, pages, groups)
        if (number := await taken.now()) != alerts:
            raise RuntimeError(f"{number} alerts were taken into incidents, of {alerts}")
    finally:
        await connection.close()
    return told, done


async def _reach(count: Count, number: int, began: float) -> float:
    while (now := await count.now()) < number:
        if time.monotonic() - began > LIMIT:
            raise RuntimeError(f"{now} of {number} after {LIMIT:g} s")
        await asyncio.sleep(0.02)
    return time.monotonic()


async def _check(connection: Connection, pages: Count, groups: int) -> None:
    found = await pages.by_incident()
    opened = await Count(connection, "opened").by_incident()
    if len(opened) != groups or len(found) != groups or set(found.values()) != {1}:
        most = max(found.values(), default=0)
        raise RuntimeError(f"{len(opened)} incidents and {len(found)} paged of {groups}; one of them {most} times")


def _alertmanager(bodies: Sequence[bytes], groups: int) -> _Storm:
    command = [sys.executable, "-m", "bench.counter", str(groups)]
    counter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert counter.stdout is not None
        port = int(counter.stdout.readline())
        with (
            TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True) as name,
            Alertmanager(Path(name), port) as peer,
        ):
            before = processor_seconds([peer])
            senders = _Senders(f"{peer.host}:{peer.port}", bodies)
            began = senders.start()
            posted = senders.join() - began
            told = float(counter.stdout.readline()) - began
            return _Storm(told, posted, max(told, posted), processor_seconds([peer]) - before)
    finally:
        counter.terminate()
        counter.communicate()


# --- the alerts ------------------------------------------------------------------------------------------------------


class _Senders:
    """Post the bodies from several threads, each over one connection, and again where they were not taken."""

    def __init__(self, address: str, bodies: Sequence[bytes]) -> None:
        self._address = urlsplit(f"http://{address}")
        # Alertmanager does not wait for what began longer ago than `group_wait`.
        now = datetime.now(UTC).isoformat().encode()
        self._bodies = [body.replace(_NOW, now) for body in bodies]
        self._failures: list[str] = []
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]

    def start(self) -> float:
        """When the first one begins."""
        began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return began

    def join(self) -> float:
        """When the last one was taken."""
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise RuntimeError(self._failures[0])
        return time.monotonic()

    def _send(self, number: int) -> None:
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        for body in self._bodies[number::SENDERS]:
            status = http.HTTPStatus.SERVICE_UNAVAILABLE
            while status == http.HTTPStatus.SERVICE_UNAVAILABLE:
                connection.request("POST", "/api/v2/alerts", body, headers)
                response = connection.getresponse()
                text, status = response.read(), http.HTTPStatus(response.status)
            if status != http.HTTPStatus.OK:
                self._failures.append(f"{status}: {text[:200]!r}")
                return
        connection.close()


def _bodies(alerts: int, groups: int, seed: int) -> list[bytes]:
    """Requests, with the alerts in any order, the same for the same seed."""
    times = {"startsAt": _NOW.decode(), "endsAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    annotations = {
        "summary": "requests fail",
        "description": "more than one in twenty requests fails since two minutes",
    }
    made = [
        {
            "labels": {
                "alertname": f"Broken{number % 7}",
                "service": f"service{number % groups}",
                "host": f"host{number // groups}.example.org",
                "severity": "P1",
            },
            "annotations": annotations,
            "generatorURL": "http://prometheus.example.org/graph",
            **times,
        }
        for number in range(alerts)
    ]
    random.Random(seed).shuffle(made)
    return [json.dumps(made[start : start + IN_ONE_REQUEST]).encode() for start in range(0, len(made), IN_ONE_REQUEST)]
