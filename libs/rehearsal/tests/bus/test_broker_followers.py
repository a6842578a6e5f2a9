"""Followers: in order, without gaps, from a place on; told again what could not be kept; on after a kill."""

from collections.abc import Awaitable, Callable, Sequence

import pytest
from broker_bench import ALERT, LETTERS, Bench

from tocsin_rehearsal.bus.link import ModelBus
from tocsin_runtime import BusUnavailableError
from tocsin_runtime.bus.follow import Follower
from tocsin_schemas import Envelope, Payload, subjects

Told = list[list[int]]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def bus(bench: Bench) -> ModelBus:
    return bench.bus()


def keeping(told: Told, errors: Sequence[Exception] = ()) -> Callable[[Sequence[Envelope[Payload]]], Awaitable[None]]:
    left = list(errors)

    async def on_events(events: Sequence[Envelope[Payload]]) -> None:
        told.append([event.sequence for event in events])
        if left:
            raise left.pop(0)

    return on_events


def following(bench: Bench, bus: ModelBus, told: Told, after: int = 0, gather: float = 0.0) -> Follower:
    made = bus.follower("DEADLETTERS", (subjects.DEADLETTERS,), keeping(told), after=after, gather=gather)
    bench.do(bus, made.start())
    bench.wait(0)
    return made


def test_everything_after_a_place_is_told_in_order(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    bench.write(bus, "a", "b", "c")
    follower = following(bench, bus, told, after=1)
    assert (told, follower.position) == ([[2, 3]], 3)
    assert follower.caught_up.is_set()
    bench.write(bus, "d")
    bench.wait(0)
    assert (told, follower.position) == ([[2, 3], [4]], 4)


def test_who_follows_nothing_yet_has_caught_up(bench: Bench, bus: ModelBus) -> None:
    assert following(bench, bus, []).caught_up.is_set()


def test_only_what_is_under_the_filters_is_told(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    follower = bus.follower("ALERTS", ("tocsin.alerts.7",), keeping(told))
    bench.do(bus, follower.start())
    bench.write(bus, "a", to="tocsin.alerts.6")
    bench.write(bus, "b", to="tocsin.alerts.7")
    bench.wait(0)
    assert told == [[2]]


def test_no_more_than_five_hundred_are_told_at_once(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    bench.write(bus, *(f"m{number}" for number in range(1100)))
    following(bench, bus, told)
    assert [len(batch) for batch in told] == [500, 500, 100]


def test_what_comes_within_the_gathering_is_told_together(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    following(bench, bus, told, gather=2.0)
    bench.write(bus, "a")
    bench.wait(1)
    bench.write(bus, "b")
    assert told == []
    bench.wait(1)
    assert told == [[1, 2]]


def test_what_could_not_be_kept_is_told_again(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    on_events = keeping(told, [BusUnavailableError("away"), BusUnavailableError("away")])
    follower = bus.follower("DEADLETTERS", (subjects.DEADLETTERS,), on_events)
    bench.do(bus, follower.start())
    bench.write(bus, "a")
    bench.wait(0.1)
    bench.write(bus, "b")
    bench.wait(1)
    assert told == [[1], [1, 2], [1, 2]]
    assert follower.position == 2


def test_any_other_error_ends_it_and_is_told_who_asks(bench: Bench, bus: ModelBus) -> None:
    follower = bus.follower("DEADLETTERS", (subjects.DEADLETTERS,), keeping([], [ValueError("broken")]))
    assert follower.failed is None
    bench.do(bus, follower.start())
    assert follower.failed is None
    bench.write(bus, "a")
    bench.wait(0)
    assert repr(follower.failed) == "ValueError('broken')"
    bench.do(bus, follower.stop())
    assert follower.failed is None


def test_who_has_been_stopped_is_told_nothing(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    follower = following(bench, bus, told)
    bench.do(bus, follower.stop())
    bench.write(bus, "a")
    bench.wait(1)
    assert told == []


def test_it_goes_on_from_its_place_after_a_kill_of_the_broker(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    following(bench, bus, told)
    bench.write(bus, "a")
    bench.wait(0)
    bench.broker.kill()
    bench.wait(10)
    bench.broker.start()
    bench.wait(1)
    bench.write(bus, "b")
    bench.wait(0)
    assert told == [[1], [2]]


def test_what_was_on_its_way_when_the_broker_was_killed_is_told_once(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    following(bench, bus, told)
    bench.write(bus, "a")
    bench.faults.silences["follow-detector"] = 2.0
    bench.write(bus, "b")
    bench.wait(1)
    bench.broker.kill()
    bench.broker.start()
    bench.wait(5)
    assert told == [[1], [2]]


def test_a_silent_follower_is_told_later(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    following(bench, bus, told)
    bench.faults.silences["follow-detector"] = 3.0
    bench.write(bus, "a")
    bench.wait(2.9)
    assert told == []
    bench.wait(0.1)
    assert told == [[1]]


def test_a_stream_in_memory_that_was_made_anew_is_followed_from_the_old_place_on(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    bench.write(bus, "a", "b", to="tocsin.metrics.x")
    follower = bus.follower("METRICS", (subjects.METRICS,), keeping(told))
    bench.do(bus, follower.start())
    bench.wait(0)
    bench.broker.kill()
    bench.broker.start()
    bench.wait(5)  # it asks in vain
    bench.do(bus, bus.open())
    bench.wait(1)
    bench.write(bus, "c", "d", to="tocsin.metrics.x")
    bench.wait(1)
    bench.write(bus, "f", to="tocsin.metrics.x")
    bench.wait(0)
    assert told == [[1, 2], [3]]  # the new ones at the old places are missed
    assert bench.write(bus, "e", to=LETTERS) == [1]


def test_a_follower_of_the_dead_hears_nothing_and_is_forgotten(bench: Bench, bus: ModelBus) -> None:
    told: Told = []
    following(bench, bus, told)
    bench.kill(bus)
    other = bench.bus()
    bench.write(other, "a", "b")
    bench.wait(1)
    assert told == []
    assert bench.broker.streams["DEADLETTERS"]._watchers == []


def test_who_waits_for_a_place_goes_on_when_it_is_reached(bench: Bench, bus: ModelBus) -> None:
    follower = following(bench, bus, [])
    waiting = bench.start(bus, follower.reach(2))
    bench.write(bus, "a")
    bench.wait(1)
    assert not waiting.done()
    bench.write(bus, "b")
    bench.wait(0)
    assert waiting.done()


def test_the_last_place_is_that_of_the_last_message_that_is_kept(bench: Bench, bus: ModelBus) -> None:
    assert bench.do(bus, bus.connection.last_sequence("ALERTS")) == 0
    bench.write(bus, "a", "b", to=ALERT)
    assert bench.do(bus, bus.connection.last_sequence("ALERTS")) == 2
    bench.wait(30 * 24 * 3600)
    assert bench.do(bus, bus.connection.last_sequence("ALERTS")) == 0
    bench.broker.streams["ALERTS"].exists = False
    with pytest.raises(BusUnavailableError, match="stream not found"):
        bench.do(bus, bus.connection.last_sequence("ALERTS"))
