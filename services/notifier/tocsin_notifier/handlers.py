"""From an event to people: load, plan, send, record.

One event is many notifications; each goes its own way, so that one that hangs delays no other. What has a receipt in
the log is not sent again. A crash between sending and its receipt sends once more, under the same id.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from tocsin_notifier.adapters.courier import Arrived, Courier, Failed, Later, Outcome
from tocsin_notifier.adapters.lanes import Lanes
from tocsin_notifier.adapters.receipts import Receipts
from tocsin_notifier.adapters.rulebooks import Rulebooks
from tocsin_notifier.adapters.sending import Letter
from tocsin_notifier.adapters.writer import Writer
from tocsin_notifier.core.incident import Incident
from tocsin_notifier.core.plan import Notification, concerns, notifications_for, unplanned
from tocsin_notifier.core.progress import (
    Done,
    Drop,
    Send,
    Unreachable,
    arrived,
    dropped,
    failed,
    next_step,
    thread_of,
    unreachable,
)
from tocsin_notifier.core.rulebook import Rulebook
from tocsin_notifier.metrics import DELIVERY_SECONDS, OUTCOMES
from tocsin_notifier.watch import Watch
from tocsin_playbook import UnknownNameError
from tocsin_playbook.model.channels import Channel
from tocsin_runtime import BusUnavailableError, Clock, Decider, Delivery, NotYetError
from tocsin_schemas import Envelope, Event, Payload

__all__ = ["Notifier"]

log = structlog.get_logger(__name__)

_UNTIL_NEXT_TRY = 1.0
"""Seconds until an event comes again whose incident's playbook is not known here yet."""
_FRESH = 0.2
"""Seconds for which the log as it was read will do, when a message is handled for the first time."""
_LOOK_AGAIN = 1.0
"""Seconds that a message on its way waits for the log; then what was read last must do."""


