"""Who may ask for what: the least access for each command, and one sentence where somebody's is not enough.

The same table makes the identities on NATS (`tocsin_runtime.identities`), so a credential and a playbook agree.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from tocsin_playbook.model import Playbook
from tocsin_playbook.model.oncall import Access, OnCall
from tocsin_schemas import Actor, Command, Role
from tocsin_schemas.commands import (
    Acknowledge,
    AcknowledgeAlert,
    AddNote,
    AddResponder,
    ApproveAction,
    AssignRole,
    Decline,
    Escalate,
    LiftOverride,
    LiftSilence,
    Link,
    Merge,
    OverrideOnCall,
    ReleaseSeverity,
    Reopen,
    Resolve,
    RunAction,
    SetSeverity,
    Silence,
    Split,
    StateImpact,
    StopAutomation,
    TakeOver,
    Update,
)

__all__ = [
    "ACCESSES", "LEAST_ACCESS", "LONG_SILENCES", "LongSilence", "access_of", "includes", "is_refusal", "refusal",
]  # fmt: skip

ACCESSES: tuple[Access, ...] = get_args(Access)
"""From the least to the most."""

LEAST_ACCESS: Mapping[type[Command], Access] = {
    Acknowledge: "responder",
    AcknowledgeAlert: "responder",
    TakeOver: "responder",
    Decline: "responder",
    AddNote: "responder",
    Update: "responder",
    StateImpact: "responder",
    Escalate: "responder",
    AddResponder: "responder",
    SetSeverity: "responder",
    Resolve: "responder",
    Reopen: "responder",
    Link: "responder",
    ApproveAction: "responder",
    StopAutomation: "responder",
    Silence: "responder",
    ReleaseSeverity: "responder",
    Merge: "commander",
    Split: "responder",
    AssignRole: "responder",
    RunAction: "commander",
    LiftSilence: "responder",
    OverrideOnCall: "responder",
    LiftOverride: "responder",
}
"""What somebody must have at least; what a command says may ask for more (`LONG_SILENCES`)."""


@dataclass(frozen=True, slots=True)
class LongSilence:
    """A silence that ends later than this from now asks for more."""

    than: timedelta
    words: str
    access: Access


LONG_SILENCES: Sequence[LongSilence] = (
    LongSilence(timedelta(days=30), "30 days", "admin"),
    LongSilence(timedelta(hours=24), "24 hours", "commander"),
)
"""The longest first."""


def includes(access: Access, other: Access) -> bool:
    """Whether who has this may do what that allows."""
    return ACCESSES.index(access) >= ACCESSES.index(other)


def access_of(playbooks: Sequence[Playbook], person: str) -> Access:
    """What this person may ask for: the most that a playbook gives them which names them, else the least that one
    gives to others."""
    named = [each.access for playbook in playbooks for each in playbook.oncall.people if each.name == person]
    if named:
        return max(named, key=ACCESSES.index)
    return min((playbook.oncall.others for playbook in playbooks), key=ACCESSES.index, default=OnCall().others)


def refusal(
    playbooks: Sequence[Playbook],
    actor: Actor,
    command: Command,
    now: datetime,
    *,
    roles: Mapping[Role, str] | None = None,
) -> str | None:
    """Why this actor may not ask for this, in one sentence; none if they may.

    `playbooks` is the incident's own, or, for a standing order, all that are in force. `roles` are those of the
    incident: its commander counts as one there. The system asks for nothing: who says to be it is refused.
    """
    if actor.kind == "system":
        return f"{actor.name} is not a person: only people ask for something"
    needed, what = _needed(command, now)
    access = access_of(playbooks, actor.name)
    if (roles or {}).get(Role.COMMANDER) == actor.name and includes("commander", access):
        access = "commander"
    if includes(access, needed):
        return None
    return f"{actor.name} is {_a(access)}; {what} asks for {_a(needed)}"


_ACCESS = f"an? (?:{'|'.join(ACCESSES)})"
_REFUSAL = re.compile(rf".+ is {_ACCESS}; [A-Z][A-Za-z]+(?: for more than [0-9]+ [a-z]+)? asks for {_ACCESS}")


def is_refusal(sentence: str) -> bool:
    """Whether this is what `refusal` says of somebody's access, and no other reason why something cannot be."""
    return _REFUSAL.fullmatch(sentence) is not None


def _needed(command: Command, now: datetime) -> tuple[Access, str]:
    name = type(command).__name__
    if isinstance(command, Silence):
        for longer in LONG_SILENCES:
            if command.until - now > longer.than:
                return longer.access, f"{name} for more than {longer.words}"
    return LEAST_ACCESS[type(command)], name


def _a(access: Access) -> str:
    return f"an {access}" if access == "admin" else f"a {access}"
