"""Runbooks: decision trees of typed actions, each claimed before it runs and verified after."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from tocsin_playbook.model.base import Section, exactly_one, refuse
from tocsin_playbook.model.durations import Duration, PositiveDuration
from tocsin_playbook.model.http import HttpAction, HttpCheck
from tocsin_playbook.model.kubernetes import KubernetesAction
from tocsin_playbook.model.references import Target
from tocsin_playbook.model.scalars import (
    ConditionText,
    Expression,
    Name,
    PositiveCount,
    SeverityName,
    Text,
)

NEXT, STOP, ESCALATE = "next", "stop", "escalate"
WAYS_ON = (NEXT, STOP, ESCALATE)
"""What a step may lead to besides another step; so no step has such a name."""


class Budget(Section):
    """A limit to what automation may do: beyond it, a person is asked."""

    actions: PositiveCount = Field(description="How many actions, repetitions counted …")
    per: PositiveDuration = Field(description="… in how long a time.")


class Retry(Section):
    """Only for failures that certainly had no effect, or targets that honour an idempotency key."""

    attempts: int = Field(default=3, ge=1, le=20, strict=True, description="How often in all; default 3.")
    wait: Duration = Field(default=timedelta(seconds=1), description="The pause before the second; default 1s.")
    factor: float = Field(default=2, ge=1, le=10, strict=True, description="How much longer each pause is; default 2.")
    at_most: PositiveDuration = Field(default=timedelta(minutes=1), description="The longest pause; default 1m.")

    def pause_before(self, attempt: int) -> timedelta:
        """The pause before this attempt; the first is number 1 and has none."""
        if attempt <= 1:
            return timedelta()
        seconds = self.wait.total_seconds() * self.factor ** min(attempt - 2, 60)
        return min(timedelta(seconds=min(seconds, self.at_most.total_seconds())), self.at_most)


class Verify(Section):
    """How to see that an action helped. An action that is not verified in time has failed."""

    http: HttpCheck | None = Field(default=None, description="Holds when the answer is as expected.")
    expr: Expression | None = Field(default=None, description="PromQL; holds when it returns anything but 0.")
    within: PositiveDuration = Field(default=timedelta(minutes=1), description="By when it must hold; default 1m.")
    every: PositiveDuration = Field(default=timedelta(seconds=1), description="How often to look; default 1s.")
    lasting: Duration = Field(
        default=timedelta(), alias="for", description="How long it must hold without a break; default 0s."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Verify:
        exactly_one(self, "http", "expr")
        if self.lasting > self.within:
            raise refuse("it must hold for longer than there is time", "`for` not longer than `within`")
        return self


class Approval(Section):
    """Who must agree before a step runs."""

    needed: Literal["by_severity", "always", "never"] = Field(
        default="by_severity",
        description="`by_severity`: as the severity's `automation` says (default); `always`; or `never`.",
    )
    by: tuple[Target, ...] = Field(
        default=(), max_length=20, description="Who is asked; default: whoever is responding."
    )
    count: int = Field(default=1, ge=1, le=5, strict=True, description="How many different people must agree.")
    within: PositiveDuration = Field(
        default=timedelta(minutes=15), description="After this the step is not run and the incident escalates."
    )


def _approval(value: object) -> object:
    return {"needed": value} if isinstance(value, str) else value


class Undo(Section):
    """What takes a step back."""

    http: HttpAction | None = Field(default=None, description="A request.")
    kubernetes: KubernetesAction | None = Field(default=None, description="A change to a deployment.")
    on: Literal["failure", "resolved"] = Field(
        default="failure", description="`failure`: when the step was not verified; `resolved`: when all is over."
    )
    timeout: PositiveDuration = Field(default=timedelta(seconds=30), description="When to give up; default 30s.")

    @model_validator(mode="after")
    def _one_action(self) -> Undo:
        exactly_one(self, "http", "kubernetes")
        return self


class Step(Section):
    """One node of the decision tree."""

    name: Name = Field(description="Unique in its runbook; what other steps lead to.")
    does: Text | None = Field(default=None, description="What it does, in words people read before they approve.")
    when: ConditionText | None = Field(
        default=None, description="CEL: when it does not hold the step is skipped, and `on_skip` followed."
    )
    http: HttpAction | None = Field(default=None, description="Action: a request.")
    kubernetes: KubernetesAction | None = Field(default=None, description="Action: a change to a deployment.")
    wait: PositiveDuration | None = Field(default=None, description="Action: only wait.")
    manual: Text | None = Field(default=None, description="Action: ask a person to do this and to say when it is done.")
    timeout: PositiveDuration = Field(
        default=timedelta(seconds=30), description="How long one attempt may take; default 30s."
    )
    retry: Retry = Field(default=Retry(attempts=1), description="Whether to try again; default: no.")
    verify: Verify | None = Field(default=None, description="How to see that it helped; default: the action's success.")
    undo: Undo | None = Field(default=None, description="What takes it back.")
    approval: Annotated[
        Approval,
        BeforeValidator(_approval),
        WithJsonSchema(
            {
                "anyOf": [
                    {"enum": ["by_severity", "always", "never"]},
                    {"type": "object"},
                ]
            }
        ),
    ] = Field(default=Approval(), description="Who must agree; default: as the severity's automation says.")
    budget: Budget | None = Field(default=None, description="How often this step may run; default: no own limit.")
    cooldown: Duration = Field(
        default=timedelta(), description="How long after it ran it does not run again, in any incident; default 0s."
    )
    on_success: str = Field(
        default=STOP, description="Where to go when it succeeded: a step, next, escalate or stop; default stop."
    )
    on_failure: str = Field(
        default=ESCALATE, description="Where to go when it failed: a step, next, escalate or stop; default escalate."
    )
    on_skip: str = Field(default=NEXT, description="Where to go when its condition does not hold; default next.")

    @model_validator(mode="after")
    def _one_action(self) -> Step:
        exactly_one(self, "http", "kubernetes", "wait", "manual")
        if self.name in WAYS_ON:
            raise refuse(f"no step can be called {self.name!r}", "another name")
        return self

    @property
    def ways_on(self) -> dict[str, str]:
        """Where it may lead: outcome → step, `next`, `stop` or `escalate`. A step without `when` is not skipped."""
        ways = {"on_success": self.on_success, "on_failure": self.on_failure}
        return ways | ({"on_skip": self.on_skip} if self.when is not None else {})


class Runbook(Section):
    """What is done about one kind of incident. It starts with its first step."""

    name: Name = Field(description="What it is called.")
    description: Text | None = Field(default=None, description="Which trouble it is for, and what it does about it.")
    when: ConditionText | None = Field(
        default=None, description="CEL: incidents it is for. Default: only those of rules that name it."
    )
    severities: tuple[SeverityName, ...] = Field(
        default=(), max_length=50, description="Only for these severities; default: all."
    )
    steps: tuple[Step, ...] = Field(min_length=1, max_length=100, description="The decision tree, from its root.")
    budget: Budget | None = Field(default=None, description="How many actions it may take; default: no own limit.")

    def step(self, name: str) -> Step | None:
        """The step of this name."""
        return next((step for step in self.steps if step.name == name), None)

    def following(
        self, step: Step, outcome: Literal["on_success", "on_failure", "on_skip"]
    ) -> Step | Literal["stop", "escalate"]:
        """Where an outcome leads. `next` after the last step stops on success and escalates otherwise."""
        way: str = getattr(step, outcome)
        if way == STOP:
            return "stop"
        if way == NEXT:
            position = next(index for index, each in enumerate(self.steps) if each.name == step.name) + 1
            if position < len(self.steps):
                return self.steps[position]
            return "stop" if outcome == "on_success" else "escalate"
        return self.step(way) or "escalate"


class Remediate(Section):
    """What is done about incidents."""

    runbooks: tuple[Runbook, ...] = Field(
        default=(), max_length=500, description="In order: the first that fits an incident is its runbook."
    )
    budget: Budget | None = Field(default=None, description="How many actions all runbooks together may take.")
