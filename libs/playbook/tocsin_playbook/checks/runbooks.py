"""Decision trees: steps that do not exist, that no path leads to, or that go round for ever."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin_playbook.checks.finding import Finding, listed
from tocsin_playbook.model import Playbook, Runbook, Step
from tocsin_playbook.model.remediate import WAYS_ON
from tocsin_playbook.problems import Path


def trees(playbook: Playbook) -> Iterator[Finding]:
    """Every runbook's steps."""
    named = {signal.runbook for signal in playbook.detect.signals}
    for number, runbook in enumerate(playbook.remediate.runbooks):
        where: Path = ("remediate", "runbooks", number)
        dangling = list(_dangling(runbook, where))
        yield from dangling
        if not dangling and len({step.name for step in runbook.steps}) == len(runbook.steps):
            yield from _unreachable(runbook, where)
            if runbook.budget is None and playbook.remediate.budget is None:
                yield from _loop(runbook, where)
        if runbook.when is None and runbook.name not in named:
            yield Finding(
                (*where, "name"),
                f"nothing uses the runbook {runbook.name!r}",
                "a `when`, or a rule that names it",
                level="warning",
            )


def _dangling(runbook: Runbook, where: Path) -> Iterator[Finding]:
    names = [step.name for step in runbook.steps]
    for index, step in enumerate(runbook.steps):
        for outcome in ("on_success", "on_failure", "on_skip"):
            way = getattr(step, outcome)
            if way not in names and way not in WAYS_ON:
                yield Finding(
                    (*where, "steps", index, outcome), f"there is no step {way[:80]!r}", listed([*names, *WAYS_ON])
                )


def _following(runbook: Runbook, step: Step) -> list[Step]:
    reached = [runbook.following(step, "on_success"), runbook.following(step, "on_failure")]
    if step.when is not None:
        reached.append(runbook.following(step, "on_skip"))
    return [each for each in reached if isinstance(each, Step)]


def _unreachable(runbook: Runbook, where: Path) -> Iterator[Finding]:
    reached = {runbook.steps[0].name}
    to_visit = [runbook.steps[0]]
    while to_visit:
        for step in _following(runbook, to_visit.pop()):
            if step.name not in reached:
                reached.add(step.name)
                to_visit.append(step)
    for index, step in enumerate(runbook.steps):
        if step.name not in reached:
            yield Finding(
                (*where, "steps", index, "name"),
                f"no path leads to the step {step.name!r}",
                "a step before it with on_success, on_failure or on_skip that leads here",
            )


def _loop(runbook: Runbook, where: Path) -> Iterator[Finding]:
    """A step that leads back to itself, when nothing limits how often. A step's own budget limits its loops."""
    for index, start in enumerate(runbook.steps):
        if start.budget is not None:
            continue
        seen: set[str] = set()
        to_visit = [start]
        while to_visit:
            for step in _following(runbook, to_visit.pop()):
                if step.name == start.name:
                    yield Finding(
                        (*where, "steps", index, "name"),
                        f"the step {start.name!r} can lead back to itself without end",
                        "a `budget` for the runbook or the step",
                    )
                    return
                if step.name not in seen and step.budget is None:
                    seen.add(step.name)
                    to_visit.append(step)
