"""Watching a playbook: restarts, outages of sources and of the bus, new revisions, clocks that are set."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import structlog
from detector_bench import ERRORS, Bench, playbook
from detector_world import START, at

from tocsin_detector.adapters import watch as module
from tocsin_detector.core.source_down import RULE
from tocsin_detector.handlers import Leases
from tocsin_schemas import Labels
from tocsin_schemas.events import AlertFired, AlertResolved

RATE = {"name": "Rate", "expr": "sum(rate(errors_total[10s]))", "ladder": [{"severity": "P1", "above": 1}]}
PENDING = {"name": "Pending", "expr": "errors", "ladder": [{"severity": "P1", "above": 10, "for": "10s"}]}


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.shelf.publish(playbook())
    return made


def rules_told(bench: Bench) -> list[tuple[str, str]]:
    return [(line, envelope.data.rule) for line, envelope in zip(bench.stream.story, bench.stream.log, strict=True)]


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


# --- the bus ----------------------------------------------------------------------------------------------------------


async def test_what_begins_and_ends_while_the_bus_is_away_is_told_in_order_when_it_is_back(bench: Bench) -> None:
    replica = await bench.replica()
    await replica.pass_seconds(1)
    bench.stream.is_connected = False
    for errors in (11, 0, 11, 0, 11):
        bench.pages["app"] = f"errors {errors}\n"
        await replica.pass_seconds(3)
    assert bench.stream.story == []
    bench.stream.is_connected = True
    await replica.pass_seconds(1)
    assert bench.stream.story == ["fired P1", "resolved", "fired P1", "resolved", "fired P1"]
    assert len({envelope.data.episode for envelope in bench.stream.log}) == 3
    first = bench.stream.log[0].data
    assert isinstance(first, AlertFired)
    assert first.starts_at == at(2)


async def test_a_long_outage_of_the_bus_does_not_fill_the_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = await bench.replica()
    bench.pages["app"] = "errors 11\n"
    bench.stream.is_connected = False
    await replica.pass_seconds(50)
    assert len(replica.watch._untold) == 1
    monkeypatch.setattr(module, "MAX_UNTOLD", 3)
    for errors in (0, 11, 0, 11, 0, 11):
        bench.pages["app"] = f"errors {errors}\n"
        await replica.pass_seconds(1)
    assert len(replica.watch._untold) == 3
    bench.stream.is_connected = True
    await replica.pass_seconds(2)
    assert bench.stream.story == ["fired P1", "resolved", "fired P1"]


async def test_what_was_written_without_an_answer_is_not_told_twice(bench: Bench) -> None:
    replica = await bench.replica()
    bench.pages["app"] = "errors 11\n"
    bench.stream.loses_answers = True
    await replica.pass_seconds(3)
    bench.stream.loses_answers = False
    await replica.pass_seconds(3)
    assert bench.stream.story == ["fired P1"]


async def test_a_trouble_with_the_bus_is_logged_once(bench: Bench) -> None:
    replica = await bench.replica()
    bench.pages["app"] = "errors 11\n"
    bench.stream.is_connected = False
    with structlog.testing.capture_logs() as logs:
        await replica.pass_seconds(10)
    assert [entry["event"] for entry in logs] == ["alerts wait: the bus cannot be reached"]


# --- revisions --------------------------------------------------------------------------------------------------------


async def test_a_new_revision_goes_on_where_the_old_one_was(bench: Bench) -> None:
    bench.shelf.publish(playbook(PENDING, RATE))
    replica = await bench.replica()
    for count in range(0, 40, 5):
        bench.pages["app"] = f"errors 11\nerrors_total {count}\n"
        await replica.pass_seconds(1)
    bench.shelf.publish(playbook(PENDING, RATE, {**ERRORS, "name": "New"}))
    await bench.update(replica)
    for count in range(40, 60, 5):
        bench.pages["app"] = f"errors 11\nerrors_total {count}\n"
        await replica.pass_seconds(1)
    assert rules_told(bench) == [("fired P1", "Rate"), ("fired P1", "New"), ("fired P1", "Pending")]
    pending = bench.stream.log[2].data
    assert isinstance(pending, AlertFired)
    assert pending.starts_at == at(1)
    assert pending.playbook is not None
    assert pending.playbook.revision == f"{2:012x}"


async def test_the_alerts_of_a_rule_that_a_new_revision_no_longer_has_are_withdrawn(bench: Bench) -> None:
    replica = await bench.replica()
    bench.pages["app"] = "errors 11\n"
    await replica.pass_seconds(1)
    bench.shelf.publish(playbook({**ERRORS, "name": "Renamed"}))
    await bench.update(replica)
    await replica.pass_seconds(2)
    assert rules_told(bench) == [("fired P1", "Errors"), ("withdrawn", "Errors"), ("fired P1", "Renamed")]


async def test_what_could_not_be_told_is_told_by_the_next_revision(bench: Bench) -> None:
    replica = await bench.replica()
    bench.pages["app"] = "errors 11\n"
    bench.stream.is_connected = False
    await replica.pass_seconds(1)
    bench.pages["app"] = "errors 0\n"
    await replica.pass_seconds(1)
    bench.shelf.publish(playbook({**ERRORS, "summary": "changed"}))
    await bench.update(replica)
    bench.stream.is_connected = True
    await replica.pass_seconds(1)
    assert bench.stream.story == ["fired P1", "resolved"]


async def test_a_longer_look_back_begins_with_empty_series(bench: Bench) -> None:
    """The old ones were not kept for long enough."""
    replica = await bench.replica()
    old = replica.watch.scrapers["app"]
    bench.shelf.publish(playbook(ERRORS, {**RATE, "expr": "rate(errors_total[6h])"}))
    await bench.update(replica)
    assert replica.watch.scrapers["app"] is not old


async def test_a_revision_that_is_not_understood_leaves_the_one_before_in_force(bench: Bench) -> None:
    replica = await bench.replica()
    before = replica.watch
    bench.shelf.publish(playbook(ERRORS, {**ERRORS, "name": "Odd", "expr": "errors atan2 errors"}))
    await bench.update(replica)
    assert replica.watch is before
    problem = replica.watches.problem() or ""
    assert problem.startswith("shop is not understood: Odd: ")
    assert "atan2" in problem
    bench.shelf.publish(playbook())
    await bench.update(replica)
    assert replica.watches.problem() is None


async def test_without_a_revision_before_the_rules_that_are_understood_are_watched(bench: Bench) -> None:
    """After a restart: better most of the rules than none."""
    bench.shelf.publish(playbook(ERRORS, {**ERRORS, "name": "Odd", "expr": "errors atan2 errors"}))
    replica = await bench.replica()
    bench.pages["app"] = "errors 11\n"
    await replica.pass_seconds(1)
    assert rules_told(bench) == [("fired P1", "Errors")]
    assert "Odd" in (replica.watches.problem() or "")


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


# --- leases -----------------------------------------------------------------------------------------------------------


def leases(bench: Bench, replica: Any) -> Leases:
    return Leases(replica.book, bench.clock, grace=timedelta(seconds=15), patience=timedelta(seconds=60))


async def foreign(bench: Bench, lease: float) -> None:
    """An alert that some replica has taken."""
    alert = AlertFired(
        fingerprint="0" * 16,
        episode="e",
        rule="Down",
        labels=Labels(alertname="Down"),
        source="api",
        starts_at=START,
        expires_at=at(lease),
    )
    book = bench.stream.book()
    await book.tell(book.wrap([alert], book.known))


async def test_a_lease_that_ran_out_is_ended_and_by_one_replica_only(bench: Bench) -> None:
    replica, other = await bench.replica(), await bench.replica()
    ends = [leases(bench, replica), leases(bench, other)]
    bench.clock.move(61)
    await foreign(bench, 70)
    await replica.hear()
    await other.hear()
    for lease in ends:
        await lease.end()
    assert bench.stream.story == ["fired None"]
    bench.clock.move(24)
    for lease in ends:
        await lease.end()
    assert bench.stream.story == ["fired None", "expired"]
    ended = bench.stream.log[1].data
    assert isinstance(ended, AlertResolved)
    assert ended.ends_at == at(70)


async def test_after_a_start_senders_have_the_time_to_renew(bench: Bench) -> None:
    await foreign(bench, 10)
    bench.clock.move(600)
    replica = await bench.replica()
    ending = leases(bench, replica)
    await ending.end()
    bench.clock.move(59)
    await ending.end()
    assert bench.stream.story == ["fired None"]
    bench.clock.move(1)
    await ending.end()
    assert bench.stream.story == ["fired None", "expired"]


@pytest.mark.parametrize("what", ["bus", "clock"])
async def test_after_the_bus_was_away_or_the_clock_was_set_too(bench: Bench, what: str) -> None:
    await foreign(bench, 100)
    replica = await bench.replica()
    ending = leases(bench, replica)
    bench.clock.move(61)
    await ending.end()
    if what == "bus":
        bench.stream.is_connected = False
        bench.clock.move(600)
        await ending.end()
        bench.stream.is_connected = True
    else:
        bench.clock.set_to(at(3600))
    for _ in range(59):
        await ending.end()
        bench.clock.move(1)
    assert bench.stream.story == ["fired None"]
    bench.clock.move(1)
    await ending.end()
    assert bench.stream.story == ["fired None", "expired"]


async def test_leases_end_later_when_the_bus_refuses(bench: Bench) -> None:
    await foreign(bench, 10)
    replica = await bench.replica()
    ending = leases(bench, replica)
    bench.clock.move(100)
    bench.stream.refuses = True
    with structlog.testing.capture_logs() as logs:
        await ending.end()
    assert [entry["event"] for entry in logs] == ["leases end later: the bus cannot be reached"]
    bench.stream.refuses = False
    await ending.end()
    assert bench.stream.story == ["fired None", "expired"]
