"""How fast each place is written to, across replicas: token buckets in Redis, in memory where Redis is of no help.

Nothing here decides whether a message is sent, only how long it waits: without Redis, with a slow or an emptied one,
or with nonsense in it, the notifier sends at most faster than it should.
"""

import asyncio
import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

import structlog

from tocsin_notifier.core.incident import Place
from tocsin_notifier.core.rates import Rate, take
from tocsin_runtime import Clock

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["Limiter", "RateLimiter"]

log = structlog.get_logger(__name__)

_PATIENCE = 0.05
"""Seconds that Redis may take; a page must not wait for a cache."""
_LEAVE_ALONE = 5.0
"""Seconds for which a Redis that did not answer is not asked again."""
_KEPT = 10_000

# `take` of core/rates.py, on the server's own clock. A key of another type or text counts as a full bucket.
_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local interval, burst, patient = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local found = redis.pcall('GET', KEYS[1])
local full_at = type(found) == 'string' and tonumber(found) or now
if full_at ~= full_at then full_at = now end
local start = math.max(math.min(full_at, now + burst * interval + 60), now)
local wait = math.max(0, start - (burst - 1) * interval - now)
if not (patient and wait > 0) then
  local full = start + interval
  redis.call('SET', KEYS[1], string.format('%.6f', full), 'PX', math.ceil((full - now) * 1000) + 1000)
end
return string.format('%.6f', wait)
"""


class Limiter(Protocol):
    """What says how long to wait: `RateLimiter`, or what a simulation has in its place."""

    async def wait_for(self, place: Place, rate: Rate, *, patient: bool) -> float:
        """Seconds to wait before writing there. Who is `patient` and has to wait takes no place, and asks again."""
        ...

    async def close(self) -> None: ...


class RateLimiter:
    """The buckets of all places."""

    def __init__(self, clock: Clock, redis_url: str | None = None, *, patience: float = _PATIENCE) -> None:
        self._clock = clock
        self._patience = patience
        self._full_at: OrderedDict[Place, float] = OrderedDict()
        self._ask_again_at = 0.0
        self._redis: Redis | None = None
        self._redis_error: type[Exception] = OSError
        if redis_url:
            self._redis, self._redis_error = _connect(redis_url, patience)

    async def wait_for(self, place: Place, rate: Rate, *, patient: bool) -> float:
        """Seconds to wait before writing there. Who is `patient` and has to wait takes no place, and asks again."""
        if self._redis is not None and self._clock.monotonic() >= self._ask_again_at:
            try:
                async with asyncio.timeout(self._patience):
                    return await self._ask(self._redis, place, rate, patient=patient)
            except (TimeoutError, OSError, ValueError, self._redis_error) as error:
                self._ask_again_at = self._clock.monotonic() + _LEAVE_ALONE
                log.warning("rates are kept in memory: Redis is of no help", reason=type(error).__name__)
        return self._own(place, rate, patient=patient)

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.aclose()

    def _own(self, place: Place, rate: Rate, *, patient: bool) -> float:
        now = self._clock.monotonic()
        wait, full_at = take(self._full_at.get(place, now), now, rate, patient=patient)
        self._full_at[place] = full_at
        self._full_at.move_to_end(place)
        if len(self._full_at) > _KEPT:
            self._full_at.popitem(last=False)
        return wait

    async def _ask(self, redis: "Redis", place: Place, rate: Rate, *, patient: bool) -> float:
        name = hashlib.sha256("\x1f".join(place).encode()).hexdigest()[:32]
        answer = await redis.eval(
            _SCRIPT, 1, f"tocsin:notifier:rate:{name}", str(rate.interval), str(rate.burst), "1" if patient else "0"
        )
        wait = float(answer)
        if not 0.0 <= wait <= 3600.0:
            raise ValueError("a wait that cannot be")
        return wait


def _connect(url: str, patience: float) -> "tuple[Redis, type[Exception]]":
    """A client, and what its errors are. Importing it takes 20 MB: only where it is used."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError

    client = Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=patience,
        socket_timeout=patience,
        retry=Retry(NoBackoff(), 0),
        max_connections=50,
    )
    return client, RedisError
