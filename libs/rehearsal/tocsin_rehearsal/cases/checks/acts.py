"""What people do: people, severities and steps that exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tocsin_playbook.problems import Path
from tocsin_rehearsal.cases.checks.finding import Finding, unknown
from tocsin_rehearsal.cases.known import Known
from tocsin_rehearsal.cases.model import (
    Act,
    AddResponder,
    Approve,
    Asked,
    Assign,
    CaseFile,
    OverrideOnCall,
    RunAction,
    SetSeverity,
)


def acts(file: CaseFile, known: Known) -> Iterator[Finding]:
    """People, severities, runbooks and steps."""
    for path, act in all_acts(file):
        if (asked := act.asked) is not None:
            place = (*path, "ack" if act.ack is not None else act.verb)
            yield from unknown("person", asked.by, known.people, (*place, "by"))
            yield from _REFERENCES.get(type(asked), _nothing)(asked, known, place)


def all_acts(file: CaseFile) -> Iterator[tuple[Path, Act]]:
    """Everything that is done, and where it stands."""
    for number, case in enumerate(file.tests):
        for index, doing in enumerate(case.at):
            for turn, act in enumerate(doing.do):
                yield ("tests", number, "at", index, "do", turn), act


def _severity(asked: SetSeverity, known: Known, path: Path) -> Iterator[Finding]:
    yield from unknown("severity", asked.to, known.severities, (*path, "to"))


def _assign(asked: Assign, known: Known, path: Path) -> Iterator[Finding]:
    yield from unknown("person", asked.person, known.people, (*path, "person"))


def step_of(runbook: str | None, step: str | None, known: Known, path: Path) -> Iterator[Finding]:
    """A runbook, and a step of it (of any, where no runbook is named)."""
    if runbook is not None and runbook not in known.runbooks:
        yield from unknown("runbook", runbook, known.runbooks, (*path, "runbook"))
        return
    kind = "step" if runbook is None else f"runbook {runbook} with a step"
    yield from unknown(kind, step, known.steps_of(runbook), (*path, "step"))


def _step(asked: Approve | RunAction, known: Known, path: Path) -> Iterator[Finding]:
    yield from step_of(asked.runbook, asked.step, known, path)


def _override(asked: OverrideOnCall, known: Known, path: Path) -> Iterator[Finding]:
    yield from unknown("schedule", asked.schedule, known.schedules, (*path, "schedule"))
    yield from unknown("person", asked.person, known.people, (*path, "person"))


def _responder(asked: AddResponder, known: Known, path: Path) -> Iterator[Finding]:
    names = {"person": known.people, "team": known.teams, "schedule": known.schedules}
    kind, _, name = str(asked.target).partition(":")
    yield from unknown(kind, name, names[kind], (*path, "target"))


def _nothing(_asked: object, _known: Known, _path: Path) -> Iterator[Finding]:
    return iter(())


# `Any`: each row takes what is asked for in its own type.
_REFERENCES: Mapping[type[Asked], Callable[[Any, Known, Path], Iterator[Finding]]] = {
    SetSeverity: _severity,
    Assign: _assign,
    Approve: _step,
    RunAction: _step,
    OverrideOnCall: _override,
    AddResponder: _responder,
}
