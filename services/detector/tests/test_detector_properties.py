"""Whatever the values: episodes are well-formed, and replicas agree without talking."""

import asyncio
import math
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from detector_world import SHOP, Stream, Told, at, rung
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin_detector.core.known import AlertEvent
from tocsin_detector.core.rules import RuleState, Seen, WatchedRule, evaluate_rule
from tocsin_schemas import Envelope
from tocsin_schemas.events import AlertFired, AlertResolved

VALUES = st.one_of(
    st.none(), st.just(math.nan), st.just(math.inf), st.just(-math.inf), st.sampled_from([0.0, 5.0, 10.0, 15.0, 25.0])
)
STEPS = st.lists(st.tuples(st.integers(0, 8), VALUES, st.booleans(), st.booleans(), st.booleans()), max_size=40)
LADDERS = st.sampled_from(
    [
        (rung("P1", above=10),),
        (rung("P1", above=20, **{"for": "3s"}), rung("P2", above=10)),
        (rung("P1", above=20), rung("P2", above=10, clear=4, **{"for": "10s"})),
        (rung("P1", below=5, clear=10, **{"for": "2s"}),),
    ]
)


def check_episodes(events: Sequence[AlertEvent]) -> None:
    """fired (fired with another severity)* resolved, and never the same episode again."""
    over: set[str] = set()
    current: AlertFired | None = None
    for event in events:
        assert event.episode not in over
        if isinstance(event, AlertFired):
            assert current is None or current.episode == event.episode
            assert current is None or current.severity != event.severity, "the same was told twice"
            current = event
        else:
            assert isinstance(event, AlertResolved)
            assert current is not None
            assert current.episode == event.episode
            over.add(event.episode)
            current = None


