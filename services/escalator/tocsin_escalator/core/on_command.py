"""What follows from what a person asks for. What cannot be is answered too, with one sentence that says why."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tocsin_escalator.core.draft import Draft
from tocsin_escalator.core.escalation import anchor_of, escalate_next, set_next
from tocsin_escalator.core.incident import IncidentState, Phase
from tocsin_escalator.core.lifecycle import Answer, Input, answer
from tocsin_escalator.core.on_timer import decide_resolved
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_escalator.core.severity import change_severity
from tocsin_schemas import Event
from tocsin_schemas.commands import (
    Acknowledge,
    AddNote,
    AssignRole,
    Escalate,
    Resolve,
    SetSeverity,
)
from tocsin_schemas.events import CommandRejected, IncidentAcknowledged, IncidentResolved, NoteAdded, RoleAssigned
from tocsin_schemas.moments import LATEST
from tocsin_schemas.text import clean_line

__all__ = ["INCIDENT_COMMANDS", "IncidentCommand", "decide_command"]

IncidentCommand = Acknowledge | Resolve | Escalate | SetSeverity | AssignRole | AddNote
INCIDENT_COMMANDS = (Acknowledge, Resolve, Escalate, SetSeverity, AssignRole, AddNote)


def decide_command(
    state: IncidentState, command: IncidentCommand, rulebook: Rulebook, now: datetime
) -> tuple[Event, ...]:
    """Carry out a command, or reject it: a command is always answered."""
    given, carry_out = _COMMANDS[type(command)]
    draft = Draft(state, rulebook, now)
    if answer(state.phase, given) is Answer.REJECT:
        _reject(draft, command, _WRONG_PHASE[state.phase])
    else:
        carry_out(draft, command)
    return draft.done()


_WRONG_PHASE: Mapping[Phase, str] = {
    Phase.NONE: "there is no such incident",
    Phase.RESOLVED: "the incident is resolved already",
    Phase.CLOSED: "the incident is closed",
}


def _reject(draft: Draft, command: IncidentCommand, reason: str) -> None:
    draft.add(CommandRejected(command=type(command).__name__, reason=clean_line(reason), by=command.by))


def _acknowledge(draft: Draft, command: Acknowledge) -> None:
    anchor = anchor_of(draft)  # before the acknowledgement voids the deadline it is read from
    until = min(draft.now + command.lasting, LATEST) if command.lasting is not None else None
    draft.add(IncidentAcknowledged(by=command.by, until=until))
    set_next(draft, anchor)


def _resolve(draft: Draft, command: Resolve) -> None:
    decide_resolved(draft, IncidentResolved(by=command.by, notes=command.notes))


def _escalate(draft: Draft, command: Escalate) -> None:
    if not escalate_next(draft, "command", page_reason="command", by=command.by):
        _reject(draft, command, "no further level is left: everybody the playbook names has been told")


def _set_severity(draft: Draft, command: SetSeverity) -> None:
    ladder = draft.rulebook.ranks
    if command.severity not in ladder:
        _reject(draft, command, f"the playbook has no severity {command.severity!r}; it has {', '.join(ladder)}")
    elif command.severity == draft.state.severity:
        _reject(draft, command, f"the severity is {command.severity} already")
    else:
        change_severity(draft, command.severity, "person", command.because, command.by)


def _assign_role(draft: Draft, command: AssignRole) -> None:
    draft.add(RoleAssigned(role=command.role, person=command.person, by=command.by))


def _add_note(draft: Draft, command: AddNote) -> None:
    draft.add(NoteAdded(text=command.text, by=command.by))


# `Any`: each function takes the command of its own row; a type that says so cannot be written for a mapping.
_COMMANDS: Mapping[type[IncidentCommand], tuple[Input, Callable[[Draft, Any], None]]] = {
    Acknowledge: (Input.ACKNOWLEDGE, _acknowledge),
    Resolve: (Input.RESOLVE, _resolve),
    Escalate: (Input.ESCALATE, _escalate),
    SetSeverity: (Input.SET_SEVERITY, _set_severity),
    AssignRole: (Input.ASSIGN_ROLE, _assign_role),
    AddNote: (Input.ADD_NOTE, _add_note),
}
