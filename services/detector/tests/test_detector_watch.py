"""Watching a playbook: restarts, sources that do not answer, rules that cannot be evaluated."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import structlog
from detector_bench import ERRORS, PENDING, RATE, Bench, playbook, rules_told

from tocsin_detector.adapters import watch as module
from tocsin_detector.core.source_down import RULE

# --- restarts ---------------------------------------------------------------------------------------------------------


async def test_a_restart_tells_nothing_twice_and_it_resolves_later(bench: Bench) -> None:
    replica = await bench.replica()
    bench.pages["app"] = "errors 11\n"
    await replica.pass_seconds(3)
    again = await bench.replica()
    await again.watch.evaluate()  # before the first scrape has answered
    await again.pass_seconds(3)
    assert bench.stream.story == ["fired P1"]
    bench.pages["app"] = "errors 0\n"
    await again.pass_seconds(3)
    assert bench.stream.story == ["fired P1", "resolved"]


async def test_a_rate_that_cannot_be_computed_yet_after_a_restart_is_no_recovery(bench: Bench) -> None:
    bench.shelf.publish(playbook(RATE))
    replica = await bench.replica()
    for count in range(0, 60, 5):
        bench.pages["app"] = f"errors_total {count}\n"
        await replica.pass_seconds(1)
    assert bench.stream.story == ["fired P1"]
    again = await bench.replica()
    for count in range(60, 100, 5):
        bench.pages["app"] = f"errors_total {count}\n"
        await again.pass_seconds(1)
    assert bench.stream.story == ["fired P1"]
    await again.pass_seconds(15)
    assert bench.stream.story == ["fired P1", "resolved"]


# --- sources that do not answer ---------------------------------------------------------------------------------------


async def test_a_dead_source_is_told_after_its_patience_and_nothing_resolves_meanwhile(bench: Bench) -> None:
    replica = await bench.replica(patience=5)
    bench.pages["app"] = "errors 11\n"
    await replica.pass_seconds(2)
    bench.pages["app"] = None
    await replica.pass_seconds(5)
    assert bench.stream.story == ["fired P1"]
    await replica.pass_seconds(20)
    assert rules_told(bench) == [("fired P1", "Errors"), ("fired None", RULE)]
    bench.pages["app"] = "errors 0\n"
    await replica.pass_seconds(2)
    assert rules_told(bench)[2:] == [("resolved", "Errors"), ("resolved", RULE)]


async def test_a_rate_is_no_recovery_right_after_its_source_is_back(bench: Bench) -> None:
    bench.shelf.publish(playbook(RATE))
    replica = await bench.replica(patience=1000)
    for count in range(0, 60, 5):
        bench.pages["app"] = f"errors_total {count}\n"
        await replica.pass_seconds(1)
    bench.pages["app"] = None
    await replica.pass_seconds(30)
    for count in range(60, 120, 5):
        bench.pages["app"] = f"errors_total {count}\n"
        await replica.pass_seconds(1)
    assert bench.stream.story == ["fired P1"]


async def test_one_dead_source_of_two_hides_nothing_that_begins_and_ends_nothing(bench: Bench) -> None:
    per_source = {"name": "Errors", "expr": "sum by (at) (errors)", "ladder": [{"severity": "P1", "above": 10}]}
    bench.shelf.publish(playbook(per_source, sources=("app", "two")))
    bench.pages.update(app='errors{at="app"} 11\n', two='errors{at="two"} 0\n')
    replica = await bench.replica(patience=1000)
    await replica.pass_seconds(2)
    bench.pages.update(app=None, two='errors{at="two"} 11\n')
    await replica.pass_seconds(5)
    bench.pages.update(two='errors{at="two"} 0\n')
    await replica.pass_seconds(5)
    assert [envelope.data.labels["at"] for envelope in bench.stream.log] == ["app", "two"]
    bench.pages.update(app='errors{at="app"} 0\n')
    await replica.pass_seconds(1)
    assert bench.stream.story == ["fired P1", "fired P1", "resolved", "resolved"]


async def test_two_instances_of_one_program_are_not_mixed_into_one_series(bench: Bench) -> None:
    bench.shelf.publish(playbook(RATE, sources=("app", "two")))
    replica = await bench.replica()
    for _ in range(30):
        bench.pages.update(app="errors_total 1000\n", two="errors_total 5\n")
        await replica.pass_seconds(1)
    assert bench.stream.story == [], "a counter that stands still has no rate"


async def test_a_rule_with_a_source_looks_at_no_other(bench: Bench) -> None:
    bench.shelf.publish(playbook({**ERRORS, "source": "two"}, sources=("app", "two")))
    bench.pages.update(app="errors 11\n", two="errors 0\n")
    replica = await bench.replica()
    await replica.pass_seconds(2)
    assert bench.stream.story == []
    bench.pages.update(app=None, two="errors 11\n")
    await replica.pass_seconds(1)
    assert bench.stream.log[0].data.source == "two"


async def test_replicas_of_which_one_cannot_reach_the_source_do_not_contradict_each_other(bench: Bench) -> None:
    sees = await bench.replica(patience=2)
    blind = await bench.replica(patience=2)
    blind.pages = {"app": None}
    for _ in range(100):
        await sees.pass_seconds(1)
        await blind.pass_seconds(1)
    assert set(bench.stream.story) == {"fired None"}
    assert len({envelope.data.episode for envelope in bench.stream.log}) == 1
    blind.pages = bench.pages
    await blind.pass_seconds(1)
    assert bench.stream.story[-1] == "resolved"


# --- rules that cannot be evaluated -----------------------------------------------------------------------------------


async def test_a_rule_that_cannot_be_evaluated_costs_itself_only_and_is_logged_once(bench: Bench) -> None:
    odd = {**ERRORS, "name": "Odd", "expr": "errors * on () group_left () other"}
    bench.shelf.publish(playbook(odd, ERRORS))
    bench.pages["app"] = 'errors 11\nother{a="1"} 1\nother{a="2"} 1\n'
    replica = await bench.replica()
    with structlog.testing.capture_logs() as logs:
        await replica.pass_seconds(5)
    assert rules_told(bench) == [("fired P1", "Errors")]
    assert [(entry["event"], entry["what"]) for entry in logs] == [("rule cannot be evaluated", "Odd")]


async def test_a_series_with_too_many_labels_for_an_alert_costs_itself_only_and_is_logged_and_counted(
    bench: Bench,
) -> None:
    crowded = ",".join(f'l{number}="x"' for number in range(63))
    bench.pages["app"] = f'errors{{{crowded}}} 11\nerrors{{s="fine"}} 11\n'
    bench.shelf.publish(playbook({**ERRORS, "labels": {"team": "shop"}}))
    replica = await bench.replica()
    counted = module.REFUSED_SERIES._value.get()
    with structlog.testing.capture_logs() as logs:
        await replica.pass_seconds(3)
    assert [envelope.data.labels["s"] for envelope in bench.stream.log] == ["fine"]
    assert [entry["event"] for entry in logs] == ["series that cannot be an alert"]
    assert module.REFUSED_SERIES._value.get() == counted + 3


# --- the loops --------------------------------------------------------------------------------------------------------


async def test_the_loops_scrape_and_evaluate_by_themselves_and_a_bug_in_them_is_seen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = await bench.replica()
    bench.pages["app"] = "errors 11\n"
    keeping = asyncio.create_task(replica.watches.keep_current())
    replica.watch.start()
    async with asyncio.timeout(10):
        while not bench.stream.story:
            bench.clock.move(0.5)
            await asyncio.sleep(0.01)

        def broken(*_: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(module, "evaluate_rule", broken)
        while not keeping.done():
            bench.clock.move(0.5)
            await asyncio.sleep(0.01)
    assert isinstance(keeping.exception(), ZeroDivisionError)
    await replica.watches.stop()


async def test_when_the_clock_is_set_nothing_fires_early_and_nothing_resolves(bench: Bench) -> None:
    bench.shelf.publish(playbook(PENDING, ERRORS))
    replica = await bench.replica()
    bench.pages["app"] = "errors 11\n"
    await replica.pass_seconds(2)
    assert rules_told(bench) == [("fired P1", "Errors")]
    for hours in (+1, -2):
        bench.clock.set_to(bench.clock.now() + timedelta(hours=hours))
        assert replica.watches._steps.clock_was_set()
        await replica.watches._begin_anew()
        await bench.update(replica)
        await replica.watch.evaluate()
        await replica.pass_seconds(3)
        assert rules_told(bench) == [("fired P1", "Errors")]
    assert not replica.watches._steps.clock_was_set()
