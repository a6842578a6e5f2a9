"""Who is told of an event: the messages that follow from it, each with its ways."""

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin_notifier.core.fold import ASKS
from tocsin_notifier.core.incident import Incident
from tocsin_notifier.core.occasions import occasion_of, severities_for
from tocsin_notifier.core.recipients import Recipient, recipient_of, recipients_of
from tocsin_notifier.core.rulebook import Rulebook
from tocsin_playbook.model.communicate import TemplateName
from tocsin_schemas import DeadlineKind, Envelope, Event
from tocsin_schemas.events import DeadlineMissed, ResponderPaged
from tocsin_schemas.ids import derive_id
from tocsin_schemas.text import clean_line

__all__ = ["Notification", "notification_id", "notifications_for", "unplanned"]


@dataclass(frozen=True, slots=True)
class Notification:
    """One recipient is to be told of one event."""

    id: str
    """The same for every attempt, channel and replica: receivers recognise a duplicate by it."""
    kind: TemplateName
    event: Envelope[Event]
    recipient: Recipient
    page: str | None = None
    """The page it carries out; none for an announcement."""

    @property
    def is_page(self) -> bool:
        return self.page is not None

    @property
    def asks(self) -> bool:
        """Whether it asks for something that no other page asks for."""
        return isinstance(self.event.data, ResponderPaged) and self.event.data.reason == ASKS


def notification_id(cause: str, recipient: str) -> str:
    """The id of what `recipient` is told because of the event `cause`."""
    return derive_id("notification", cause, recipient)


def notifications_for(incident: Incident, event: Envelope[Event], rulebook: Rulebook) -> tuple[Notification, ...]:
    """Everything that follows from an event, each recipient once. The same event always gives the same ids."""
    found = _page(event, rulebook) if isinstance(event.data, ResponderPaged) else _news(incident, event, rulebook)
    first_of: dict[str, Notification] = {}
    for notification in found:
        first_of.setdefault(notification.id, notification)
    return tuple(first_of.values())


def unplanned(event: Envelope[Event]) -> tuple[Notification, ...]:
    """What follows from an event where the playbook cannot be had: a page that cannot be carried out."""
    data = event.data
    if not isinstance(data, ResponderPaged):
        return ()
    reason = "the incident's playbook was never published: who is meant, and how to reach them, is not known"
    recipient = Recipient(data.target, clean_line(data.target), (), reason)
    return (Notification(notification_id(event.id, recipient.key), "page", event, recipient, data.page),)


def _page(event: Envelope[Event], rulebook: Rulebook) -> Iterator[Notification]:
    data = event.data
    if isinstance(data, ResponderPaged):
        recipient = recipient_of(data.target, rulebook.playbook)
        kind: TemplateName = "approval" if data.reason == ASKS else "page"
        yield Notification(notification_id(event.id, recipient.key), kind, event, recipient, data.page)


def _news(incident: Incident, event: Envelope[Event], rulebook: Rulebook) -> Iterator[Notification]:
    occasion = occasion_of(event.data, rulebook.playbook)
    if occasion is None or (incident.is_muted_at(event.sequence) and not incident.receipts):
        return  # whoever has heard of it hears how it goes on
    severities = severities_for(incident, event, occasion)
    for announcement in rulebook.announcements(incident, occasion, severities, event.time):
        for recipient in recipients_of(announcement.to, rulebook.playbook, event.time):
            yield Notification(notification_id(event.id, recipient.key), occasion, event, recipient)
    if isinstance(event.data, DeadlineMissed) and event.data.kind is DeadlineKind.UPDATE:
        for recipient in _reminded(incident, event, rulebook):
            yield Notification(notification_id(event.id, recipient.key), "reminder", event, recipient)


def _reminded(incident: Incident, event: Envelope[Event], rulebook: Rulebook) -> tuple[Recipient, ...]:
    """Who is reminded that an update is due: whom the cadence names, else whoever has the incident."""
    playbook, severity = rulebook.playbook, incident.severity_at(event.sequence)
    named = next((each.remind for each in playbook.communicate.cadence if severity in each.severities), ())
    if named:
        return recipients_of(named, playbook, event.time)
    people = {person.name for person in playbook.oncall.people}
    responding = incident.commander or incident.acknowledged_by
    return (recipient_of(f"person:{responding}", playbook),) if responding in people else ()
