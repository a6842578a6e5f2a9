"""Who is told and who answers, as sentences: pages, escalation, roles, updates."""

from collections.abc import Callable, Mapping
from typing import Any

from tocsin_recorder.core.words import also, by, clock, first_line, level_name, listed, name_of, who
from tocsin_schemas import Actor, Event
from tocsin_schemas.events import (
    IncidentAcknowledged,
    IncidentEscalated,
    NoteAdded,
    ResponderAdded,
    ResponderAnswered,
    ResponderDeclined,
    ResponderPaged,
    RoleAssigned,
    StatusUpdated,
    WarRoomRequested,
)

__all__ = ["PEOPLE"]


_WHY_PAGED = {
    "opened": "the incident was opened",
    "escalated": "nobody has answered yet",
    "reopened": "the incident was reopened",
    "severity_raised": "it became more severe",
    "automation_needs_you": "the automation needs a person",
    "page_failed": "another page could not be delivered",
    "command": "somebody asked for it",
    "unanswered": "they have not answered yet",
    "added": "somebody asked for them",
    "declined": "somebody who was told cannot take it",
}


def _paged(event: ResponderPaged) -> str:
    again = f", round {event.round + 1}" if event.round else ""
    way = f", way {event.way + 1}" if event.way else ""
    must = ", must answer" if event.each else ""
    where = f"{level_name(event.level)}{again}{way}{must}"
    return f"Paged {name_of(event.target)} ({where}): {_WHY_PAGED[event.reason]}"


def _answered(event: ResponderAnswered) -> str:
    waiting = f"; still waiting for {listed(event.waiting_for)}" if event.waiting_for else ""
    return f"{event.person} has answered{_for_them(event.by, event.person)}{waiting}"


def _declined(event: ResponderDeclined) -> str:
    return f"{event.person} cannot take it{_for_them(event.by, event.person)}{also(event.because)}"


def _added(event: ResponderAdded) -> str:
    people = f" ({listed(event.people)})" if event.people and event.people != (name_of(event.target),) else ""
    nobody = "" if event.people else ", where nobody is"
    return f"{who(event.by)} asked for {name_of(event.target)}{people}{nobody}{also(event.because)}"


def _for_them(actor: Actor, person: str) -> str:
    return f" (says {actor.name})" if actor.kind == "person" and actor.name != person else ""


_WHY_ESCALATED = {
    "unacknowledged": "nobody has answered",
    "unresolved": "it is not resolved yet",
    "page_failed": "a page could not be delivered",
    "automation_failed": "the automation could not mend it",
    "outcome_unknown": "nobody knows whether an action was carried out",
    "command": "somebody asked for it",
    "declined": "somebody who was told cannot take it",
    "no_update": "nobody has written how it stands",
    "at_once": "what is at risk cannot wait",
}


def _escalated(event: IncidentEscalated) -> str:
    whom = f" ({listed([name_of(target) for target in event.targets])})" if event.targets else ""
    why = _WHY_ESCALATED[event.reason]
    return f"Escalated to {level_name(event.level)}{whom}{by(event.by)}: {why}"


def _acknowledged(event: IncidentAcknowledged) -> str:
    until = f" until {clock(event.until)}" if event.until else ""
    return f"{who(event.by)} is on it{until}"


def _role(event: RoleAssigned) -> str:
    return f"{event.person} is {event.role.value.replace('_', ' ')}{_assigned(event)}"


def _assigned(event: RoleAssigned) -> str:
    return f" (assigned{by(event.by)})" if event.by.kind == "person" and event.by.name != event.person else ""


def _note(event: NoteAdded) -> str:
    return f"{who(event.by)} noted{also(first_line(event.text))}"


def _room(event: WarRoomRequested) -> str:
    invited = f", for {listed([name_of(target) for target in event.invite])}" if event.invite else ""
    return f"A war room is asked for: {event.name} ({event.channel}){invited}"


def _updated(event: StatusUpdated) -> str:
    status = f" ({event.status})" if event.status is not None else ""
    return f"{who(event.by)} says how it stands{status}{also(first_line(event.text))}"


# `Any`: each sentence takes the event of its own row; a type that says so cannot be written for a mapping.
PEOPLE: Mapping[type[Event], Callable[[Any], str]] = {
    ResponderPaged: _paged,
    ResponderAnswered: _answered,
    ResponderDeclined: _declined,
    ResponderAdded: _added,
    IncidentEscalated: _escalated,
    IncidentAcknowledged: _acknowledged,
    RoleAssigned: _role,
    NoteAdded: _note,
    WarRoomRequested: _room,
    StatusUpdated: _updated,
}
