# ruff: noqa: E501 - tables of cases, one a line
"""Conditions in CEL."""

import subprocess
import sys
from datetime import timedelta

import pytest

from tocsin_playbook import (
    CLASSIFY_ENVIRONMENT,
    AlertFacts,
    ConditionEvaluationError,
    ConditionSyntaxError,
    IncidentFacts,
    compile_condition,
)

INCIDENT = IncidentFacts(
    id="i1", title="Checkout fails", severity="P1", state="open", labels={"service": "checkout"}, alerts=3,
    age=timedelta(hours=2),
)  # fmt: skip
ALERT = AlertFacts(name="CheckoutErrors", severity="P0", labels={"pii": "exposed"}, value=0.3)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("incident.labels.service == 'checkout'", True),
        ("incident.labels.service == 'search'", False),
        ("incident.severity in ['P0', 'P1'] && incident.alerts > 2", True),
        ("incident.age > duration('1h')", True),
        ("'pii' in incident.labels && incident.labels.pii == 'exposed'", False),
        ("has(incident.labels.pii)", False),
        ("incident.labels.exists(k, k == 'service')", True),
    ],
)
def test_a_condition_on_an_incident_holds_or_not(text: str, holds: bool) -> None:
    assert compile_condition(text).evaluate(INCIDENT.as_facts()) is holds


def test_a_classification_also_sees_the_alert() -> None:
    condition = compile_condition("alert.labels.pii == 'exposed' && alert.value > 0.25", CLASSIFY_ENVIRONMENT)
    assert condition.evaluate({**INCIDENT.as_facts(), **ALERT.as_facts()})


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("incident.colour == 'red'", "there is no variable 'incident.colour'", 0),
        ("true && alert.value > 1.0", "there is no variable 'alert.value'", 8),
        ("true &&\n incident.severity == 3", "the condition does not fit: found no matching overload for '_==_' applied to '(string, int)'", 27),
        ("incident.severity =", "the condition does not parse", 18),
        ("incident.alerts", "the condition is not true or false but int", 0),
        ("(" * 500 + "true" + ")" * 500, "the condition is too deeply nested or no text", 0),
        ("'\ud800' == ''", "the condition is too deeply nested or no text", 0),
    ],
)  # fmt: skip
def test_a_condition_that_cannot_be_meant_is_refused_with_its_place(text: str, message: str, offset: int) -> None:
    with pytest.raises(ConditionSyntaxError) as refused:
        compile_condition(text)
    assert (refused.value.message, refused.value.offset) == (message, offset)


def test_a_decimal_compared_with_a_whole_number_is_told_how() -> None:
    with pytest.raises(ConditionSyntaxError, match=r"a decimal number meets a whole one; expected both decimal"):
        compile_condition("alert.value > 1", CLASSIFY_ENVIRONMENT)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("incident.labels.gone == 'x'", "there is no label 'gone'"),
        ("1 / (incident.alerts - 3) == 1", "divide by zero"),
    ],
)
def test_a_condition_without_an_answer_is_an_error_of_its_own(text: str, reason: str) -> None:
    with pytest.raises(ConditionEvaluationError) as refused:
        compile_condition(text).evaluate(INCIDENT.as_facts())
    assert refused.value.reason == reason


def test_facts_that_are_not_given_are_an_error() -> None:
    with pytest.raises(ConditionEvaluationError, match=r"incident\.severity"):
        compile_condition("incident.severity == 'P0'").evaluate({})


def test_macros_may_be_nested_twice_but_not_three_times() -> None:
    compile_condition("[1].all(a, [1].all(b, a == b)) && [1].all(a, true) && '.all((' != 'x'")
    with pytest.raises(ConditionSyntaxError, match="nested too deep") as refused:
        compile_condition("[1].all(a, [1].exists(b, [1].map(c, c) == [1]))")
    assert refused.value.offset == 28


def test_cel_is_loaded_by_the_first_condition_only() -> None:
    program = (
        "import sys, tocsin_playbook as t\n"
        "assert not any(m.startswith('cel_expr') for m in sys.modules)\n"
        "t.compile_condition('true')\n"
        "assert any(m.startswith('cel_expr') for m in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
