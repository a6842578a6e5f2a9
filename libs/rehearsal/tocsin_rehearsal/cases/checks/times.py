"""Times that cannot be, names that are taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tocsin_playbook.problems import Path
from tocsin_rehearsal.cases.checks.finding import Finding
from tocsin_rehearsal.cases.known import Known
from tocsin_rehearsal.cases.model import Case, CaseFile, Expectation
from tocsin_rehearsal.cases.model.times import Spell, shown


def after_the_end(file: CaseFile, _known: Known) -> Iterator[Finding]:
    """What is done or expected when the test is over."""
    for number, case in enumerate(file.tests):
        if case.until is None:
            continue  # it lasts as long as the last time it names
        for path, time in _times(case):
            if time > case.until:
                message = f"{shown(time)} lies after the end of the test"
                yield Finding(("tests", number, *path), message, f"a time up to `until`, {shown(case.until)}")


def _times(case: Case) -> Iterator[tuple[Path, timedelta]]:
    given = case.given
    spells: dict[str, tuple[Spell, ...]] = {"alerts": given.alerts, "probes": given.probes}
    for kind, spans in spells.items():
        for index, span in enumerate(spans):
            yield ("given", kind, index, "from"), span.begins
    for index, feed in enumerate(given.feeds):
        yield ("given", "series", index, "from"), feed.begins
    for index, deployment in enumerate(given.deployments):
        yield ("given", "deployments", index, "at"), deployment.at
    for index, doing in enumerate(case.at):
        yield ("at", index, "at"), doing.at
    for index, expectation in enumerate(case.expect):
        yield from ((("expect", index, *path), time) for path, time in _named(expectation))


def _named(expectation: Expectation) -> Iterator[tuple[Path, timedelta]]:
    mode = expectation.mode
    match getattr(expectation, mode):
        case timedelta() as time:
            yield (mode,), time
        case (_, timedelta() as end):
            yield (mode, 1), end
        case _:
            return


def repeated_names(file: CaseFile, _known: Known) -> Iterator[Finding]:
    """Two tests with the same name."""
    seen: dict[str, int] = {}
    for number, case in enumerate(file.tests):
        if case.name in seen:
            message = f"there are two tests called {case.name[:80]!r}"
            yield Finding(("tests", number, "name"), message, "a name of its own")
        seen[case.name] = number
