"""What Debian's own programs make of the detector: amtool, a real Prometheus, and the real Alertmanager beside it."""

import asyncio
import json
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from detector_system import System

from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_testkit.ports import free_port


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"Debian's {program} is not installed here")


pytestmark = [pytest.mark.peers]


async def amtool(system: System, *arguments: str, status: int = 0) -> str:
    process = await asyncio.create_subprocess_exec(
        "amtool", f"--alertmanager.url={system.host.ops.url}", *arguments, stdout=PIPE, stderr=PIPE
    )
    said, complained = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == status, complained.decode()
    return said.decode() if status == 0 else complained.decode()


@asynccontextmanager
async def running(folder: Path, *command: str) -> AsyncIterator[Process]:
    """A program for as long as the block; its output goes to a file in the folder."""
    with (folder / f"{command[0]}.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=DEVNULL, stdout=output, stderr=STDOUT, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def until(holds: Callable[[], Awaitable[bool]], within: float = 20) -> None:
    async with asyncio.timeout(within):
        while not await holds():
            await asyncio.sleep(0.05)


async def answers(system: System, url: str) -> bool:
    try:
        return (await system.http.get(url)).status_code == 200
    except httpx.TransportError:
        return False


# --- amtool -----------------------------------------------------------------------------------------------------------


@needs("amtool")
async def test_amtool_adds_an_alert(system: System) -> None:
    await amtool(system, "alert", "add", "alertname=Down", "severity=P1", "host=a b")
    await system.until_story("AlertFired Down")
    fired = system.log[0].data
    assert isinstance(fired, AlertFired)
    assert dict(fired.labels) == {"alertname": "Down", "severity": "P1", "host": "a b"}
    assert fired.expires_at is not None
    assert abs(fired.expires_at - datetime.now(UTC) - timedelta(minutes=5)) < timedelta(seconds=20)


@needs("amtool")
async def test_amtool_adds_an_alert_with_start_end_annotations_and_link(system: System) -> None:
    start, end = datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC) + timedelta(minutes=1)
    times = [f"--start={start:%Y-%m-%dT%H:%M:%SZ}", f"--end={end:%Y-%m-%dT%H:%M:%SZ}"]
    link = "--generator-url=http://prometheus.example/graph"
    await amtool(system, "alert", "add", *times, link, "--annotation=summary=It is down", "Down", "host=a")
    await system.until_story("AlertFired Down")
    fired = system.log[0].data
    assert isinstance(fired, AlertFired)
    assert fired.starts_at == start.replace(microsecond=0)
    assert fired.expires_at == end.replace(microsecond=0)
    assert (fired.summary, fired.generator_url) == ("It is down", "http://prometheus.example/graph")
    past = [f"--start={start:%Y-%m-%dT%H:%M:%SZ}", f"--end={datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"]
    await amtool(system, "alert", "add", *past, "Down", "host=a")
    await system.until_story("AlertFired Down", "AlertResolved Down")


@needs("amtool")
async def test_amtool_hears_why_an_alert_is_refused(system: System) -> None:
    times = ["--start=2026-03-01T12:00:00Z", "--end=2026-03-01T11:00:00Z"]
    assert "alert 0: endsAt lies before startsAt" in await amtool(system, "alert", "add", *times, "Down", status=1)


@needs("amtool")
async def test_amtool_queries_alerts(system: System) -> None:
    await system.post({"labels": {"alertname": "Down", "zone": "eu-1"}}, {"labels": {"alertname": "Slow"}})

    async def names(*matchers: str) -> list[str]:
        said = await amtool(system, "alert", "query", "--output=json", *matchers)
        return sorted(alert["labels"]["alertname"] for alert in json.loads(said))

    assert await names() == ["Down", "Slow"]
    assert await names("alertname=Down") == ["Down"]
    assert await names("Down") == ["Down"]
    assert await names("zone=~eu-.*") == ["Down"]
    assert await names('alertname!="Down"') == ["Slow"]
    assert await names("alertname=~Down|Slow", "zone!~eu-.*") == ["Slow"]
    assert "Down" in await amtool(system, "alert", "query")
    assert "alternatives of words" in await amtool(system, "alert", "query", "zone=~(a+)+$", status=1)


