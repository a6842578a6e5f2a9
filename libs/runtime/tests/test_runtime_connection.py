"""The connection: writes that are acknowledged, repeated with the same id, and told apart when refused."""

import asyncio

import pytest
from runtime_builders import connected, note

from tocsin_runtime import Address, BusUnavailableError, Connection, LostRaceError
from tocsin_runtime.bus import connection as module
from tocsin_schemas import encode
from tocsin_schemas.events import AlertFired
from tocsin_schemas.subjects import incident_subject
from tocsin_testkit.nats import NatsServer

SUBJECT = incident_subject("inc1", type(note("x").data))


async def test_the_same_event_is_taken_once(connection: Connection) -> None:
    first = await connection.publish(SUBJECT, note("a"))
    again = await connection.publish(SUBJECT, note("a"))
    assert (first.sequence, first.duplicate) == (1, False)
    assert (again.sequence, again.duplicate) == (1, True)


async def test_a_pause_of_the_server_longer_than_the_frameworks_default_is_waited_for(
    connection: Connection, nats_server: NatsServer
) -> None:
    nats_server.pause()
    writing = asyncio.create_task(connection.publish(SUBJECT, note("a")))
    await asyncio.sleep(0.8)
    nats_server.resume()
    assert (await writing).sequence == 1


async def test_a_write_whose_answer_came_too_late_is_repeated_with_the_same_id(
    connection: Connection, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that timed out may happen all the same: it waits in a buffer and is sent later."""
    monkeypatch.setattr(module, "WRITE_TIMEOUT", 0.2)
    nats_server.pause()
    writing = asyncio.create_task(connection.publish(SUBJECT, note("a")))
    await asyncio.sleep(0.3)
    nats_server.resume()
    await writing
    info = await connection.request("$JS.API.STREAM.INFO.INCIDENTS")
    assert info["state"]["messages"] == 1


async def test_without_any_answer_the_write_is_unknown_and_says_so(
    connection: Connection, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WRITE_TIMEOUT", 0.1)
    await asyncio.to_thread(nats_server.kill)
    with pytest.raises(BusUnavailableError):
        await connection.publish(SUBJECT, note("a"))


async def test_a_subject_of_no_stream_is_refused(connection: Connection) -> None:
    with pytest.raises(BusUnavailableError):
        await connection.publish("tocsin.nowhere", note("a"))


async def test_an_expectation_that_does_not_hold_is_a_lost_race(connection: Connection) -> None:
    with pytest.raises(LostRaceError):
        await connection.publish(SUBJECT, note("a"), expect={"Nats-Expected-Last-Subject-Sequence": "7"})


async def test_a_message_that_is_too_large_is_a_mistake_of_the_caller(connection: Connection) -> None:
    with pytest.raises(ValueError, match="more than NATS takes"):
        await connection.publish_raw(SUBJECT, b"x" * 2_000_000, {})


async def test_many_messages_are_written_whole_even_if_some_are_there_already(connection: Connection) -> None:
    await connection.publish(SUBJECT, note("b"))
    places = await connection.publish_all([(SUBJECT, note(name)) for name in "abc"])
    assert sorted(places) == [1, 2, 3]
    assert places[1] == 1


async def test_a_connection_outlives_a_restart_of_its_server(connection: Connection, nats_server: NatsServer) -> None:
    called = []
    connection.on_reconnect(lambda: called.append(1))
    await asyncio.to_thread(nats_server.kill)
    await asyncio.to_thread(nats_server.start)
    assert (await connection.publish(SUBJECT, note("a"))).sequence == 1
    assert called
    assert not connection.lost_for_good.is_set()


async def test_closing_works_while_the_server_is_gone(nats_server: NatsServer) -> None:
    made = await connected(nats_server)
    await asyncio.to_thread(nats_server.kill)
    await asyncio.wait_for(made.close(), 10)


async def test_closing_is_quick_with_unread_messages(connection: Connection, nats_server: NatsServer) -> None:
    made = await connected(nats_server, "unread")
    await made.client.subscribe("tocsin.>")
    for n in range(50):
        await connection.publish(SUBJECT, note(str(n)))
    await asyncio.wait_for(made.close(), 4)


async def test_a_connection_that_was_never_opened_can_be_closed() -> None:
    await Connection(Address("nats://127.0.0.1:1"), "never").close()


async def test_a_client_that_closed_for_good_is_reported(nats_server: NatsServer) -> None:
    made = await connected(nats_server)
    await made.client.close()
    await asyncio.wait_for(made.lost_for_good.wait(), 5)


def test_a_password_is_not_shown() -> None:
    assert "canary" not in repr(Address("nats://x", "user", "canary"))


def test_alerts_and_notes_have_their_ids_for_the_server_and_for_the_framework() -> None:
    headers, _ = encode(note("a"))
    assert headers["Nats-Msg-Id"] == headers["message_id"] == note("a").id
    assert AlertFired.SLUG == "alert_fired"


async def test_the_last_place_of_a_stream_is_that_of_its_last_message_and_0_where_none_is_kept(
    connection: Connection,
) -> None:
    assert await connection.last_sequence("METRICS") == 0
    for name in ("a", "b"):
        await connection.publish("tocsin.metrics.x", note(name))
    assert await connection.last_sequence("METRICS") == 2
    await connection.request("$JS.API.STREAM.PURGE.METRICS")
    assert await connection.last_sequence("METRICS") == 0
    with pytest.raises(BusUnavailableError, match="the stream NOWHERE: stream not found"):
        await connection.last_sequence("NOWHERE")


async def test_what_was_given_up_while_there_was_no_connection_is_not_written_later(
    connection: Connection, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WRITE_TIMEOUT", 0.2)
    await asyncio.to_thread(nats_server.kill)
    async with asyncio.timeout(10):
        while connection.is_connected:
            await asyncio.sleep(0.01)
    with pytest.raises(BusUnavailableError, match="not connected to nats"):
        await connection.publish(SUBJECT, note("a"))
    with pytest.raises(BusUnavailableError, match="not connected to nats"):
        await connection.publish_batch([(SUBJECT, *encode(note(name))) for name in ("b", "c")])
    monkeypatch.undo()
    writing = asyncio.create_task(connection.publish(SUBJECT, note("d")))
    await asyncio.to_thread(nats_server.start)
    assert (await writing).sequence == 1
