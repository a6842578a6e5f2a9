"""What a playbook says that cannot be meant: names that do not exist, branches nothing leads to, and the like."""

from __future__ import annotations

from datetime import datetime

from tocsin_playbook.checks import escalation, ladders, names, people, runbooks, services, syntax
from tocsin_playbook.checks.finding import Check, DatedCheck, Finding
from tocsin_playbook.loader import Loaded, load
from tocsin_playbook.problems import PlaybookError, Problem

CHECKS: tuple[Check, ...] = (
    names.unknown_names,
    names.repeated_names,
    names.missing_addresses,
    syntax.promql,
    syntax.conditions,
    ladders.unreachable_rungs,
    ladders.severity_order,
    ladders.nothing_to_look_at,
    ladders.odd_times,
    escalation.policies,
    escalation.silences,
    escalation.warnings,
    escalation.everybody_answers,
    runbooks.trees,
    services.circles,
    people.reachable,
    people.known_roles,
    people.notification_rules,
    people.holiday_restrictions,
)
DATED_CHECKS: tuple[DatedCheck, ...] = (people.holes,)


def lint(text: str | bytes, source: str = "playbook.yaml", *, now: datetime | None = None) -> list[Problem]:
    """Everything wrong with a text, errors and warnings, in the order of the text. Raises nothing.

    What depends on the day, such as a hole in a schedule, is looked for only from a moment that is given.
    """
    try:
        loaded = load(text, source=source)
    except PlaybookError as error:
        return list(error.problems)
    return lint_loaded(loaded, now=now)


def lint_loaded(loaded: Loaded, *, now: datetime | None = None) -> list[Problem]:
    """The same for what is already loaded."""
    findings = [finding for check in CHECKS for finding in check(loaded.playbook)]
    if now is not None:
        findings += [finding for dated in DATED_CHECKS for finding in dated(loaded.playbook, now)]
    problems = [_problem(loaded, finding) for finding in findings]
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column))


def load_checked(text: str | bytes, *, source: str = "playbook.yaml") -> Loaded:
    """Load a playbook that has no errors; warnings are let through. What services and `push` use."""
    loaded = load(text, source=source)
    errors = [problem for problem in lint_loaded(loaded) if problem.level == "error"]
    if errors:
        raise PlaybookError(errors)
    return loaded


def _problem(loaded: Loaded, finding: Finding) -> Problem:
    if finding.offset is not None:
        at = loaded.positions.inside(finding.path, finding.offset)
    else:
        at = loaded.positions.value(finding.path)
    return Problem(loaded.source, at.line, at.column, finding.path, finding.message, finding.expected, finding.level)
