"""Who is told of an event: the messages that follow from it, each with its ways."""

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin_notifier.core.audience import PERSONAL, audience, personally
from tocsin_notifier.core.fold import ASKS
from tocsin_notifier.core.incident import Incident
from tocsin_notifier.core.occasions import OCCASIONS, occasion_of
from tocsin_notifier.core.recipients import Recipient, Step, recipient_of
from tocsin_notifier.core.rulebook import Rulebook
from tocsin_playbook.model.communicate import TemplateName
from tocsin_schemas import Envelope, Event
from tocsin_schemas.events import ResponderPaged
from tocsin_schemas.ids import derive_id
from tocsin_schemas.text import clean_line

__all__ = ["Notification", "concerns", "notification_id", "notifications_for", "unplanned"]


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


def concerns(event: Event) -> bool:
    """Whether anybody could want to hear of an event of this kind."""
    return isinstance(event, ResponderPaged) or type(event) in OCCASIONS or type(event) in PERSONAL


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
        recipient = recipient_of(data.target, rulebook.playbook, Step(data.severity, data.way or 0))
        kind: TemplateName = "approval" if data.reason == ASKS else "page"
        yield Notification(notification_id(event.id, recipient.key), kind, event, recipient, data.page)


def _news(incident: Incident, event: Envelope[Event], rulebook: Rulebook) -> Iterator[Notification]:
    if incident.is_part_at(event.sequence):
        return  # people are told of the other
    if incident.is_muted_at(event.sequence) and not incident.receipts:
        return  # whoever has heard of it hears how it goes on
    if event.sequence in incident.prolonged:
        return  # they are on it still: an update begins an acknowledgement for a time anew
    occasion = occasion_of(event.data, rulebook.playbook)
    if occasion is not None:
        for recipient in audience(incident, event, rulebook, occasion):
            yield Notification(notification_id(event.id, recipient.key), occasion, event, recipient)
    kind, recipients = personally(incident, event, rulebook)
    for recipient in recipients:
        yield Notification(notification_id(event.id, recipient.key), kind, event, recipient)
