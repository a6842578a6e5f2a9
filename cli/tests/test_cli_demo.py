"""The demonstration's verdict: it cannot be had without what it claims."""

from datetime import UTC, datetime

import pytest

from tocsin.demo.stage import storefront_playbook, without_runbooks
from tocsin.demo.story import Outside, Story, escalation, mitigation
from tocsin_playbook import lint, load
from tocsin_schemas import Envelope, Event, Payload, RunbookOutcome, caused_by
from tocsin_schemas.events import (
    ActionSucceeded,
    AlertCleared,
    IncidentMonitoring,
    IncidentOpened,
    IncidentResolved,
    NotificationDelivered,
    ResponderPaged,
    RunbookFinished,
    VerificationFailed,
    VerificationPassed,
)
from tocsin_schemas.labels import Labels
from tocsin_schemas.parts import Actor, PlaybookRef

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def succeeded(step: str) -> Event:
    return ActionSucceeded(action=step, runbook="r", step=step, attempt=1, execution=step)


GOOD: list[Event] = [
    IncidentOpened(
        group_key="g",
        episode=0,
        title="t",
        severity="P0",
        labels=Labels(),
        playbook=PlaybookRef(name="p", revision="0" * 12),
        started_at=NOW,
    ),
    ResponderPaged(page="p", target="person:ada", level=0, severity="P0", reason="opened"),
    NotificationDelivered(notification="n", channel="slack", recipient="person:ada"),
    succeeded("clear-cache"),
    VerificationFailed(action="a", runbook="r", step="clear-cache"),
    succeeded("disable-payment-provider"),
    VerificationPassed(action="b", runbook="r", step="disable-payment-provider"),
    RunbookFinished(runbook="r", outcome=RunbookOutcome.MITIGATED),
    AlertCleared(fingerprint="0" * 16, episode="e", rule="r", ends_at=NOW),
    IncidentMonitoring(watch_until=NOW),
    IncidentResolved(by=Actor.system("escalator")),
]
OUTSIDE = Outside(1, 1, shop_is_healthy=True, executions={"cache/clear": 1, "payments/failover": 1})


def told(events: list[Event], outside: Outside, story: Story | None = None) -> Story:
    story = story or mitigation()
    wrapped: list[Envelope[Payload]] = [caused_by("c", n, "x", "inc", NOW, event) for n, event in enumerate(events)]
    story.look(wrapped, outside, 1.0)
    return story


def test_everything_that_must_happen_makes_a_complete_story() -> None:
    assert told(GOOD, OUTSIDE).missing == []


@pytest.mark.parametrize("left_out", range(len(GOOD)))
def test_no_fact_can_be_missing(left_out: int) -> None:
    assert told(GOOD[:left_out] + GOOD[left_out + 1 :], OUTSIDE).missing


@pytest.mark.parametrize(
    "outside",
    [
        Outside(0, 1, executions={"a": 1}),
        Outside(1, 0, executions={"a": 1}),
        Outside(1, 1, shop_is_healthy=False, executions={"a": 1}),
        Outside(1, 1, executions={"a": 2}),
        Outside(1, 1, executions={}),
    ],
    ids=["no Slack message", "no mail", "the shop still broken", "an action twice", "no action"],
)
def test_what_was_seen_outside_counts_too(outside: Outside) -> None:
    assert told(GOOD, outside).missing


def test_without_the_runbook_the_incident_must_escalate() -> None:
    assert "nobody answers: the incident escalates" in told(GOOD, OUTSIDE, escalation()).missing


def test_the_playbook_without_its_runbooks_is_still_a_playbook() -> None:
    text = without_runbooks(storefront_playbook())
    assert not load(text).playbook.remediate.runbooks
    assert not [problem for problem in lint(text) if problem.level == "error"]
    assert load(storefront_playbook()).playbook.remediate.runbooks
