"""How far one notification has come, by the receipts in the log, and what is to be done for it next."""

from collections.abc import Callable
from dataclasses import dataclass

from tocsin_notifier.core.incident import Incident, Place, Receipt
from tocsin_notifier.core.plan import Notification
from tocsin_schemas import Event
from tocsin_schemas.events import (
    IncidentResolved,
    NotificationDelivered,
    NotificationFailed,
    ResponderPaged,
    TargetNeared,
)
from tocsin_schemas.ids import derive_id
from tocsin_schemas.text import clean_line

__all__ = [
    "DONE", "Done", "Drop", "Recording", "Send", "Step", "Unreachable", "arrived", "dropped", "failed", "next_step",
    "thread_of", "unreachable",
]  # fmt: skip

NO_CHANNEL = "none"
_MAX_REASON = 400


@dataclass(frozen=True, slots=True)
class Done:
    """It has arrived, or every way was tried."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Nobody needs to hear of it any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There is no way to this recipient at all."""

    reason: str


@dataclass(frozen=True, slots=True)
class Send:
    """Try this way, the `number`-th from 0."""

    way: Place
    number: int
    is_last: bool


Step = Send | Drop | Unreachable | Done
DONE = Done()


def next_step(incident: Incident, notification: Notification, tried: int = 0) -> Step:
    """What is to be done for a notification, as the log stands, and `tried` ways of which the log may not know yet."""
    receipt, ways = incident.receipt(notification.id), notification.recipient.ways
    number = max(receipt.failures, tried)
    if receipt.delivered or number >= max(len(ways), 1):
        return DONE
    if reason := _not_wanted(incident, notification):
        return Drop(reason)
    if not ways:
        return Unreachable(notification.recipient.missing or "no way to reach them")
    return Send(ways[number], number, is_last=number == len(ways) - 1)


def _not_wanted(incident: Incident, notification: Notification) -> str:
    """Why it is not sent any more; empty if it is. By the order of the log, never by a clock."""
    event = notification.event
    if incident.resolved_sequence > event.sequence and not isinstance(event.data, IncidentResolved):
        return "the incident was resolved before it was sent"
    match event.data:
        case ResponderPaged(target=target) if not notification.asks and incident.paged.get(target, 0) > event.sequence:
            return "a later page tells the same recipient"
        case TargetNeared(target="acknowledge") if incident.acknowledged_by:
            return "somebody has acknowledged"
        case _:
            return ""


def thread_of(incident: Incident, way: Place) -> str | None:
    """The incident's first message at this place, in the channel's own name for it."""
    return incident.threads.get(Place(way.channel, way.shown))


# --- receipts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recording:
    """A receipt to be recorded once, whoever records it: `cause` names the outcome."""

    cause: str
    receipt: NotificationDelivered | NotificationFailed
    known: Callable[[Receipt], bool]

    def decide(self, incident: Incident) -> tuple[Event, ...]:
        """The receipt, unless the log says so already."""
        return () if self.known(incident.receipt(self.receipt.notification)) else (self.receipt,)


def arrived(notification: Notification, step: Send, reference: str, attempts: int) -> Recording:
    """A channel has taken it."""
    receipt = NotificationDelivered(
        notification=notification.id,
        page=notification.page,
        channel=step.way.channel,
        recipient=notification.recipient.name,
        reference=clean_line(reference, 200),
        attempts=attempts,
    )
    return Recording(_cause(notification, "arrived"), receipt, lambda known: known.delivered)


def failed(notification: Notification, step: Send, reason: str, attempts: int) -> Recording:
    """This way has failed it."""
    receipt = _failure(notification, step.way.channel, reason, attempts, exhausted=step.is_last)
    return Recording(
        _cause(notification, f"failed {step.number}"),
        receipt,
        lambda known: known.delivered or known.failures > step.number,
    )


def dropped(notification: Notification, step: Drop) -> Recording:
    """It is not sent any more, and nobody needs to be told instead."""
    ways = notification.recipient.ways
    receipt = _failure(notification, ways[0].channel if ways else NO_CHANNEL, step.reason, 1, exhausted=False)
    return Recording(_cause(notification, "dropped"), receipt, lambda known: known.delivered)


def unreachable(notification: Notification, step: Unreachable) -> Recording:
    """There was no way to try."""
    receipt = _failure(notification, NO_CHANNEL, step.reason, 1, exhausted=True)
    return Recording(_cause(notification, "unreachable"), receipt, lambda known: known.failures > 0)


def _cause(notification: Notification, outcome: str) -> str:
    return derive_id("receipt", notification.id, outcome)


def _failure(
    notification: Notification, channel: str, reason: str, attempts: int, *, exhausted: bool
) -> NotificationFailed:
    return NotificationFailed(
        notification=notification.id,
        page=notification.page,
        channel=channel,
        recipient=notification.recipient.name,
        reason=clean_line(reason, _MAX_REASON),
        attempts=attempts,
        exhausted=exhausted,
    )
