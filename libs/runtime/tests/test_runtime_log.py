"""The log of incidents on a real nats-server: whole or nothing, first come first served, read back in order."""

import pytest
from runtime_builders import note

from tocsin_runtime import AlreadyInLogError, Connection, LostRaceError
from tocsin_runtime.bus.log import Append, IncidentLog
from tocsin_schemas.subjects import incident_filter, service_log_filter


def own(incident: str) -> str:
    return service_log_filter(incident, "escalator")


async def test_events_are_read_back_in_order_with_their_sequences(connection: Connection) -> None:
    log = IncidentLog(connection)
    (stored,) = await log.append([Append("inc1", (note("a"), note("a", position=1)), 0, own("inc1"))])
    assert await log.load("inc1") == list(stored)
    assert [event.sequence for event in stored] == [1, 2]


async def test_a_stale_expectation_is_a_lost_race_and_writes_nothing(connection: Connection) -> None:
    log = IncidentLog(connection)
    await log.append([Append("inc1", (note("a"),), 0, own("inc1"))])
    with pytest.raises(LostRaceError):
        await log.append([Append("inc1", (note("b"), note("b", position=1)), 0, own("inc1"))])
    assert len(await log.load("inc1")) == 1


async def test_one_refused_incident_refuses_the_whole_batch(connection: Connection) -> None:
    log = IncidentLog(connection)
    await log.append([Append("inc1", (note("a"),), 0, own("inc1"))])
    fresh = Append("inc2", (note("b", incident="inc2"),), 0, own("inc2"))
    stale = Append("inc1", (note("c"),), 0, own("inc1"))
    with pytest.raises(LostRaceError):
        await log.append([fresh, stale])
    assert await log.load("inc2") == []


async def test_many_incidents_are_appended_at_once(connection: Connection) -> None:
    log = IncidentLog(connection)
    appends = [
        Append(f"inc{n}", (note("a", incident=f"inc{n}"), note("a", "b", 1, f"inc{n}")), 0, own(f"inc{n}"))
        for n in range(100)
    ]
    stored = await log.append(appends)
    assert [event.sequence for events in stored for event in events] == list(range(1, 201))
    assert await log.load("inc57") == list(stored[57])


@pytest.mark.parametrize("count", [1, 2])
async def test_an_event_that_is_in_the_log_is_not_taken_again(connection: Connection, count: int) -> None:
    log = IncidentLog(connection)
    events = tuple(note("a", position=n) for n in range(count))
    await log.append([Append("inc1", events, 0, own("inc1"))])
    with pytest.raises((AlreadyInLogError, LostRaceError)):
        await log.append([Append("inc1", events, count, own("inc1"))])
    assert len(await log.load("inc1")) == count


async def test_expecting_nothing_from_anybody_loses_against_another_service(connection: Connection) -> None:
    """What the remediator relies on: a claim does not hold if anybody has written meanwhile."""
    log = IncidentLog(connection)
    await log.append([Append("inc1", (note("a"),), 0, own("inc1"))])
    with pytest.raises(LostRaceError):
        await log.append([Append("inc1", (note("b"),), 0, incident_filter("inc1"))])
    await log.append([Append("inc1", (note("b"),), 1, incident_filter("inc1"))])


async def test_a_long_incident_is_read_in_pages_and_from_any_place(connection: Connection) -> None:
    log = IncidentLog(connection)
    for part in range(3):
        events = tuple(note(f"part{part}", position=n) for n in range(400))
        await log.append([Append("inc1", events, part * 400, own("inc1"))])
    assert [event.sequence for event in await log.load("inc1")] == list(range(1, 1201))
    assert [event.sequence for event in await log.load("inc1", after=1195)] == list(range(1196, 1201))
    assert await log.load("inc1", service="notifier") == []


async def test_more_events_than_a_batch_takes_are_refused_before_they_are_sent(connection: Connection) -> None:
    events = tuple(note("a", position=n) for n in range(1001))
    with pytest.raises(ValueError, match="1000"):
        await IncidentLog(connection).append([Append("inc1", events, 0, own("inc1"))])
