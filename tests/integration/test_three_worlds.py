"""One scenario, three worlds: virtual time, one process on a real NATS, ten processes on a real NATS.

The log is the same in all of them, ids included: what is rehearsed is what runs.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from system import SLACK_TOKEN, System
from target import Target

from tocsin.demo.stage import Tocsin
from tocsin_rehearsal.cases.loader import load_cases
from tocsin_rehearsal.perform.case import perform
from tocsin_runtime import Connection
from tocsin_runtime.bus.log import IncidentLog
from tocsin_schemas import Envelope, Event
from tocsin_schemas.events import IncidentResolved
from tocsin_schemas.moments import format_moment
from tocsin_testkit.receivers.slack import SlackDouble

LABELS = {"alertname": "Broken", "service": "shop", "severity": "P1"}
FIRES = timedelta(seconds=7)
PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {{name: worlds}}
severities: [{{name: P1, acknowledge_within: 2s, automation: automatic}}]
group: {{by: [service], watch_for: 2s, reopen_within: 1h}}
oncall:
  people:
    - {{name: ada, contacts: [{{channel: slack, address: "#incidents"}}]}}
    - {{name: grace, contacts: [{{channel: slack, address: "#incidents"}}]}}
escalate:
  - severities: [P1]
    levels: [{{after: 0s, notify: ["person:ada"]}}, {{after: 3s, notify: ["person:grace"]}}]
remediate:
  runbooks:
    - name: mend
      when: incident.labels.service == "shop"
      steps:
        - name: mend
          http: {{method: POST, url: "{target}/second"}}
          verify: {{http: {{url: "{target}/health"}}, within: 3s, every: 100ms}}
communicate:
  channels:
    - {{name: slack, slack: {{url: "{slack}", token: {{env: TOCSIN_SLACK_TOKEN}}}}}}
"""
CASE = """\
apiVersion: tocsin/v1
kind: PlaybookTest
playbook: playbook.yaml
start: {start}
tests:
  - name: mended, not acknowledged, escalated, resolved
    given: {{alerts: [{{labels: {labels}, until: 7s}}]}}
    expect: [{{by: 10s, incident: resolved}}]
    until: 12s
"""

Said = dict[str, list[tuple[str, str]]]
"""By service: the type and id of each event, in order."""


def said(events: Sequence[Envelope[Event]]) -> Said:
    by_service: Said = defaultdict(list)
    for event in events:
        by_service[event.data.OWNER].append((event.type, event.id))
    for service in ("remediator", "notifier"):  # messages to several places are sent side by side
        by_service[service].sort()
    return dict(by_service)


def rehearsed(folder: Path, playbook: str, start: datetime) -> Said:
    (folder / "playbook.yaml").write_text(playbook)
    labels = "{" + ", ".join(f"{name}: {value}" for name, value in LABELS.items()) + "}"
    (folder / "test.yaml").write_text(CASE.format(start=format_moment(start), labels=labels))
    file = load_cases(folder / "test.yaml")
    return said(perform(file, file.cases[0]).world.log)


async def played(alerts_url: str, connection: Connection, start: datetime) -> Said:
    """The same in real time: the alert fires, and ends after as long."""
    url = f"{alerts_url}/api/v2/alerts"
    began = {"labels": LABELS, "startsAt": format_moment(start)}
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        (await client.post(url, json=[began])).raise_for_status()
        await asyncio.sleep(FIRES.total_seconds())
        ended = {**began, "endsAt": format_moment(datetime.now(UTC))}
        (await client.post(url, json=[ended])).raise_for_status()
    async with asyncio.timeout(60):
        while True:
            incidents = await _incidents(connection)
            events = await IncidentLog(connection).load(incidents[0]) if incidents else []
            if any(isinstance(event.data, IncidentResolved) for event in events):
                await asyncio.sleep(2)  # the last messages leave, and their receipts are written
                return said(await IncidentLog(connection).load(incidents[0]))
            await asyncio.sleep(0.1)


async def _incidents(connection: Connection) -> list[str]:
    answer = await connection.request(
        "$JS.API.STREAM.INFO.INCIDENTS", b'{"subjects_filter":"tocsin.incidents.*.escalator.opened"}'
    )
    return [subject.split(".")[2] for subject in (answer["state"].get("subjects") or {})]


@pytest.mark.timeout(240)
async def test_one_process_decides_as_rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_SLACK_TOKEN", SLACK_TOKEN)
    with Target() as target, SlackDouble(token=SLACK_TOKEN) as slack:
        text = PLAYBOOK.format(target=target.url, slack=slack.api_url)
        (tmp_path / "up.yaml").write_text(text)
        with Tocsin(tmp_path / "tocsin", tmp_path / "up.yaml") as up:
            start = datetime.now(UTC).replace(microsecond=0)
            async with up.place.connection("recorder") as connection:
                real = await played(up.reach.alertmanager_url, connection, start)
    assert real == rehearsed(tmp_path, text, start)


@pytest.mark.timeout(240)
async def test_ten_processes_decide_as_rehearsed(tmp_path: Path) -> None:
    with Target() as target, System(tmp_path, replicas=2) as system:
        text = PLAYBOOK.format(target=target.url, slack=system.slack.api_url)
        await system.push(text)
        await asyncio.to_thread(system.start_services)
        start = datetime.now(UTC).replace(microsecond=0)
        connection = await system.connect()
        try:
            real = await played(system.first("detector").url, connection, start)
        finally:
            await connection.close()
    assert real == rehearsed(tmp_path, text, start)
