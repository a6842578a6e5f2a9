"""From a press of a button to a command, and from what came of the command to one sentence for who pressed."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from tocsin_notifier.core.message import Button
from tocsin_playbook import Playbook, UnknownNameError
from tocsin_playbook.model.channels import SlackChannel
from tocsin_schemas import Actor, Command, Envelope, Event
from tocsin_schemas.commands import Acknowledge, ApproveAction, Decline, Escalate
from tocsin_schemas.events import (
    ActionApproved,
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentReopened,
    ResponderAnswered,
    ResponderDeclined,
    ResponderPaged,
)
from tocsin_schemas.ids import derive_id

__all__ = [
    "Click", "UnknownButtonError", "command_of", "held_by", "name_of_button", "outcome", "people_called", "stranger",
    "value_of_button",
]  # fmt: skip

_OURS = "tocsin"
_COMMANDS: Mapping[str, type[Command]] = {each.SLUG: each for each in (Acknowledge, Decline, Escalate, ApproveAction)}
"""What can be asked for by a button; a click that names anything else is not carried out."""
_ABOUT = frozenset({"incident", "action"})
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Click:
    """A press of a button, as Slack tells of it. Names of people are not among it: only ids can be believed."""

    user: str
    team: str
    """The workspace where it was pressed."""
    home: str
    """The workspace of whoever pressed."""
    channel: str
    message: str
    name: str
    value: str
    at: str
    """When it was pressed, which tells two presses apart."""
    reply_to: str = field(default="", repr=False)
    """Where the answer goes; whoever knows it can write there."""
    thread: str | None = None
    signed_with: str = field(default="", repr=False)
    """The secret of the app of Slack's that tells of it."""

    @property
    def cause(self) -> str:
        """The same however often Slack tells of this press."""
        return derive_id("slack", self.team, self.user, self.channel, self.message, self.name, self.at)


class UnknownButtonError(ValueError):
    """The button is none of ours, or not of this version."""


def name_of_button(button: Button, place: int) -> str:
    """What the channel calls the button; `place` tells apart those of one message that ask for the same."""
    return f"{_OURS}:{button.command}:{place}"


def value_of_button(button: Button, incident: str) -> str:
    """What the channel hands back with a click."""
    about = {"incident": incident, "action": button.action} if button.action else {"incident": incident}
    return json.dumps(about, ensure_ascii=False, separators=(",", ":"))


def command_of(name: str, value: str, by: Actor) -> Command:
    """What a click asks for. Raises UnknownButtonError."""
    ours, _, rest = name.partition(":")
    kind = _COMMANDS.get(rest.partition(":")[0]) if ours == _OURS else None
    if kind is None:
        raise UnknownButtonError("there is no such button")
    try:
        about = json.loads(value)
    except (ValueError, RecursionError):
        raise UnknownButtonError("the button does not say what it is about") from None
    try:
        if not isinstance(about, dict) or not about.keys() <= _ABOUT:
            raise UnknownButtonError("the button does not say what it is about")
        return kind.model_validate({**about, "by": by})
    except ValidationError:
        raise UnknownButtonError("the button does not say what it is about") from None


def stranger(click: Click, people: Sequence[str], teams: Collection[str]) -> str | None:
    """Why whoever pressed is not known to be one of ours, in one sentence; none if they are. `teams`: the workspaces
    whose people may act; where none is named, the one where the message stands."""
    if click.home not in (teams or (click.team,)):
        return "Not sent: you belong to another workspace than those whose people may press buttons here."
    if not people:
        return (
            f"Not sent: no playbook in force names you. Somebody there must have a contact at a Slack channel with the "
            f"address {click.user}."
        )
    if len(people) > 1:
        return f"Not sent: the playbooks in force call you by several names: {_listed(people)}."
    return None


def people_called(playbooks: Iterable[Playbook], user: str, vouches: Callable[[SlackChannel], bool]) -> tuple[str, ...]:
    """The names of those whom playbooks reach under this user id, at channels of Slack's for which `vouches` holds."""
    names = (
        person.name
        for playbook in playbooks
        for person in playbook.oncall.people
        for contact in person.contacts
        if contact.address == user and (slack := _slack(playbook, contact.channel)) is not None and vouches(slack)
    )
    return tuple(dict.fromkeys(names))


def held_by(events: Iterable[Envelope[Event]], now: datetime) -> str:
    """Who has acknowledged, where that holds, they have not declined and nobody was paged since; else empty: then it
    says something to acknowledge."""
    holder, until = "", None
    for event in events:
        match event.data:
            case IncidentAcknowledged(by=by):
                holder, until = by.name, event.data.until
            case IncidentReopened() | ResponderPaged():
                holder = ""
            case ResponderDeclined(person=person) if person == holder:  # there may be nobody left to page
                holder = ""
            case _:
                pass
    return holder if until is None or now < until else ""


def outcome(events: Sequence[Envelope[Event]]) -> str:
    """What a command brought about, in one sentence or two."""
    return " ".join(said for event in events if (said := _said(event.data))) or "Done."


def _said(event: Event) -> str:
    match event:
        case IncidentAcknowledged(until=until):
            stops = "paging has stopped" if until is None else f"paging has stopped until {until:%H:%M} UTC"
            return f"You are on it: {stops}."
        case ResponderAnswered(waiting_for=waiting):
            return f"You have answered; it still waits for {_listed(waiting)}."
        case ResponderDeclined():
            return "It is noted that you cannot take it."
        case IncidentEscalated(level=level, targets=targets):
            return f"Level {level + 1} is told now: {_listed(targets) or 'nobody'}."
        case ActionApproved(step=step):
            return f"You have approved {step}."
        case _:
            return ""


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown} and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else shown


def _slack(playbook: Playbook, channel: str) -> SlackChannel | None:
    try:
        return playbook.channel(channel).slack
    except UnknownNameError:
        return None
