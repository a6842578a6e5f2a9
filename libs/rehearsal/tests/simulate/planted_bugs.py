"""Bugs that somebody could have made, each a patch of the real code. The simulator must find every one of them."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.core import ladder
from tocsin_escalator import audit, handlers
from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.core import answering, escalation, fold, lifecycle, on_alert, on_timer
from tocsin_escalator.core.incident import Phase
from tocsin_escalator.relations import Relations
from tocsin_notifier import app as notifier_app
from tocsin_notifier import handlers as notifier
from tocsin_notifier.core.incident import NO_RECEIPT
from tocsin_notifier.core.progress import Done, Send, arrived, next_step
from tocsin_recorder.adapters.log_reader import LogReader
from tocsin_rehearsal.bus.streams import Stream
from tocsin_rehearsal.outside.leases import SharedLeases
from tocsin_remediator import effects
from tocsin_remediator.adapters.leases import LeasesUnavailableError, Taken
from tocsin_remediator.core import plan
from tocsin_remediator.core.moves import Execute, Recover
from tocsin_remediator.core.outcomes import Found, Lost, Verdict
from tocsin_remediator.mitigation import Mitigator
from tocsin_runtime import decide
from tocsin_runtime.bus.consume import Worker
from tocsin_schemas import DeadlineKind
from tocsin_schemas.events import IncidentResolved, NotificationFailed
from tocsin_schemas.ids import derive_id

__all__ = ["BUGS", "Bug"]

Planted = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Bug:
    """What is done wrong, how it is planted, and the profile that is most likely to find it."""

    name: str
    plant: Planted
    profile: str = "everything"


BUGS: list[Bug] = []


def bug(profile: str = "everything") -> Callable[[Callable[[], Iterator[None]]], Planted]:
    def take(plant: Callable[[], Iterator[None]]) -> Planted:
        planted = contextmanager(plant)
        BUGS.append(Bug(plant.__name__.replace("_", " "), planted, profile))
        return planted

    return take


# --- the detector -----------------------------------------------------------------------------------------------------


@bug()
def acknowledge_before_publish() -> Iterator[None]:
    """A sender hears 200 while the alert is still on its way to the stream."""
    tell = AlertBook.tell

    async def told_later(self: AlertBook, envelopes: Sequence[Any]) -> list[int]:
        async def publish() -> None:
            with contextlib.suppress(Exception):
                await tell(self, envelopes)

        self.__dict__.setdefault("under_way", []).append(asyncio.create_task(publish()))
        return []

    with patch.object(AlertBook, "tell", told_later):
        yield


@bug("outside")
def fires_at_once() -> Iterator[None]:
    """A threshold counts as soon as it is passed, however long it should last."""
    with patch.object(ladder, "_counts", lambda rung, since, now, is_firing: since is not None):
        yield


# --- how messages are handled -----------------------------------------------------------------------------------------


@bug()
def dedup_before_enqueue() -> Iterator[None]:
    """A message counts as seen before it is handled: when handling it fails it is never handled."""
    handle = Worker._handle

    async def once(self: Worker, deliveries: Sequence[Any]) -> None:
        seen = self.__dict__.setdefault("seen", set())
        new = []
        for delivery in deliveries:
            if delivery.envelope.id in seen:
                await delivery.ack()
            else:
                seen.add(delivery.envelope.id)
                new.append(delivery)
        if new:
            await handle(self, new)

    with patch.object(Worker, "_handle", once):
        yield


@bug()
def discard_on_exception() -> Iterator[None]:
    """Whatever a handler raises, its messages are acknowledged."""

    async def handle(self: Worker, deliveries: Sequence[Any]) -> None:
        with contextlib.suppress(Exception):
            await self._call(deliveries)
        for delivery in deliveries:
            await delivery.ack()

    with patch.object(Worker, "_handle", handle):
        yield


@bug()
def acknowledge_before_handling() -> Iterator[None]:
    """At most once: a message is acknowledged, then handled."""

    async def handle(self: Worker, deliveries: Sequence[Any]) -> None:
        for delivery in deliveries:
            await delivery.ack()
        with contextlib.suppress(Exception):
            await self._call(deliveries)

    with patch.object(Worker, "_handle", handle):
        yield


@bug("calm")
def poison_is_tried_for_ever() -> Iterator[None]:
    """What cannot be handled is delivered again and again, and never parked."""
    park = Worker._park

    async def kept(self: Worker, message: Any, reason: str) -> None:
        if not reason.startswith("failed"):
            await park(self, message, reason)

    with patch.object(Worker, "_park", kept):
        yield


# --- decisions --------------------------------------------------------------------------------------------------------


@bug()
def rely_on_the_dedup_window() -> Iterator[None]:
    """No expectations: the stream takes each id once, and that must do."""
    with patch.object(Stream, "_check_expectation", lambda self, message: None):
        yield


@bug()
def forget_causes() -> Iterator[None]:
    """Nobody knows which messages were decided on."""

    class Nothing(set[str]):
        def __contains__(self, item: object) -> bool:
            return False

    init = decide.Known.__init__

    def forgetful(
        self: Any, state: Any, last: int = 0, own_last: int = 0, causes: Any = None, *rest: Any, **more: Any
    ) -> None:
        init(self, state, last, own_last, Nothing(), *rest, **more)

    with patch.object(decide.Known, "__init__", forgetful):
        yield


@bug()
def ids_from_randomness() -> Iterator[None]:
    """Every event has a new id, whatever caused it."""
    made, count = decide.caused_by, itertools.count()

    def caused_by(*given: Any, **more: Any) -> Any:
        from dataclasses import replace

        return replace(made(*given, **more), id=derive_id("random", next(count)))

    with patch.object(decide, "caused_by", caused_by):
        yield


# --- the escalator ----------------------------------------------------------------------------------------------------


@bug("broker")
def timer_lost_on_restart() -> Iterator[None]:
    """No audit: a clock that was never set, or never rings, is never missed."""

    async def nothing(self: audit.Audit) -> int:
        return 0

    with patch.object(audit.Audit, "once", nothing), patch.object(handlers, "open_alarms", lambda state, before: ()):
        yield


@bug()
def escalation_after_resolve() -> Iterator[None]:
    """A resolution leaves the deadlines open, and the table lets them ring."""

    def resolved(state: Any, event: IncidentResolved, at: Any) -> Any:
        return state._replace(phase=Phase.RESOLVED, resolved_at=at)

    tell = {(Phase.RESOLVED, lifecycle.Input.ESCALATE_DUE): lifecycle.Answer.TELL}
    with patch.dict(fold._MEANINGS, {IncidentResolved: resolved}), patch.dict(lifecycle.TABLE, tell):
        yield


@bug("catch-up")
def first_in_first_out_catch_up() -> Iterator[None]:
    """After an outage every level that was missed is told, one after the other."""

    def each_in_turn(draft: Any, deadline: Any, place: Any) -> None:
        plan = escalation._plan(draft)
        step = plan.at(place)
        escalation._tell(draft, plan, [step], "escalated", escalation="unacknowledged")
        following = plan.after(place)[:1]
        if following:
            escalation.set_place(draft, following[0].place, deadline.due_at - step.after + following[0].after)

    with patch.object(on_timer, "escalate_due", each_in_turn):
        yield


@bug("calm")
def alerts_are_gathered_first() -> Iterator[None]:
    """Before anything is decided about alerts, others are waited for."""
    on_alerts = handlers.Handlers.on_alerts

    async def gathered(self: handlers.Handlers, inputs: Any) -> None:
        await self.clock.sleep(8.0)
        await on_alerts(self, inputs)

    with patch.object(handlers.Handlers, "on_alerts", gathered):
        yield


@bug()
def resolve_ignores_monitoring() -> Iterator[None]:
    """When the last alert ends the incident is resolved, without being watched."""
    decided = on_alert.decide_alert_resolved

    def at_once(state: Any, alert: Any, rulebook: Any, now: Any) -> Any:
        events = decided(state, alert, rulebook, now)
        draft = on_alert.Draft(state, rulebook, now)
        for event in events:
            if type(event).__name__ == "IncidentMonitoring":
                on_timer.decide_resolved(draft, IncidentResolved(by=on_alert.SYSTEM))
                return draft.done()
            draft.add(event)
        return events

    with patch.object(handlers, "decide_alert_resolved", at_once):
        yield


@bug("calm")
def renewal_of_a_resolved_alert_is_swallowed() -> Iterator[None]:
    """An alert that fires again while its incident is resolved is taken for what is known already."""
    nothing = {(Phase.RESOLVED, lifecycle.Input.ALERT_FIRED): lifecycle.Answer.NOTHING}

    async def fired(
        self: Any, work: Any, message: Any, alert: Any, slot: Any, rulebook: Any, key: int, then: Any
    ) -> None:
        def decision(state: Any, now: Any) -> Any:
            return on_alert.decide_alert_fired(state, alert, slot, self._pinned(state, rulebook), now)

        await self.decide(work, slot.incident, message.id, decision, key, then)

    with patch.dict(lifecycle.TABLE, nothing), patch.object(handlers.Handlers, "_fired", fired):
        yield


# --- the remediator ---------------------------------------------------------------------------------------------------


@bug("actions")
def lock_instead_of_claim() -> Iterator[None]:
    """A claim is a lock that runs out: when its holder is silent, another one takes it over and acts."""
    of_claim = plan._of_open_claim

    def taken_over(question: Any, track: Any, action: Any, claim: Any) -> Any:
        move = of_claim(question, track, action, claim)
        return Execute(move.track, move.action, move.claim, move.step) if isinstance(move, Recover) else move

    async def may_begin(self: Mitigator, incident: str, action: Any, claim: Any) -> None:
        return None

    with patch.object(plan, "_of_open_claim", taken_over), patch.object(Mitigator, "_why_not_begin", may_begin):
        yield


@bug()
def claim_after_effect() -> Iterator[None]:
    """First it is done, then it is said."""
    append = Mitigator._append_claim

    async def done_first(self: Any, incident: str, trigger: Any, move: Any, demand: Any) -> None:
        await self._effects.carry_out(move.step, move.event.execution, "", lambda: asyncio.sleep(0))
        await append(self, incident, trigger, move, demand)

    with patch.object(Mitigator, "_append_claim", done_first):
        yield


@bug("actions")
def no_answer_counts_as_failure() -> Iterator[None]:
    """A request without an answer is taken for one that was not carried out."""
    judge = effects.judge

    def guessed(action: Any, reply: Any, *, sent_before: bool = False) -> Verdict:
        if isinstance(reply, Lost):
            return Verdict(Found.NOT_CARRIED_OUT, reply.reason)
        return judge(action, reply, sent_before=sent_before)

    with patch.object(effects, "judge", guessed):
        yield


@bug("actions")
def acts_without_counting() -> Iterator[None]:
    """When Redis does not answer, the budget counts as kept."""
    take = SharedLeases.take

    async def taken(self: SharedLeases, demand: Any) -> Any:
        try:
            return await take(self, demand)
        except LeasesUnavailableError:
            return Taken()

    with patch.object(SharedLeases, "take", taken):
        yield


# --- answers and relations --------------------------------------------------------------------------------------------


@bug("people")
def a_part_is_forgotten_with_its_whole() -> Iterator[None]:
    """When the incident of which people were told is over, nobody looks what was a part of it."""

    async def nobody(*_given: Any) -> None:
        """Nothing is looked at."""

    with (
        patch.object(Relations, "left_behind", nobody),
        patch.object(Explanations, "unexplained", lambda self: iter(())),
    ):
        yield


@bug("people")
def ways_go_on_after_an_answer() -> Iterator[None]:
    """Who has answered is told in their next way all the same."""
    without = fold._OF_AN_ANSWER - {DeadlineKind.CONTACT}
    with (
        patch.object(fold, "_OF_AN_ANSWER", without),
        patch.object(fold, "_without_pages_to", lambda state, person: state.deadlines),
    ):
        yield


@bug("people")
def each_is_satisfied_by_one() -> Iterator[None]:
    """Where each must answer, the first answer is taken for all."""
    with patch.object(answering, "unanswered", lambda state: frozenset()):
        yield


# --- the notifier -----------------------------------------------------------------------------------------------------


@bug()
def receipts_before_sending() -> Iterator[None]:
    """First the receipt, then the message."""

    async def try_ways(self: Any, incident: Any, notification: Any, rulebook: Any, receipts: Any) -> None:
        step = next_step(incident, notification)
        if isinstance(step, Send):
            receipts.record(arrived(notification, step, "", 1))
            await receipts.recorded()
            await self._send(incident, notification, step, rulebook)

    with patch.object(notifier.Notifier, "_try_ways", try_ways):
        yield


@bug("notifier")
def double_page_on_redelivery() -> Iterator[None]:
    """Nobody looks whether the log has a receipt already."""

    def step(incident: Any, notification: Any, tried: int = 0) -> Any:
        found = next_step(incident, notification, tried)
        if isinstance(found, Done) and incident.receipt(notification.id) != NO_RECEIPT and tried == 0:
            return Send(notification.recipient.ways[0], 0, is_last=False)
        return found

    with patch.object(notifier, "next_step", step):
        yield


@bug("receivers")
def exhausted_page_leads_nowhere() -> Iterator[None]:
    """When the last way has failed nobody is told that it was the last."""
    failed = notifier.failed

    def silent(*given: Any) -> Any:
        from dataclasses import replace

        recording = failed(*given)
        receipt = recording.receipt
        if isinstance(receipt, NotificationFailed):
            return replace(recording, receipt=receipt.model_copy(update={"exhausted": False}))
        return recording

    with patch.object(notifier, "failed", silent):
        yield


@bug("receivers")
def one_message_at_a_time() -> Iterator[None]:
    """A message waits until the one before it has arrived, or has failed on all ways."""
    try_ways = notifier.Notifier._try_ways

    async def in_turn(self: Any, *given: Any) -> None:
        async with self.lanes.turn("any message"):
            await try_ways(self, *given)

    with patch.object(notifier.Notifier, "_try_ways", in_turn):
        yield


@bug("receivers")
def a_channel_is_tried_for_a_minute() -> Iterator[None]:
    """Whoever has another way waits for the first one."""
    patience = notifier_app.Patience

    def long(*, channel: float, attempt: float) -> Any:
        return patience(channel=60.0, attempt=30.0)

    with patch.object(notifier_app, "Patience", long):
        yield


# --- the recorder -----------------------------------------------------------------------------------------------------


@bug("recorder")
def recorder_begins_with_what_is_new() -> Iterator[None]:
    """What came while the recorder was down is passed over."""

    async def start(self: LogReader) -> None:
        for stream, follower in (("INCIDENTS", self._incidents), ("DEADLETTERS", self._dead_letters)):
            follower.position = self._host.connection._link.broker.streams[stream].last
        self._sure.set()
        self._host.connection.on_reconnect(self._doubt)
        self._watching = asyncio.create_task(self._watch(), name="watch the log")

    with patch.object(LogReader, "_start", start):
        yield
