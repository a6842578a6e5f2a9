"""What a process has just written it need not decode again; what another has written, it must."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from runtime_builders import connected, note

from tocsin_runtime import Connection
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.bus.log import Append, IncidentLog
from tocsin_runtime.bus.recent import Recent
from tocsin_schemas import Envelope, Event, Payload, encode
from tocsin_schemas.subjects import INCIDENTS, incident_subject, service_log_filter
from tocsin_testkit.nats import NatsServer


async def read(connection: Connection, number: int) -> list[Envelope[Payload]]:
    seen: list[Envelope[Payload]] = []
    whole = asyncio.Event()

    async def take(events: Sequence[Envelope[Payload]]) -> None:
        seen.extend(events)
        if len(seen) >= number:
            whole.set()

    follower = Follower(connection, "INCIDENTS", (INCIDENTS,), take, service="test")
    await follower.start()
    await asyncio.wait_for(whole.wait(), 20)
    await follower.stop()
    return seen


def append(*events: Envelope[Event]) -> Append:
    return Append("inc1", events, 0, service_log_filter("inc1", "escalator"))


async def test_who_wrote_an_event_is_handed_that_very_event_with_its_place(connection: Connection) -> None:
    written = (note("c1", "one"), note("c2", "two"))
    await IncidentLog(connection).append([append(*written)])
    seen = await read(connection, 2)
    assert [event.data for event in seen] == [event.data for event in written]
    assert all(event.data is own.data for event, own in zip(seen, written, strict=True))
    assert [event.sequence for event in seen] == [1, 2]


async def test_it_is_the_same_that_others_read(connection: Connection, nats_server: NatsServer) -> None:
    await IncidentLog(connection).append([append(note("c1", "one"), note("c2", "two"))])
    other = await connected(nats_server, "other")
    try:
        assert await read(other, 2) == await read(connection, 2)
    finally:
        await other.close()


async def test_what_was_written_as_many_messages_is_not_decoded_either(connection: Connection) -> None:
    written = [note(f"c{number}") for number in range(3)]
    await connection.publish_all([(incident_subject("inc1", type(event.data)), event) for event in written])
    assert all(event.data is own.data for event, own in zip(await read(connection, 3), written, strict=True))


async def test_what_another_replica_wrote_first_is_read_from_the_stream(
    connection: Connection, nats_server: NatsServer
) -> None:
    """The same cause and so the same id; the other replica has decided otherwise."""
    other = await connected(nats_server, "other")
    try:
        await IncidentLog(other).append([append(note("c1", "theirs"))])
    finally:
        await other.close()
    headers, body = encode(note("c1", "ours"))
    connection.recent.note(headers, body, note("c1", "ours"))
    (seen,) = await read(connection, 1)
    assert seen.data == note("c1", "theirs").data


@pytest.mark.parametrize(
    "other",
    [
        replace(note("c1"), time=note("c1").time.replace(year=2025)),
        replace(note("c1"), cause="c2"),
        replace(note("c1"), incident="inc2"),
        replace(note("c1"), together=2),
        replace(note("c1"), source="tocsin/other"),
        replace(note("c1"), traceparent=""),
        replace(note("c1"), data=note("c1", "other").data),
    ],
)
def test_what_differs_in_anything_is_not_taken_for_the_same(other: Envelope[Event]) -> None:
    recent = Recent()
    recent.note(*encode(note("c1")), note("c1"))
    assert recent.take(*encode(other), 1) is None


def test_it_is_kept_until_it_is_asked_for() -> None:
    recent = Recent()
    recent.note(*encode(note("c1")), note("c1"))
    assert recent.take(*encode(note("c1")), 7) == note("c1").at(7)
    assert recent.take(*encode(note("c1")), 7) is None
    assert recent.take(None, b"", 7) is None


def test_the_oldest_of_too_many_is_forgotten() -> None:
    recent = Recent()
    for number in range(2001):
        recent.note(*encode(note(f"c{number}")), note(f"c{number}"))
    assert recent.take(*encode(note("c0")), 1) is None
    assert recent.take(*encode(note("c1")), 1) is not None
