"""Who hears of an event that is no page: those whom announcements name, and those whom it concerns themselves."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tocsin_notifier.core.incident import Incident
from tocsin_notifier.core.occasions import severities_for
from tocsin_notifier.core.recipients import Recipient, recipient_of, recipients_of
from tocsin_notifier.core.rulebook import Rulebook
from tocsin_playbook.model.communicate import Occasion, TemplateName
from tocsin_schemas import DeadlineKind, Envelope, Event
from tocsin_schemas.events import DeadlineMissed, RoleAssigned, TargetNeared, WarRoomRequested

__all__ = ["PERSONAL", "audience", "personally"]


def audience(incident: Incident, event: Envelope[Event], rulebook: Rulebook, occasion: Occasion) -> Iterator[Recipient]:
    """Everybody whom the playbook's announcements of this occasion name, some of them more than once."""
    severities = severities_for(incident, event, occasion)
    for announcement in rulebook.announcements(incident, occasion, severities, event.time):
        yield from recipients_of(announcement.to, rulebook.playbook, event.time)


def personally(
    incident: Incident, event: Envelope[Event], rulebook: Rulebook
) -> tuple[TemplateName, tuple[Recipient, ...]]:
    """Those whom the event concerns themselves, and the kind of message that they get."""
    told = PERSONAL.get(type(event.data))
    if told is None:
        return "reminder", ()
    kind, whom = told
    return kind, tuple(whom(incident, event, rulebook))


def _reminded(incident: Incident, event: Envelope[DeadlineMissed], rulebook: Rulebook) -> Iterable[Recipient]:
    """Who is reminded that an update is due: whom the cadence names, else whoever has the incident."""
    if event.data.kind is not DeadlineKind.UPDATE:
        return ()
    playbook, severity = rulebook.playbook, incident.severity_at(event.sequence)
    named = next((each.remind for each in playbook.communicate.cadence if severity in each.severities), ())
    if named:
        return recipients_of(named, playbook, event.time)
    return _people(incident.responding, rulebook)[:1]


def _given_a_role(incident: Incident, event: Envelope[RoleAssigned], rulebook: Rulebook) -> Iterable[Recipient]:
    """Who has it now, unless they gave it to themselves."""
    by, person = event.data.by, event.data.person
    is_own = by.kind == "person" and by.name == person
    return () if is_own else _people((person,), rulebook)


def _warned(incident: Incident, event: Envelope[TargetNeared], rulebook: Rulebook) -> Iterable[Recipient]:
    """Whoever has the incident; as long as nobody has, everybody who was paged and has not said that they cannot."""
    responding = _people(incident.responding, rulebook)
    if responding and event.data.target == "resolve":
        return responding
    declined = {f"person:{person}" for person in incident.declined}
    paged = [recipient_of(target, rulebook.playbook) for target in incident.paged if target not in declined]
    return {recipient.key: recipient for recipient in (*responding, *paged)}.values()


def _invited(incident: Incident, event: Envelope[WarRoomRequested], rulebook: Rulebook) -> Iterable[Recipient]:
    """Those who hear that the incident was opened, and those who are invited."""
    opened = audience(incident, event, rulebook, "opened")
    invited = (recipient_of(target, rulebook.playbook) for target in event.data.invite)
    return {recipient.key: recipient for recipient in (*opened, *invited)}.values()


def _people(names: Iterable[str], rulebook: Rulebook) -> tuple[Recipient, ...]:
    """Those of these people whom the playbook knows."""
    known = {person.name for person in rulebook.playbook.oncall.people}
    return tuple(recipient_of(f"person:{name}", rulebook.playbook) for name in names if name in known)


# Any: each row takes an envelope with the event of its own type.
PERSONAL: Mapping[type[Event], tuple[TemplateName, Callable[[Incident, Any, Rulebook], Iterable[Recipient]]]] = {
    DeadlineMissed: ("reminder", _reminded),
    RoleAssigned: ("role", _given_a_role),
    TargetNeared: ("warning", _warned),
    WarRoomRequested: ("war_room", _invited),
}
"""By event: the kind of message, and whom it goes to."""
