"""`tocsin test`: what is found, what is told, and the exit status."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tocsin import testing
from tocsin.main import app
from tocsin.testing import TestOptions, watch

STOREFRONT = Path(__file__).parents[2] / "examples" / "storefront" / "playbook.yaml"
GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
GOOD = """\
apiVersion: tocsin/v1
kind: PlaybookTest
playbook: playbook.yaml
tests:
  - name: somebody is paged
    given: {alerts: [{labels: {alertname: QueueStuck, service: queue, severity: P1}}]}
    expect: [{by: 5s, pages: {who: ada}}]
    until: 10s
"""
BAD = GOOD.replace("who: ada", "who: grace").replace("somebody is paged", "grace [on call] is paged")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "playbook.yaml").write_text(STOREFRONT.read_text())
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "good.yaml").write_text(GOOD.replace("playbook.yaml", "../playbook.yaml"))
    return tmp_path


def tocsin(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["test", *map(str, words)], env={"COLUMNS": "120"})
    return result.exit_code, result.stdout


def test_all_tests_of_a_folder_are_found_and_nothing_else(place: Path) -> None:
    (place / ".hidden").mkdir()
    (place / ".hidden" / "bad.yaml").write_text(BAD)
    status, output = tocsin(place)
    assert status == 0
    assert "✓ somebody is paged" in output
    assert "1 passed in" in output


def test_tests_of_the_folder_above_are_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place / "tests")
    assert tocsin("..")[0] == 0


def test_a_failure_is_shown_beside_what_was_seen_and_the_status_is_one(place: Path) -> None:
    (place / "tests" / "bad.yaml").write_text(BAD.replace("playbook.yaml", "../playbook.yaml"))
    status, output = tocsin(place)
    assert status == 1
    assert "✗ grace [on call] is paged" in output
    assert "bad.yaml:5" in output
    assert "> by 5s: grace is paged" in output
    assert "1 passed, 1 failed" in output


def test_a_difference_is_red_in_all_its_lines_and_nothing_else_is() -> None:
    lines = [
        "  expected            | seen",
        "> by 5m: ada is paged | 5m nobody is paged",
        "    by slack          |   since no alert",
        "                      |   fires",
        "                      | 6m alert ends",
        "x by 6m: grace is     | (nobody)",
        "    paged             |",
        "  by 7m: met          |",
    ]
    styles = [style for _, style in testing._styled(lines)]
    assert styles == ["", *["bold red"] * 3, "", "red", "red", ""]


def test_what_cannot_be_read_is_told_with_its_place_and_the_status_is_two(place: Path) -> None:
    (place / "tests" / "odd.yaml").write_text(GOOD.replace("playbook.yaml", "../playbook.yaml").replace("ada", "adda"))
    status, output = tocsin(place)
    assert status == 2
    assert "odd.yaml:7:" in output
    assert "the playbook has no person 'adda'" in output
    assert "1 of 2 files cannot be read" in output


def test_where_there_are_no_tests_it_says_so(tmp_path: Path) -> None:
    status, output = tocsin(tmp_path)
    assert status == 2
    assert "no tests found" in output


def test_only_the_chosen_ones_are_performed(place: Path) -> None:
    (place / "tests" / "bad.yaml").write_text(BAD.replace("playbook.yaml", "../playbook.yaml"))
    assert tocsin(place, "-k", "SOMEBODY")[0] == 0
    assert tocsin(place, "-k", "nobody")[0] == 2


def test_a_ci_gets_its_xml(place: Path) -> None:
    (place / "tests" / "bad.yaml").write_text(BAD.replace("playbook.yaml", "../playbook.yaml"))
    tocsin(place, "--junit", place / "out.xml")
    root = ElementTree.parse(place / "out.xml").getroot()  # noqa: S314  # our own file
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "1", "0")


def test_coverage_names_what_no_test_has_reached(place: Path) -> None:
    status, output = tocsin(place, "--coverage")
    assert status == 0
    assert "never exercised  detect: rule CheckoutErrors" in output
    assert "never exercised  escalate: P1 at 0s" not in output


def test_watching_performs_them_again_when_a_file_changes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    performed = threading.Semaphore(0)
    monkeypatch.setattr(testing, "_LOOK_EVERY", 0.01)
    monkeypatch.setattr(testing, "test", lambda options, out: performed.release())
    options = TestOptions((place,))
    threading.Thread(target=watch, args=(options, Console(quiet=True)), daemon=True).start()
    assert performed.acquire(timeout=30)
    changed = place / "playbook.yaml"
    deadline = time.monotonic() + 30
    while not performed.acquire(timeout=0.2):
        assert time.monotonic() < deadline
        changed.write_text(changed.read_text() + "\n")


def test_watching_ends_well_with_ctrl_c(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(testing.time, "sleep", interrupted)
    status, output = tocsin(place, "--watch")
    assert (status, output.splitlines()[-1]) == (0, "watching; Ctrl-C ends it")


def test_ctrl_c_while_tests_are_performed_ends_quietly(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(testing, "result_of", interrupted)
    assert tocsin(place, "--watch")[0] == 130
    assert tocsin(place)[0] == 130


def test_ctrl_c_while_the_command_is_imported_ends_quietly(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-m", "tocsin", "test"], env=environment, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, b"", b"")


@pytest.mark.parametrize("name", ["storefront-escalated", "storefront-mitigated"])
def test_a_recorded_incident_becomes_a_test_that_passes(tmp_path: Path, name: str) -> None:
    if (GOLDEN / f"{name}.differences").exists():
        pytest.skip("today's code decides otherwise than that night, on purpose")
    status, output = tocsin("--from", GOLDEN / f"{name}.jsonl", "--write", tmp_path / "that_night.yaml")
    assert status == 0, output
    assert "✓ that night" in output
    assert (tmp_path / "that_night.playbook.yaml").exists()
    again, output = tocsin("--from", GOLDEN / f"{name}.jsonl", "--write", tmp_path / "that_night.yaml")
    assert (again, "File exists" in output) == (2, True)


def test_what_no_test_can_be_made_of_is_said(tmp_path: Path) -> None:
    lines = (GOLDEN / "storefront-mitigated.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "empty.jsonl").write_text(lines[0])
    (tmp_path / "odd.jsonl").write_text("nonsense\n")
    status, output = tocsin("--from", tmp_path / "empty.jsonl", "--write", tmp_path / "t.yaml")
    assert (status, "holds no playbook" in output) == (2, True)
    status, output = tocsin("--from", tmp_path / "odd.jsonl", "--write", tmp_path / "t.yaml")
    assert (status, "odd.jsonl" in output) == (2, True)
    assert tocsin("--from", tmp_path / "odd.jsonl")[0] == 1
    assert not (tmp_path / "t.yaml").exists()
