"""Asking for something on somebody's behalf: what comes of it is told, also when it is asked twice or comes late."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from runtime_builders import ADA, note

from tocsin_runtime import BusUnavailableError, Connection, Delivery, RefusedError
from tocsin_runtime import asking as module
from tocsin_runtime.asking import Answer, Asking
from tocsin_runtime.bus.consume import Consumer
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.orders import Orders
from tocsin_runtime.topology import CONSUMERS
from tocsin_schemas import Command, Envelope, Event, Payload, caused_by
from tocsin_schemas.commands import AddNote, LiftSilence
from tocsin_schemas.events import CommandRejected, NoteAdded, OrderRejected, SilenceLifted
from tocsin_schemas.subjects import deadletter_subject, incident_subject, order_subject
from tocsin_testkit.nats import NatsServer

NOTE = AddNote(incident="inc1", text="looking", by=ADA)
LIFT = LiftSilence(silence="s1", by=ADA)


class Escalator:
    """Answers each command once with these events, as the escalator does."""

    def __init__(self, connection: Connection, *answers: Event, refuses: str = "") -> None:
        self.connection, self.answers, self.refuses = connection, answers, refuses
        self.received: list[Envelope[Payload]] = []

    async def handle(self, deliveries: Sequence[Delivery[Payload]]) -> None:
        for delivery in deliveries:
            sent = delivery.envelope
            self.received.append(sent)
            if self.refuses:
                raise RefusedError(self.refuses)
            await self.answer(sent)

    async def answer(self, sent: Envelope[Payload]) -> None:
        for position, event in enumerate(self.answers):
            subject = incident_subject(sent.incident, type(event)) if sent.incident else order_subject(type(event))
            await self.connection.publish(
                subject, caused_by(sent.id, position, "escalator", sent.incident, sent.time, event)
            )


@asynccontextmanager
async def answering(connection: Connection, *answers: Event, refuses: str = "") -> AsyncIterator[Escalator]:
    escalator = Escalator(connection, *answers, refuses=refuses)
    spec = next(each for each in CONSUMERS if each.name == "escalator-commands")
    consumer = Consumer(connection, spec, escalator.handle)
    await consumer.start()
    try:
        yield escalator
    finally:
        await consumer.stop()


async def test_the_answer_is_what_the_command_brought_about_in_the_logs_order(connection: Connection) -> None:
    before = incident_subject("inc1", NoteAdded)
    await connection.publish(before, note("another cause"))
    first, second = NoteAdded(text="a", by=ADA), NoteAdded(text="b", by=ADA)
    async with answering(connection, first, second) as escalator:
        answer = await Asking(connection, "recorder").ask(NOTE, "cause")
    assert [each.data for each in answer.events] == [first, second]
    assert (answer.refused, answer.pending) == (None, False)
    (sent,) = escalator.received
    assert (answer.command, sent.source, sent.incident, sent.data) == (sent.id, "tocsin/recorder", "inc1", NOTE)


async def test_asked_again_with_the_same_cause_it_is_the_same_command(connection: Connection) -> None:
    async with answering(connection, NoteAdded(text="a", by=ADA)) as escalator:
        once = await Asking(connection, "recorder").ask(NOTE, "cause")
        again = await Asking(connection, "recorder").ask(NOTE, "cause")
        other = await Asking(connection, "recorder").ask(NOTE, "another")
    assert again == once
    assert other.command != once.command
    assert [each.id for each in escalator.received] == [once.command, other.command]


async def test_a_rejection_is_told_with_its_reason(connection: Connection) -> None:
    rejection = CommandRejected(command="AddNote", reason="the incident is closed", by=ADA)
    async with answering(connection, rejection):
        answer = await Asking(connection, "recorder").ask(NOTE, "cause")
    assert (answer.refused, answer.pending) == ("the incident is closed", False)
    assert [each.data for each in answer.events] == [rejection]


async def test_what_was_parked_is_told_with_its_reason_also_when_it_is_asked_again(connection: Connection) -> None:
    await connection.publish(deadletter_subject("escalator"), note("no letter"))
    await connection.publish_raw(deadletter_subject("escalator"), b"{", {"ce-id": "x"})
    async with answering(connection, refuses="there is no incident inc1") as escalator:
        asking = Asking(connection, "recorder")
        answers = [await asking.ask(NOTE, "cause"), await asking.ask(NOTE, "cause")]
    assert [(each.refused, each.events) for each in answers] == [("there is no incident inc1", ())] * 2
    assert len(escalator.received) == 1


async def test_what_nobody_carries_out_is_pending_and_is_answered_when_asked_again(connection: Connection) -> None:
    asking = Asking(connection, "recorder")
    first = await asking.ask(NOTE, "cause", within=0.1)
    assert first == Answer(first.command)
    assert first.pending
    async with answering(connection, NoteAdded(text="a", by=ADA)):
        assert (await asking.ask(NOTE, "cause")).events[0].cause == first.command


async def test_what_is_only_sent_has_the_id_under_which_its_answer_can_be_asked_for(connection: Connection) -> None:
    asking = Asking(connection, "notifier")
    command = await asking.send(NOTE, "cause")
    async with answering(connection, NoteAdded(text="a", by=ADA)):
        assert (await asking.ask(NOTE, "cause")).command == command


async def test_an_answer_in_a_log_with_something_that_a_newer_version_wrote_is_pending(connection: Connection) -> None:
    await connection.publish_raw(incident_subject("inc1", NoteAdded), b"{}", {"ce-type": "tocsin.Later.v1"})
    async with answering(connection, NoteAdded(text="a", by=ADA)) as escalator:
        answer = await Asking(connection, "recorder").ask(NOTE, "cause", within=0.3)
    assert (answer.pending, len(escalator.received)) == (True, 1)


async def test_a_log_that_cannot_be_read_for_a_moment_only_makes_the_answer_late(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, failures = IncidentLog.load, iter([BusUnavailableError("away")])

    async def flaky(self: IncidentLog, incident: str, *, after: int = 0) -> list[Envelope[Event]]:
        for failure in failures:
            raise failure
        return await load(self, incident, after=after)

    monkeypatch.setattr(IncidentLog, "load", flaky)
    async with answering(connection, NoteAdded(text="a", by=ADA)):
        assert (await Asking(connection, "recorder").ask(NOTE, "cause")).events
    assert list(failures) == []


# --- standing orders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("follows_them_anyway", [True, False])
async def test_a_standing_order_is_answered_from_the_log_of_orders(
    connection: Connection, follows_them_anyway: bool
) -> None:
    orders = Orders(partial(Follower, connection, service="recorder"))
    await orders.start()
    asking = Asking(connection, "recorder", orders=orders if follows_them_anyway else None)
    async with answering(connection, SilenceLifted(silence="s1", by=ADA)) as escalator:
        answers = [await asking.ask(LIFT, "cause"), await asking.ask(LIFT, "cause")]
    await orders.stop()
    assert [[type(each.data) for each in answer.events] for answer in answers] == [[SilenceLifted]] * 2
    assert len(escalator.received) == 1


async def test_a_standing_order_that_cannot_be_given_says_why_and_one_that_waits_is_pending(
    connection: Connection,
) -> None:
    asking = Asking(connection, "recorder")
    assert (await asking.ask(LIFT, "other", within=0.1)).pending
    async with answering(connection, OrderRejected(command="LiftSilence", reason="there is no silence s1", by=ADA)):
        assert (await asking.ask(LIFT, "cause")).refused == "there is no silence s1"


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [NOTE, LIFT])
async def test_while_nats_is_away_it_says_so(
    nats_server: NatsServer, connection: Connection, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CONFIRMED_WITHIN", 0.2)
    nats_server.stop()
    try:
        with pytest.raises(BusUnavailableError, match=r"not confirmed within 0\.2 s"):
            await Asking(connection, "recorder").ask(command, "cause")
    finally:
        nats_server.start()
