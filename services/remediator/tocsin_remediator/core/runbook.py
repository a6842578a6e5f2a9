"""Which runbook an incident has, and how its steps follow each other."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from tocsin_playbook import (
    Condition,
    ConditionEvaluationError,
    ConditionSyntaxError,
    Facts,
    Playbook,
    compile_condition,
)
from tocsin_playbook.model import HttpAction, KubernetesAction, Runbook, Step
from tocsin_schemas.text import clean_line

__all__ = ["Choice", "Way", "choose", "description_of", "find_step", "holds", "target_of", "undo_of", "way_on"]

Way = Step | Literal["stop", "escalate"]
"""Where an outcome leads: to a step, to the end, or to a person."""

UNDO = " (undo)"
"""Ends the name of the step that takes another one back. No step of a playbook can have such a name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The runbook for an incident, and the conditions that could not be asked: they count as not holding."""

    runbook: Runbook | None
    problems: tuple[str, ...] = ()


def choose(playbook: Playbook, severity: str, rules: tuple[str, ...], facts: Facts) -> Choice:
    """The first runbook that fits: those that the incident's rules name come before those whose condition holds."""
    named = [
        signal.runbook for rule in rules for signal in playbook.detect.signals if signal.name == rule and signal.runbook
    ]
    by_name = {runbook.name: runbook for runbook in playbook.remediate.runbooks}
    candidates = [by_name[name] for name in dict.fromkeys(named) if name in by_name]
    candidates += [each for each in playbook.remediate.runbooks if each.when is not None and each not in candidates]
    problems: list[str] = []
    for runbook in candidates:
        if runbook.severities and severity not in runbook.severities:
            continue
        fits, problem = holds(runbook.when, facts)
        if problem:
            problems.append(f"runbook {runbook.name}: {problem}")
        if fits:
            return Choice(runbook, tuple(problems))
    return Choice(None, tuple(problems))


def holds(condition: str | None, facts: Facts) -> tuple[bool, str]:
    """Whether a condition holds, and why it could not be asked. No condition holds always."""
    if condition is None:
        return True, ""
    try:
        return _compiled(condition).evaluate(facts), ""
    except (ConditionSyntaxError, ConditionEvaluationError) as error:
        return False, clean_line(str(error), 400)


@lru_cache(maxsize=1000)
def _compiled(condition: str) -> Condition:
    return compile_condition(condition)


def find_step(runbook: Runbook, name: str) -> Step | None:
    """The step of this name, or the one that takes the step of this name back."""
    if name.endswith(UNDO):
        undone = runbook.step(name.removesuffix(UNDO))
        return undo_of(undone) if undone is not None else None
    return runbook.step(name)


def undo_of(step: Step) -> Step | None:
    """The step that takes this one back when it did not help; none if the playbook has none for that."""
    if step.undo is None or step.undo.on != "failure":
        return None
    return step.model_copy(
        update={
            "name": step.name + UNDO,
            "does": f"Take back: {step.does or step.name}"[:300],
            "when": None,
            "http": step.undo.http,
            "kubernetes": step.undo.kubernetes,
            "timeout": step.undo.timeout,
            "verify": None,
            "undo": None,
            "budget": None,
            "on_failure": "escalate",
        }
    )


def way_on(runbook: Runbook, step: Step, outcome: Literal["on_success", "on_failure", "on_skip"]) -> Way:
    """Where an outcome of a step leads. What was taken back goes on as its step's failure; a failed undo escalates."""
    if step.name.endswith(UNDO):
        undone = runbook.step(step.name.removesuffix(UNDO))
        return "escalate" if undone is None or outcome != "on_success" else runbook.following(undone, "on_failure")
    return runbook.following(step, outcome)


# --- for people ------------------------------------------------------------------------------------------------------


def description_of(step: Step) -> str:
    """What the step does, in one line."""
    return clean_line((step.does or step.manual or step.name).replace("\n", " ").replace("\t", " "), 500)


def target_of(step: Step) -> str:
    """What is acted upon: budgets and leases are counted by it. A URL's query is left out, it may hold anything."""
    if step.http is not None:
        return _http_target(step.http)
    if step.kubernetes is not None:
        return _kubernetes_target(step.kubernetes)
    return "a person" if step.manual is not None else "nothing"


def _http_target(action: HttpAction) -> str:
    parts = urlsplit(action.url)
    return clean_line(f"{action.method} {parts.scheme}://{parts.netloc.lower()}{parts.path}", 500)


def _kubernetes_target(action: KubernetesAction) -> str:
    return f"deployment {action.namespace}/{action.deployment} ({action.action})"
