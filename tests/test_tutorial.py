"""The tutorial is walked as a reader walks it: its files are written, its commands run, their output compared.

Where the output has changed on purpose, `python tests/test_tutorial.py` writes what it is now into the tutorial.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import yaml
from rich.console import Console

from tocsin import main, terminal

TOP = Path(__file__).resolve().parent.parent
TUTORIAL = TOP / "docs" / "tutorials" / "test-your-first-playbook.md"
WORKFLOW = ".github/workflows/playbooks.yaml"
WATCHING = "watching; Ctrl-C ends it\n"

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```\n", re.DOTALL | re.MULTILINE)
_SAVE = re.compile(r"Save this as `([^`]+)`[^`]*:$")
_ADD = re.compile(r"Add this to the end of `([^`]+)`[^`]*:$")
_CHANGE = re.compile(r"Change this in `([^`]+)`[^`]*:$")
_VARYING = (
    (re.compile(r"\b[\d,]+ ms$", re.MULTILINE), "0 ms"),
    (re.compile(r"\bin \d+\.\d\d s$", re.MULTILINE), "in 0.00 s"),
    (re.compile(r'\btime="[\d.]+"'), 'time="0.000"'),
)


@dataclass(frozen=True, slots=True)
class Ran:
    """One command of the tutorial: where its output begins and ends in the text, what it is there, and in truth."""

    begins: int
    ends: int
    command: str
    shown: str
    printed: str
    status: int


# --- walking ----------------------------------------------------------------------------------------------------------


def walk(text: str, folder: Path) -> Iterator[Ran]:
    """Do in this folder what the tutorial says, block by block."""
    for block in _BLOCK.finditer(text):
        said, body = text[: block.start()].rstrip().rpartition("\n")[2], block["body"]
        match block["language"]:
            case "console":
                yield from _commands(body, block.start("body"), folder)
            case "yaml" | "diff":
                _edit(said, body, folder)
            case "sh":
                (folder / "tests").mkdir()  # how a reader gets to an empty folder
            case language:
                raise AssertionError(f"what is to be done with a block of {language}?")


def _edit(said: str, body: str, folder: Path) -> None:
    if found := _SAVE.search(said):
        path = folder / found[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    elif found := _ADD.search(said):
        with (folder / found[1]).open("a") as file:
            file.write(body)
    elif found := _CHANGE.search(said):
        path = folder / found[1]
        old, new = _side(body, "-"), _side(body, "+")
        before = path.read_text()
        assert before.count(old) == 1, f"{found[1]} has this not once, but {before.count(old)} times:\n{old}"
        path.write_text(before.replace(old, new))
    else:
        raise AssertionError(f"{said!r} does not say what is to be done with the block that follows")


def _side(diff: str, side: str) -> str:
    return "".join(line[1:] for line in diff.splitlines(keepends=True) if line[0] in (" ", side))


def _commands(body: str, begins: int, folder: Path) -> Iterator[Ran]:
    """`$ command`, and what it prints."""
    starts = [found.start() for found in re.finditer(r"^\$ ", body, re.MULTILINE)]
    for start, end in zip(starts, [*starts[1:], len(body)], strict=True):
        first, _, shown = body[start:end].partition("\n")
        command = first.removeprefix("$ ")
        printed, status = run(command, folder)
        yield Ran(begins + start + len(first) + 1, begins + end, command, shown, printed, status)


# --- running ----------------------------------------------------------------------------------------------------------


def run(command: str, folder: Path) -> tuple[str, int]:
    """What a command prints, and its exit status. Those of `tocsin` run in this process: each start takes seconds."""
    words = shlex.split(command)
    if words[0] == "tocsin":
        return _watched(words[1:], folder) if "--watch" in words else _called(words[1:], folder)
    ran = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr, ran.returncode


def _called(arguments: list[str], folder: Path) -> tuple[str, int]:
    printed = StringIO()
    out = Console(file=printed, width=120, soft_wrap=True, highlight=False, force_terminal=False)
    with chdir(folder), patch.object(main, "out", out), patch.object(terminal, "err", out):
        status = main.app(arguments, standalone_mode=False)
    return printed.getvalue(), status or 0


def _watched(arguments: list[str], folder: Path) -> tuple[str, int]:
    """Until it has done its work twice: once at first, and once because a file has changed. Then Ctrl-C."""
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "tocsin", *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = "".join(_until_watching(process.stdout))
        changed = next(folder.rglob("tests/*.yaml"))
        os.utime(changed, (changed.stat().st_atime, changed.stat().st_mtime + 1))
        second = "".join(_until_watching(process.stdout))
        process.send_signal(signal.SIGINT)
        status = process.wait()
    assert same(first) == same(second)
    return first, status


def _until_watching(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line == WATCHING:
            return


def same(output: str) -> str:
    """Without what differs from run to run: how long it took."""
    for pattern, replacement in _VARYING:
        output = pattern.sub(replacement, output)
    return "\n".join(line.rstrip() for line in output.strip().splitlines())


# --- what must hold ---------------------------------------------------------------------------------------------------


def test_every_command_of_the_tutorial_prints_what_the_tutorial_shows(tmp_path: Path) -> None:
    text = TUTORIAL.read_text()

    for ran in walk(text, tmp_path):
        line = text.count("\n", 0, ran.begins)
        assert same(ran.printed) == same(ran.shown), f"{TUTORIAL.name}:{line}: {ran.command}"
        assert ran.status == _status_told(ran.shown), f"{TUTORIAL.name}:{line}: {ran.command}"

    _check_workflow(tmp_path)


def _status_told(shown: str) -> int:
    """The exit status that the tutorial's table gives for this output."""
    if "cannot be read" in shown or "no tests found" in shown:
        return 2
    return 1 if re.search(r"\d failed in", shown) else 0


