"""What can come next for an incident, and what the decision about it is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tocsin_playbook.model import Step
from tocsin_remediator.core.actions import Action, Claim, Outcome, Track
from tocsin_remediator.core.reach import AllowedHosts
from tocsin_schemas import Event
from tocsin_schemas.events import ActionClaimed, ActionFailed, ActionOutcomeUnknown, ActionSucceeded

__all__ = [
    "Claiming",
    "Ended",
    "Execute",
    "Here",
    "Move",
    "Nothing",
    "Policy",
    "Recover",
    "Say",
    "Trigger",
    "Verify",
    "Wait",
]

Ended = ActionSucceeded | ActionFailed | ActionOutcomeUnknown


@dataclass(frozen=True, slots=True)
class Policy:
    """What this installation allows."""

    enabled: bool = True
    allowed_hosts: AllowedHosts = field(default_factory=lambda: AllowedHosts.parse("127.0.0.1,localhost"))
    claim_valid: timedelta = timedelta(seconds=5)
    start_within: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Here:
    """What this process knows of itself, and no log can: which effects it has begun and what came of them."""

    replica: str
    begun: frozenset[str] = frozenset()
    reports: Mapping[str, Ended] = field(default_factory=dict)
    watched: Mapping[str, timedelta] = field(default_factory=dict)
    """For how long, by this process's own monotonic clock, it has known of a claim."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """The message that made us look: only some may start a runbook, and none that is old."""

    id: str
    at: datetime
    may_start: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """Facts for the log."""

    cause: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Claiming:
    """Ask for the permission to execute one attempt."""

    cause: str
    event: ActionClaimed
    track: Track
    action: Action
    step: Step
    target: str
    agreed: bool
    """A person said yes to this very action: budgets are counted and do not hinder it."""


@dataclass(frozen=True, slots=True)
class Execute:
    """Carry out what this process has claimed and not begun."""

    track: Track
    action: Action
    claim: Claim
    step: Step


@dataclass(frozen=True, slots=True)
class Recover:
    """Find out what became of a claim whose claimant should have said so by now."""

    track: Track
    action: Action
    claim: Claim
    step: Step


@dataclass(frozen=True, slots=True)
class Verify:
    """Look whether it helped."""

    track: Track
    action: Action
    success: Outcome
    step: Step


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done before `until`, unless something happens."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing is left to be done. `problems`: conditions of the playbook that could not be asked."""

    reason: str
    problems: tuple[str, ...] = ()


Move = Say | Claiming | Execute | Recover | Verify | Wait | Nothing
