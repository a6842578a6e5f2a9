"""From pages to people."""

from collections import Counter

from tocsin_rehearsal.outside.receivers import Sent
from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant
from tocsin_rehearsal.simulate.profiles import Trouble
from tocsin_schemas.events import (
    IncidentEscalated,
    IncidentReopened,
    NotificationDelivered,
    NotificationFailed,
    ResponderPaged,
)

__all__ = ["DuplicatesBounded", "FallsBackSoon", "NoPageLost", "NoSendingAfterReceipt", "ReceiptIsTrue"]

_NOT_NEEDED = ("the incident was resolved before it was sent", "a later page tells the same recipient")


class NoPageLost(Invariant):
    """1, 3, 11: every page has an end in the log: delivered, not needed any more, or failed on every way; and what
    failed on every way led on to somebody else, or to the word that nobody is left."""

    numbers = "1, 3, 11"

    def at_end(self) -> None:
        receipts: dict[str, list[Happened]] = {}
        for happened in self.history.events:
            data = happened.data
            if isinstance(data, NotificationDelivered | NotificationFailed) and data.page is not None:
                receipts.setdefault(data.page, []).append(happened)
        for happened in self.history.events:
            if isinstance(happened.data, ResponderPaged):
                self._check(happened, happened.data, receipts.get(happened.data.page, []))

    def _check(self, page: Happened, paged: ResponderPaged, receipts: list[Happened]) -> None:
        if any(isinstance(receipt.data, NotificationDelivered) for receipt in receipts):
            return
        failures = [(receipt, receipt.data) for receipt in receipts if isinstance(receipt.data, NotificationFailed)]
        if any(failure.reason in _NOT_NEEDED for _, failure in failures):
            return
        exhausted = [receipt for receipt, failure in failures if failure.exhausted]
        if not exhausted:
            self.fails(f"the page to {paged.target} has no end: {[each.reason for _, each in failures]}", page.incident)
        elif not any(self._led_on(receipt, page) for receipt in exhausted):
            self.fails(f"the page to {paged.target} reached nobody, and nothing followed", page.incident)

    def _led_on(self, failed: Happened, page: Happened) -> bool:
        if self.history.by_cause.get(failed.envelope.id):
            return True
        if not failed.after.is_waiting or failed.after.reopened != page.after.reopened:
            return True
        events = self.history.incidents[page.incident].events
        within = [each for each in events if page.at <= each.at <= max(failed.at, self.course.healed_at) + 60.0]
        moved_on = (IncidentEscalated, IncidentReopened)
        return any(isinstance(each.data, moved_on) or not each.after.is_waiting for each in within)


class FallsBackSoon(Invariant):
    """11: whatever a channel does, within fifteen seconds there is a receipt, or a failure and the next way is tried,
    as long as only the outside is troubled."""

    numbers = "11"
    within = 15.0
    _outside = (Trouble.RECEIVERS, Trouble.TARGETS, Trouble.REDIS, Trouble.SOURCES)

    def at_end(self) -> None:
        if self.plan.hazards or any(upheaval.trouble not in self._outside for upheaval in self.plan.upheavals):
            return
        tried: dict[str, tuple[Happened, float]] = {}
        for happened in self.history.events:
            data = happened.data
            if isinstance(data, ResponderPaged):
                tried[data.page] = (happened, happened.at)
            elif isinstance(data, NotificationDelivered | NotificationFailed) and data.page in tried:
                page, since = tried.pop(data.page)
                if happened.at - since > self.within:
                    self.fails(f"a way of the page to {data.recipient} took {happened.at - since:.1f} s", page.incident)
                if isinstance(data, NotificationFailed) and not data.exhausted and data.reason not in _NOT_NEEDED:
                    tried[data.page] = (page, happened.at)
        for page, since in tried.values():
            if self.course.now - since > self.within:
                self.fails("a page has no receipt", page.incident)


class ReceiptIsTrue(Invariant):
    """1: what is said to be delivered has arrived."""

    numbers = "1"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._arrived: set[str] = set()

    def on_arrival(self, sent: Sent) -> None:
        self._arrived.add(sent.id)

    def on_event(self, happened: Happened) -> None:
        data = happened.data
        if isinstance(data, NotificationDelivered) and data.notification not in self._arrived:
            self.fails(f"{data.recipient} is said to have a message that never arrived", happened.incident)


class NoSendingAfterReceipt(Invariant):
    """10: what has a receipt is not sent again, and nobody is paged for what is over. Whoever was sending may end."""

    numbers = "10, 7"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._delivered: dict[str, float] = {}

    def on_event(self, happened: Happened) -> None:
        if isinstance(happened.data, NotificationDelivered):
            self._delivered.setdefault(happened.data.notification, happened.at)

    @property
    def _on_its_way(self) -> float:
        """Seconds for which a message may have been on its way."""
        if self.plan.has(Trouble.RECEIVERS, Trouble.CUT, Trouble.BROKER, Trouble.FULL):
            return 45.0
        return 1.0 if self.plan.is_calm else 12.0 if self.plan.hazards else 3.0

    def on_arrival(self, sent: Sent) -> None:
        at, most = sent.at.total_seconds(), self._on_its_way
        delivered = self._delivered.get(sent.id)
        if delivered is not None and at > delivered + most:
            self.fails(f"{sent.address} gets a message {at - delivered:.1f} s after its receipt", sent.incident)
        if sent.notification not in ("page", "approval"):
            return
        life = self.history.incidents.get(sent.incident)
        if life is not None and life.resolved_at is not None and at > life.resolved_at + most:
            self.fails(f"{sent.address} is paged {at - life.resolved_at:.1f} s after the resolution", sent.incident)


class DuplicatesBounded(Invariant):
    """10: a message arrives once at one place when nothing is wrong; else as often as something went wrong, at most."""

    numbers = "10"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._arrived: Counter[tuple[str, str, str]] = Counter()
        crashes = (Trouble.KILL, Trouble.CRASH, Trouble.CUT, Trouble.BROKER, Trouble.FULL)
        troubled = sum(upheaval.trouble in crashes for upheaval in self.plan.upheavals)
        unanswered = 2 if self.plan.has(Trouble.RECEIVERS) else 1
        redelivered = 3 if self.plan.hazards else 0
        self._most = unanswered * (1 + troubled + redelivered)

    def on_arrival(self, sent: Sent) -> None:
        place = (sent.id, sent.channel, sent.address)
        self._arrived[place] += 1
        if self._arrived[place] > self._most:
            self.fails(f"{sent.address} gets a message {self._arrived[place]} times", sent.incident)
