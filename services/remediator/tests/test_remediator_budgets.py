"""The budget over all incidents: counted before each claim, and where it cannot be counted a person is asked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis
from remediator_bench import Bench, runbook
from remediator_target import Target
from remediator_world import ADA

from tocsin_remediator.adapters.leases import (
    PREFIX,
    Busy,
    Demand,
    Leases,
    LeasesUnavailableError,
    Limit,
    NoLeases,
    Over,
    ProcessLeases,
    RedisLeases,
    Taken,
)
from tocsin_runtime import SystemClock
from tocsin_schemas.commands import ApproveAction
from tocsin_testkit.ports import free_port
from tocsin_testkit.valkey import ValkeyServer

MINUTE = timedelta(minutes=1)


def demand(execution: str, **changes: Any) -> Demand:
    given: dict[str, Any] = {
        "execution": execution,
        "action": f"action of {execution}",
        "target": "POST http://shop/clear",
        "holds_for": timedelta(seconds=5),
        "limits": (Limit("the target's budget", "t", 2, MINUTE),),
    }
    return Demand(**{**given, **changes})


@pytest.fixture(params=["process", "redis"])
async def leases(request: pytest.FixtureRequest, valkey_server: ValkeyServer) -> AsyncIterator[Leases]:
    """Both kinds must count alike."""
    made: Leases = ProcessLeases(SystemClock()) if request.param == "process" else RedisLeases(valkey_server.url)
    yield made
    await made.close()


async def test_a_target_is_one_actions_at_a_time(leases: Leases) -> None:
    assert await leases.take(demand("one")) == Taken()
    assert isinstance(await leases.take(demand("two")), Busy)
    assert await leases.take(demand("other", target="POST http://shop/restart", limits=())) == Taken()
    await leases.release(demand("one"))
    assert await leases.take(demand("two")) == Taken()


async def test_taking_twice_for_one_execution_counts_once(leases: Leases) -> None:
    for _ in range(3):
        assert await leases.take(demand("one")) == Taken()
    await leases.release(demand("one"))
    assert await leases.take(demand("two")) == Taken()


async def test_beyond_the_limit_nothing_is_taken_unless_a_person_agreed(leases: Leases) -> None:
    for name in ("one", "two"):
        await leases.take(demand(name))
        await leases.release(demand(name))
    assert await leases.take(demand("three")) == Over("the target's budget: 2 actions in 60 s are used up")
    assert await leases.take(demand("three", agreed=True)) == Taken()


async def test_what_was_not_used_is_given_back(leases: Leases) -> None:
    cooling = {"cooldown_key": "step", "cooldown": MINUTE}
    for name in ("one", "two", "three"):
        assert await leases.take(demand(name, **cooling)) == Taken()
        await leases.release(demand(name, **cooling), unused=True)


async def test_a_step_rests_after_it_ran_in_any_incident_but_may_be_tried_again_in_its_own(leases: Leases) -> None:
    cooling = {"cooldown_key": "step", "cooldown": MINUTE, "limits": ()}
    await leases.take(demand("one", **cooling))
    await leases.release(demand("one", **cooling))
    assert isinstance(await leases.take(demand("two", **cooling)), Over)
    assert await leases.take(demand("again", **cooling, action="action of one")) == Taken()


async def test_a_limit_is_over_when_its_window_has_passed(leases: Leases) -> None:
    short = {"limits": (Limit("x", "short", 1, timedelta(milliseconds=80)),), "holds_for": timedelta(milliseconds=50)}
    assert await leases.take(demand("one", **short)) == Taken()
    assert isinstance(await leases.take(demand("two", **short)), Over)
    await asyncio.sleep(0.1)
    assert await leases.take(demand("two", **short)) == Taken()


async def test_without_any_counting_only_a_persons_word_counts() -> None:
    none = NoLeases("no Redis is configured")
    with pytest.raises(LeasesUnavailableError, match="no Redis is configured"):
        await none.take(demand("one"))
    assert await none.take(demand("one", agreed=True)) == Taken()


async def test_a_redis_that_is_away_slow_or_wrong_cannot_be_counted_with(valkey_server: ValkeyServer) -> None:
    away = RedisLeases(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(LeasesUnavailableError, match="ConnectionError"):
        await away.take(demand("one"))
    await away.release(demand("one"))
    await away.close()
    leases = RedisLeases(valkey_server.url, patience=0.2)
    await leases.take(demand("one"))
    redis = Redis.from_url(valkey_server.url)
    for key in await redis.keys(f"{PREFIX}:*"):
        await redis.delete(key)
        await redis.rpush(key, "nonsense")  # type: ignore[misc]  # redis-py declares one method for both clients
    await redis.aclose()
    with pytest.raises(LeasesUnavailableError, match="ResponseError"):
        await leases.take(demand("one"))
    valkey_server.pause()
    with pytest.raises(LeasesUnavailableError, match="TimeoutError"):
        await leases.take(demand("two"))
    valkey_server.resume()
    await leases.close()


async def test_an_answer_of_redis_that_makes_no_sense_is_no_permission(valkey_server: ValkeyServer) -> None:
    leases = RedisLeases(valkey_server.url)
    for nonsense in (None, "taken", ["taken"], ["over", 7], [b"taken", 0]):
        leases._redis.eval = AsyncMock(return_value=nonsense)  # type: ignore[method-assign]  # another Redis
        with pytest.raises(LeasesUnavailableError, match="cannot be understood"):
            await leases.take(demand("one"))
    await leases.close()


# --- in the service --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replicas", [1, 2])
async def test_a_hundred_incidents_about_one_target_act_on_it_no_more_often_than_allowed(
    bench: Bench, valkey_server: ValkeyServer, replicas: int
) -> None:
    incidents = [f"inc{number}" for number in range(100 // replicas)]
    async with Target().serve() as target:
        await bench.push(runbook(target))
        for _ in range(replicas):
            await bench.start(redis_url=valkey_server.url)
        for incident in incidents:
            await bench.open(incident)
        for incident in incidents:
            await bench.wait_for("ActionProposed", incident, within=30)
        for _ in range(300):
            said = [await bench.said(incident) for incident in incidents]
            asked = sum(any(getattr(event, "needs_approval", False) for event in events) for events in said)
            if asked == len(incidents) - 3:
                break
            await asyncio.sleep(0.1)
        assert asked == len(incidents) - 3
        assert target.actions == ["/clear"] * 3


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        ({"redis_url": "redis://127.0.0.1:1/0"}, "the budget cannot be checked: Redis: ConnectionError"),
        ({"budget_without_redis": "ask"}, "the budget cannot be checked: no Redis is configured"),
    ],
)
async def test_where_the_budget_cannot_be_checked_a_person_is_asked_and_may_say_yes(
    bench: Bench, settings: dict[str, str], because: str
) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target))
        await bench.start(**settings)
        await bench.open()
        proposed = await bench.wait_for("ActionProposed", times=2)
        assert proposed.needs_approval
        assert proposed.because == because
        assert target.actions == []
        await bench.ask(ApproveAction(incident="inc1", by=ADA, action=proposed.action))
        await bench.wait_for("RunbookFinished")
        assert target.actions == ["/clear"]


async def test_a_playbooks_own_budget_counts_over_all_incidents(bench: Bench) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target), remediate="  budget: {actions: 1, per: 10m}")
        await bench.start()
        await bench.open("inc1")
        await bench.wait_for("RunbookFinished", "inc1")
        await bench.open("inc2")
        proposed = await bench.wait_for("ActionProposed", "inc2", times=2)
        assert proposed.because == "the playbook's budget: 1 actions in 600 s are used up"
        assert target.actions == ["/clear"]
