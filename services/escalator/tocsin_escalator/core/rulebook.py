"""A playbook made ready for deciding: the ladder as ranks, conditions compiled, escalation plans laid out.

Made once for each revision and shared by all its incidents.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from tocsin_escalator.core.incident import Place
from tocsin_playbook.expressions import (
    CLASSIFY_ENVIRONMENT,
    INCIDENT_ENVIRONMENT,
    Condition,
    ConditionSyntaxError,
    Environment,
    compile_condition,
)
from tocsin_playbook.model import AnyTarget, Classification, EscalationPolicy, Playbook
from tocsin_schemas import PlaybookRef

__all__ = ["Plan", "Rulebook", "Step", "make_rulebook"]


@dataclass(frozen=True, slots=True)
class Step:
    """One level in one round: whom to tell, how long after the escalation began."""

    place: Place
    after: timedelta
    targets: tuple[AnyTarget, ...]
    until_resolved: bool
    when: Condition | None = None
    each: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everybody who is told at a severity, in order, and when the severity rises by itself."""

    steps: tuple[Step, ...]
    raise_after: timedelta | None = None
    raise_to: str | None = None

    def after(self, place: Place) -> tuple[Step, ...]:
        """The steps behind this place."""
        return tuple(step for step in self.steps if step.place > place)

    def upto(self, place: Place) -> Step:
        """The last step at or before this place; the first where none is."""
        return next((step for step in reversed(self.steps) if step.place <= place), self.steps[0])

    def at(self, place: Place) -> Step:
        """The step at this place. Behind the end of the plan: that level once more, whatever its condition."""
        known = next((step for step in self.steps if step.place == place), None)
        if known is not None:
            return known
        level = next((step for step in self.steps if step.place.level == place.level), self.steps[-1])
        return replace(level, place=place, when=None)

    def once_more(self, reached: Place) -> Step:
        """The level that was reached, told again although the plan does not ask for it."""
        return self.at(Place(reached.round + 1, self.upto(reached).place.level))


@dataclass(frozen=True, slots=True)
class Rule:
    """A classification with its compiled condition."""

    classification: Classification
    condition: Condition


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A playbook of one revision, ready."""

    ref: PlaybookRef
    playbook: Playbook
    ranks: Mapping[str, int]
    rules: tuple[Rule, ...]
    rules_vary: bool  # a renewal of an alert may change the answer of one of them
    plans: Mapping[str, Plan | None]
    problems: tuple[str, ...] = ()

    def plan(self, severity: str) -> Plan | None:
        """Who is told at this severity; none if the playbook tells nobody anything."""
        return self.plans.get(severity)

    def is_more_severe(self, one: str, other: str) -> bool:
        return self.ranks[one] < self.ranks.get(other, len(self.ranks))


def make_rulebook(ref: PlaybookRef, playbook: Playbook) -> Rulebook:
    """Lay a playbook out. What does not compile never holds, and is named in `problems`."""
    problems: list[str] = []
    ranks = {severity.name: rank for rank, severity in enumerate(playbook.severities)}
    rules = tuple(
        Rule(each, condition)
        for each in playbook.classify
        if each.severity in ranks and (condition := _compiled(each.when, CLASSIFY_ENVIRONMENT, problems)) is not None
    )
    vary = any(_varies(rule.classification.when) for rule in rules)
    plans = {severity.name: _plan_for(playbook, rank, problems) for rank, severity in enumerate(playbook.severities)}
    return Rulebook(ref, playbook, ranks, rules, vary, plans, tuple(dict.fromkeys(problems)))


def _plan_for(playbook: Playbook, rank: int, problems: list[str]) -> Plan | None:
    """The plan of a severity. One that no policy names takes that of the next more severe that has one; else of the
    next less severe: better to tell too many than nobody.
    """
    names = [severity.name for severity in playbook.severities]
    for name in (*reversed(names[: rank + 1]), *names[rank + 1 :]):
        policy = playbook.policy_for(name)
        if policy is not None:
            return _plan(playbook, policy, names[rank], problems)
    return None


def _plan(playbook: Playbook, policy: EscalationPolicy, severity: str, problems: list[str]) -> Plan:
    steps: list[Step] = []
    after = timedelta()
    for planned in policy.plan():
        level, after = planned.level, max(after, planned.after)  # never before the step that precedes it
        when = None
        if level.when is not None:
            when = _compiled(level.when, INCIDENT_ENVIRONMENT, problems) or _NEVER
        place = Place(planned.round, planned.index)
        steps.append(Step(place, after, level.notify, level.until == "resolved", when, level.each))
    rise = policy.raise_severity
    ladder = [each.name for each in playbook.severities]
    if rise is None or rise.to not in ladder or ladder.index(rise.to) >= ladder.index(severity):
        return Plan(tuple(steps))
    return Plan(tuple(steps), rise.after, rise.to)


@dataclass(frozen=True, slots=True)
class _Never:
    text: str = "false"

    def evaluate(self, facts: object) -> bool:
        return False


_NEVER = _Never()


def _compiled(text: str, environment: Environment, problems: list[str]) -> Condition | None:
    try:
        return compile_condition(text, environment)
    except ConditionSyntaxError as error:
        problems.append(f"the condition `{text[:200]}` never holds: {error}")
        return None


def _varies(text: str) -> bool:
    """Whether the answer can differ between two messages of the same firing: its labels cannot."""
    return any(word in text for word in ("alert.value", "alert.annotations", "alert.severity", "incident."))
