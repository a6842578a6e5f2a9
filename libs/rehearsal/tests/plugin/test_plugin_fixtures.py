"""The pytest plugin: its markers and fixtures, and what a test that fails shows."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest
from plugin_nights import SHOP, a_night

from tocsin_rehearsal.recording import Meta, RecordingFile
from tocsin_rehearsal.staging import Stage, quiet

pytest_plugins = ["pytester"]

BROKEN = SHOP.replace("after: 10m", "after: soon")
FIRES = """
import pytest
from datetime import datetime, timedelta, UTC

def fire(world):
    world.alert({"alertname": "CheckoutErrors", "service": "checkout", "severity": "P1"})
    world.run_until(timedelta(minutes=2))
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "night.jsonl"
    with quiet():
        stage = Stage(path.parent)
        with RecordingFile(path, Meta(version="0.1.0", recorded_at="2026-01-05T10:00:00Z")) as file:
            for message in a_night(stage).messages:
                file.write(message)
        stage.close()
    return path


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, recording: Path) -> pytest.Pytester:
    """`recording` comes first: a world has imported by then what cannot be imported twice in one process."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the others are slow to load and not needed
    pytester.makefile(".yaml", shop=SHOP, broken=BROKEN)
    return pytester


def run(folder: pytest.Pytester, text: str, *arguments: str) -> pytest.RunResult:
    folder.makepyfile(FIRES + dedent(text))
    plugin = ("-p", "tocsin_rehearsal.plugin", "-p", "no:cacheprovider", "--strict-markers")
    return folder.runpytest_inprocess(*plugin, *arguments)


# --- the plugin -------------------------------------------------------------------------------------------------------


def test_pytest_finds_the_plugin() -> None:
    (plugin,) = entry_points(group="pytest11", name="tocsin_rehearsal")

    assert plugin.value == "tocsin_rehearsal.plugin"


def test_importing_the_plugin_imports_no_service() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import tocsin_rehearsal.plugin\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["tocsin_rehearsal"]


def test_the_markers_are_known_to_pytest(folder: pytest.Pytester) -> None:
    result = run(folder, "", "--markers")

    result.stdout.fnmatch_lines(["@pytest.mark.playbook(*files, *replicas*", "@pytest.mark.replay(file, *tolerance*"])


# --- worlds -----------------------------------------------------------------------------------------------------------


def test_a_world_is_one_of_the_marked_playbook(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        """
        @pytest.mark.playbook("shop.yaml", replicas=2, start=datetime(2026, 3, 1, tzinfo=UTC), leave_out=["notifier"])
        def test_it(world):
            fire(world)
            assert [incident.severity for incident in world.incidents] == ["P1"]
            assert world.start.month == 3
            assert "escalator-2" in world.replicas
            assert "notifier-1" not in world.replicas
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_marker_of_a_class_holds_for_its_tests(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        """
        @pytest.mark.playbook("shop.yaml")
        class TestShop:
            def test_usual(self, world):
                assert world.start.month == 1

            @pytest.mark.playbook("shop.yaml", start=datetime(2026, 3, 1, tzinfo=UTC))
            def test_own(self, world):
                assert world.start.month == 3
        """,
    )
    result.assert_outcomes(passed=2)


def test_files_are_relative_to_the_tests_file(folder: pytest.Pytester) -> None:
    below = folder.mkdir("below")
    (below / "test_it.py").write_text(
        'import pytest\n@pytest.mark.playbook("../shop.yaml")\ndef test_it(world):\n    assert world.playbooks\n'
    )
    run(folder, "", "below").assert_outcomes(passed=1)


def test_each_test_has_its_own_world_and_it_is_closed_afterwards(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        """
        before = []

        @pytest.mark.playbook("shop.yaml")
        def test_one(world):
            before.append(world)
            fire(world)

        @pytest.mark.playbook("shop.yaml")
        def test_other(world):
            assert before[0].loop.is_closed()
            assert not world.loop.is_closed()
            assert world.log == []
        """,
    )
    result.assert_outcomes(passed=2)


def test_runbooks_may_reach_the_hosts_that_they_name_unless_the_test_says_otherwise(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        """
        @pytest.mark.playbook("shop.yaml")
        def test_reached(world):
            fire(world)
            assert "https://shop.example/clear" in [call.url for call in world.calls]

        @pytest.mark.playbook("shop.yaml", settings={"remediator": {"allowed_hosts": "other.example"}})
        def test_not_reached(world):
            fire(world)
            assert world.calls == []
        """,
    )
    result.assert_outcomes(passed=2)


