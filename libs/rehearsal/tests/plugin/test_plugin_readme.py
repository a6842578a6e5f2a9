"""Every sample of the READMEs runs as it stands there, in a folder with the files that they name."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin_rehearsal import factories
from tocsin_rehearsal.recorded import recorded_from
from tocsin_rehearsal.recording import Meta, RecordingFile
from tocsin_rehearsal.staging import Stage, quiet
from tocsin_rehearsal.world import World

pytest_plugins = ["pytester"]

LIBS = Path(__file__).parents[3]
REHEARSAL = (LIBS / "rehearsal" / "README.md").read_text()
TESTKIT = (LIBS / "testkit" / "README.md").read_text()

PLUGINS = ("tocsin_rehearsal.plugin", "tocsin_testkit.plugin", "pytest_asyncio.plugin")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


PLAYBOOK = blocks(REHEARSAL, "yaml")[0]
FAILING = next(block for block in blocks(REHEARSAL, "python") if "within_a_minute" in block)
PASSING = [block for block in blocks(REHEARSAL, "python") if block != FAILING] + blocks(TESTKIT, "python")


@pytest.fixture(scope="module")
def that_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording that samples name: ada does not answer, grace does, and writes what she sees."""
    path = tmp_path_factory.mktemp("recording") / "that_night.jsonl"
    with quiet():
        world = Stage(path.parent).make_world(text=PLAYBOOK)
        world.feed("shop", {"checkout_errors_total": "0+30x40 1200x100"})
        world.at(timedelta(minutes=7), lambda: attend(world))
        world.run_until(timedelta(hours=1))
        with RecordingFile(path, Meta(version="0.1.0", recorded_at=world.now)) as file:
            for message in recorded_from(world):
                file.write(message)
        world.close()
    return path


def attend(world: World) -> None:
    incident = world.incidents[0].incident
    world.command(factories.acknowledge(incident=incident), by="grace")
    world.command(factories.add_note(incident=incident, text="The payment provider is down."), by="grace")


@pytest.fixture
def folder(pytester: pytest.Pytester, that_night: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the others are slow to load and not needed
    pytester.makefile(".yaml", shop=PLAYBOOK)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    (pytester.path / that_night.name).write_bytes(that_night.read_bytes())
    return pytester


def run(folder: pytest.Pytester, samples: dict[str, str]) -> pytest.RunResult:
    folder.makepyfile(**samples)
    wanted = [argument for plugin in PLUGINS for argument in ("-p", plugin)]
    return folder.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", *wanted)


def test_every_sample_passes(folder: pytest.Pytester) -> None:
    result = run(folder, {f"test_sample_{number}": block for number, block in enumerate(PASSING)})

    tests = sum(len(re.findall(r"^(?:async )?def test_", block, re.MULTILINE)) for block in PASSING)
    assert tests >= 15
    result.assert_outcomes(passed=tests)


def test_every_sample_is_a_test() -> None:
    assert [block for block in (*PASSING, FAILING) if "def test_" not in block] == []


def test_the_sample_that_fails_shows_what_the_readme_shows(folder: pytest.Pytester) -> None:
    result = run(folder, {"test_sample": FAILING})

    result.assert_outcomes(failed=1)
    shown = blocks(REHEARSAL, "text")[0].splitlines()
    title, *lines = (line.strip("- ") for line in shown)
    result.stdout.fnmatch_lines([f"*{title}*", *(line.replace("[", "[[]") for line in lines)])


def test_the_properties_that_the_readme_names_exist() -> None:
    named = set(re.findall(r"`world\.([a-z_]+)", REHEARSAL))
    made = World([PLAYBOOK], leave_out=("detector", "escalator", "remediator", "notifier"))

    assert {name for name in named if not hasattr(made, name)} == set()
    made.close()
