"""How much automation may do to one target, and in all: counted outside the log, over all incidents and replicas.

Taken right before a claim, so that a hundred incidents about one deployment do not restart it a hundred times. What
is here may be lost (Redis is disposable): then the counting begins anew, and nothing is repeated, for that is what
the claims in the log are for. What must not happen is acting *without* counting: if Redis does not answer, or
answers nonsense, the caller asks a person.
"""

import hashlib
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tocsin_runtime import Clock

__all__ = [
    "Busy",
    "Demand",
    "Leases",
    "LeasesUnavailableError",
    "Limit",
    "NoLeases",
    "Over",
    "ProcessLeases",
    "RedisLeases",
    "Taken",
]

log = structlog.get_logger(__name__)

PREFIX = "{tocsin-remediator}"
"""The braces keep all keys in one slot of a cluster, so that one script may touch them."""


class LeasesUnavailableError(Exception):
    """Nobody can say how much has been done: no answer, or one that makes no sense."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `actions` in any `per`."""

    name: str
    """What is limited, in words."""
    key: str
    actions: int
    per: timedelta


@dataclass(frozen=True, slots=True)
class Demand:
    """What an attempt needs: the target for itself, and a place in every limit."""

    execution: str
    action: str
    target: str
    holds_for: timedelta
    """After this time the target is free again, whatever became of the holder."""
    limits: tuple[Limit, ...]
    cooldown_key: str = ""
    cooldown: timedelta = timedelta()
    agreed: bool = False
    """A person has said yes: it is counted, but not hindered."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Go ahead."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another action has the target; try again after `retry_in`."""

    retry_in: timedelta


@dataclass(frozen=True, slots=True)
class Over:
    """It would be one too many."""

    reason: str


class Leases(Protocol):
    """Where it is counted."""

    async def take(self, demand: Demand) -> Taken | Busy | Over:
        """Take everything or nothing; taking it again for the same execution changes nothing.

        Raises LeasesUnavailableError.
        """
        ...

    async def release(self, demand: Demand, *, unused: bool = False) -> None:
        """The target is free again. `unused`: nothing was done, so nothing counts. Never fails."""
        ...

    async def close(self) -> None: ...


# --- Redis -----------------------------------------------------------------------------------------------------------

_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local execution, action, agreed = ARGV[1], ARGV[2], ARGV[3] == '1'
local holds_for, cooldown, limits = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
for i = 1, limits do
  local key, most, per = KEYS[2 + i], tonumber(ARGV[5 + 2 * i]), tonumber(ARGV[6 + 2 * i])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - per)
  if not agreed and not redis.call('ZSCORE', key, execution) and redis.call('ZCARD', key) >= most then
    return {'over', i}
  end
end
local cooling = redis.call('GET', KEYS[2])
if cooldown > 0 and cooling and cooling ~= action and not agreed then
  return {'cooling', redis.call('PTTL', KEYS[2])}
end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= execution then
  return {'busy', redis.call('PTTL', KEYS[1])}
end
redis.call('SET', KEYS[1], execution, 'PX', holds_for)
if cooldown > 0 then redis.call('SET', KEYS[2], action, 'PX', cooldown) end
for i = 1, limits do
  redis.call('ZADD', KEYS[2 + i], now, execution)
  redis.call('PEXPIRE', KEYS[2 + i], tonumber(ARGV[6 + 2 * i]))
end
return {'taken', 0}
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
if ARGV[3] == '1' then
  if redis.call('GET', KEYS[2]) == ARGV[2] then redis.call('DEL', KEYS[2]) end
  for i = 3, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
