"""Conditions in CEL, behind a small interface of our own.

A condition is compiled once, against typed variables: a name it does not know and types that do not
fit are found when the playbook is read, not during an incident. Evaluating one takes microseconds,
has no effects and always ends: CEL has no loops but the macros over lists and maps, and those may be
nested at most twice here.

**When a condition cannot be evaluated** (a label is not there, a division by zero), `evaluate` raises
ConditionEvaluationError. The caller treats the condition as not holding and records the reason;
nothing is done, and nobody's severity is changed, on a guess. `'pii' in alert.labels && …` and
`has(alert.labels.pii) && …` ask first whether a label is there.

CEL itself is a large shared library; it is loaded by the first condition that is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from cel_expr_python import cel

MAX_NESTED_COMPREHENSIONS = 2

VariableType = Literal["text", "number", "count", "duration", "labels", "flag"]
Value = str | float | int | bool | timedelta | Mapping[str, str]
Facts = Mapping[str, Value]
"""The value of every variable of an environment that is known, by its full name such as `incident.labels`."""

IMPACT: Mapping[str, VariableType] = {
    "incident.users_affected": "number",
    "incident.data_loss": "flag",
    "incident.data_at_risk": "flag",
    "incident.security": "flag",
    "incident.compliance": "flag",
    "incident.workaround": "flag",
    "incident.recent_deployment": "flag",
}
"""What people or alerts say of an incident. What nobody has said is not known, and a condition that asks for it does
not hold."""

INCIDENT: Mapping[str, VariableType] = {
    "incident.id": "text",
    "incident.title": "text",
    "incident.severity": "text",
    "incident.state": "text",
    "incident.labels": "labels",
    "incident.alerts": "count",
    "incident.age": "duration",
    **IMPACT,
}
ALERT: Mapping[str, VariableType] = {
    "alert.name": "text",
    "alert.labels": "labels",
    "alert.annotations": "labels",
    "alert.value": "number",
    "alert.severity": "text",
}


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables a condition may use, and their types."""

    variables: tuple[tuple[str, VariableType], ...]

    @property
    def names(self) -> str:
        """The variables, for messages."""
        return ", ".join(name for name, _ in self.variables)


INCIDENT_ENVIRONMENT = Environment(tuple(INCIDENT.items()))
"""For runbooks, steps, levels and announcements."""

CLASSIFY_ENVIRONMENT = Environment(tuple({**INCIDENT, **ALERT}.items()))
"""For classifications: an incident and the alert that has just come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFacts:
    """What a condition may know about an incident."""

    id: str
    title: str
    severity: str
    state: str
    labels: Mapping[str, str] = field(default_factory=dict)
    alerts: int = 0
    age: timedelta = timedelta()
    impact: Mapping[str, float | bool] = field(default_factory=dict)
    """What is known of it, by the names of IMPACT without `incident.`."""

    def as_facts(self) -> dict[str, Value]:
        """The variables of INCIDENT_ENVIRONMENT that are known."""
        known: dict[str, Value] = {
            name: getattr(self, name.removeprefix("incident.")) for name in INCIDENT if name not in IMPACT
        }
        for name, value in self.impact.items():
            known[f"incident.{name}"] = value
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """What a condition may know about an alert."""

    name: str
    severity: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    value: float = 0.0

    def as_facts(self) -> dict[str, Value]:
        """The variables CLASSIFY_ENVIRONMENT has besides those of the incident."""
        return {name: getattr(self, name.removeprefix("alert.")) for name in ALERT}


class ConditionSyntaxError(ValueError):
    """A condition that does not compile; `offset` is where in its text."""

    def __init__(self, message: str, expected: str, offset: int) -> None:
        super().__init__(f"{message}; expected {expected}")
        self.message = message
        self.expected = expected
        self.offset = offset


class ConditionEvaluationError(ValueError):
    """A condition that has no answer for these facts."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"the condition `{text[:200]}` cannot be evaluated: {reason}")
        self.text = text
        self.reason = reason


class Condition(Protocol):
    """Something that holds or does not."""

    @property
    def text(self) -> str:
        """As it stands in the playbook."""

    def evaluate(self, facts: Facts) -> bool:
        """Whether it holds; raises ConditionEvaluationError."""


