"""Durable consumers: delivered until settled, to whoever asks, in turns; what lies with the dead comes again."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from broker_bench import ACK_WAIT, LETTERS, READER, Bench, Hands
from broker_facts import fact

from tocsin_rehearsal.bus.link import ModelBus
from tocsin_runtime import BusUnavailableError, Delivery, NotYetError, RefusedError
from tocsin_schemas import DeadLettered, Payload, subjects


@pytest.fixture
def bench() -> Bench:
    return Bench()


COMMANDS = replace(READER, name="commands", stream="COMMANDS", filters=(subjects.COMMANDS,))


def test_what_is_acknowledged_never_comes_again(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands(b"+ACK")
    bench.read(bus, hands)
    bench.write(bus, "a", "b")
    bench.wait(60)
    assert hands.seen == [(1, 1), (2, 1)]
    assert bench.broker.backlog == 0


def test_what_stood_there_before_the_consumer_is_delivered_too(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands(b"+ACK")
    bench.write(bus, "a")
    bench.read(bus, hands)
    bench.wait(1)
    assert hands.seen == [(1, 1)]


def test_what_nobody_answers_comes_again_after_each_ack_wait_and_is_counted(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands()
    bench.read(bus, hands)
    bench.write(bus, "a")
    bench.wait(ACK_WAIT - 0.1)
    assert hands.seen == [(1, 1)]
    bench.wait(0.2)
    assert hands.seen == [(1, 1), (1, 2)]
    bench.wait(ACK_WAIT)
    assert hands.seen == [(1, 1), (1, 2), (1, 3)]
    assert bench.broker.backlog == 1


def test_a_nak_brings_it_again_after_its_delay(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands()
    bench.read(bus, hands)
    bench.write(bus, "a", "b")
    bench.do(bus, hands.say(0, b"-NAK"))
    bench.do(bus, hands.say(1, b'-NAK {"delay": 20000000000}'))
    bench.wait(0.1)
    assert hands.seen == [(1, 1), (2, 1), (1, 2)]
    bench.do(bus, hands.say(2, b"+ACK"))
    bench.wait(19)
    assert hands.seen == [(1, 1), (2, 1), (1, 2)]
    bench.wait(1)
    assert hands.seen[3:] == [(2, 2)]


def test_still_working_extends_the_ack_wait(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands()
    bench.read(bus, hands)
    bench.write(bus, "a")
    for _ in range(3):
        bench.wait(4)
        bench.do(bus, hands.say(0, b"+WPI"))
    assert hands.seen == [(1, 1)]
    bench.wait(ACK_WAIT)
    assert hands.seen == [(1, 1), (1, 2)]


def test_what_is_terminated_never_comes_again_on_whichever_delivery(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands()
    bench.read(bus, hands)
    bench.write(bus, "a")
    bench.wait(ACK_WAIT)
    bench.do(bus, hands.say(0, b"+TERM"))
    bench.do(bus, hands.say(1, b"-NAK"))
    bench.wait(60)
    assert hands.seen == [(1, 1), (1, 2)]


def test_what_is_acknowledged_while_it_is_queued_again_is_not_delivered(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands()
    bench.read(bus, hands, replace(READER, workers=0, batch=1))
    bench.write(bus, "a")
    bench.kill(bus)
    bench.wait(ACK_WAIT + 1)
    bench.broker.consumers["reader"].settle(1, b"+ACK", 0.0)
    other, others = bench.bus(), Hands()
    bench.read(other, others)
    bench.wait(60)
    assert others.seen == []


def test_a_delay_takes_back_what_was_queued_and_still_working_does_not(bench: Bench) -> None:
    """Queued because there is no reader when they are due again."""
    bus, hands = bench.bus(), Hands()
    worker = bus.consumer(READER, hands)
    bench.do(bus, worker.start())
    bench.write(bus, "a", "b")
    bench.do(bus, worker.stop())
    bench.wait(ACK_WAIT + 1)
    bench.do(bus, hands.say(0, b'-NAK {"delay": 5000000000}'))
    bench.do(bus, hands.say(1, b"+WPI"))
    later = Hands(b"+ACK")
    bench.read(bus, later)
    bench.wait(4.9)
    assert later.seen == [(2, 2)]
    bench.wait(0.1)
    assert later.seen == [(2, 2), (1, 2)]


def test_a_work_queue_drops_what_is_settled(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands()
    bench.read(bus, hands, COMMANDS)
    bench.write(bus, "a", "b", to="tocsin.commands.escalator.note")
    bench.do(bus, hands.say(0, b"+ACK"))
    assert bench.contents("COMMANDS") == ["b"]
    bench.do(bus, hands.say(1, b"+TERM"))
    assert bench.contents("COMMANDS") == []


def test_a_message_that_was_taken_away_is_delivered_no_more(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands()
    bench.write(bus, "a", "b")
    bench.broker.consumer(READER)
    bench.broker.streams["DEADLETTERS"].remove(1)
    assert bench.broker.backlog == 1
    bench.read(bus, hands)
    bench.wait(1)
    assert hands.seen == [(2, 1)]
    bench.broker.streams["DEADLETTERS"].remove(2)
    assert bench.broker.backlog == 0
    bench.wait(60)
    assert hands.seen == [(2, 1)]


def test_no_more_than_a_thousand_are_in_hand(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands()
    bench.write(bus, *(f"m{number}" for number in range(1002)))
    bench.read(bus, hands, replace(READER, workers=0, batch=100, ack_wait=timedelta(hours=1)))
    bench.wait(1)
    assert len(hands.held) == 1000
    bench.do(bus, hands.say(0, b"+ACK"))
    bench.wait(1)
    assert hands.seen[-1] == (1001, 1)


def test_many_workers_may_have_eight_times_as_many_in_hand(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands()
    bench.write(bus, *(f"m{number}" for number in range(2100)))
    bench.read(bus, hands, replace(READER, workers=256, ack_wait=timedelta(hours=1)))
    bench.wait(1)
    assert len(hands.held) == 2048


# --- several readers --------------------------------------------------------------------------------------------------


def test_replicas_that_wait_are_given_one_message_each_in_turn(bench: Bench) -> None:
    buses, hands = [bench.bus() for _ in range(3)], [Hands(b"+ACK") for _ in range(3)]
    for bus, hand in zip(buses, hands, strict=True):
        bench.read(bus, hand)
    bench.write(buses[0], *(f"m{number}" for number in range(7)))
    bench.wait(1)
    assert [hand.seen for hand in hands] == [[(1, 1), (4, 1), (7, 1)], [(2, 1), (5, 1)], [(3, 1), (6, 1)]]


def test_what_a_killed_replica_had_in_hand_goes_to_another_one_after_the_ack_wait(bench: Bench) -> None:
    one, other = bench.bus(), bench.bus()
    first, second = Hands(), Hands(b"+ACK")
    bench.read(one, first)
    bench.write(other, "a", "b")
    bench.read(other, second)
    bench.kill(one)
    bench.wait(ACK_WAIT - 0.1)
    assert (first.seen, second.seen) == ([(1, 1), (2, 1)], [])
    bench.wait(0.1)
    assert second.seen == [(1, 2), (2, 2)]


def test_what_travels_to_a_replica_that_is_killed_comes_again(bench: Bench) -> None:
    one, other = bench.bus(), bench.bus()
    first, second = Hands(), Hands(b"+ACK")
    bench.read(one, first)
    bench.faults.latency_ = 0.5
    bench.start(other, _publish(other))
    bench.wait(0.8)  # it has been written, and is on its way to the only reader
    bench.kill(one)
    bench.read(other, second)
    bench.wait(ACK_WAIT - 1)
    assert (first.seen, second.seen) == ([], [])
    bench.wait(2)
    assert second.seen == [(1, 2)]


async def _publish(bus: ModelBus) -> None:
    await bus.connection.publish(LETTERS, fact("a"))


def test_a_message_arrives_although_its_writer_is_killed_meanwhile(bench: Bench) -> None:
    writer, reader, hands = bench.bus(), bench.bus(), Hands(b"+ACK")
    bench.read(reader, hands)
    bench.faults.latency_ = 0.5
    bench.start(writer, _publish(writer))
    bench.wait(0.6)
    bench.kill(writer)
    bench.wait(1)
    assert hands.seen == [(1, 1)]


def test_a_nak_of_a_replica_that_is_killed_then_still_brings_the_message_again(bench: Bench) -> None:
    """The clock that waits for it is the broker's, not the replica's."""
    one, other = bench.bus(), bench.bus()
    first, second = Hands(b'-NAK {"delay": 9000000000}'), Hands(b"+ACK")
    bench.read(one, first)
    bench.write(one, "a")
    bench.kill(one)
    bench.read(other, second)
    bench.wait(8.9)
    assert second.seen == []
    bench.wait(0.1)
    assert second.seen == [(1, 2)]


def test_messages_wait_with_a_busy_reader_until_their_ack_wait_is_over(bench: Bench) -> None:
    busy, idle = bench.bus(), bench.bus()
    told: list[tuple[str, list[tuple[int, int]]]] = []

    async def slow(batch: Sequence[Delivery[Payload]]) -> None:
        told.append(("busy", [(each.position.sequence, each.position.deliveries) for each in batch]))
        await asyncio.sleep(20)

    async def quick(batch: Sequence[Delivery[Payload]]) -> None:
        told.append(("idle", [(each.position.sequence, each.position.deliveries) for each in batch]))

    spec = replace(READER, workers=0, batch=3)
    bench.read(busy, slow, spec)
    bench.write(busy, "a")
    bench.write(busy, "b", "c")
    bench.read(idle, quick, spec)
    bench.wait(21)
    assert told == [("busy", [(1, 1)]), ("idle", [(2, 2), (3, 2)]), ("busy", [(2, 1), (3, 1)])]


def test_a_request_of_a_busy_reader_is_over_after_ten_seconds(bench: Bench) -> None:
    busy, told = bench.bus(), []

    async def slow(batch: Sequence[Delivery[Payload]]) -> None:
        told.extend([each.position.deliveries for each in batch])
        await asyncio.sleep(30)

    bench.read(busy, slow, replace(READER, workers=0, batch=3))
    bench.write(busy, "a")
    bench.wait(11)
    bench.write(busy, "b")
    bench.wait(18)
    idle, hands = bench.bus(), Hands(b"+ACK")
    bench.read(idle, hands, READER)
    assert hands.seen == [(2, 1)]


def test_a_reader_that_is_stopped_is_given_nothing_more(bench: Bench) -> None:
    bus, hands = bench.bus(), Hands(b"+ACK")
    worker = bus.consumer(READER, hands)
    bench.do(bus, worker.start())
    bench.write(bus, "a")
    bench.do(bus, worker.stop())
    bench.write(bus, "b")
    bench.wait(1)
    assert hands.seen == [(1, 1)]
    assert worker.failed is None
    assert bench.broker.backlog == 1


# --- what handlers may say --------------------------------------------------------------------------------------------


def test_handlers_fail_refuse_and_put_off_as_they_do_on_nats(bench: Bench) -> None:
    bus = bench.bus()
    said = {
        1: [NotYetError(2, "not yet"), None],
        2: [BusUnavailableError("away"), None],
        3: [ValueError("broken"), ValueError("broken")],
        4: [RefusedError("never")],
    }
    told: list[tuple[int, int]] = []

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        (delivery,) = batch
        told.append((delivery.position.sequence, delivery.position.deliveries))
        if (error := said[delivery.position.sequence].pop(0)) is not None:
            raise error

    bench.read(bus, handle, replace(READER, stream="PLAYBOOKS", filters=(subjects.PLAYBOOKS,), max_failures=2))
    bench.write(bus, "a", "b", "c", "d", to="tocsin.playbooks.small")
    bench.wait(30)
    assert sorted(told) == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)]
    letters = [stored.envelope.data for stored in bench.broker.streams["DEADLETTERS"].after(0)]
    assert all(isinstance(letter, DeadLettered) for letter in letters)
    assert [(letter.sequence, letter.reason) for letter in letters if isinstance(letter, DeadLettered)] == [
        (4, "refused: never"),
        (3, "failed 2 times; last: ValueError('broken')"),
    ]
    assert bench.broker.consumers["reader"].backlog == 0


def test_a_handler_that_works_is_kept_alive(bench: Bench) -> None:
    bus, told = bench.bus(), []

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        told.extend(batch)
        await asyncio.sleep(100)

    bench.read(bus, handle)
    bench.write(bus, "a")
    bench.wait(101)
    assert len(told) == 1
    assert bench.broker.backlog == 0
