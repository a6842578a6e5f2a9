"""`tocsin up`: everything with one command; a second start continues where the first ended; nothing is left behind."""

import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from chaos_playbook import chaos_playbook

from tocsin.demo.stage import Tocsin
from tocsin_testkit.processes import is_running
from tocsin_testkit.receivers.slack import SlackDouble

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackDouble]:
    monkeypatch.setenv("TOCSIN_SLACK_TOKEN", "xoxb-up")
    with SlackDouble(token="xoxb-up") as double:
        yield double


@pytest.fixture
def up(tmp_path: Path, slack: SlackDouble) -> Iterator[Tocsin]:
    playbook = tmp_path / "playbook.yaml"
    playbook.write_text(chaos_playbook("http://127.0.0.1:9", slack.api_url, 9))
    made = Tocsin(tmp_path / "tocsin", playbook)
    yield made
    made.stop()


def post(up: Tocsin, service: str) -> None:
    alert = {"labels": {"alertname": "Broken", "service": service, "severity": "P1"}}
    url = f"{up.reach.alertmanager_url}/api/v2/alerts"
    httpx.post(url, json=[alert], trust_env=False, timeout=10).raise_for_status()


def incidents(up: Tocsin) -> list[str]:
    answer = httpx.get(f"{up.reach.console_url}/api/v1/incidents", trust_env=False, timeout=10)
    return [item["title"] for item in answer.json()["incidents"]]


def until_recorded(up: Tocsin, service: str) -> None:
    deadline = time.monotonic() + 20
    while not any(service in title for title in incidents(up)):
        assert time.monotonic() < deadline, incidents(up)
        time.sleep(0.05)


@pytest.mark.timeout(120)
def test_a_second_start_continues_where_the_first_ended(up: Tocsin, slack: SlackDouble) -> None:
    up.start()
    post(up, "shop")
    slack.wait(lambda message: "shop" in message.text or "shop" in str(message.blocks))
    until_recorded(up, "shop")
    up.stop()
    up.start()
    assert any("shop" in title for title in incidents(up))
    post(up, "other")
    until_recorded(up, "other")
    assert len(incidents(up)) == 2
    assert not slack.duplicates()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_drains_and_stops_everything_that_it_started(up: Tocsin, how: signal.Signals) -> None:
    up.start()
    process = psutil.Process(up.reach.pid)
    servers = [child.pid for child in process.children(recursive=True)]
    assert len(servers) == 2
    process.send_signal(how)
    assert process.wait(30) in {0, None}
    assert [pid for pid in servers if is_running(pid)] == []
    assert up.place.reach() is None


@pytest.mark.timeout(120)
def test_a_killed_one_leaves_nothing_running_and_nothing_lost(up: Tocsin, slack: SlackDouble) -> None:
    up.start()
    post(up, "shop")
    slack.wait(lambda message: "shop" in message.text or "shop" in str(message.blocks))
    servers = [child.pid for child in psutil.Process(up.reach.pid).children(recursive=True)]
    up.kill()
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in servers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    up.start()
    until_recorded(up, "shop")


@pytest.mark.timeout(120)
def test_two_cannot_use_one_folder(up: Tocsin) -> None:
    up.start()
    second = subprocess.run(up.command(), capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "is in use by process" in second.stderr
    assert httpx.get(f"{up.reach.console_url}/readyz", trust_env=False).is_success


@pytest.mark.timeout(120)
def test_secrets_are_for_the_owner_only_and_nobody_comes_in_without_one(up: Tocsin) -> None:
    up.start()
    for name in ("identities.json", "running.json"):
        assert stat.S_IMODE((up.place.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(up.place.folder.stat().st_mode) == 0o700
    for password in up.place.passwords().values():
        assert password not in up.log()
    anonymous = (
        "import asyncio, nats, sys\n"
        "async def main():\n"
        "    try: await nats.connect(sys.argv[1], max_reconnect_attempts=1, allow_reconnect=False)\n"
        "    except Exception as error: print(error)\n"
        "asyncio.run(main())\n"
    )
    tried = subprocess.run(
        [sys.executable, "-c", anonymous, up.reach.nats_url], capture_output=True, text=True, timeout=30, check=False
    )
    assert "Authorization Violation" in tried.stdout


@pytest.mark.timeout(120)
def test_who_is_given_a_token_while_it_runs_comes_in_and_who_loses_it_does_not(up: Tocsin) -> None:
    up.start()

    def tocsin(*words: str) -> str:
        command = [sys.executable, "-m", "tocsin", "tokens", *words, "--data", str(up.place.folder)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()

    def status(token: str) -> int:
        return httpx.post(
            f"{up.reach.console_url}/api/v1/commands/acknowledge",
            json={"incident": "nobody"},
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=10,
        ).status_code

    token = tocsin("add", "ada")
    assert (status("none"), status(token)) == (401, 404)
    tocsin("revoke", "ada")
    assert status(token) == 401
    assert token not in up.log()


@pytest.mark.timeout(120)
def test_a_playbook_that_is_wrong_is_refused_before_anything_runs(up: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "playbook.yaml").write_text("apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: x}\n")
    started = subprocess.run(up.command(), capture_output=True, text=True, timeout=60, check=False)
    assert started.returncode == 1
    assert "playbook.yaml:" in started.stdout
    assert "severities" in started.stdout


@pytest.mark.timeout(120)
def test_the_ten_lines_of_python_in_the_readme_page_somebody(up: Tocsin, slack: SlackDouble, tmp_path: Path) -> None:
    up.start()
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len([line for line in program.splitlines() if line.strip()]) <= 10
    (tmp_path / ".tocsin").symlink_to(up.place.folder)
    # test_readme.py has the other ways of sending alerts
    written = program.replace('"page"', '"P1"')  # a severity of this playbook
    subprocess.run([sys.executable, "-c", written], cwd=tmp_path, timeout=60, check=True)
    slack.wait(lambda message: "nothing has left the queue" in str(message), timedelta(seconds=30))
