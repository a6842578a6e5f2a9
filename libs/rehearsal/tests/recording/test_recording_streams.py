"""Recording from a real nats-server: what is recorded is what is there, and nothing is changed by it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from recording_builders import Message, StillClock, connected, fired, grouped, note, opened, ordered, published

from tocsin_rehearsal.recording import read, read_meta, record
from tocsin_runtime import Address, BusUnavailableError, Connection
from tocsin_runtime.bus import stored as stored_module
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.bus.stored import Stored
from tocsin_runtime.bus.timers import Timers
from tocsin_runtime.identities import IDENTITIES, users
from tocsin_runtime.topology import STREAMS
from tocsin_schemas import Actor, DeadLettered, PlaybookPublished, PlaybookRef, caused_by, encode
from tocsin_schemas.commands import AddNote
from tocsin_schemas.events import SilenceLifted
from tocsin_schemas.subjects import command_subject, deadletter_subject
from tocsin_testkit.nats import NatsServer


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Connection]:
    async with connected(nats_server) as connection:
        await ensure_streams(connection)
        yield connection


async def publish(bus: Connection, *messages: Message) -> None:
    for subject, envelope in messages:
        await bus.publish(subject, envelope)


async def states(bus: Connection) -> list[object]:
    found = []
    for stream in STREAMS:
        state = (await bus.request(f"$JS.API.STREAM.INFO.{stream.name}"))["state"]
        found.append({name: state[name] for name in ("messages", "first_seq", "last_seq", "consumer_count")})
    return found


def texts(path: Path) -> list[str]:
    return [getattr(message.decode().data, "text", "") for message in read(path) if message.stream == "INCIDENTS"]


def nothing_in(folder: Path) -> bool:
    return list(folder.glob("*.jsonl*")) == list(folder.glob(".*.part")) == []


async def server_now(bus: Connection) -> datetime:
    """A moment after everything that was written, and before everything that will be."""
    await asyncio.sleep(0.01)
    now = datetime.now(UTC)
    await asyncio.sleep(0.01)
    return now


async def test_orders_before_the_beginning_are_recorded_for_they_may_stand(bus: Connection, tmp_path: Path) -> None:
    by = Actor.person("ada", "cli")
    old, new = SilenceLifted(silence="old", by=by), SilenceLifted(silence="new", by=by)
    await publish(bus, ordered(old, cause="old"), fired(cause="early"))
    since = await server_now(bus)
    await publish(bus, ordered(new, cause="new"), note("one"), fired())
    await record(bus, out=tmp_path / "late.jsonl", since=since)
    said = [message.decode().data for message in read(tmp_path / "late.jsonl") if message.stream == "ORDERS"]
    assert said == [old, new]
    await record(bus, out=tmp_path / "one.jsonl", incident="inc1")
    streams = [message.stream for message in read(tmp_path / "one.jsonl")]
    assert streams.count("ORDERS") == 2
    assert "INCIDENTS" in streams


# --- what is there ----------------------------------------------------------------------------------------------------


async def test_what_is_recorded_is_what_is_there_headers_byte_for_byte(bus: Connection, tmp_path: Path) -> None:
    headers, body = encode(fired()[1])
    odd = {"zeta": "1", **headers, "Nats-Msg-Id": "odd", "Alpha": "ü € ;:"}
    await bus.publish_raw(fired()[0], body, odd)
    await bus.publish_raw(fired()[0], b"\xff nonsense", {})
    await publish(bus, note("one"), published())
    await record(bus, out=tmp_path / "all.jsonl")
    found = list(read(tmp_path / "all.jsonl"))
    assert len(found) == 4
    for message in found:
        query = json.dumps({"seq": message.sequence}).encode()
        there = (await bus.request(f"$JS.API.STREAM.MSG.GET.{message.stream}", query))["message"]
        raw = b"".join(f"{name}: {value}\r\n".encode() for name, value in message.headers)
        assert raw == base64.b64decode(there.get("hdrs", "")).removeprefix(b"NATS/1.0\r\n").removesuffix(b"\r\n")
        assert message.data == base64.b64decode(there.get("data", ""))
        assert message.subject == there["subject"]
        assert message.time.rstrip("0Z").rstrip(".") == there["time"].rstrip("0Z").rstrip(".")


async def test_nothing_is_changed_by_recording_not_even_in_a_work_queue(bus: Connection, tmp_path: Path) -> None:
    command = AddNote(incident="inc1", by=Actor.person("ada", "cli"), text="looking")
    await publish(
        bus,
        fired(),
        note("one"),
        published(),
        (command_subject(AddNote), caused_by("c", 0, "cli", "inc1", datetime.now(UTC), command)),
    )
    await Timers(bus, "escalator").arm("inc1", "ack", datetime.now(UTC) + timedelta(hours=1))
    before = await states(bus)
    done = await record(bus, out=tmp_path / "all.jsonl")
    assert await states(bus) == before
    assert done.messages == {"ALERTS": 1, "INCIDENTS": 1, "PLAYBOOKS": 1, "COMMANDS": 1, "TIMERS": 1}
    assert done.total == sum(1 for _ in read(tmp_path / "all.jsonl"))


async def test_streams_are_merged_into_one_order_by_time(bus: Connection, tmp_path: Path) -> None:
    for number in range(20):
        await publish(bus, fired(cause=str(number)), note(str(number), cause=str(number)))
    await record(bus, out=tmp_path / "all.jsonl")
    found = list(read(tmp_path / "all.jsonl"))
    assert [message.stream for message in found] == ["ALERTS", "INCIDENTS"] * 20
    assert [message.time for message in found] == sorted(message.time for message in found)


async def test_many_and_large_messages_are_read_in_pages(bus: Connection, tmp_path: Path) -> None:
    await bus.publish_all([note(str(n), cause=str(n)) for n in range(700)])
    for number in range(12):
        await bus.publish_raw(fired()[0], bytes([number]) * 900_000, {})
    done = await record(bus, out=tmp_path / "all.jsonl.gz")
    assert done.messages == {"INCIDENTS": 700, "ALERTS": 12}
    assert texts(tmp_path / "all.jsonl.gz") == [str(n) for n in range(700)]


async def test_the_first_line_says_from_where_and_of_which_streams(bus: Connection, tmp_path: Path) -> None:
    await record(bus, ("ALERTS", "INCIDENTS"), out=tmp_path / "two.jsonl")
    meta = read_meta(tmp_path / "two.jsonl")
    assert set(meta.streams) == {"ALERTS", "INCIDENTS"}
    assert "nats-server/2." in meta.server
    assert list(read(tmp_path / "two.jsonl")) == []


# --- a stretch --------------------------------------------------------------------------------------------------------


async def test_a_stretch_begins_and_ends_where_it_is_told(bus: Connection, tmp_path: Path) -> None:
    await publish(bus, note("before", cause="1"))
    since = await server_now(bus)
    await publish(bus, note("within", cause="2"), fired())
    until = await server_now(bus)
    await publish(bus, note("after", cause="3"), fired(cause="z"))
    done = await record(bus, since=since, until=until, out=tmp_path / "part.jsonl")
    assert texts(tmp_path / "part.jsonl") == ["within"]
    assert done.messages == {"INCIDENTS": 1, "ALERTS": 1}


async def test_the_playbooks_that_were_in_force_come_first(bus: Connection, tmp_path: Path) -> None:
    await publish(bus, published(name="other"), published("old: text\n"), published("new: text\n"))
    since = await server_now(bus)
    await publish(bus, fired(), published("later: text\n"))
    await record(bus, since=since, out=tmp_path / "part.jsonl")
    found = [message.decode().data for message in read(tmp_path / "part.jsonl")]
    playbooks = [data.text for data in found if isinstance(data, PlaybookPublished)]
    assert playbooks[1:] == ["new: text\n", "later: text\n"]
    assert "other" in playbooks[0]
    assert not isinstance(found[2], PlaybookPublished)


# --- one incident -----------------------------------------------------------------------------------------------------


async def test_an_incident_comes_with_its_alerts_its_playbook_and_all_that_is_about_it(
    bus: Connection, tmp_path: Path
) -> None:
    pinned = published("pinned: text\n")[1].data
    assert isinstance(pinned, PlaybookPublished)
    mine, late, others = fired("checkout"), fired("search", cause="b"), fired("mail", cause="o", rule="Mail")
    await publish(bus, published("pinned: text\n"), published("newer: text\n"))
    for alert in (mine, late, others):  # as they come: now
        await bus.publish(alert[0], alert[1])
    await publish(bus, opened("inc1", playbook=pinned.playbook), grouped(mine, "inc1"), grouped(late, "inc1"))
    await publish(bus, opened("inc2", group="h"), grouped(others, "inc2"), note("another's", "inc2"))
    for incident in ("inc1", "inc2"):
        await Timers(bus, "escalator").arm(incident, "ack", datetime.now(UTC) + timedelta(hours=1))
        await letter(bus, incident)
    await record(bus, incident="inc1", out=tmp_path / "inc1.jsonl")
    found = list(read(tmp_path / "inc1.jsonl"))
    assert [message.stream for message in found] == [
        *("PLAYBOOKS", "ALERTS", "ALERTS", "INCIDENTS", "INCIDENTS", "INCIDENTS", "TIMERS", "DEADLETTERS")
    ]
    assert [message.decode().id for message in found[1:3]] == [mine[1].id, late[1].id]
    assert found[0].decode().data == pinned
    assert read_meta(tmp_path / "inc1.jsonl").incident == "inc1"


async def letter(bus: Connection, incident: str) -> None:
    parked = DeadLettered(
        service="notifier", stream="INCIDENTS", sequence=1, original_subject="x", reason="r", deliveries=1,
        headers={"ce-subject": incident},
    )  # fmt: skip
    envelope = caused_by(f"letter {incident}", 0, "notifier", "", datetime.now(UTC), parked)
    await bus.publish(deadletter_subject("notifier"), envelope)


async def test_an_incident_whose_playbook_was_never_published_is_recorded_without(
    bus: Connection, tmp_path: Path
) -> None:
    lost = PlaybookRef(name="lost", revision="0" * 12)
    await publish(bus, opened("inc1", playbook=lost), grouped(fired(), "inc1"))
    await bus.publish_raw(fired()[0], b"nonsense", {})
    done = await record(bus, incident="inc1", out=tmp_path / "inc1.jsonl")
    assert done.messages == {"INCIDENTS": 2}


async def test_part_of_an_incident_begins_where_it_is_told(bus: Connection, tmp_path: Path) -> None:
    await publish(bus, note("before", cause="1"))
    since = await server_now(bus)
    await publish(bus, note("after", cause="2"))
    await record(bus, incident="inc1", since=since, out=tmp_path / "inc1.jsonl")
    assert texts(tmp_path / "inc1.jsonl") == ["after"]


# --- following --------------------------------------------------------------------------------------------------------


async def test_what_comes_while_it_follows_is_recorded_in_order(bus: Connection, tmp_path: Path) -> None:
    stop = asyncio.Event()
    path = tmp_path / "all.jsonl"
    await publish(bus, fired(cause="first"))
    following = asyncio.create_task(record(bus, follow=True, stop=stop, out=path))
    for number in range(30):
        await publish(bus, note(str(number), cause=str(number)), fired(cause=str(number)))
        await asyncio.sleep(0.02)
    stop.set()
    done = await asyncio.wait_for(following, 20)
    found = list(read(path))
    assert done.messages == {"ALERTS": 31, "INCIDENTS": 30}
    assert [message.time for message in found] == sorted(message.time for message in found)


async def test_following_ends_at_its_end(bus: Connection, tmp_path: Path) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1)
    await publish(bus, note("in time"))
    await asyncio.wait_for(record(bus, follow=True, until=until, out=tmp_path / "all.jsonl"), 20)
    assert texts(tmp_path / "all.jsonl") == ["in time"]


# --- a server that goes away ------------------------------------------------------------------------------------------


async def test_a_restart_in_the_middle_loses_and_repeats_nothing(
    bus: Connection, nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bus.publish_all([note(str(n), cause=str(n)) for n in range(600)])
    monkeypatch.setattr(stored_module, "WRITE_TIMEOUT", 0.5)
    page = stored_module.read_page
    asked = 0

    async def restart_before_the_second(*given: object, **named: object) -> tuple[Sequence[Stored], bool]:
        nonlocal asked
        asked += 1
        if asked == 3:
            nats_server.kill()
            restarting = asyncio.create_task(asyncio.to_thread(nats_server.start))
            found = await page(*given, **named)  # type: ignore[arg-type]  # passed on as it came
            await restarting
            return found
        return await page(*given, **named)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(stored_module, "read_page", restart_before_the_second)
    await asyncio.wait_for(record(bus, out=tmp_path / "all.jsonl"), 40)
    assert texts(tmp_path / "all.jsonl") == [str(n) for n in range(600)]


async def test_a_server_that_stays_away_is_given_up_and_leaves_no_file(
    nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_module, "WRITE_TIMEOUT", 0.1)
    monkeypatch.setattr(stored_module, "_PAUSE", 10.0)
    clock = StillClock()
    async with connected(nats_server, clock) as bus:
        nats_server.kill()
        with pytest.raises(BusUnavailableError):
            await record(bus, out=tmp_path / "all.jsonl")
    assert clock.monotonic() >= 60
    assert nothing_in(tmp_path)


# --- refusals ---------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_recorded_is_refused(bus: Connection, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="METRICS cannot be recorded"):
        await record(bus, ("METRICS",), out=tmp_path / "x.jsonl")
    with pytest.raises(ValueError, match="there is no incident 'inc1'"):
        await record(bus, incident="inc1", out=tmp_path / "x.jsonl")
    with pytest.raises(ValueError, match="cannot be a token"):
        await record(bus, incident="*", out=tmp_path / "x.jsonl")
    with pytest.raises(ValueError, match="cannot be followed"):
        await record(bus, incident="inc1", follow=True, out=tmp_path / "x.jsonl")
    assert nothing_in(tmp_path)


async def test_a_server_without_our_streams_is_refused(nats_server: NatsServer, tmp_path: Path) -> None:
    async with connected(nats_server) as bus:
        with pytest.raises(BusUnavailableError, match="stream PLAYBOOKS: stream not found"):
            await record(bus, out=tmp_path / "x.jsonl")


# --- identities -------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "guarded", users=users({name: f"secret-{name}" for name in IDENTITIES})) as server:
        yield server


async def test_the_operator_may_record_everything(guarded: NatsServer, tmp_path: Path) -> None:
    async with Connection(Address(guarded.url, "operator", "secret-operator"), "operator") as bus:
        await ensure_streams(bus)
        await publish(bus, fired(), published())
        done = await record(bus, out=tmp_path / "all.jsonl")
    assert done.messages == {"ALERTS": 1, "PLAYBOOKS": 1}


async def test_a_source_of_alerts_may_not_record(
    guarded: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_module, "WRITE_TIMEOUT", 0.1)
    monkeypatch.setattr(stored_module, "_PATIENCE", 0.1)
    async with Connection(Address(guarded.url, "source", "secret-source"), "source") as bus:
        await ensure_streams(bus)
        await publish(bus, fired())
        with pytest.raises(BusUnavailableError, match="reading ALERTS"):
            await record(bus, ("ALERTS",), out=tmp_path / "all.jsonl")