@dataclass(frozen=True, slots=True)
class _CelCondition:
    text: str
    compiled: cel.Expression

    def evaluate(self, facts: Facts) -> bool:
        # CEL takes only exact dicts; what it refuses otherwise it reports as the result's type.
        data = {name: dict(value) if isinstance(value, Mapping) else value for name, value in facts.items()}
        result = self.compiled.eval(data=data).plain_value()
        if isinstance(result, bool):
            return result
        raise ConditionEvaluationError(self.text, _reason(str(result)))


def compile_condition(text: str, environment: Environment = INCIDENT_ENVIRONMENT) -> Condition:
    """Compile a condition that is true or false; raises ConditionSyntaxError."""
    if (deep := _deep_comprehension(text)) is not None:
        raise ConditionSyntaxError(
            "macros over lists are nested too deep", f"at most {MAX_NESTED_COMPREHENSIONS} within each other", deep
        )
    from cel_expr_python import cel

    try:
        compiled = _cel_environment(environment).compile(text)
    except (RuntimeError, TypeError) as error:  # TypeError: text that is no Unicode
        raise _syntax_error(str(error), text, environment) from None
    result = compiled.return_type()
    if result != cel.Type.BOOL:
        raise ConditionSyntaxError(
            f"the condition is not true or false but {result.name().lower()}", "a comparison such as a == b", 0
        )
    return _CelCondition(text, compiled)


@lru_cache(maxsize=8)
def _cel_environment(environment: Environment) -> cel.Env:
    from cel_expr_python import cel

    types: Mapping[VariableType, cel.Type] = {
        "text": cel.Type.STRING,
        "number": cel.Type.DOUBLE,
        "count": cel.Type.INT,
        "flag": cel.Type.BOOL,
        "duration": cel.Type.DURATION,
        "labels": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    }
    return cel.NewEnv(variables={name: types[kind] for name, kind in environment.variables})


_REPORT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_MIXED_NUMBERS = re.compile(r"applied to '\((double, int|int, double)\)'")


def _syntax_error(report: str, text: str, environment: Environment) -> ConditionSyntaxError:
    found = _REPORT.search(report)
    if found is None:
        return ConditionSyntaxError("the condition is too deeply nested or no text", "a simpler condition", 0)
    offset = _offset(text, int(found[1]), int(found[2]))
    said = found[3]
    if unknown := _UNDECLARED.match(said):
        at = text.rfind(unknown[1], 0, offset + len(unknown[1]))
        return ConditionSyntaxError(
            f"there is no variable {unknown[1]!r}", f"one of {environment.names}", at if at >= 0 else offset
        )
    if _MIXED_NUMBERS.search(said):
        return ConditionSyntaxError(
            "a decimal number meets a whole one", "both decimal, like 1.0, or double(…) around the whole one", offset
        )
    if said.startswith("Syntax error: "):
        return ConditionSyntaxError("the condition does not parse", "CEL such as incident.severity == 'P0'", offset)
    return ConditionSyntaxError(f"the condition does not fit: {said[:160]}", "operands of fitting types", offset)


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    return min(sum(len(each) + 1 for each in lines[: line - 1]) + column - 1, len(text))


def _reason(report: str) -> str:
    if missing := re.search(r'Key not found in map : "([^"]*)"', report):
        return f"there is no label {missing[1][:100]!r}"
    return report.partition(": ")[2][:200] or report[:200]


_TEXT = re.compile(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_MACRO_OR_PARENTHESIS = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(|[()]")


def _deep_comprehension(text: str) -> int | None:
    """Where a macro begins that is within more macros than allowed."""
    blanked = _TEXT.sub(lambda match: " " * len(match[0]), text)
    open_parentheses: list[bool] = []
    for token in _MACRO_OR_PARENTHESIS.finditer(blanked):
        if token[0] == ")":
            if open_parentheses:
                open_parentheses.pop()
            continue
        is_macro = token[0] != "("
        open_parentheses.append(is_macro)
        if is_macro and sum(open_parentheses) > MAX_NESTED_COMPREHENSIONS:
            return token.start()
    return None