@given(STEPS, LADDERS, st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_firing_and_resolving_alternate_whatever_is_seen(steps: Any, ladder: Any, keep: int) -> None:
    told, now = Told(*ladder, keep_firing_for=f"{keep}s"), 0
    for passed, value, blind, may_end, restart in steps:
        now += passed
        if restart:
            events, told = told.events, told.restarted()
            told.events = events
        told.see(now, value, blind=blind, may_end=may_end)
    check_episodes(told.events)


@given(st.lists(st.integers(0, 100), max_size=30), LADDERS)
@settings(max_examples=50, deadline=None)
def test_a_series_that_is_never_a_number_tells_nothing(passed: list[int], ladder: Any) -> None:
    told, now = Told(*ladder), 0
    for seconds in passed:
        now += seconds
        assert told.see(now, math.nan) == []


@given(STEPS, LADDERS)
@settings(max_examples=100, deadline=None)
def test_in_the_end_it_fires_if_and_only_if_the_value_is_beyond_the_threshold(steps: Any, ladder: Any) -> None:
    told, now = Told(*ladder), 0
    for passed, value, blind, may_end, _ in steps:
        now += passed
        told.see(now, value, blind=blind, may_end=may_end)
    bad, good = (25.0, 4.0) if ladder[0].above is not None else (1.0, 11.0)
    for second in range(30):
        told.see(now + second, bad)
    assert [alert.severity for alert in told.known.firing()] == ["P1"]
    for second in range(30):
        told.see(now + 30 + second, good)
    assert not list(told.known.firing())


# --- two replicas -----------------------------------------------------------------------------------------------------


class Replica:
    """Scrapes the world now and then, evaluates often, hears the stream a little later. Its clock may be wrong."""

    def __init__(self, stream: Stream, ladder: Any, *, every: int, first: int, skew: int, lag: int) -> None:
        self.stream, self.book = stream, stream.book()
        self.watched = WatchedRule(Told(*ladder).watched.rule, SHOP, "app")
        self.every, self.first, self.skew, self.lag = every, first, skew, lag
        self.state = RuleState()
        self.sample: tuple[float, int] | None = None
        self.shown = 0
        self.said_at: list[int] = []

    async def live(self, second: int, value: float) -> None:
        self.stream.clock.set_to(at(second + self.skew))
        await self._hear(second)
        if second >= self.first and (second - self.first) % self.every == 0:
            self.sample = value, second + self.skew
        if self.sample is None:
            return
        number, taken = self.sample
        seen, now = Seen([({}, number)], at(taken)), at(second + self.skew)
        known = self.book.known
        result = evaluate_rule(self.watched, self.state, seen, known, now)
        self.state = result.state
        await self.book.tell(self.book.wrap(result.events, known))

    async def _hear(self, second: int) -> None:
        reached = len(self.stream.log) if self.lag == 0 else self._heard_by(second)
        if reached > self.shown:
            await self.book.on_events(self.stream.log[self.shown : reached])
            self.shown = reached

    def _heard_by(self, second: int) -> int:
        self.said_at += [second] * (len(self.stream.log) - len(self.said_at))
        return sum(1 for said in self.said_at if said <= second - self.lag)


REPLICAS = st.fixed_dictionaries(
    {"every": st.integers(1, 7), "first": st.integers(0, 6), "skew": st.integers(-3600, 3600), "lag": st.integers(0, 2)}
)
WORLDS = st.lists(st.tuples(st.integers(8, 30), st.sampled_from([5.0, 15.0, 25.0])), min_size=1, max_size=6)
SIMPLE = (rung("P1", above=10),)


async def live(world: Any, ladder: Any, *replicas: Any) -> tuple[list[Envelope[Any]], list[Replica]]:
    stream = Stream()
    alive = [Replica(stream, ladder, **each) for each in replicas]
    values = [value for seconds, value in [*world, (30, 1.0)] for _ in range(seconds)]
    for second, value in enumerate(values):
        for replica in alive:
            await replica.live(second, value)
    return stream.log, alive


@given(WORLDS, REPLICAS, REPLICAS)
@settings(max_examples=80, deadline=None)
def test_two_replicas_tell_one_episode_for_each_time_the_world_turns_bad(world: Any, one: Any, other: Any) -> None:
    log, _ = asyncio.run(live(world, SIMPLE, {**one, "lag": 0}, {**other, "lag": 0}))
    check_episodes([envelope.data for envelope in log])
    values = [5.0, *(value for _, value in world)]
    turned = sum(1 for before, after in pairwise(values) if before < 10 < after)
    assert len({envelope.data.episode for envelope in log}) == turned


@given(WORLDS, LADDERS.filter(lambda ladder: ladder[0].above is not None), REPLICAS, REPLICAS)
@settings(max_examples=80, deadline=None)
def test_replicas_that_hear_late_agree_in_the_end(world: Any, ladder: Any, one: Any, other: Any) -> None:
    log, alive = asyncio.run(live(world, ladder, one, other))
    ids = [envelope.id for envelope in log]
    assert len(set(ids)) == len(ids)
    for replica in alive:
        assert not list(replica.book.known.firing())
    resolved = [envelope.data.episode for envelope in log if isinstance(envelope.data, AlertResolved)]
    fired = {envelope.data.episode for envelope in log if isinstance(envelope.data, AlertFired)}
    assert len(set(resolved)) == len(resolved)
    assert set(resolved) == fired


@given(WORLDS, LADDERS, REPLICAS)
@settings(max_examples=40, deadline=None)
def test_a_second_replica_that_sees_the_same_at_the_same_time_adds_nothing(world: Any, ladder: Any, one: Any) -> None:
    async def both() -> None:
        alone, _ = await live(world, ladder, {**one, "lag": 0})
        shared, _ = await live(world, ladder, {**one, "lag": 0}, {**one, "lag": 0})
        assert [envelope.id for envelope in shared] == [envelope.id for envelope in alone]

    asyncio.run(both())


def test_the_replicas_of_these_tests_do_hear_each_other() -> None:
    steady = {"every": 1, "first": 0, "skew": 0, "lag": 1}
    log, [one, other] = asyncio.run(live([(10, 25.0)], SIMPLE, steady, {**steady, "first": 3}))
    assert [type(envelope.data).__name__ for envelope in log] == ["AlertFired", "AlertResolved"]
    assert one.shown == other.shown == 2
    assert timedelta(0) < log[1].time - log[0].time < timedelta(seconds=12)
