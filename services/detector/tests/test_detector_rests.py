"""While nothing happens the detector does nothing; what happens is noticed all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import structlog
from detector_bench import PENDING, Bench, Replica, playbook, rules_told
from detector_world import MovableClock, at, fired

from tocsin_detector.core.foreign import next_expiry
from tocsin_detector.core.known import EMPTY, Word
from tocsin_detector.handlers import Leases
from tocsin_schemas import Labels
from tocsin_schemas.events import AlertResolved

DOWN = Labels(alertname="Down")
GRACE, PATIENCE = timedelta(seconds=15), timedelta(seconds=60)


class CountingClock(MovableClock):
    """Notes who sleeps for how long."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await super().sleep(seconds)


async def settle() -> None:
    """Let everybody do what can be done at this moment."""
    for _ in range(30):
        await asyncio.sleep(0)


async def pass_time(clock: MovableClock, seconds: float, steps: int = 1) -> None:
    await settle()
    for _ in range(steps):
        clock.move(seconds / steps)
        await settle()


class Watchman:
    """Leases that end by themselves, on a book of their own."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.clock, self.stream = bench, CountingClock(), bench.stream
        self.stream.clock = self.clock
        self.book = self.stream.book()
        self.leases = Leases(self.book, self.clock, grace=GRACE, patience=PATIENCE)
        self.shown = 0

    async def hear(self, expires_at: float) -> None:
        """Another replica has taken this alert, or its renewal."""
        other = self.stream.book()
        await self.stream.show(other)
        said = fired(DOWN, expires_at=at(expires_at))
        await other.tell(other.wrap([said], other.known))
        await self.stream.show(self.book, self.shown)
        self.shown = len(self.stream.log)
        await settle()

    @property
    def ended(self) -> bool:
        return any(isinstance(envelope.data, AlertResolved) for envelope in self.stream.log)


@pytest.fixture
async def watchman(bench: Bench) -> AsyncIterator[Watchman]:
    made = Watchman(bench)
    work = asyncio.create_task(made.leases.end_for_ever())
    await settle()
    yield made
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


@asynccontextmanager
async def kept_current(replica: Replica) -> AsyncIterator[asyncio.Task[None]]:
    keeping = asyncio.create_task(replica.watches.keep_current())
    await settle()
    try:
        yield keeping
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await replica.watches.stop()


# --- leases -----------------------------------------------------------------------------------------------------------


def test_the_next_expiry_is_that_of_the_lease_that_ends_first_and_of_none_without_a_lease() -> None:
    words = [
        Word(fired(DOWN, expires_at=at(100)), at(0)),
        Word(fired(Labels(alertname="Up"), expires_at=at(50)), at(0)),
        Word(fired(Labels(alertname="Ours")), at(0)),
    ]
    assert next_expiry(EMPTY.with_words(words), GRACE) == at(50 + 10 + 15)
    assert next_expiry(EMPTY.with_words(words[2:]), GRACE) is None


async def test_without_leases_an_hour_passes_without_a_single_look(watchman: Watchman) -> None:
    await pass_time(watchman.clock, 1)
    looks = len(watchman.clock.sleeps)
    await pass_time(watchman.clock, 3600, steps=60)
    assert len(watchman.clock.sleeps) == looks


async def test_a_lease_is_looked_at_once_a_minute_at_most_until_it_runs_out_and_ends_then(watchman: Watchman) -> None:
    await watchman.hear(expires_at=600)
    await pass_time(watchman.clock, 734, steps=734)  # it may have been prolonged by a fifth without being told
    assert not watchman.ended
    assert len(watchman.clock.sleeps) < 40
    await pass_time(watchman.clock, 2, steps=2)
    assert watchman.ended


async def test_the_first_lease_after_a_long_time_without_any_ends_in_its_time(watchman: Watchman) -> None:
    await pass_time(watchman.clock, 1000)
    await watchman.hear(expires_at=1100)
    await pass_time(watchman.clock, 134, steps=134)
    assert not watchman.ended
    await pass_time(watchman.clock, 3, steps=3)
    assert watchman.ended


async def test_a_lease_that_comes_while_another_is_waited_for_ends_in_its_own_time(watchman: Watchman) -> None:
    await watchman.hear(expires_at=3600)
    await pass_time(watchman.clock, 120, steps=10)
    sooner = fired(Labels(alertname="Sooner"), "e2", expires_at=at(130))
    await watchman.book.tell(watchman.book.wrap([sooner], watchman.book.known))
    await pass_time(watchman.clock, 30, steps=30)
    assert watchman.ended


async def test_a_renewal_moves_the_end(watchman: Watchman) -> None:
    await watchman.hear(expires_at=100)
    await pass_time(watchman.clock, 90, steps=9)
    await watchman.hear(expires_at=200)
    await pass_time(watchman.clock, 100, steps=100)
    assert not watchman.ended
    await pass_time(watchman.clock, 60, steps=60)
    assert watchman.ended


async def test_in_a_storm_leases_are_looked_at_once_a_second(watchman: Watchman) -> None:
    await watchman.hear(expires_at=3600)
    looks: list[float] = []
    end = watchman.leases.end

    async def counted() -> None:
        looks.append(watchman.clock.monotonic())
        await end()

    watchman.leases.end = counted  # type: ignore[method-assign]  # to count
    for number in range(100):
        await watchman.hear(expires_at=4000 + number * 1000)
        await pass_time(watchman.clock, 0.1)
    assert 5 <= len(looks) <= 11


async def test_a_bus_that_was_away_between_two_looks_gives_senders_the_time_to_renew(watchman: Watchman) -> None:
    await watchman.hear(expires_at=100)
    await pass_time(watchman.clock, 130, steps=13)
    watchman.stream.is_connected = False
    await pass_time(watchman.clock, 1)
    watchman.stream.reconnect()
    await pass_time(watchman.clock, 58, steps=58)
    assert not watchman.ended
    await pass_time(watchman.clock, 4, steps=4)
    assert watchman.ended


async def test_while_the_bus_is_away_nothing_ends_and_afterwards_senders_have_the_time_to_renew(
    watchman: Watchman,
) -> None:
    await watchman.hear(expires_at=100)
    watchman.stream.is_connected = False
    await pass_time(watchman.clock, 900, steps=90)
    watchman.stream.reconnect()
    await pass_time(watchman.clock, 59, steps=59)
    assert not watchman.ended
    await pass_time(watchman.clock, 5, steps=5)
    assert watchman.ended


@pytest.mark.parametrize("hours", [1, -1])
async def test_when_the_clock_was_set_while_it_rested_nothing_ends_before_senders_had_the_time_to_renew(
    watchman: Watchman, hours: int
) -> None:
    await watchman.hear(expires_at=600)
    await pass_time(watchman.clock, 200, steps=20)
    watchman.clock.set_to(watchman.clock.now() + timedelta(hours=hours))
    await pass_time(watchman.clock, 59, steps=59)
    assert not watchman.ended
    await pass_time(watchman.clock, 62, steps=62)
    assert watchman.ended == (hours > 0), "noticed within a minute, patience for another"


async def test_a_lease_that_the_bus_does_not_take_is_tried_again_every_second(watchman: Watchman) -> None:
    await watchman.hear(expires_at=100)
    watchman.stream.refuses = True
    with structlog.testing.capture_logs() as logs:
        await pass_time(watchman.clock, 140, steps=140)
    assert 4 <= len(logs) <= 6
    watchman.stream.refuses = False
    await pass_time(watchman.clock, 2, steps=2)
    assert watchman.ended


# --- playbooks --------------------------------------------------------------------------------------------------------


async def test_without_news_nobody_looks_after_playbooks(bench: Bench) -> None:
    replica = await bench.replica()
    updates: list[int] = []
    update = replica.watches.update

    async def counted() -> None:
        updates.append(1)
        await update()

    replica.watches.update = counted  # type: ignore[method-assign]  # to count
    async with kept_current(replica):
        await pass_time(bench.clock, 3600, steps=60)
        assert len(updates) == 1


async def test_a_revision_is_watched_as_soon_as_it_is_published(bench: Bench) -> None:
    replica = await bench.replica()
    async with kept_current(replica):
        ref = bench.shelf.publish(playbook(PENDING))
        await settle()
        assert replica.watch.ref == ref


async def test_a_scraper_that_breaks_is_seen_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = await bench.replica()

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    replica.watch.start()
    async with kept_current(replica) as keeping:
        monkeypatch.setattr(replica.watch.scrapers["app"]._fetch, "fetch", broken)
        for _ in range(200):
            bench.clock.move(1)
            await asyncio.sleep(0.001)
            if keeping.done():
                break
        assert isinstance(keeping.exception(), ZeroDivisionError)


async def test_a_clock_that_is_set_between_two_evaluations_makes_nothing_fire_and_nothing_resolve(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.shelf.publish(playbook(PENDING))
    bench.pages["app"] = "errors 11\n"
    replica = await bench.replica()
    await replica.pass_seconds(5)
    before = replica.watch
    monkeypatch.setattr(before, "evaluate", _must_not_be)
    async with kept_current(replica):
        bench.clock.set_to(bench.clock.now() + timedelta(hours=1))
        before.start()
        await settle()
        assert replica.watch is not before
        assert rules_told(bench) == []


async def _must_not_be() -> None:
    raise AssertionError("evaluated on a clock that was set")