def test_make_world_makes_as_many_as_are_needed_of_files_and_texts(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        """
        def test_two(make_world):
            one, other = make_world("shop.yaml"), make_world(text=open("shop.yaml").read())
            fire(one)
            assert one.log and not other.log

        @pytest.mark.playbook(text=open("shop.yaml").read())
        def test_marked(world):
            assert [playbook.metadata.name for playbook in world.playbooks] == ["shop"]
        """,
    )
    result.assert_outcomes(passed=2)


def test_services_are_quiet_and_the_tests_own_logging_is_as_it_was(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        """
        import structlog
        before = structlog.get_config()["wrapper_class"]

        @pytest.mark.playbook("shop.yaml")
        def test_it(world, capsys):
            world.kill("nats")
            world.at(timedelta(seconds=20), lambda: world.restart("nats"))
            fire(world)
            assert capsys.readouterr() == ("", "")

        def test_after():
            assert structlog.get_config()["wrapper_class"] is before
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("", '*the fixture `world` needs a file: @pytest.mark.playbook("*"*'),
        ("@pytest.mark.playbook(replicas=2)", '*the fixture `world` needs a file: @pytest.mark.playbook("*"*'),
        ('@pytest.mark.playbook("shop.yaml", replica=2)', "*knows no 'replica'; it knows text, start, replicas, *"),
        ('@pytest.mark.playbook("gone.yaml")', "*No such file*gone.yaml*"),
        ('@pytest.mark.playbook("broken.yaml")', "*broken.yaml:16:17: *"),
        ('@pytest.mark.playbook("shop.yaml", start=datetime(2026, 3, 1))', "*needs a time zone*"),
    ],
)
def test_a_mistake_in_a_marker_is_said(folder: pytest.Pytester, marker: str, said: str) -> None:
    result = run(folder, f"\n{marker}\ndef test_it(world):\n    pass\n")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])


def test_what_is_wrong_with_a_file_is_said_without_a_traceback(folder: pytest.Pytester) -> None:
    result = run(folder, '\n@pytest.mark.playbook("broken.yaml")\ndef test_it(world):\n    pass\n')

    result.stdout.no_fnmatch_line("*During handling*")
    result.stdout.no_fnmatch_line("*plugin.py*")


# --- what a failure shows ---------------------------------------------------------------------------------------------

FAILS = """
@pytest.mark.playbook("shop.yaml")
def test_it(world):
    fire(world)
    assert world.pages == []
"""


def test_a_test_that_fails_shows_the_timeline(folder: pytest.Pytester) -> None:
    result = run(folder, FAILS)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*- virtual world, until 2m -*", "0s Opened as P1: CheckoutErrors (checkout)", "0s Paged ada (level 1): *"]
    )


def test_a_test_that_passes_shows_nothing(folder: pytest.Pytester) -> None:
    result = run(folder, FAILS.replace("world.pages == []", "world.pages"), "-rA")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*virtual world*")


def test_a_long_timeline_is_cut_in_its_middle(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        """
        @pytest.mark.playbook("shop.yaml")
        def test_it(world):
            for number in range(20):
                world.alert({"alertname": "A", "service": f"s{number}", "severity": "P1"})
            world.run_until(timedelta(minutes=1))
            assert len(world.timeline) < 60, "there are more"
        """,
    )
    result.stdout.fnmatch_lines(["*- virtual world, until 1m -*", "0s Opened as P1: A (s0)", "… * more …"])
    lines = [line for line in result.outlines if line.startswith(("0s ", "…"))]
    assert len(lines) == 61


def test_a_world_in_which_nothing_happened_says_so(folder: pytest.Pytester) -> None:
    result = run(folder, '@pytest.mark.playbook("shop.yaml")\ndef test_it(world):\n    assert world.log\n')

    result.stdout.fnmatch_lines(["*- virtual world, until 0s -*", "nothing happened"])


def test_of_several_worlds_each_is_shown(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        """
        def test_it(make_world):
            fire(make_world("shop.yaml"))
            assert make_world("shop.yaml").log
        """,
    )
    result.stdout.fnmatch_lines(["*- virtual world 1 of 2, until 2m -*", "*- virtual world 2 of 2, until 0s -*"])


# --- services that die ------------------------------------------------------------------------------------------------

DIES = """
from tocsin_escalator.audit import Audit
from tocsin_rehearsal.world import ServiceDiedError

@pytest.fixture(autouse=True)
def broken_audit(monkeypatch):
    async def once(self):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Audit, "once", once)