@needs("amtool")
async def test_amtool_shows_the_configuration(system: System) -> None:
    assert "receiver: tocsin" in await amtool(system, "config", "show")


# --- Alertmanager -----------------------------------------------------------------------------------------------------


@needs("prometheus-alertmanager")
async def test_alertmanager_shows_the_same_alerts(system: System, tmp_path: Path) -> None:
    """What was posted to both is shown by both alike: labels, fingerprint, times, annotations."""
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    address = f"127.0.0.1:{free_port()}"
    flags = ["--config.file=alertmanager.yml", f"--web.listen-address={address}", "--cluster.listen-address="]
    posted = [
        {"labels": {"alertname": "A"}},
        {"labels": {"alertname": "B", "empty": "", "text": 'ü "quoted" \\ and\nmore'}, "annotations": {"summary": "s"}},
        {"labels": {"no_name": "x"}, "startsAt": "2026-01-01T00:00:00Z", "generatorURL": "http://prometheus.example/"},
        {"labels": {"alertname": "C"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T01:00:00Z"},
        {"labels": {"alertname": "D"}, "startsAt": "0001-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"},
    ]
    async with running(tmp_path, "prometheus-alertmanager", *flags, f"--storage.path={tmp_path}"):
        await until(lambda: answers(system, f"http://{address}/-/ready"))
        theirs = await _shown_after_posting(system, f"http://{address}", posted)
    assert await _shown_after_posting(system, system.host.ops.url, posted) == theirs
    assert len(theirs) == 4


async def _shown_after_posting(system: System, url: str, alerts: list[dict[str, object]]) -> dict[str, object]:
    assert (await system.http.post(f"{url}/api/v2/alerts", json=alerts)).status_code == 200
    shown = (await system.http.get(f"{url}/api/v2/alerts")).json()
    return {
        alert["fingerprint"]: (
            alert["labels"],
            alert["annotations"],
            alert.get("generatorURL"),
            alert["status"]["silencedBy"],
            alert["startsAt"][:10],
        )
        for alert in shown
    }


# --- Prometheus -------------------------------------------------------------------------------------------------------

PROMETHEUS = """
global: {{evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - api_version: v2
      static_configs: [{{targets: ["{target}"]}}]
"""
RULES = """
groups:
  - name: test
    rules:
      - alert: AlwaysFiring
        expr: vector({value}) > 0
        labels: {{severity: P1}}
        annotations: {{summary: "value {{{{ $value }}}}"}}
"""


@needs("prometheus")
async def test_prometheus_sends_its_alerts_renews_them_without_a_flood_and_resolves_them(
    system: System, tmp_path: Path
) -> None:
    target = system.host.ops.url.removeprefix("http://")
    (tmp_path / "prometheus.yml").write_text(PROMETHEUS.format(target=target))
    (tmp_path / "rules.yml").write_text(RULES.format(value=1))
    web = f"127.0.0.1:{free_port()}"
    flags = [
        "--config.file=prometheus.yml",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={web}",
        "--web.enable-lifecycle",
        "--rules.alert.resend-delay=1s",
    ]
    async with running(tmp_path, "prometheus", *flags):
        await until(lambda: answers(system, f"http://{web}/-/ready"), within=30)
        await system.until_story("AlertFired AlwaysFiring", within=30)
        fired = system.log[0].data
        assert isinstance(fired, AlertFired)
        assert (fired.summary, fired.severity) == ("value 1", "P1")
        assert fired.expires_at is not None
        assert fired.generator_url is not None
        await asyncio.sleep(6)  # it sends every second, each time with a later end
        renewals = [envelope.data for envelope in system.log[1:]]
        assert 1 <= len(renewals) <= 4
        assert {event.episode for event in renewals if isinstance(event, AlertFired)} == {fired.episode}
        (tmp_path / "rules.yml").write_text(RULES.format(value=0))
        assert (await system.http.post(f"http://{web}/-/reload")).status_code == 200
        await system.until(lambda: isinstance(system.log[-1].data, AlertResolved), within=30)
    resolved = system.log[-1].data
    assert isinstance(resolved, AlertResolved)
    assert resolved.reason in {"recovered", "expired"}  # on a busy machine Prometheus may be late with its word
    assert resolved.episode == fired.episode
