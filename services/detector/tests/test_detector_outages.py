"""While the bus is away, and leases that nobody could renew meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
import structlog
from detector_bench import Bench
from detector_world import START, at, fired

from tocsin_detector.adapters import watch as module
from tocsin_detector.handlers import Leases
from tocsin_schemas import Labels
from tocsin_schemas.events import AlertFired, AlertResolved

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
    bench.clock.move(26)
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


async def test_of_an_alert_that_two_replicas_began_the_first_firing_is_ended_once_and_without_patience(
    bench: Bench,
) -> None:
    replicas = [await bench.replica(), await bench.replica()]
    for name, replica in zip(("e1", "e2"), replicas, strict=True):
        await replica.book.tell(replica.book.wrap([fired(Labels(alertname="Down"), name)], replica.book.known))
    for replica in replicas:
        await replica.hear()
        await leases(bench, replica).end()
    assert bench.stream.story == ["fired None", "fired None", "replaced"]
    assert bench.stream.log[2].data.episode == "e1"
