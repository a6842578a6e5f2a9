"""PromQL and CEL that do not parse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import promql_parser

from tocsin_playbook.checks.finding import Finding
from tocsin_playbook.expressions import (
    CLASSIFY_ENVIRONMENT,
    INCIDENT_ENVIRONMENT,
    ConditionSyntaxError,
    Environment,
    compile_condition,
)
from tocsin_playbook.model import Playbook
from tocsin_playbook.model.detect import WINDOW
from tocsin_playbook.problems import Path

MAX_NESTING = 60
_EXPECTED = "PromQL such as rate(errors_total[5m])"
_PAIRS = {")": "(", "]": "[", "}": "{"}


def promql(playbook: Playbook) -> Iterator[Finding]:
    """Every PromQL expression."""
    detect = playbook.detect
    for number, rule in enumerate(detect.rules):
        yield from check_promql(rule.expr, ("detect", "rules", number, "expr"))
    for number, burn in enumerate(detect.burn_rates):
        for name, text in (("bad", burn.bad), ("total", burn.total)):
            yield from check_promql(text, ("detect", "burn_rates", number, name))
    for number, absence in enumerate(detect.absent):
        yield from check_promql(absence.expr, ("detect", "absent", number, "expr"))
    for number, anomaly in enumerate(detect.anomalies):
        yield from check_promql(anomaly.expr, ("detect", "anomalies", number, "expr"))
    for number, runbook in enumerate(playbook.remediate.runbooks):
        for index, step in enumerate(runbook.steps):
            if step.verify is not None and step.verify.expr is not None:
                where: Path = ("remediate", "runbooks", number, "steps", index, "verify", "expr")
                yield from check_promql(step.verify.expr, where)


def check_promql(text: str, path: Path) -> Iterator[Finding]:
    """What is wrong with one expression. The parser gives no positions, so brackets are followed here."""
    text = text.replace(WINDOW, f"{timedelta(minutes=5).seconds}s".ljust(len(WINDOW)))
    opened, deepest = _brackets(text)
    if deepest is not None:
        yield Finding(
            path, f"more than {MAX_NESTING} brackets within each other", "a simpler expression", offset=deepest
        )
        return
    try:
        parsed = promql_parser.parse(text)
    except ValueError as error:
        said = str(error).strip()
        message = (
            f"the PromQL does not parse: {said}" if said != "invalid promql query" else "the PromQL does not parse"
        )
        yield Finding(path, message, _EXPECTED, offset=opened or 0)
        return
    if isinstance(parsed, promql_parser.StringLiteral | promql_parser.MatrixSelector):
        yield Finding(path, "the PromQL has no value at a moment", "a vector or a number", offset=0)


def _brackets(text: str) -> tuple[int | None, int | None]:
    """Where a bracket stands that is never closed, and where there are too many open at once."""
    opened: list[tuple[str, int]] = []
    quote = ""
    skip = False
    for index, character in enumerate(text):
        if skip:
            skip = False
        elif quote:
            skip = character == "\\" and quote != "`"
            quote = "" if character == quote else quote
        elif character in "\"'`":
            quote = character
        elif character in "([{":
            opened.append((character, index))
            if len(opened) > MAX_NESTING:
                return None, index
        elif character in _PAIRS and opened:
            if opened[-1][0] != _PAIRS[character]:
                return index, None
            opened.pop()
    return (opened[-1][1] if opened else None), None


def conditions(playbook: Playbook) -> Iterator[Finding]:
    """Every CEL condition."""
    for number, rule in enumerate(playbook.classify):
        yield from check_condition(rule.when, ("classify", number, "when"), CLASSIFY_ENVIRONMENT)
    for number, policy in enumerate(playbook.escalate):
        for index, level in enumerate(policy.levels):
            yield from check_condition(level.when, ("escalate", number, "levels", index, "when"))
    for number, runbook in enumerate(playbook.remediate.runbooks):
        where: Path = ("remediate", "runbooks", number)
        yield from check_condition(runbook.when, (*where, "when"))
        for index, step in enumerate(runbook.steps):
            yield from check_condition(step.when, (*where, "steps", index, "when"))
    for number, announcement in enumerate(playbook.communicate.announce):
        yield from check_condition(announcement.when, ("communicate", "announce", number, "when"))


def check_condition(text: str | None, path: Path, environment: Environment = INCIDENT_ENVIRONMENT) -> Iterator[Finding]:
    """What is wrong with one condition."""
    if text is None:
        return
    try:
        compile_condition(text, environment)
    except ConditionSyntaxError as error:
        yield Finding(path, error.message, error.expected, offset=error.offset)
