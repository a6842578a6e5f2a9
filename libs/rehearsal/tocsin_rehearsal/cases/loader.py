"""From a file of tests to typed cases and their playbooks, or to all that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from pydantic import ValidationError

from tocsin_playbook.document import MAX_BYTES, read_document, to_data
from tocsin_playbook.linter import load_checked
from tocsin_playbook.loader import Loaded
from tocsin_playbook.positions import Positions
from tocsin_playbook.problems import Path as Place
from tocsin_playbook.problems import PlaybookError, Position, Problem
from tocsin_rehearsal.cases.checks import acts, expectations, given, not_yet, times
from tocsin_rehearsal.cases.checks.finding import Check, Finding
from tocsin_rehearsal.cases.known import known_of
from tocsin_rehearsal.cases.messages import explain_all
from tocsin_rehearsal.cases.model import Case, CaseFile, Feed
from tocsin_rehearsal.outside.metrics import RecordingError, read_recording

CHECKS: tuple[Check, ...] = (
    given.series,
    given.requests,
    given.channels,
    given.alerts_and_probes,
    acts.acts,
    expectations.expectations,
    times.after_the_end,
    times.repeated_names,
    not_yet.not_yet,
)


class CasesError(Exception):
    """A file that is no file of tests, or whose tests cannot be meant: its problems, in the order of the text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Those of other files come after all those of the first's."""
        files = list(dict.fromkeys(each.file for each in problems))
        in_order = sorted(problems, key=lambda each: (files.index(each.file), each.line, each.column))
        unlike = {(each.file, each.line, each.column, each.message): each for each in in_order}
        self.problems = tuple(unlike.values())
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class TestFile:
    """A file of tests with its playbooks, and where everything stands in its text."""

    __test__: ClassVar[bool] = False  # pytest: this is none of yours

    path: Path
    document: CaseFile
    playbooks: tuple[Loaded, ...]
    positions: Positions

    @property
    def cases(self) -> tuple[Case, ...]:
        """Its tests, in the order of the text."""
        return self.document.tests

    def line_of(self, case: Case) -> int:
        """The line in which a test begins."""
        return self.place(case).line

    def place(self, case: Case, *path: str | int) -> Position:
        """Where a part of a test stands, such as `"expect", 2, "pages", 0`."""
        number = next(index for index, each in enumerate(self.cases) if each is case)
        return self.positions.value(("tests", number, *path))

    def feeds(self, case: Case) -> tuple[Feed, ...]:
        """A test's series with the source of each, and the whole path of recorded files."""
        only = known_of(each.playbook for each in self.playbooks).metric_sources
        return tuple(
            replace(
                feed,
                source=feed.source or only[0],
                file=None if feed.file is None else str(beside(self.path, feed.file)),
            )
            for feed in case.given.feeds
        )


def beside(path: Path, name: str) -> Path:
    """A file that another one names, as people write its path: `shop.yaml` and not `tests/../shop.yaml`."""
    written = path.parent / name
    short = Path(os.path.normpath(written))
    return short if short.resolve() == written.resolve() else written  # `..` behind a link is another folder


def load_cases(path: Path) -> TestFile:
    """Read a file of tests and the playbooks it names. Raises CasesError and nothing else."""
    source = str(path)
    text = _text(path, source)
    try:
        root = read_document(text, source)
    except PlaybookError as error:
        raise CasesError([_about_tests(problem) for problem in error.problems]) from None
    positions = Positions(root, text)
    try:
        document = CaseFile.model_validate(to_data(root))
    except ValidationError as error:
        raise CasesError(explain_all(error.errors(include_url=False, include_input=False), positions, source)) from None
    found = _Playbooks(path, document, positions)
    problems = [_problem(finding, positions, source) for finding in _files(path, document)]
    if not found.problems:
        known = known_of(each.playbook for each in found.loaded)
        findings = (finding for check in CHECKS for finding in check(document, known))
        problems += [_problem(finding, positions, source) for finding in findings]
    if problems or found.problems:
        raise CasesError([*found.problems, *problems])
    return TestFile(path, document, tuple(found.loaded), positions)


# --- the text --------------------------------------------------------------------------------------------------------


def _text(path: Path, source: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refused(source, f"the file cannot be read: {error.strerror}", "a file of tests") from None
    if len(raw) > MAX_BYTES:
        raise _refused(source, f"the file is larger than {MAX_BYTES} bytes", "several smaller files")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise CasesError([Problem(source, line, column, (), "the text is not UTF-8", "UTF-8")]) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _refused(source: str, message: str, expected: str) -> CasesError:
    return CasesError([Problem(source, 1, 1, (), message, expected)])


def _about_tests(problem: Problem) -> Problem:
    """The reader of documents speaks of playbooks; this is a file of tests."""

    def said(text: str) -> str:
        return text.replace("playbook", "file of tests")

    return replace(problem, message=said(problem.message), expected=said(problem.expected))


def _problem(finding: Finding, positions: Positions, source: str) -> Problem:
    if finding.offset is not None:
        at = positions.inside(finding.path, finding.offset)
    else:
        at = positions.key(finding.path) if finding.at_key else positions.value(finding.path)
    return Problem(source, at.line, at.column, finding.path, finding.message, finding.expected)


# --- other files -----------------------------------------------------------------------------------------------------


class _Playbooks:
    """The playbooks a file names: loaded, or what is wrong with them."""

    def __init__(self, path: Path, document: CaseFile, positions: Positions) -> None:
        self.loaded: list[Loaded] = []
        self.problems: list[Problem] = []
        for index, name in enumerate(document.playbook):
            file, place = beside(path, name), ("playbook", index)
            at = positions.value(place)
            try:
                self.loaded.append(_load(file.read_bytes(), str(file)))
            except OSError as error:
                message, expected = f"{file} cannot be read: {error.strerror}", "a playbook, relative to this file"
                self.problems.append(Problem(str(path), at.line, at.column, place, message, expected))
            except PlaybookError as error:
                message, expected = "the playbook does not load", f"one that `tocsin lint {file}` accepts"
                self.problems.append(Problem(str(path), at.line, at.column, place, message, expected))
                self.problems += [each for each in error.problems if each.level == "error"]
        self._refuse_repeated(path, document, positions)

    def _refuse_repeated(self, path: Path, document: CaseFile, positions: Positions) -> None:
        names = [each.playbook.metadata.name for each in self.loaded]
        for index, name in enumerate(names if not self.problems else []):
            if name in names[:index]:
                at = positions.value(("playbook", index))
                message = f"two playbooks are called {name!r}"
                self.problems.append(Problem(str(path), at.line, at.column, ("playbook", index), message, "each once"))


@lru_cache(maxsize=64)
def _load(text: bytes, source: str) -> Loaded:
    """Many files of tests are about one playbook."""
    return load_checked(text, source=source)


def _files(path: Path, document: CaseFile) -> Iterator[Finding]:
    for number, case in enumerate(document.tests):
        for feed in case.given.feeds:
            if feed.file is None:
                continue
            place: Place = ("tests", number, "given", *feed.path)
            if not _is_file(beside(path, feed.file)):
                yield Finding(place, f"there is no file {feed.file[:80]!r}", "a recorded file, relative to this one")
            elif problem := _unreadable(beside(path, feed.file)):
                yield Finding(
                    place, problem, "samples with their times, as `promtool tsdb dump-openmetrics` writes them"
                )


def _unreadable(path: Path) -> str | None:
    """What is wrong with a recording of series."""
    try:
        read_recording(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return f"the recording cannot be read: {type(error).__name__}"
    except RecordingError as error:
        return str(error)
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False
