"""What a receipt is about: the event that somebody was told of.

A receipt names its message, and the message's name is derived from the event and the recipient. So whoever has the
events of an incident can say which of them a receipt belongs to.
"""

from collections.abc import Collection, Sequence

from tocsin_notifier.core.plan import notification_id
from tocsin_schemas import Envelope, Event
from tocsin_schemas.events import NotificationDelivered, NotificationFailed

__all__ = ["told_of"]


Receipt = NotificationDelivered | NotificationFailed


def told_of(events: Sequence[Envelope[Event]]) -> dict[str, Envelope[Event]]:
    """For each receipt's id the event that it is about, where that is among `events`."""
    by_incident: dict[str, list[Envelope[Event]]] = {}
    for event in events:
        by_incident.setdefault(event.incident, []).append(event)
    found: dict[str, Envelope[Event]] = {}
    for each in by_incident.values():
        receipts = {event.id: event.data for event in each if isinstance(event.data, Receipt)}
        names = {notification_id(event.id, key): event for key in _keys(receipts.values()) for event in each}
        for name, receipt in receipts.items():
            if (about := names.get(receipt.notification)) is not None:
                found[name] = about
    return found


def _keys(receipts: Collection[Receipt]) -> set[str]:
    """The recipients as message names know them. A place's receipt may name the channel it fell back to."""
    people = {receipt.recipient for receipt in receipts if receipt.recipient.startswith("person:")}
    places = {receipt.recipient for receipt in receipts} - people
    channels = {receipt.channel for receipt in receipts}
    return people | {f"channel:{channel}:{place}" for channel in channels for place in places}
