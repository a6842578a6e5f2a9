"""Decisions that take more than one incident to make: merged, taken apart, taken in, resolved with its parts."""

from collections.abc import Callable, Sequence
from datetime import datetime

from tocsin_escalator.core.fold import apply
from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.merging import Parts, decide_absorbed, decide_split_off, parts_of, split_off_group
from tocsin_escalator.core.on_command import IncidentCommand, Others, decide_command
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_schemas import Event
from tocsin_schemas.commands import Link, Merge, Split
from tocsin_schemas.events import IncidentEscalated, IncidentLinked, IncidentOpened, OriginSuspected, SeverityChanged
from tocsin_schemas.ids import incident_id

__all__ = ["StateOf", "decide_on_command", "is_absorbed"]

StateOf = Callable[[str], IncidentState]
"""How an incident stood when the decision was made."""


def decide_on_command(
    state: IncidentState,
    command: IncidentCommand,
    cause: str,
    book: Rulebook,
    now: datetime,
    state_of: StateOf,
    decided: Sequence[Event] = (),
) -> tuple[Event, ...]:
    """What this command means for an incident: the one that it names first, or one that has to do with it. `decided`:
    what was; the number of the day, which an incident that is split off is given, stands there only.
    """
    others = _others(command, cause, book, state_of, decided)
    if command.incident == state.incident:
        return decide_command(state, command, book, now, others)
    whole = state_of(command.incident)
    if others.parts is not None:
        return decide_split_off(state, whole, others.parts, command.by, _because(command), book, now)
    if isinstance(command, Merge) and state.incident == command.into:
        for event in decide_command(whole, command, book, now, others):
            whole = apply(whole, event, now)  # it is taken in as what it has just become: a part
        return decide_absorbed(state, whole, book, now, command.because, command.by)
    same = command.model_copy(update={"incident": state.incident})  # a part goes where its whole goes
    return decide_command(state, same, book, now, others)


def is_absorbed(decided: Sequence[Event]) -> bool:
    """Whether this decision is that another incident is a part of the one in which it stands."""
    match decided[0] if decided else None:
        case IncidentLinked(relation="absorbed") | OriginSuspected() | SeverityChanged(why="merge"):
            return True
        case IncidentEscalated(reason="at_once"):
            return True
        case _:
            return False


def _others(
    command: IncidentCommand, cause: str, book: Rulebook, state_of: StateOf, decided: Sequence[Event]
) -> Others:
    match command:
        case Merge(into=other) | Link(other=other):
            return Others(named=state_of(other))
        case Split(alerts=alerts) if alerts:
            whole = state_of(command.incident)
            group = split_off_group(whole, cause, book)
            opened = decided[0] if decided else None
            number = opened.day_number if isinstance(opened, IncidentOpened) else None
            incident = incident_id(group.key, 0)
            return Others(parts=Parts(group, incident, parts_of(whole, alerts, incident), number))
        case _:
            return Others()


def _because(command: IncidentCommand) -> str:
    return str(getattr(command, "because", ""))
