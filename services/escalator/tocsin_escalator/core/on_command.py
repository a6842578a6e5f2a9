"""What follows from what a person asks for. What cannot be is answered too, with one sentence that says why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin_escalator.core.answering import acknowledge, add_responder, decline, take_over, update
from tocsin_escalator.core.draft import Draft
from tocsin_escalator.core.escalation import begin, escalate_next
from tocsin_escalator.core.impact import together
from tocsin_escalator.core.incident import IncidentState, Phase
from tocsin_escalator.core.lifecycle import Answer, Input, answer
from tocsin_escalator.core.merging import Parts, merge, move_out, stand_alone
from tocsin_escalator.core.on_timer import decide_resolved
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_escalator.core.severity import change_severity, release, state_impact
from tocsin_playbook.access import refusal
from tocsin_schemas import Event
from tocsin_schemas.commands import (
    Acknowledge,
    AddNote,
    AddResponder,
    AssignRole,
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
    TakeOver,
    Update,
)
from tocsin_schemas.events import (
    CommandRejected,
    ImpactStated,
    IncidentLinked,
    IncidentReopened,
    IncidentResolved,
    NoteAdded,
    RoleAssigned,
    StatusUpdated,
)
from tocsin_schemas.text import clean_line

__all__ = ["INCIDENT_COMMANDS", "IncidentCommand", "Others", "decide_command"]

IncidentCommand = (
    Acknowledge | TakeOver | Decline | AddResponder | Update | StateImpact | Resolve | Reopen | Escalate | SetSeverity
    | ReleaseSeverity | Merge | Split | Link | AssignRole | AddNote
)  # fmt: skip
INCIDENT_COMMANDS: tuple[type[IncidentCommand], ...] = (
    Acknowledge, TakeOver, Decline, AddResponder, Update, StateImpact, Resolve, Reopen, Escalate, SetSeverity,
    ReleaseSeverity, Merge, Split, Link, AssignRole, AddNote,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Others:
    """What a command about two incidents must know of the other: the one that is named, or the alerts to split off."""

    named: IncidentState | None = None
    parts: Parts | None = None


NO_OTHERS = Others()


def decide_command(
    state: IncidentState, command: IncidentCommand, rulebook: Rulebook, now: datetime, others: Others = NO_OTHERS
) -> tuple[Event, ...]:
    """Carry out a command, or reject it: a command is always answered."""
    given, carry_out = _COMMANDS[type(command)]
    draft = Draft(state, rulebook, now)
    if answer(state.phase, given) is Answer.REJECT:
        _reject(draft, command, _why_not(state, given))
    elif (forbidden := _forbidden(draft, command, others)) is not None:
        _reject(draft, command, forbidden)
    else:
        carry_out(draft, command, others)
    return draft.done()


def _forbidden(draft: Draft, command: IncidentCommand, others: Others) -> str | None:
    """Why whoever asks may not; the commander of either incident may make them one."""
    of_either = (draft.state, others.named) if isinstance(command, Merge) else (draft.state,)
    refusals = [
        refusal((draft.rulebook.playbook,), command.by, command, draft.now, roles=state.roles)
        for state in of_either
        if state is not None
    ]
    return None if None in refusals else refusals[0]


_WRONG_PHASE: Mapping[Phase, str] = {
    Phase.NONE: "there is no such incident",
    Phase.RESOLVED: "the incident is resolved already",
    Phase.FALSE_ALARM: "the incident is over already: it was a false alarm",
    Phase.CLOSED: "the incident is closed",
}


def _why_not(state: IncidentState, given: Input) -> str:
    if given is Input.REOPEN and state.is_open:
        return "the incident is not over"
    return _WRONG_PHASE[state.phase]


def _reject(draft: Draft, command: IncidentCommand, reason: str) -> None:
    draft.add(CommandRejected(command=type(command).__name__, reason=clean_line(reason), by=command.by))


# --- its life --------------------------------------------------------------------------------------------------------


def _acknowledge(draft: Draft, command: Acknowledge, _: Others) -> None:
    acknowledge(draft, command.by, command.lasting)


def _take_over(draft: Draft, command: TakeOver, _: Others) -> None:
    take_over(draft, command.by)


def _decline(draft: Draft, command: Decline, _: Others) -> None:
    decline(draft, command.because, command.by)


def _add_responder(draft: Draft, command: AddResponder, _: Others) -> None:
    if (problem := add_responder(draft, command.target, command.because, command.by)) is not None:
        _reject(draft, command, problem)


def _update(draft: Draft, command: Update, _: Others) -> None:
    if command.status is not None and not draft.state.is_open:
        _reject(draft, command, "the incident is over: say how it stands without a status, or reopen it")
    elif command.status is not None and draft.state.phase is Phase.MONITORING:
        _reject(draft, command, "all alerts have cleared and it is watched: say how it stands without a status")
    elif draft.state.is_open:
        update(draft, command.text, command.status, command.by)
    else:
        draft.add(StatusUpdated(text=command.text, by=command.by))


def _resolve(draft: Draft, command: Resolve, _: Others) -> None:
    decide_resolved(draft, IncidentResolved(by=command.by, notes=command.notes, false_alarm=command.false_alarm))


def _reopen(draft: Draft, command: Reopen, _: Others) -> None:
    draft.add(IncidentReopened(by=command.by, because=command.because))
    begin(draft, "reopened")


def _escalate(draft: Draft, command: Escalate, _: Others) -> None:
    if not escalate_next(draft, "command", page_reason="command", by=command.by):
        _reject(draft, command, "no further level is left: everybody the playbook names has been told")


# --- what is known of it ---------------------------------------------------------------------------------------------


def _set_severity(draft: Draft, command: SetSeverity, _: Others) -> None:
    ladder = draft.rulebook.ranks
    if command.severity not in ladder:
        _reject(draft, command, f"the playbook has no severity {command.severity!r}; it has {', '.join(ladder)}")
    elif command.severity == draft.state.severity:
        _reject(draft, command, f"the severity is {command.severity} already")
    else:
        change_severity(draft, command.severity, "person", command.because, command.by)


def _release_severity(draft: Draft, command: ReleaseSeverity, _: Others) -> None:
    if draft.state.severity_is_a_persons:
        release(draft, command.by)
    else:
        _reject(draft, command, f"nobody has set the severity: it is {draft.state.severity} by itself")


def _state_impact(draft: Draft, command: StateImpact, _: Others) -> None:
    impact = together(draft.state.impact, command.impact)
    if impact == draft.state.impact:
        _reject(draft, command, "that is known already")
    elif draft.state.is_open:
        state_impact(draft, impact, command.by)
    else:
        draft.add(ImpactStated(impact=impact, by=command.by))


def _assign_role(draft: Draft, command: AssignRole, _: Others) -> None:
    draft.add(RoleAssigned(role=command.role, person=command.person, by=command.by))


def _add_note(draft: Draft, command: AddNote, _: Others) -> None:
    draft.add(NoteAdded(text=command.text, by=command.by))


# --- it and others ---------------------------------------------------------------------------------------------------


def _merge(draft: Draft, command: Merge, others: Others) -> None:
    other, state = others.named, draft.state
    if other is None or other.opening is None:
        _reject(draft, command, f"there is no incident {command.into}")
    elif other.incident == state.incident:
        _reject(draft, command, "an incident is no part of itself")
    elif not other.is_open:
        _reject(draft, command, f"{command.into} is over: nobody would be told")
    elif other.part_of is not None:
        whole = "this one" if other.part_of == state.incident else other.part_of
        _reject(draft, command, f"{command.into} is a part of {whole} itself")
    elif other.muted is not None:
        _reject(draft, command, f"nobody is told of {command.into} ({other.muted.name}): nobody would be told of this")
    elif other.phase is Phase.MONITORING and state.firing:
        _reject(draft, command, f"{command.into} is only watched by now: nobody would be told of what fires in this")
    elif state.part_of == other.incident:
        _reject(draft, command, f"it is a part of {command.into} already")
    else:
        merge(draft, other, command.because, command.by)


def _split(draft: Draft, command: Split, others: Others) -> None:
    if not command.alerts:
        if draft.state.part_of is None:
            _reject(draft, command, "it is no part of another; name the alerts that are to be an incident of their own")
        else:
            stand_alone(draft, command.by)
    elif others.parts is None or not others.parts.alerts:
        _reject(draft, command, f"none of these alerts fires in it: {', '.join(command.alerts[:8])}")
    elif len(others.parts.alerts) == len(draft.state.firing):
        _reject(draft, command, "these are all of its alerts: nothing would be left")
    else:
        move_out(draft, others.parts, command.because, command.by)


def _link(draft: Draft, command: Link, others: Others) -> None:
    if others.named is None or others.named.opening is None:
        _reject(draft, command, f"there is no incident {command.other}")
    elif command.other == draft.state.incident:
        _reject(draft, command, "an incident always has to do with itself")
    else:
        linked = IncidentLinked(other=command.other, relation="related", because=command.because, by=command.by)
        draft.add(linked)


# `Any`: each function takes the command of its own row; a type that says so cannot be written for a mapping.
_COMMANDS: Mapping[type[IncidentCommand], tuple[Input, Callable[[Draft, Any, Others], None]]] = {
    Acknowledge: (Input.ACKNOWLEDGE, _acknowledge),
    TakeOver: (Input.TAKE_OVER, _take_over),
    Decline: (Input.DECLINE, _decline),
    AddResponder: (Input.ADD_RESPONDER, _add_responder),
    Update: (Input.UPDATE, _update),
    Resolve: (Input.RESOLVE, _resolve),
    Reopen: (Input.REOPEN, _reopen),
    Escalate: (Input.ESCALATE, _escalate),
    SetSeverity: (Input.SET_SEVERITY, _set_severity),
    ReleaseSeverity: (Input.RELEASE_SEVERITY, _release_severity),
    StateImpact: (Input.STATE_IMPACT, _state_impact),
    Merge: (Input.MERGE, _merge),
    Split: (Input.SPLIT, _split),
    Link: (Input.LINK, _link),
    AssignRole: (Input.ASSIGN_ROLE, _assign_role),
    AddNote: (Input.ADD_NOTE, _add_note),
}
