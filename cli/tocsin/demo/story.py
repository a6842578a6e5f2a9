"""What must happen in the demonstration, and whether it has: facts of the log and what was received outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tocsin_schemas import Envelope, Payload, RunbookOutcome
from tocsin_schemas.events import (
    ActionSucceeded,
    AlertCleared,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentOpened,
    IncidentResolved,
    NotificationDelivered,
    ResponderPaged,
    RunbookFinished,
    VerificationFailed,
    VerificationPassed,
)

__all__ = ["Outside", "Step", "Story", "escalation", "mitigation"]

Events = Sequence[Envelope[Payload]]


@dataclass(slots=True)
class Outside:
    """What was seen outside of Tocsin."""

    slack_messages: int = 0
    mails: int = 0
    shop_is_healthy: bool = True
    executions: dict[str, int] = field(default_factory=dict)
    """How often the shop carried out each action."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that must happen."""

    name: str
    happened: Callable[[Events, Outside], bool]


@dataclass(slots=True)
class Story:
    """The steps in the order in which they are told, and when each was seen (seconds since the fault)."""

    steps: Sequence[Step]
    seen: dict[str, float] = field(default_factory=dict)

    def look(self, events: Events, outside: Outside, elapsed: float) -> None:
        for step in self.steps:
            if step.name not in self.seen and step.happened(events, outside):
                self.seen[step.name] = elapsed

    @property
    def is_complete(self) -> bool:
        return all(step.name in self.seen for step in self.steps)

    @property
    def missing(self) -> list[str]:
        return [step.name for step in self.steps if step.name not in self.seen]


def mitigation() -> Story:
    """With the runbook: the first action does not help, the second does."""
    return Story(
        (
            Step("an incident is opened as P0 or P1", _opened),
            Step("somebody is paged", _any(ResponderPaged)),
            Step("the page arrives in Slack", lambda e, o: o.slack_messages > 0 and _any(NotificationDelivered)(e, o)),
            Step("and by mail", lambda _, o: o.mails > 0),
            Step("the runbook's first action is carried out", _step_done("clear-cache")),
            Step("it does not help", _verified("clear-cache", VerificationFailed)),
            Step("the second action is carried out", _step_done("disable-payment-provider")),
            Step("the shop's health is verified", _verified("disable-payment-provider", VerificationPassed)),
            Step("the runbook counts as having mitigated it", _mitigated),
            Step("the alerts clear", _any(AlertCleared)),
            Step("the incident is monitored", _any(IncidentMonitoring)),
            Step("the incident is resolved", _any(IncidentResolved)),
            Step("the shop is healthy", lambda e, o: o.shop_is_healthy and _any(IncidentResolved)(e, o)),
            Step("each action was carried out exactly once", _each_once),
        )
    )


def escalation() -> Story:
    """Without the runbook: nobody answers, and the next person is told."""
    return Story(
        (
            Step("an incident is opened as P0 or P1", _opened),
            Step("ada is paged", _paged("person:ada")),
            Step("the page arrives in Slack", lambda e, o: o.slack_messages > 0 and _any(NotificationDelivered)(e, o)),
            Step("nobody answers: the incident escalates", _any(IncidentEscalated)),
            Step("grace is paged", _paged("person:grace")),
            Step("nothing was done to the shop", lambda e, o: _paged("person:grace")(e, o) and not o.executions),
        )
    )


# --- what the steps look for ------------------------------------------------------------------------------------------


def _any(kind: type[Payload]) -> Callable[[Events, Outside], bool]:
    return lambda events, _: any(isinstance(event.data, kind) for event in events)


def _opened(events: Events, _: Outside) -> bool:
    return any(isinstance(e.data, IncidentOpened) and e.data.severity in {"P0", "P1"} for e in events)


def _paged(target: str) -> Callable[[Events, Outside], bool]:
    return lambda events, _: any(isinstance(e.data, ResponderPaged) and e.data.target == target for e in events)


def _step_done(step: str) -> Callable[[Events, Outside], bool]:
    return lambda events, _: any(isinstance(e.data, ActionSucceeded) and e.data.step == step for e in events)


def _verified(
    step: str, kind: type[VerificationPassed] | type[VerificationFailed]
) -> Callable[[Events, Outside], bool]:
    return lambda events, _: any(isinstance(e.data, kind) and e.data.step == step for e in events)


def _mitigated(events: Events, _: Outside) -> bool:
    return any(isinstance(e.data, RunbookFinished) and e.data.outcome is RunbookOutcome.MITIGATED for e in events)


def _each_once(events: Events, outside: Outside) -> bool:
    return _any(IncidentResolved)(events, outside) and set(outside.executions.values()) == {1}
