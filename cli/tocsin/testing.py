"""`tocsin test`: a playbook's own tests, performed in virtual time and told as people read them."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from rich.console import Console

from tocsin_rehearsal.cases.loader import CasesError, TestFile, load_cases
from tocsin_rehearsal.cases.results import Result, junit
from tocsin_rehearsal.perform.case import result_of
from tocsin_rehearsal.perform.coverage import Coverage
from tocsin_rehearsal.perform.writing import NothingToWriteError, test_of
from tocsin_rehearsal.recording import RecordingError, inputs_of, read

__all__ = ["TestOptions", "test", "watch", "write_test"]

_LOOK_EVERY = 0.3
_KIND = "PlaybookTest"
_PIPED = 120
"""Columns of what is not shown on a terminal."""
_STYLES = {"> ": "bold red", "x ": "red"}
"""How lines of a comparison are shown, by their mark."""


@dataclass(frozen=True, slots=True)
class TestOptions:
    """What `tocsin test` was asked for. `chosen`: only tests with this text in their name."""

    __test__ = False  # pytest: this is none of yours

    paths: tuple[Path, ...]
    chosen: str = ""
    junit: Path | None = None
    coverage: bool = False


@dataclass(slots=True)
class _Tally:
    results: list[Result] = field(default_factory=list)
    unreadable: int = 0
    coverage: dict[str, Coverage] = field(default_factory=dict)

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if not result.passed]

    @property
    def status(self) -> int:
        """0: all passed. 1: some failed. 2: some could not be read, or there is none."""
        if self.unreadable or not self.results:
            return 2
        return 1 if self.failed else 0


def test(options: TestOptions, out: Console) -> int:
    """Perform all tests; the answer is the exit status."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began, tally = time.perf_counter(), _Tally()
    files = list(_files(options.paths))
    for path in files:
        _perform_file(path, options, tally, out)
    for result in tally.failed:
        out.print(f"\n[bold red]{result.file}:{result.line}[/bold red]  {_plain(result.name)}", emoji=False)
        for line, style in _styled((result.error or result.shown).splitlines()):
            out.print(line, style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)
    if options.junit is not None:
        options.junit.write_text(junit(tally.results), encoding="utf-8")
    for coverage in tally.coverage.values():
        _tell_coverage(coverage, out)
    _tell_sum(tally, len(files), time.perf_counter() - began, out)
    return tally.status


def watch(options: TestOptions, out: Console) -> int:
    """Perform them again whenever a test or a playbook changes, until Ctrl-C; the answer is the exit status.

    Raises KeyboardInterrupt where it comes while tests are performed.
    """
    seen: dict[Path, float] = {}
    is_performing = False
    try:
        while True:
            now = _changes(options.paths)
            if now != seen:
                seen, is_performing = now, True
                out.clear()
                test(options, out)
                is_performing = False
                out.print("[dim]watching; Ctrl-C ends it[/dim]")
            time.sleep(_LOOK_EVERY)
    except KeyboardInterrupt:
        if is_performing:
            raise
        return 0


def write_test(recording: Path, to: Path, out: Console) -> int:
    """Make a test of a recorded incident, with the playbook it was opened under beside it, and perform it.

    Nothing that exists is replaced. The answer is the exit status.
    """
    playbook = to.with_name(f"{to.stem}.playbook.yaml")
    try:
        written = test_of(inputs_of(read(recording)), to.stem.replace("_", " "), playbook.name)
        for path, text in ((playbook, written.playbook), (to, written.test)):
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except (RecordingError, NothingToWriteError) as error:
        out.print(f"{recording}: {error}", style="red", markup=False, highlight=False, emoji=False)
        return 2
    except OSError as error:
        out.print(f"{error.filename}: {error.strerror}", style="red", markup=False, highlight=False, emoji=False)
        return 2
    out.print(f"wrote {to} and {playbook}", markup=False, highlight=False, emoji=False)
    return test(TestOptions((to,)), out)


# --- finding ----------------------------------------------------------------------------------------------------------


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Files of tests: those named, and in folders those that say that they are some."""
    for path in paths:
        if path.is_dir():
            yield from (file for file in sorted(path.rglob("*.y*ml")) if _says_so(file, path))
        else:
            yield path


def _says_so(file: Path, below: Path) -> bool:
    if any(part.startswith(".") for part in file.relative_to(below).parts):
        return False
    with file.open("rb") as opened:
        return _KIND.encode() in opened.read(4096)


def _changes(paths: Sequence[Path]) -> dict[Path, float]:
    found: dict[Path, float] = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        for file in (*folder.rglob("*.y*ml"), *folder.parent.glob("*.y*ml")):
            if file.exists():
                found[file] = file.stat().st_mtime
    return found


# --- performing and telling -------------------------------------------------------------------------------------------


def _perform_file(path: Path, options: TestOptions, tally: _Tally, out: Console) -> None:
    try:
        file = load_cases(path)
    except CasesError as error:
        tally.unreadable += 1
        out.print(str(error), style="red", markup=False, highlight=False, emoji=False, soft_wrap=True)
        return
    cases = [case for case in file.cases if options.chosen.lower() in case.name.lower()]
    if not cases:
        return
    out.print(f"[bold]{path}[/bold]")
    covered = _coverage(file, tally) if options.coverage else ()
    for case in cases:
        result = result_of(file, case, covered, width=out.width if out.is_terminal else _PIPED)
        tally.results.append(result)
        mark = "[green]✓[/green]" if result.passed else "[red]✗[/red]"
        took = f"[dim]{result.took.total_seconds() * 1000:,.0f} ms[/dim]"
        out.print(f"  {mark} {_plain(result.name)}  {took}")


def _coverage(file: TestFile, tally: _Tally) -> list[Coverage]:
    found = []
    for loaded in file.playbooks:
        name = loaded.playbook.metadata.name
        found.append(tally.coverage.setdefault(name, Coverage(loaded.playbook)))
    return found


def _tell_coverage(coverage: Coverage, out: Console) -> None:
    missing, parts = coverage.missing, coverage.parts
    name = coverage.playbook.metadata.name
    out.print(f"\n[bold]{name}[/bold]: {len(parts) - len(missing)} of {len(parts)} parts exercised")
    for part in missing:
        out.print(f"  [yellow]never exercised[/yellow]  {_plain(str(part))}")


def _tell_sum(tally: _Tally, files: int, took: float, out: Console) -> None:
    count, failed = len(tally.results), len(tally.failed)
    if not count and not tally.unreadable:
        out.print("[yellow]no tests found[/yellow]: a file of tests says `kind: PlaybookTest`")
        return
    colour = "red" if failed or tally.unreadable else "green"
    words = [f"{count - failed} passed"]
    words += [f"{failed} failed"] if failed else []
    words += [f"{tally.unreadable} of {files} files cannot be read"] if tally.unreadable else []
    out.print(f"\n[bold {colour}]{', '.join(words)}[/bold {colour}] in {took:.2f} s")


def _styled(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Lines of a comparison with their styles; what a row goes on in looks as its first line does."""
    style = ""
    for line in lines:
        style = _STYLES.get(line[:2], style if _goes_on(line) else "")
        yield line, style


def _goes_on(line: str) -> bool:
    """Whether both cells are indented, or empty."""
    left, _, right = line.partition("|")
    return left.startswith("    ") and (not right.strip() or right.startswith("   "))


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
