"""How fast a place is written to: the same buckets in memory and in Redis, and never a reason not to send."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notifier_builders import NOW, playbook

from tocsin_notifier.adapters.rate_limit import RateLimiter
from tocsin_notifier.core.incident import Place
from tocsin_notifier.core.rates import Rate, rate_of, take
from tocsin_testkit.proxy import TcpProxy
from tocsin_testkit.valkey import ValkeyServer

PLACE = Place("storefront/slack", "#incidents")
RATE = Rate(burst=3, interval=1.0)


PATIENCE = 2.0
"""Seconds: a Redis that answers does so in this time, even on a busy machine."""


class StillClock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self):  # type: ignore[no-untyped-def]  # a clock of tests
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


async def waits(limiter: RateLimiter, count: int, *, patient: bool = False) -> list[float]:
    return [round(await limiter.wait_for(PLACE, RATE, patient=patient), 1) for _ in range(count)]


def test_a_channels_rate_is_the_playbooks_or_else_that_of_its_kind() -> None:
    own = "    - {name: slow, console: {}, rate_limit: {messages: 6, per: 1m}}"
    made = playbook(channels=own)
    assert rate_of(made.channel("slow")) == Rate(6, 10.0)
    assert rate_of(made.channel("slack")) == Rate(4, 1.0)
    assert rate_of(made.channel("email")).burst > 10


@given(
    moments=st.lists(st.floats(0, 5), min_size=1, max_size=40),
    burst=st.integers(1, 5),
    interval=st.floats(0.1, 2),
)
def test_whoever_waits_as_told_never_writes_faster_than_the_rate(
    moments: list[float], burst: int, interval: float
) -> None:
    rate, full_at, now, written = Rate(burst, interval), 0.0, 0.0, []
    for pause in moments:
        now += pause
        wait, full_at = take(full_at, now, rate, patient=False)
        written.append(now + wait)
    written.sort()
    for first, last in zip(written, written[burst:], strict=False):
        assert last - first >= interval - 1e-6


@given(full_at=st.floats(-1e12, 1e12), now=st.floats(0, 1e10))
def test_nonsense_in_a_bucket_means_a_bounded_wait(full_at: float, now: float) -> None:
    wait, after = take(full_at, now, RATE, patient=False)
    assert 0 <= wait <= 60 + RATE.interval + 1e-3
    assert after <= now + 60 + RATE.burst * RATE.interval + RATE.interval + 1e-3


async def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    assert await waits(RateLimiter(StillClock()), 6) == [0, 0, 0, 1, 2, 3]


async def test_the_patient_take_no_place_while_the_bucket_is_empty() -> None:
    limiter = RateLimiter(StillClock())
    await waits(limiter, 3)
    assert await waits(limiter, 3, patient=True) == [1, 1, 1]
    assert await waits(limiter, 1) == [1]


async def test_places_do_not_share_a_bucket() -> None:
    limiter = RateLimiter(StillClock())
    await waits(limiter, 5)
    assert await limiter.wait_for(Place("storefront/slack", "#other"), RATE, patient=True) == 0


async def test_replicas_share_the_buckets_in_redis(valkey_server: ValkeyServer) -> None:
    clock = StillClock()
    one, other = (
        RateLimiter(clock, valkey_server.url, patience=PATIENCE),
        RateLimiter(clock, valkey_server.url, patience=PATIENCE),
    )
    told = [await waits(one, 1), await waits(other, 1), await waits(one, 1), await waits(other, 2)]
    assert told[:3] == [[0], [0], [0]]
    assert told[3] == pytest.approx([1, 2], abs=0.3)
    assert await waits(one, 1, patient=True) == pytest.approx([3], abs=0.4)
    await one.close()
    await other.close()


async def test_wrong_data_in_redis_is_as_good_as_none(valkey_server: ValkeyServer) -> None:
    limiter = RateLimiter(StillClock(), valkey_server.url, patience=PATIENCE)
    redis = limiter._redis
    assert redis is not None
    await waits(limiter, 1)
    (key,) = await redis.keys("tocsin:*")
    for value in ("nonsense", "nan", "-inf", ""):
        await redis.execute_command("SET", key, value)
        assert await waits(limiter, 1) == [0]
    await redis.execute_command("DEL", key)
    await redis.execute_command("LPUSH", key, "a list")
    assert await waits(limiter, 1) == [0]
    await redis.execute_command("SET", key, "1e300")
    assert (await waits(limiter, 1))[0] <= 65
    await redis.flushall()
    assert await waits(limiter, 1) == [0]
    await limiter.close()


async def test_without_redis_at_the_start_rates_are_kept_in_memory() -> None:
    limiter = RateLimiter(StillClock(), "redis://127.0.0.1:1/0")
    assert await waits(limiter, 5) == [0, 0, 0, 1, 2]
    await limiter.close()


async def test_a_redis_that_is_killed_or_silent_costs_a_message_a_moment_and_is_asked_again_later(
    valkey_server: ValkeyServer,
) -> None:
    async with TcpProxy(valkey_server.url) as proxy:
        clock = StillClock()
        limiter = RateLimiter(clock, proxy.rewrite(valkey_server.url), patience=PATIENCE)
        assert await waits(limiter, 1) == [0]
        proxy.black_hole()
        started = asyncio.get_running_loop().time()
        assert await waits(limiter, 4) == [0, 0, 0, 1]  # counted in memory
        assert asyncio.get_running_loop().time() - started < 10
        await proxy.heal()
        clock.seconds += 6
        assert (await waits(limiter, 1)) == [0]  # in Redis again, where one or two had been taken
        valkey_server.kill()
        assert (await waits(limiter, 1))[0] == 0
        await limiter.close()
