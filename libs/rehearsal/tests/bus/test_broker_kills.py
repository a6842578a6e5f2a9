"""The broker killed and started: what survives, what is sent when it is back, and who is told."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from broker_bench import ACK_WAIT, ALERT, LETTERS, READER, START, Bench, Hands, appended, outcome
from broker_facts import fact

from tocsin_rehearsal.bus.link import ModelBus
from tocsin_rehearsal.loop import Life
from tocsin_runtime import Delivery
from tocsin_runtime.bus.connection import Written
from tocsin_schemas import Payload, subjects

NOTE = "tocsin.commands.escalator.note"
COMMANDS = replace(READER, name="commands", stream="COMMANDS", filters=(subjects.COMMANDS,))


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def bus(bench: Bench) -> ModelBus:
    return bench.bus()


def down(bench: Bench, seconds: float) -> None:
    bench.broker.kill()
    bench.wait(seconds)
    bench.broker.start()


# --- writing ----------------------------------------------------------------------------------------------------------


def test_what_was_acknowledged_is_still_there(bench: Bench, bus: ModelBus) -> None:
    bench.do(bus, appended(bus, "a", "b", expected=0))
    down(bench, 10)
    bench.wait(1)
    assert bench.do(bus, appended(bus, "c", expected=2)) == [3]
    assert bench.contents("INCIDENTS") == ["a", "b", "c"]


def test_to_kill_the_dead_and_to_start_what_runs_changes_nothing(bench: Bench, bus: ModelBus) -> None:
    bench.broker.start()
    bench.broker.kill()
    bench.broker.kill()
    bench.broker.start()
    bench.wait(1)
    assert bench.write(bus, "a") == [1]


def test_a_server_that_is_killed_again_at_once_is_found_after_its_second_start(bench: Bench, bus: ModelBus) -> None:
    down(bench, 1)
    bench.wait(0.1)
    down(bench, 0.05)
    bench.wait(0.1)
    assert not bus.connection.is_connected
    bench.wait(0.1)
    assert bus.connection.is_connected


def test_what_is_sent_while_the_broker_is_down_is_done_when_it_is_back(bench: Bench, bus: ModelBus) -> None:
    bench.broker.kill()
    append = bench.start(bus, appended(bus, "a", "b", expected=0))
    load = bench.start(bus, bus.incidents.load("inc1"))
    bench.wait(3)
    bench.broker.start()
    bench.wait(0.2)
    assert append.result() == [1, 2]
    assert [event.sequence for event in load.result()] == [1, 2]


def test_what_was_given_up_while_there_was_no_connection_is_not_done_later(bench: Bench, bus: ModelBus) -> None:
    bench.broker.kill()
    append = bench.start(bus, outcome(appended(bus, "a", "b", expected=0)))
    bench.wait(6)
    assert append.result() == "BusUnavailableError"
    bench.broker.start()
    bench.wait(1)
    assert bench.contents("INCIDENTS") == []


def test_it_may_be_refused_then(bench: Bench, bus: ModelBus) -> None:
    bench.do(bus, appended(bus, "a", expected=0))
    bench.broker.kill()
    heard = bench.start(bus, outcome(appended(bus, "b", "c", expected=7)))
    bench.wait(1)
    bench.broker.start()
    bench.wait(1)
    assert heard.result() == "LostRaceError"


def test_it_is_done_once(bench: Bench, bus: ModelBus) -> None:
    bench.broker.kill()
    bench.start(bus, bus.timers.arm("inc1", "ack", START))
    bench.wait(1)
    bench.broker.start()
    bench.wait(1)
    down(bench, 1)
    bench.wait(1)
    assert [stored.subject.split(".")[2] for stored in bench.broker.streams["TIMERS"].after(0)] == ["due"]


def test_what_a_replica_has_not_sent_dies_with_it(bench: Bench, bus: ModelBus) -> None:
    bench.broker.kill()
    bench.start(bus, appended(bus, "a", "b", expected=0))
    bench.wait(1)
    bench.kill(bus)
    bench.broker.start()
    bench.wait(1)
    assert bench.contents("INCIDENTS") == []


def test_what_is_under_way_when_the_broker_is_killed_is_lost(bench: Bench, bus: ModelBus) -> None:
    bench.faults.latency_ = 0.5
    request = bench.start(bus, outcome(appended(bus, "a", "b", expected=0)))
    bench.wait(0.2)
    down(bench, 1)
    bench.wait(10)
    assert request.result() == "BusUnavailableError"
    assert bench.contents("INCIDENTS") == []


def test_an_answer_that_is_under_way_when_the_broker_is_killed_is_lost(bench: Bench, bus: ModelBus) -> None:
    bench.faults.latency_ = 0.5
    request = bench.start(bus, outcome(appended(bus, "a", "b", expected=0)))
    bench.wait(0.7)
    down(bench, 1)
    bench.wait(10)
    assert request.result() == "BusUnavailableError"
    assert bench.contents("INCIDENTS") == ["a", "b"]


def test_an_id_is_forgotten_with_its_message(bench: Bench, bus: ModelBus) -> None:
    """Of a work queue, which drops what is done: the same command is taken a second time."""
    bench.read(bus, Hands(b"+ACK"), COMMANDS)
    bench.write(bus, "a", to=NOTE)
    bench.write(bus, "a", to=ALERT)
    publish = bus.connection.publish
    assert bench.do(bus, publish(NOTE, fact("a"))) == Written(1, duplicate=True)
    down(bench, 1)
    bench.wait(1)
    assert bench.do(bus, publish(NOTE, fact("a"))) == Written(2)
    assert bench.do(bus, publish(ALERT, fact("a"))) == Written(1, duplicate=True)


def test_a_stream_in_memory_is_gone_until_a_service_comes_up(bench: Bench, bus: ModelBus) -> None:
    bench.write(bus, "a", to="tocsin.metrics.x")
    down(bench, 1)
    bench.wait(1)
    publish = bus.connection.publish("tocsin.metrics.x", fact("b"))
    assert bench.do(bus, outcome(publish)) == "BusUnavailableError"
    other = bench.bus()
    assert bench.write(other, "c", to="tocsin.metrics.x") == [1]


# --- connections ------------------------------------------------------------------------------------------------------


def test_who_asked_is_told_of_each_reconnect_as_who_they_are(bench: Bench, bus: ModelBus) -> None:
    told: list[str] = []

    async def ask() -> None:
        bus.connection.on_reconnect(lambda: asyncio.get_running_loop().create_task(note("told")))
        forget = bus.connection.on_reconnect(lambda: told.append("forgotten"))
        forget()

    async def note(what: str) -> None:
        told.append(what)
        await asyncio.sleep(10)
        told.append("lived on")

    bench.do(bus, ask())
    assert bus.connection.is_connected
    bench.broker.kill()
    assert not bus.connection.is_connected
    bench.broker.start()
    bench.wait(0.1)
    assert not bus.connection.is_connected
    bench.wait(0.2)
    assert (bus.connection.is_connected, told) == (True, ["told"])
    bench.kill(bus)
    bench.wait(20)
    assert told == ["told"]


def test_a_replica_that_starts_while_the_broker_is_down_waits_for_it(bench: Bench) -> None:
    bench.broker.kill()
    late = ModelBus(bench.broker, Life("late"), "detector", bench.clock)
    opened = bench.loop.create_task(late.open())
    bench.wait(100)
    assert not opened.done()
    bench.broker.start()
    bench.wait(1)
    assert opened.done()


def test_a_closed_connection_asks_for_nothing_and_stays_closed(bench: Bench, bus: ModelBus) -> None:
    bench.do(bus, bus.close())
    bench.do(bus, bus.close())
    assert bench.do(bus, outcome(bus.incidents.load("inc1"))) == "BusUnavailableError"
    assert bench.elapsed == 0.0
    down(bench, 1)
    bench.wait(1)
    assert not bus.connection.is_connected


def test_a_cut_connection_loses_what_is_sent_to_it_and_keeps_what_it_sends(bench: Bench, bus: ModelBus) -> None:
    hands, link = Hands(), bench.broker.links[0]
    bench.read(bus, hands)
    link.cut()
    assert not bus.connection.is_connected
    append = bench.start(bus, outcome(appended(bus, "a", "b", expected=0)))
    other = bench.bus()
    bench.write(other, "lost")
    bench.wait(4)
    link.heal()
    bench.wait(0)
    assert append.result() == [1, 2]
    assert hands.seen == []
    bench.wait(ACK_WAIT)
    assert hands.seen == [(1, 2)]


# --- consumers --------------------------------------------------------------------------------------------------------


def test_what_is_in_hand_stays_in_hand_and_can_be_settled_later(bench: Bench, bus: ModelBus) -> None:
    hands = Hands()
    bench.read(bus, hands)
    bench.write(bus, "a", "b", "c")
    bench.broker.kill()
    bench.do(bus, hands.say(0, b"+ACK"))  # it is sent when there is a connection again
    bench.wait(2)
    bench.broker.start()
    bench.wait(1)
    bench.do(bus, hands.say(1, b"+ACK"))
    bench.wait(ACK_WAIT)
    assert hands.seen == [(1, 1), (2, 1), (3, 1), (3, 2)]


def test_what_was_due_again_meanwhile_comes_half_a_second_after_the_start(bench: Bench, bus: ModelBus) -> None:
    hands = Hands()
    bench.read(bus, hands)
    bench.write(bus, "a")
    down(bench, 60)
    bench.wait(0.4)
    assert hands.seen == [(1, 1)]
    bench.wait(0.1)
    assert hands.seen == [(1, 1), (1, 2)]


def test_a_settlement_that_was_forgotten_brings_the_message_again(bench: Bench, bus: ModelBus) -> None:
    hands = Hands(b"+ACK")
    bench.read(bus, hands)
    bench.write(bus, "a", "b")
    bench.faults.forgotten_ = 1
    down(bench, 1)
    bench.wait(60)
    assert hands.seen == [(1, 1), (2, 1), (2, 2)]


def test_a_delivery_that_was_forgotten_is_made_again_at_once_as_the_first(bench: Bench, bus: ModelBus) -> None:
    hands = Hands()
    bench.read(bus, hands)
    bench.write(bus, "a", "b")
    bench.faults.forgotten_ = 1
    down(bench, 1)
    bench.wait(2)
    assert hands.seen == [(1, 1), (2, 1), (2, 1)]


def test_all_that_a_consumer_did_may_be_forgotten_but_not_what_a_work_queue_has_dropped(
    bench: Bench, bus: ModelBus
) -> None:
    hands, commands = Hands(b"+ACK"), Hands(b"+ACK")
    bench.read(bus, hands)
    bench.read(bus, commands, COMMANDS)
    bench.write(bus, "a", "b")
    bench.write(bus, "c", to=NOTE)
    bench.faults.forgotten_ = 100
    down(bench, 1)
    bench.wait(60)
    assert hands.seen == [(1, 1), (2, 1), (1, 1), (2, 1)]
    assert commands.seen == [(1, 1)]
    assert bench.broker.backlog == 0


@pytest.mark.parametrize(("written_at", "again_after"), [(10.0, 6.0), (10.4, 5.6), (10.99, 5.01)])
def test_after_a_kill_what_is_in_hand_comes_up_to_a_second_early(
    bench: Bench, bus: ModelBus, written_at: float, again_after: float
) -> None:
    """The server writes down in whole seconds when a message was delivered."""
    hands = Hands()
    bench.read(bus, hands)
    bench.wait(written_at - bench.elapsed)
    bench.write(bus, "a")
    bench.wait(1)
    down(bench, 1)
    bench.wait(again_after - 2.01)
    assert hands.seen == [(1, 1)]
    bench.wait(0.02)
    assert hands.seen == [(1, 1), (1, 2)]


@pytest.mark.parametrize(("before", "again"), [(0.0, [(2, 2)]), (0.15, [(2, 2)]), (0.25, [])])
def test_what_was_settled_a_while_before_is_not_forgotten(
    bench: Bench, bus: ModelBus, before: float, again: list[tuple[int, int]]
) -> None:
    hands = Hands(b"+ACK")
    bench.read(bus, hands)
    bench.write(bus, "a", "b")
    bench.wait(before)
    bench.faults.forgotten_ = 1
    down(bench, 1)
    bench.wait(60)
    assert hands.seen == [(1, 1), (2, 1), *again]


def test_a_message_that_is_under_way_when_the_broker_is_killed_is_lost(bench: Bench, bus: ModelBus) -> None:
    hands = Hands(b"+ACK")
    bench.read(bus, hands)
    bench.write(bus, "a")
    bench.faults.latency_ = 3.0
    bench.broker.machine.call_later(0, bench.broker.streams["DEADLETTERS"].store, LETTERS, fact("b"))
    bench.wait(1)
    bench.faults.latency_ = 0.0
    down(bench, 0.1)
    bench.wait(60)
    assert hands.seen == [(1, 1), (2, 2)]


def test_an_idle_reader_that_missed_less_than_it_notices_asks_again_when_it_notices(
    bench: Bench, bus: ModelBus
) -> None:
    hands = Hands(b"+ACK")
    bench.read(bus, hands)
    bench.wait(10)
    down(bench, 0.1)
    bench.write(bus, "a")
    bench.wait(1.0)
    assert hands.seen == []
    bench.wait(0.5)
    assert hands.seen == [(1, 1)]


def test_a_reader_that_waits_without_a_connection_has_asked_many_times_when_it_stands_again(
    bench: Bench, bus: ModelBus
) -> None:
    """More is sent to it than it has slots: three requests of two each."""
    held = asyncio.Event()
    told: list[int] = []

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        told.extend(each.position.sequence for each in batch)
        await held.wait()

    bench.read(bus, handle, replace(READER, workers=2, ack_wait=timedelta(hours=1)))
    down(bench, 3.3)
    bench.wait(1)
    bench.write(bus, *(f"m{number}" for number in range(20)))
    assert (told, bench.broker.consumers["reader"].in_hand) == ([1, 2], 6)


def test_a_reader_that_is_busy_while_the_broker_is_down_asks_when_it_is_done(bench: Bench, bus: ModelBus) -> None:
    told: list[tuple[int, int]] = []

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        told.extend((each.position.sequence, each.position.deliveries) for each in batch)
        await asyncio.sleep(4)

    bench.read(bus, handle, replace(READER, workers=0, batch=1))
    bench.write(bus, "a")
    down(bench, 1)
    bench.wait(1)
    bench.write(bus, "b")
    bench.wait(5)
    assert told == [(1, 1), (2, 1)]


def test_a_reader_shows_since_when_it_has_heard_nothing(bench: Bench, bus: ModelBus) -> None:
    worker = bus.consumer(READER, Hands())
    bench.do(bus, worker.start())
    bench.wait(10)
    bench.broker.kill()
    bench.wait(5)
    assert bench.do(bus, _sign_of_life(worker)) == 10.0
    bench.broker.start()
    bench.wait(1)
    assert bench.do(bus, _sign_of_life(worker)) == 16.0


async def _sign_of_life(worker: object) -> float:
    return float(worker.last_sign_of_life)  # type: ignore[attr-defined]  # a Worker


def test_nothing_is_left_of_the_dead_after_a_kill_of_the_broker(bench: Bench, bus: ModelBus) -> None:
    bench.read(bus, Hands())
    bench.kill(bus)
    bench.broker.kill()
    assert bench.broker.links == []
