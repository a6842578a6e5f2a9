"""Alarm clocks: armed, armed again, cancelled, overdue, due while the broker is down or the disk is full."""

from datetime import datetime, timedelta

import pytest
from broker_bench import READER, START, Bench, Hands, outcome

from tocsin_rehearsal.bus.link import ModelBus
from tocsin_runtime.topology import ConsumerSpec

BELL = ConsumerSpec("bell", "detector", "TIMERS", ("tocsin.timers.due.*.*",), "", workers=8)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def bus(bench: Bench) -> ModelBus:
    return bench.bus()


@pytest.fixture
def bell(bench: Bench) -> Hands:
    made = Hands(b"+ACK")
    bench.read(bench.bus(), made, BELL)
    return made


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def rung(bell: Hands) -> list[str]:
    return [each.envelope.incident for each in bell.held]


def test_a_clock_rings_when_it_is_due_with_what_it_is_about(bench: Bench, bus: ModelBus, bell: Hands) -> None:
    bench.do(bus, bus.timers.arm("inc1", "ack", at(60)))
    assert bench.do(bus, bus.timers.armed()) == 1
    bench.wait(59.9)
    assert rung(bell) == []
    bench.wait(0.1)
    (ring,) = bell.held
    assert (ring.envelope.incident, ring.envelope.time) == ("inc1", at(60))
    assert bench.do(bus, bus.timers.armed()) == 0
    assert [stored.subject.split(".")[2] for stored in bench.broker.streams["TIMERS"].after(0)] == ["due"]


def test_a_moment_that_has_passed_rings_as_soon_as_the_server_looks(bench: Bench, bus: ModelBus, bell: Hands) -> None:
    bench.do(bus, bus.timers.arm("inc1", "ack", at(-3600)))
    bench.wait(0.2)
    assert rung(bell) == []
    bench.wait(0.05)
    assert rung(bell) == ["inc1"]


def test_the_server_looks_four_times_a_second_at_most_and_once_in_vain_after_a_ring(
    bench: Bench, bus: ModelBus, bell: Hands
) -> None:
    bench.do(bus, bus.timers.arm("inc1", "ack", at(10)))
    bench.do(bus, bus.timers.arm("inc2", "ack", at(10.4)))
    bench.do(bus, bus.timers.arm("inc3", "ack", at(10.3)))
    bench.wait(10.45)
    assert rung(bell) == ["inc1"]
    bench.wait(0.05)
    assert rung(bell) == ["inc1", "inc2", "inc3"]  # in the order they were armed in


def test_arming_again_moves_the_clock(bench: Bench, bus: ModelBus, bell: Hands) -> None:
    bench.do(bus, bus.timers.arm("inc1", "ack", at(10)))
    bench.do(bus, bus.timers.arm("inc1", "ack", at(30)))
    assert list(bench.broker.clocks.armed.values()) == [at(30)]
    assert [stored.sequence for stored in bench.broker.streams["TIMERS"].after(0)] == [2]
    bench.wait(29)
    assert rung(bell) == []
    bench.wait(1)
    assert bell.seen == [(3, 1)]  # each arming takes a place in the stream


def test_a_cancelled_clock_does_not_ring_and_can_be_armed_again(bench: Bench, bus: ModelBus, bell: Hands) -> None:
    bench.do(bus, bus.timers.arm("inc1", "ack", at(10)))
    bench.do(bus, bus.timers.cancel("inc1", "ack"))
    bench.do(bus, bus.timers.cancel("inc1", "ack"))
    bench.wait(20)
    assert rung(bell) == []
    bench.do(bus, bus.timers.arm("inc1", "ack", at(10)))
    bench.wait(1)
    assert rung(bell) == ["inc1"]


def test_each_service_counts_its_own_clocks(bench: Bench, bus: ModelBus) -> None:
    other = bench.bus("escalator")
    bench.do(bus, bus.timers.arm("inc1", "ack", at(10)))
    bench.do(other, other.timers.arm("inc1", "ack", at(10)))
    bench.do(other, other.timers.arm("inc1", "update", at(10)))
    assert (bench.do(bus, bus.timers.armed()), bench.do(other, other.timers.armed())) == (1, 2)


def test_a_clock_rings_although_who_armed_it_is_dead(bench: Bench, bus: ModelBus, bell: Hands) -> None:
    bench.do(bus, bus.timers.arm("inc1", "ack", at(10)))
    bench.kill(bus)
    bench.wait(10)
    assert rung(bell) == ["inc1"]


def test_what_was_due_while_the_broker_was_down_rings_after_its_start(bench: Bench, bus: ModelBus, bell: Hands) -> None:
    bench.do(bus, bus.timers.arm("inc1", "ack", at(10)))
    bench.do(bus, bus.timers.arm("inc2", "ack", at(5)))
    bench.do(bus, bus.timers.arm("inc3", "ack", at(100)))
    bench.broker.kill()
    bench.wait(60)
    bench.broker.start()
    bench.wait(3)
    assert rung(bell) == ["inc1", "inc2"]
    bench.wait(40)
    assert rung(bell) == ["inc1", "inc2", "inc3"]


def test_a_clock_that_is_due_while_its_stream_is_full_is_silent_until_a_restart(
    bench: Bench, bus: ModelBus, bell: Hands
) -> None:
    bench.do(bus, bus.timers.arm("inc1", "ack", at(10)))
    timers = bench.broker.streams["TIMERS"]
    timers.is_full = True
    assert bench.do(bus, outcome(bus.timers.arm("inc2", "ack", at(10)))) == "BusUnavailableError"
    bench.wait(20)
    timers.is_full = False
    bench.wait(600)
    assert rung(bell) == []
    bench.broker.kill()
    bench.broker.start()
    bench.wait(5)
    assert rung(bell) == ["inc1"]


def test_a_clock_may_ring_late_twice_or_never(bench: Bench, bus: ModelBus, bell: Hands) -> None:
    bench.faults.rings_ = (3.0, 7.0)
    bench.do(bus, bus.timers.arm("inc1", "ack", at(10)))
    bench.faults.rings_ = ()
    bench.do(bus, bus.timers.arm("inc2", "ack", at(10)))
    bench.wait(12.9)
    assert rung(bell) == []
    bench.wait(0.1)
    assert rung(bell) == ["inc1"]
    bench.wait(4)
    assert rung(bell) == ["inc1", "inc1"]
    bench.wait(3600)
    assert rung(bell) == ["inc1", "inc1"]
    assert bench.do(bus, bus.timers.armed()) == 1


def test_a_moment_without_a_zone_is_refused_as_by_the_runtime(bench: Bench, bus: ModelBus) -> None:
    with pytest.raises(ValueError, match="timezone"):
        bench.do(bus, bus.timers.arm("inc1", "ack", datetime(2030, 1, 1)))  # noqa: DTZ001  # what is refused


def test_rings_are_told_to_those_who_ask_for_them_only(bench: Bench, bus: ModelBus) -> None:
    hands = Hands(b"+ACK")
    bench.read(bus, hands, READER)
    bench.do(bus, bus.timers.arm("inc1", "ack", at(1)))
    bench.wait(5)
    assert hands.seen == []