end
return 1
"""

_SHORTEST_BUSY = timedelta(milliseconds=100)
_LONGEST_BUSY = timedelta(seconds=1)


class RedisLeases:
    """Counted in Redis or Valkey, by its own clock, for all replicas."""

    def __init__(self, url: str, *, patience: float = 0.5) -> None:
        self._redis = Redis.from_url(
            url, socket_timeout=patience, socket_connect_timeout=patience, decode_responses=True, retry=None
        )

    async def take(self, demand: Demand) -> Taken | Busy | Over:
        arguments: list[str | int] = [
            demand.execution,
            demand.action,
            int(demand.agreed),
            _milliseconds(demand.holds_for),
            _milliseconds(demand.cooldown),
            len(demand.limits),
        ]
        for limit in demand.limits:
            arguments += [limit.actions, _milliseconds(limit.per)]
        answer = await self._run(_TAKE, demand, arguments)
        match answer:
            case ["taken", _]:
                return Taken()
            case ["busy", int(left)]:
                return Busy(_busy(timedelta(milliseconds=left)))
            case ["over", int(number)] if 0 < number <= len(demand.limits):
                return Over(_over(demand.limits[number - 1]))
            case ["cooling", int(left)]:
                return Over(_cooling(timedelta(milliseconds=left)))
            case _:
                raise LeasesUnavailableError("Redis answers what cannot be understood")

    async def release(self, demand: Demand, *, unused: bool = False) -> None:
        try:
            await self._run(_RELEASE, demand, [demand.execution, demand.action, int(unused)])
        except LeasesUnavailableError as error:
            log.info("a lease is left to run out", reason=str(error))

    async def close(self) -> None:
        await self._redis.aclose()

    async def _run(self, script: str, demand: Demand, arguments: list[str | int]) -> object:
        keys = _keys(demand)
        try:
            answer: object = await self._redis.eval(script, len(keys), *keys, *map(str, arguments))
        except (RedisError, OSError, ValueError) as error:  # ValueError: bytes that are no text
            raise LeasesUnavailableError(f"Redis: {type(error).__name__}") from None
        return answer


def _keys(demand: Demand) -> list[str]:
    return [
        f"{PREFIX}:target:{_digest(demand.target)}",
        f"{PREFIX}:cooldown:{_digest(demand.cooldown_key)}",
        *(f"{PREFIX}:limit:{_digest(limit.key)}" for limit in demand.limits),
    ]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _busy(left: timedelta) -> timedelta:
    return min(max(left, _SHORTEST_BUSY), _LONGEST_BUSY)


def _over(limit: Limit) -> str:
    return f"{limit.name}: {limit.actions} actions in {limit.per.total_seconds():g} s are used up"


def _cooling(left: timedelta) -> str:
    return f"this step ran a short while ago and rests for another {max(left.total_seconds(), 0):.0f} s"


# --- one process -----------------------------------------------------------------------------------------------------


@dataclass
class ProcessLeases:
    """Counted in this process: for one replica without Redis. A restart begins to count anew."""

    clock: Clock
    _held: dict[str, tuple[str, float]] = field(default_factory=dict)
    _cooling: dict[str, tuple[str, float]] = field(default_factory=dict)
    _used: dict[str, deque[tuple[float, str]]] = field(default_factory=dict)

    async def take(self, demand: Demand) -> Taken | Busy | Over:
        now = self.clock.monotonic()
        for limit in demand.limits:
            used = self._in_window(limit, now)
            if not demand.agreed and all(each != demand.execution for _, each in used) and len(used) >= limit.actions:
                return Over(_over(limit))
        action, until = self._cooling.get(demand.cooldown_key, ("", 0.0))
        if demand.cooldown and until > now and action != demand.action and not demand.agreed:
            return Over(_cooling(timedelta(seconds=until - now)))
        holder, free_at = self._held.get(demand.target, ("", 0.0))
        if holder and holder != demand.execution and free_at > now:
            return Busy(_busy(timedelta(seconds=free_at - now)))
        self._note(demand, now)
        return Taken()

    async def release(self, demand: Demand, *, unused: bool = False) -> None:
        if self._held.get(demand.target, ("", 0.0))[0] == demand.execution:
            del self._held[demand.target]
        if not unused:
            return
        if self._cooling.get(demand.cooldown_key, ("", 0.0))[0] == demand.action:
            del self._cooling[demand.cooldown_key]
        for limit in demand.limits:
            used = self._used.get(limit.key, deque())
            self._used[limit.key] = deque(each for each in used if each[1] != demand.execution)

    async def close(self) -> None:
        self._held.clear()

    def _note(self, demand: Demand, now: float) -> None:
        self._held[demand.target] = (demand.execution, now + demand.holds_for.total_seconds())
        if demand.cooldown:
            self._cooling[demand.cooldown_key] = (demand.action, now + demand.cooldown.total_seconds())
        for limit in demand.limits:
            used = self._used.setdefault(limit.key, deque())
            if all(each != demand.execution for _, each in used):
                used.append((now, demand.execution))

    def _in_window(self, limit: Limit, now: float) -> deque[tuple[float, str]]:
        used = self._used.setdefault(limit.key, deque())
        while used and used[0][0] <= now - limit.per.total_seconds():
            used.popleft()
        return used


@dataclass(frozen=True, slots=True)
class NoLeases:
    """Nothing counts, so nothing runs without a person."""

    reason: str

    async def take(self, demand: Demand) -> Taken | Busy | Over:
        if demand.agreed:
            return Taken()
        raise LeasesUnavailableError(self.reason)

    async def release(self, demand: Demand, *, unused: bool = False) -> None:
        """There is nothing to give back."""

    async def close(self) -> None:
        """There is nothing to close."""