"""


def test_a_service_that_dies_fails_the_test(folder: pytest.Pytester) -> None:
    result = run(folder, DIES + '\n@pytest.mark.playbook("shop.yaml")\ndef test_it(world):\n    fire(world)\n')

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ServiceDiedError: escalator-1 has died: ZeroDivisionError('a bug')*"])


def test_a_test_that_overlooks_a_service_that_died_fails_at_its_end(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        DIES
        + """
@pytest.mark.playbook("shop.yaml")
def test_it(world):
    world.loop.run_until(10)
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ServiceDiedError: escalator-1 has died: ZeroDivisionError('a bug')*"])


def test_a_world_is_closed_even_if_a_service_of_it_has_died(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        DIES
        + """
worlds = []

def test_it(make_world):
    worlds.extend([make_world("shop.yaml"), make_world("shop.yaml")])
    for world in worlds:
        world.loop.run_until(10)

def test_after():
    assert [world.loop.is_closed() for world in worlds] == [True, True]
""",
    )
    result.assert_outcomes(passed=2, errors=1)


# --- recordings -------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_night(folder: pytest.Pytester, recording: Path) -> pytest.Pytester:
    (folder.path / "night.jsonl").write_bytes(recording.read_bytes())
    (folder.path / "text.jsonl").write_text("what happened that night\n")
    folder.makefile(".yaml", later=SHOP.replace("after: 10m", "after: 15m"))
    return folder


def test_recorded_is_what_the_file_holds(with_night: pytest.Pytester) -> None:
    result = run(
        with_night,
        """
        @pytest.mark.replay("night.jsonl")
        def test_it(recorded):
            assert recorded.alerts and recorded.log and recorded.playbooks
            assert recorded.commands == []
            assert [type(each.data).__name__ for each in recorded][:3] == [
                "PlaybookPublished", "AlertFired", "IncidentOpened"
            ]
        """,
    )
    result.assert_outcomes(passed=1)


def test_replayed_has_lived_through_it(with_night: pytest.Pytester) -> None:
    result = run(
        with_night,
        """
        @pytest.mark.replay("night.jsonl")
        def test_same(recorded, replayed):
            assert replayed.differences == []
            assert [each.id for each in replayed.world.log] == [each.id for each in recorded.log]

        @pytest.mark.replay("night.jsonl", playbook="later.yaml", tolerance=timedelta(minutes=10), replicas=2)
        def test_tolerance(replayed):
            assert replayed.differences == []
            assert "escalator-2" in replayed.world.replicas

        @pytest.mark.replay("night.jsonl", playbook=["later.yaml"])
        def test_later(replayed):
            assert {difference.kind for difference in replayed.differences} == {"changed"}
        """,
    )
    result.assert_outcomes(passed=3)


def test_a_replay_that_fails_shows_the_differences_too(with_night: pytest.Pytester) -> None:
    result = run(
        with_night,
        """
        @pytest.mark.replay("night.jsonl", playbook="later.yaml")
        def test_it(replayed):
            assert not replayed.differences, "it differs"
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- virtual world, until *",
            "*- differences from the recording -*",
            "*IncidentEscalated: time was +600.0 s, is +900.0 s",
        ]
    )


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("", '*the fixture `recorded` needs a file: @pytest.mark.replay("*"*'),
        ('@pytest.mark.replay("gone.jsonl")', "*No such file*gone.jsonl*"),
        ('@pytest.mark.replay("text.jsonl")', "*text.jsonl:1: line: *"),
        ('@pytest.mark.replay("night.jsonl", speed=2)', "*knows no 'speed'; it knows playbook, replicas, tolerance*"),
        ('@pytest.mark.replay("night.jsonl", playbook="gone.yaml")', "*No such file*gone.yaml*"),
        ('@pytest.mark.replay("night.jsonl", playbook="broken.yaml")', "*broken.yaml:16:17: *"),
    ],
)
def test_a_mistake_in_the_marker_of_a_replay_is_said(with_night: pytest.Pytester, marker: str, said: str) -> None:
    result = run(with_night, f"\n{marker}\ndef test_it(replayed):\n    pass\n")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])


def test_a_recording_that_cannot_be_replayed_is_said(with_night: pytest.Pytester) -> None:
    night = with_night.path / "night.jsonl"
    night.write_bytes(night.read_bytes().splitlines(keepends=True)[0])
    result = run(with_night, '\n@pytest.mark.replay("night.jsonl")\ndef test_it(replayed):\n    pass\n')

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["the recording needs a playbook from its beginning, *"])
