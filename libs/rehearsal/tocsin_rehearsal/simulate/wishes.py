"""What an operator of a simulation asks for, as the command about one of its incidents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tocsin_rehearsal.simulate.history import Life
from tocsin_schemas import Command
from tocsin_schemas.commands import (
    Acknowledge,
    AddNote,
    AddResponder,
    ApproveAction,
    Decline,
    Escalate,
    Link,
    Merge,
    ReleaseSeverity,
    Reopen,
    Resolve,
    SetSeverity,
    Split,
    StateImpact,
    StopAutomation,
    TakeOver,
    Update,
)
from tocsin_schemas.events import ActionProposed
from tocsin_schemas.parts import Actor, Impact

__all__ = ["ABOUT_OVER", "Verb", "Wish", "command_of"]

Verb = Literal[
    "acknowledge", "acknowledge for a while", "resolve", "escalate", "note", "approve", "severity", "stop",
    "take over", "decline", "add", "update", "status", "impact", "release", "false alarm", "reopen", "merge", "split",
    "split alerts", "link",
]  # fmt: skip

ABOUT_OVER: tuple[Verb, ...] = ("reopen",)
"""What is asked of an incident that is over, where there is one."""

_TARGETS = ("team:all", "person:grace", "person:mallory", "person:ada", "schedule:nobody", "team:nobody")
_STATUSES: tuple[Literal["investigating", "identified", "mitigating"], ...] = (
    "investigating",
    "identified",
    "mitigating",
)
_SEVERITIES = ("critical", "major", "minor")


@dataclass(frozen=True, slots=True)
class Wish:
    """By whom, and about which incident; `other` is the one that it is to have to do with, if there is one."""

    by: Actor
    life: Life
    other: Life | None
    which: int
    lasts: timedelta


def command_of(verb: Verb, wish: Wish) -> Command | None:
    """The command; none where there is nothing that it could be about."""
    return _COMMANDS[verb](wish)


def _approval(wish: Wish) -> ApproveAction | None:
    events = wish.life.events
    proposed = [
        each.data.action for each in events if isinstance(each.data, ActionProposed) and each.data.needs_approval
    ]
    return ApproveAction(incident=wish.life.id, by=wish.by, action=proposed[-1]) if proposed else None


def _added(wish: Wish) -> AddResponder:
    target = _TARGETS[wish.which % len(_TARGETS)]
    return AddResponder(incident=wish.life.id, by=wish.by, target=target, because="many hands")


def _status(wish: Wish) -> Update:
    status = _STATUSES[wish.which % len(_STATUSES)]
    return Update(incident=wish.life.id, by=wish.by, text=f"We are {status}.", status=status)


def _impact(wish: Wish) -> StateImpact:
    impact = Impact(users_affected=0.1 * wish.which, data_at_risk=wish.which % 2 == 1)
    return StateImpact(incident=wish.life.id, by=wish.by, impact=impact)


def _merged(wish: Wish) -> Merge | None:
    if wish.other is None:
        return None
    return Merge(incident=wish.life.id, by=wish.by, into=wish.other.id, because="it is the same trouble")


def _linked(wish: Wish) -> Link | None:
    return None if wish.other is None else Link(incident=wish.life.id, by=wish.by, other=wish.other.id)


def _split_off(wish: Wish) -> Split | None:
    """One of its alerts becomes an incident of its own."""
    alerts = sorted({key.fingerprint for key in wish.life.state.firing})
    if not alerts:
        return None
    return Split(incident=wish.life.id, by=wish.by, alerts=(alerts[wish.which % len(alerts)],))


_COMMANDS: Mapping[Verb, Callable[[Wish], Command | None]] = {
    "acknowledge": lambda wish: Acknowledge(incident=wish.life.id, by=wish.by),
    "acknowledge for a while": lambda wish: Acknowledge(incident=wish.life.id, by=wish.by, lasting=wish.lasts),
    "resolve": lambda wish: Resolve(incident=wish.life.id, by=wish.by),
    "escalate": lambda wish: Escalate(incident=wish.life.id, by=wish.by),
    "note": lambda wish: AddNote(incident=wish.life.id, by=wish.by, text="I am looking at it."),
    "approve": _approval,
    "severity": lambda wish: SetSeverity(
        incident=wish.life.id, by=wish.by, severity=_SEVERITIES[wish.which % len(_SEVERITIES)]
    ),
    "stop": lambda wish: StopAutomation(incident=wish.life.id, by=wish.by),
    "take over": lambda wish: TakeOver(incident=wish.life.id, by=wish.by),
    "decline": lambda wish: Decline(incident=wish.life.id, by=wish.by, because="on a train"),
    "add": _added,
    "update": lambda wish: Update(incident=wish.life.id, by=wish.by, text="We are still looking."),
    "status": _status,
    "impact": _impact,
    "release": lambda wish: ReleaseSeverity(incident=wish.life.id, by=wish.by),
    "false alarm": lambda wish: Resolve(incident=wish.life.id, by=wish.by, false_alarm=True),
    "reopen": lambda wish: Reopen(incident=wish.life.id, by=wish.by, because="it is not over"),
    "merge": _merged,
    "split": lambda wish: Split(incident=wish.life.id, by=wish.by),
    "split alerts": _split_off,
    "link": _linked,
}
