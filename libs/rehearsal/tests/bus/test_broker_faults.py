"""What can go wrong on the way: each of the faults, and what becomes of it."""

from collections import deque

import pytest
from broker_bench import ACK_WAIT, LETTERS, READER, START, Bench, Hands, appended, outcome
from broker_facts import fact

from tocsin_rehearsal.bus.faults import Calm, Fate
from tocsin_rehearsal.bus.link import ModelBus
from tocsin_runtime.bus.connection import Written


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def bus(bench: Bench) -> ModelBus:
    return bench.bus()


def test_in_a_calm_world_everything_arrives_at_once(bench: Bench) -> None:
    calm = Calm()
    assert (calm.latency(), calm.settlement_late("reader"), calm.silence("reader")) == (0.0, 0.0, 0.0)
    assert (calm.fate("append", "one"), calm.rings(), calm.forgotten()) == (Fate.ANSWERED, (0.0,), 0)
    assert not calm.settlement_lost("reader")
    bench.broker.faults = calm
    assert bench.write(bench.bus(), "a") == [1]
    assert bench.elapsed == 0.0


def test_latency_is_there_and_back(bench: Bench, bus: ModelBus) -> None:
    bench.faults.latency_ = 0.5
    bench.write(bus, "a")
    assert bench.elapsed == 1.0


def test_messages_arrive_in_the_order_they_were_sent_in(bench: Bench, bus: ModelBus) -> None:
    """As on one connection: what is sent later overtakes nothing."""
    hands = Hands()
    bench.read(bus, hands)
    bench.faults.latency_ = 2.0
    bench.broker.machine.call_later(0, bench.broker.streams["DEADLETTERS"].store, LETTERS, fact("a"))
    bench.wait(0.5)
    bench.faults.latency_ = 0.1
    bench.broker.machine.call_later(0, bench.broker.streams["DEADLETTERS"].store, LETTERS, fact("b"))
    bench.wait(1.4)
    assert hands.seen == []
    bench.wait(0.2)
    assert hands.seen == [(1, 1), (2, 1)]


def test_a_lost_request_is_sent_again(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.LOST])
    assert bench.do(bus, bus.connection.publish(LETTERS, fact("a"))) == Written(1)
    assert bench.elapsed == 5.1


def test_a_request_that_is_lost_three_times_is_given_up(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.LOST] * 3)
    assert bench.do(bus, outcome(bus.connection.publish(LETTERS, fact("a")))) == "BusUnavailableError"
    assert bench.elapsed == pytest.approx(15.3)
    assert bench.contents("DEADLETTERS") == []


def test_a_lost_answer_leaves_the_message_there_once(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.ANSWER_LOST])
    assert bench.do(bus, bus.connection.publish(LETTERS, fact("a"))) == Written(1, duplicate=True)
    assert bench.contents("DEADLETTERS") == ["a"]


def test_an_append_whose_answer_is_lost_loses_the_race_against_itself(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.ANSWER_LOST])
    assert bench.do(bus, outcome(appended(bus, "a", expected=0))) == "LostRaceError"
    assert bench.contents("INCIDENTS") == ["a"]


def test_a_batch_is_not_sent_again(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.ANSWER_LOST])
    assert bench.do(bus, outcome(appended(bus, "a", "b", expected=0))) == "BusUnavailableError"
    assert bench.contents("INCIDENTS") == ["a", "b"]


def test_a_refusal_may_be_lost_too(bench: Bench, bus: ModelBus) -> None:
    bench.do(bus, appended(bus, "a", expected=0))
    bench.faults.fates = deque([Fate.ANSWER_LOST])
    assert bench.do(bus, outcome(appended(bus, "b", "c", expected=7))) == "BusUnavailableError"
    assert bench.elapsed == 5.0


def test_a_late_request_is_done_after_its_sender_has_given_up(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.LATE])
    assert bench.do(bus, outcome(appended(bus, "a", "b", expected=0))) == "BusUnavailableError"
    assert bench.contents("INCIDENTS") == []
    bench.kill(bus)
    bench.wait(3)
    assert bench.contents("INCIDENTS") == ["a", "b"]


def test_a_late_request_that_is_refused_is_refused_unheard(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.LATE])
    bench.do(bus, outcome(appended(bus, "a", "b", expected=0)))
    bench.do(bus, appended(bus, "c", expected=0))
    bench.wait(5)
    assert bench.contents("INCIDENTS") == ["c"]


def test_a_late_request_to_a_broker_that_is_down_is_lost(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.LATE])
    bench.do(bus, outcome(appended(bus, "a", "b", expected=0)))
    bench.broker.kill()
    bench.wait(5)
    bench.broker.start()
    bench.wait(5)
    assert bench.contents("INCIDENTS") == []


def test_a_lost_load_and_a_lost_cancel_fail_at_once(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.LOST, Fate.LOST])
    assert bench.do(bus, outcome(bus.incidents.load("inc1"))) == "BusUnavailableError"
    assert bench.do(bus, outcome(bus.timers.cancel("inc1", "ack"))) == "BusUnavailableError"
    assert bench.elapsed == 10.0


def test_a_clock_whose_arming_was_answered_late_is_armed_once(bench: Bench, bus: ModelBus) -> None:
    bench.faults.fates = deque([Fate.ANSWER_LOST])
    bench.do(bus, bus.timers.arm("inc1", "ack", START))
    assert bench.do(bus, bus.timers.armed()) == 1


def test_a_lost_settlement_brings_the_message_again(bench: Bench, bus: ModelBus) -> None:
    hands = Hands(b"+ACK")
    bench.read(bus, hands)
    bench.faults.lost = 1
    bench.write(bus, "a")
    bench.wait(60)
    assert hands.seen == [(1, 1), (1, 2)]


def test_a_settlement_that_is_late_may_be_too_late(bench: Bench, bus: ModelBus) -> None:
    hands = Hands(b"+ACK")
    bench.read(bus, hands)
    bench.faults.late = ACK_WAIT + 1
    bench.write(bus, "a")
    bench.wait(60)
    assert hands.seen == [(1, 1), (1, 2)]
    bench.faults.late = ACK_WAIT - 1
    bench.write(bus, "b")
    bench.wait(60)
    assert hands.seen == [(1, 1), (1, 2), (2, 1)]


def test_a_settlement_arrives_although_who_sent_it_is_dead(bench: Bench, bus: ModelBus) -> None:
    hands, others = Hands(b"+ACK"), Hands(b"+ACK")
    bench.read(bus, hands)
    bench.faults.late = 2
    bench.write(bus, "a")
    bench.wait(1)
    bench.kill(bus)
    bench.read(bench.bus(), others)
    bench.wait(60)
    assert (hands.seen, others.seen) == ([(1, 1)], [])


def test_a_silent_reader_gets_nothing_although_there_is_something(bench: Bench, bus: ModelBus) -> None:
    hands = Hands(b"+ACK")
    bench.faults.silences[READER.name] = 30.0
    bench.read(bus, hands)
    bench.write(bus, "a")
    bench.wait(29)
    assert hands.seen == []
    bench.wait(1)
    assert hands.seen == [(1, 1)]
