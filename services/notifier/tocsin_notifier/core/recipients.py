"""Whom a reference means, and by which ways a message reaches them: one after the other, as one fails."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from tocsin_notifier.core.incident import Place
from tocsin_playbook import Playbook, UnknownNameError, people_of
from tocsin_playbook.model import AnyTarget, ChannelRef, Contact, Person, PersonRef
from tocsin_playbook.model.references import parse_target
from tocsin_playbook.oncall import steps_for
from tocsin_schemas.text import clean_line

__all__ = ["Recipient", "Step", "recipient_of", "recipients_of"]

MAX_RECIPIENTS = 500
"""People and places that one event is told to at most."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person or a place, and the ways there in the order in which they are tried."""

    key: str
    """`person:NAME` or `channel:CHANNEL:ADDRESS`: one recipient is told of one event once."""
    name: str
    """As an event holds it: `person:NAME`, or the address."""
    ways: tuple[Place, ...]
    missing: str = ""
    """Why there is no way at all."""

    @property
    def person(self) -> str:
        """The person's name; empty for a place."""
        kind, _, name = self.key.partition(":")
        return name if kind == "person" else ""


@dataclass(frozen=True, slots=True)
class Step:
    """Which of a person's own notification rules a page uses: the `number`-th from 0 of those for its severity."""

    severity: str
    number: int = 0


def recipient_of(target: str, playbook: Playbook, step: Step | None = None) -> Recipient:
    """The recipient of a message to a person or a channel. Never fails: see `missing`.

    With a step it is a page, and the person's own rules say by which contact; otherwise contacts are tried in order.
    """
    try:
        parsed = parse_target(target)
    except ValueError:
        return Recipient(target, clean_line(target), (), f"{clean_line(target, 200)} is neither a person nor a channel")
    match parsed:
        case PersonRef():
            return _person(parsed.name, playbook, step)
        case ChannelRef():
            return _place(parsed, playbook)
        case _:
            return Recipient(target, clean_line(target), (), f"{clean_line(target, 200)} is several people, not one")


def recipients_of(targets: Iterable[AnyTarget], playbook: Playbook, at: datetime) -> tuple[Recipient, ...]:
    """Everybody these references mean at a moment, each once."""
    found = (recipient for target in targets for recipient in _each(target, playbook, at))
    return tuple({recipient.key: recipient for recipient in found}.values())[:MAX_RECIPIENTS]


def _each(target: AnyTarget, playbook: Playbook, at: datetime) -> Iterator[Recipient]:
    if isinstance(target, ChannelRef):
        yield _place(target, playbook)
        return
    try:
        names = people_of(playbook, target, at)
    except UnknownNameError as error:
        yield Recipient(str(target), clean_line(str(target)), (), str(error))
        return
    for name in names:
        yield _person(name, playbook)


def _person(name: str, playbook: Playbook, step: Step | None = None) -> Recipient:
    key = f"person:{name}"
    try:
        person = playbook.person(name)
    except UnknownNameError as error:
        return Recipient(key, clean_line(key), (), clean_line(str(error)))
    contacts = person.contacts if step is None else _contacts_of(person, step)
    own = tuple(Place(contact.channel, contact.address) for contact in contacts)
    missing = "" if own else f"{name} has no contacts"
    return Recipient(key, clean_line(key), _with_fallbacks(own, playbook), missing)


def _contacts_of(person: Person, step: Step) -> tuple[Contact, ...]:
    """The contact of this step, then what is tried where that fails. After the last step comes the last again."""
    steps = steps_for(person, step.severity)
    if not steps:
        return ()
    chosen = steps[min(step.number, len(steps) - 1)]
    return (chosen.contact, *chosen.otherwise)


def _place(target: ChannelRef, playbook: Playbook) -> Recipient:
    address = target.address if target.address is not None else _own_address(target.name, playbook)
    if address is None:
        reason = f"the channel {target.name} has no address of its own, and {target} names none"
        return Recipient(str(target), clean_line(str(target)), (), clean_line(reason))
    place = Place(target.name, address)
    return Recipient(f"channel:{target.name}:{address}", place.shown, _with_fallbacks((place,), playbook))


def _with_fallbacks(own: tuple[Place, ...], playbook: Playbook) -> tuple[Place, ...]:
    """First all contacts, then the fallbacks of their channels at the fallbacks' own addresses; each once."""
    ways = list(dict.fromkeys(own))
    for place in own:
        seen = {place.channel}
        channel = _fallback(place.channel, playbook)
        while channel is not None and channel not in seen:  # a circle of fallbacks ends where it began
            seen.add(channel)
            address = _own_address(channel, playbook)
            if address is not None and Place(channel, address) not in ways:
                ways.append(Place(channel, address))
            channel = _fallback(channel, playbook)
    return tuple(ways)


def _fallback(channel: str, playbook: Playbook) -> str | None:
    try:
        return playbook.channel(channel).fallback
    except UnknownNameError:
        return None


def _own_address(channel: str, playbook: Playbook) -> str | None:
    """Where a channel's messages go that name no address. A webhook or a terminal is a place by itself."""
    try:
        found = playbook.channel(channel)
    except UnknownNameError:
        return None
    return found.address or (found.kind if found.kind in ("webhook", "console", "pagerduty", "apprise") else None)