@dataclass(frozen=True, slots=True)
class Notifier:
    """Tells people."""

    decider: Decider[Incident]
    rulebooks: Rulebooks
    writer: Writer
    courier: Courier
    clock: Clock
    watch: Watch
    lanes: Lanes
    page_wait: float
    """Seconds that a page waits for an earlier message of its incident to the same place."""
    playbook_tries: int = 60
    """How often an event comes again before its incident's playbook counts as never published."""

    async def on_events(self, deliveries: Sequence[Delivery[Payload]]) -> None:
        """Tell everybody who should hear of these events."""
        for delivery in deliveries:
            if isinstance(delivery.envelope.data, Event):
                await self.tell(
                    delivery.envelope,  # type: ignore[arg-type]  # narrowed: its data is an event
                    delivery.position.deliveries,
                )

    async def tell(self, event: Envelope[Event], deliveries: int = 1) -> None:
        """Tell everybody who should hear of this event. Raises NotYetError while an announcement waits."""
        if not concerns(event.data):
            return
        within = _FRESH if deliveries == 1 else 0.0  # another replica may have told somebody, when it comes again
        async with self.lanes.turn(event.incident):  # messages of one incident to one place stay in the log's order
            incident = await self._read(event, within)
            rulebook = self._rulebook(incident, deliveries)
            notifications = notifications_for(incident, event, rulebook) if rulebook else unplanned(event)
            ways = [asyncio.create_task(self._carry_out(each, rulebook, within)) for each in notifications]
        results = await asyncio.gather(*ways, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        waiting = [result for result in results if isinstance(result, Later)]
        if waiting:
            soonest = min(waiting, key=lambda later: later.seconds)
            raise NotYetError(soonest.seconds, soonest.reason)

    async def _read(self, event: Envelope[Event], within: float) -> Incident:
        known, _ = await self.decider.load(event.incident, seen=event.sequence, within=within)
        return known.state

    def _rulebook(self, incident: Incident, deliveries: int) -> Rulebook | None:
        rulebook = self.rulebooks.of_incident(incident.playbook) if incident.playbook else None
        if rulebook is None:
            if deliveries <= self.playbook_tries:  # counted, not timed: clocks of two machines may differ
                raise NotYetError(_UNTIL_NEXT_TRY, "the incident's playbook is not known here yet")
            log.error("nobody can be told: the incident's playbook was never published", incident=incident.id)
        return rulebook

    # --- one notification ---------------------------------------------------------------------------------------------

    async def _carry_out(self, notification: Notification, rulebook: Rulebook | None, within: float) -> Later | None:
        """Bring one notification to its end; the answer is when to go on, if it has to wait."""
        first = notification.recipient.ways[:1]
        receipts = Receipts(self.decider, self.clock, notification.event.incident)
        most = self.page_wait if notification.is_page else None
        async with (
            self.lanes.turn(notification.id),
            self.lanes.turn((notification.event.incident, first), most=most),
        ):
            try:
                incident = await self._read(notification.event, within)
                waits = await self._try_ways(incident, notification, rulebook, receipts)
                await receipts.recorded()
            finally:
                receipts.abandon()
        return waits

    async def _try_ways(
        self, incident: Incident, notification: Notification, rulebook: Rulebook | None, receipts: Receipts
    ) -> Later | None:
        """Try one way after the other until one takes it."""
        tried = 0
        while True:
            step = next_step(incident, notification, tried)
            match step:
                case Done():
                    return None
                case Drop():
                    receipts.record(dropped(notification, step))
                    OUTCOMES.labels("none", "dropped").inc()
                    return None
                case Unreachable():
                    receipts.record(unreachable(notification, step))
                    self._exhausted(notification, step.reason)
                    return None
                case Send():
                    outcome = await self._send(incident, notification, step, rulebook)
            if isinstance(outcome, Later):
                return outcome
            if isinstance(outcome, Arrived):
                receipts.record(arrived(notification, step, outcome.reference, outcome.attempts))
                self._arrived(notification, step, rulebook)
                return None
            receipts.record(failed(notification, step, outcome.reason, outcome.attempts))
            if step.is_last:
                self._exhausted(notification, outcome.reason)
                return None
            log.warning(
                "a channel failed; the next one is tried",
                incident=incident.id,
                notification=notification.id,
                channel=step.way.channel,
                reason=outcome.reason,
                attempts=outcome.attempts,
            )
            tried = step.number + 1
            incident = await self._latest(incident)

    async def _send(
        self, incident: Incident, notification: Notification, step: Send, rulebook: Rulebook | None
    ) -> Outcome:
        channel = _channel(rulebook, step.way.channel)
        if rulebook is None or channel is None:
            return Failed(f"the playbook has no channel {step.way.channel}", 1)
        message = self.writer.write(incident, notification, rulebook.playbook)
        letter = Letter(message, channel, step.way.address, thread_of(incident, step.way))
        return await self.courier.carry(letter, playbook=rulebook.ref.name, age=self._age(notification.event))

    async def _latest(self, incident: Incident) -> Incident:
        """The incident as the log stands; as it was read last, where the log does not answer: a page must go on."""
        try:
            async with asyncio.timeout(_LOOK_AGAIN):
                return (await self.decider.load(incident.id))[0].state
        except (TimeoutError, BusUnavailableError) as error:
            log.warning("going on without the log", incident=incident.id, reason=repr(error))
            return incident

    # --- what is known of how it went ---------------------------------------------------------------------------------

    def _arrived(self, notification: Notification, step: Send, rulebook: Rulebook | None) -> None:
        channel = _channel(rulebook, step.way.channel)
        kind = channel.kind if channel else "none"
        OUTCOMES.labels(kind, "delivered").inc()
        DELIVERY_SECONDS.labels(kind).observe(self._age(notification.event))
        if notification.is_page:
            self.watch.page_arrived()

    def _exhausted(self, notification: Notification, reason: str) -> None:
        OUTCOMES.labels("none", "exhausted").inc()
        said = {"notification": notification.id, "recipient": notification.recipient.name, "reason": reason}
        if notification.is_page:
            self.watch.page_failed()
            log.error("a page reached nobody", incident=notification.event.incident, **said)
        else:
            log.warning("an announcement could not be delivered", incident=notification.event.incident, **said)

    def _age(self, event: Envelope[Event]) -> float:
        return max(0.0, (self.clock.now() - event.time).total_seconds())


def _channel(rulebook: Rulebook | None, name: str) -> Channel | None:
    try:
        return rulebook.playbook.channel(name) if rulebook else None
    except UnknownNameError:
        return None
