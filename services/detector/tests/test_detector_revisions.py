"""Another revision is put in force: what goes on, what ends, what is refused."""

from detector_bench import ERRORS, PENDING, RATE, Bench, playbook, rules_told
from detector_world import at

from tocsin_schemas.events import AlertFired


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