def _check_workflow(folder: Path) -> None:
    """The steps of the workflow run, in a repository that has the tutorial's folder and Tocsin in it."""
    steps = yaml.safe_load((folder / WORKFLOW).read_text())["jobs"]["test"]["steps"]
    repository = folder / "repository"
    bin_ = repository / "tocsin" / ".venv" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "tocsin").symlink_to(Path(sys.executable).parent / "tocsin")
    shutil.copytree(folder / "tests", repository / "shop" / "tests")
    shutil.copy(folder / "shop.yaml", repository / "shop")

    for command in (step["run"] for step in steps if "run" in step):
        if command.startswith("make "):
            assert command == "make -C tocsin setup"
            continue
        subprocess.run(["bash", "-ec", command], cwd=repository, check=True, capture_output=True)

    assert (repository / steps[-1]["with"]["path"]).read_text().startswith("<?xml")


def test_the_tutorial_has_a_failing_test_a_mended_playbook_and_a_mended_test() -> None:
    """What it promises in its first lines."""
    text = TUTORIAL.read_text()

    assert text.count("1 failed in") >= 3
    assert {found[1] for found in re.finditer(r"Change this in `([^`]+)`", text)} == {
        "shop.yaml",
        "tests/checkout.yaml",
    }


def test_every_link_of_the_tutorial_and_the_explanation_leads_somewhere() -> None:
    for document in (TUTORIAL, TOP / "docs" / "how-rehearsal-works.md"):
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", document.read_text()):
            assert (document.parent / link.partition("#")[0]).exists(), f"{document.name}: {link}"


def test_every_file_that_the_explanation_names_exists() -> None:
    text = (TOP / "docs" / "how-rehearsal-works.md").read_text()

    named = re.findall(r"`((?:libs|services|tests|cli)/[^`<*{ ]+)`", text)

    assert named
    for path in named:
        assert (TOP / path).exists(), path


# --- renewing ---------------------------------------------------------------------------------------------------------


def renew() -> None:
    """Write what every command prints now into the tutorial; how long things took stays as it was where it can."""
    text = TUTORIAL.read_text()
    with tempfile.TemporaryDirectory() as folder:
        found = list(walk(text, Path(folder)))
    for ran in reversed(found):
        if same(ran.printed) != same(ran.shown):
            kept = "\n".join(line.rstrip() for line in ran.printed.strip("\n").splitlines()) + "\n"
            text = text[: ran.begins] + kept + ("\n" if ran.shown.endswith("\n\n") else "") + text[ran.ends :]
    TUTORIAL.write_text(text)


if __name__ == "__main__":
    renew()
