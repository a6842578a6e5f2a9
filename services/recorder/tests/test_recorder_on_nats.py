"""The wired recorder on a real nats-server: gapless, once, whatever is stopped, killed, delivered again or lost."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from recorder_builders import ADA, INCIDENT, NOW, a_whole_incident, as_log, envelope, opened

from tocsin_recorder.app import build
from tocsin_recorder.settings import RecorderSettings
from tocsin_runtime import Address, Connection, Host
from tocsin_runtime.bus.log import Append, IncidentLog
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.identities import IDENTITIES, users
from tocsin_schemas import DeadLettered, Envelope, Event, TimerDue, encode
from tocsin_schemas import events as said
from tocsin_schemas.envelope import caused_by
from tocsin_schemas.subjects import deadletter_subject, incident_filter
from tocsin_testkit.nats import NatsServer


class Others:
    """The other services, as far as the recorder sees them: what they append to the log."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.log = connection, IncidentLog(connection)
        self.written: dict[str, list[str]] = {}
        self._last: dict[str, int] = {}

    async def say(self, events: Sequence[Envelope[Event]]) -> None:
        """Append these events about one incident."""
        incident = events[0].incident
        for start in range(0, len(events), 500):
            append = Append(
                incident, tuple(events[start : start + 500]), self._last.get(incident, 0), incident_filter(incident)
            )
            (stored,) = await self.log.append([append])
            self._last[incident] = stored[-1].sequence
            self.written.setdefault(incident, []).extend(event.id for event in stored)


@pytest.fixture
async def others(nats_server: NatsServer) -> AsyncIterator[Others]:
    connection = Connection(Address(nats_server.url), "others")
    await connection.open()
    await ensure_streams(connection)
    yield Others(connection)
    await connection.close()


def notes(incident: str, first: int, last: int) -> list[Envelope[Event]]:
    return [
        envelope(said.NoteAdded(text=f"note {number}", by=ADA), at=number, incident=incident, cause=f"note {number}")
        for number in range(first, last + 1)
    ]


class Recorder:
    """A recorder in this process, and what it answers."""

    def __init__(self, host: Host[RecorderSettings]) -> None:
        self.host = host
        self.client = httpx.AsyncClient(base_url=host.ops.url, timeout=10)

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ids(self, incident: str) -> list[str]:
        """The ids on the timeline, which must be numbered from 1 without a gap and hold as a chain."""
        found: list[Any] = []
        while True:
            page = await self.get(f"/api/v1/incidents/{incident}/timeline?limit=1000&after={len(found)}")
            found += page["entries"]
            if page["next_after"] is None:
                break
        assert [entry["seq"] for entry in found] == list(range(1, len(found) + 1))
        assert (await self.get(f"/api/v1/incidents/{incident}/verify"))["intact"]
        return [entry["id"] for entry in found]

    async def has(self, incident: str, number: int) -> None:
        """Wait until this many entries are there."""

        async def enough() -> bool:
            answer = await self.client.get(f"/api/v1/incidents/{incident}")
            return answer.status_code == 200 and answer.json()["entries"] >= number

        await until(enough)


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(40):
        while not await holds():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def recording(nats: NatsServer, database: Path, *, password: str = "") -> AsyncIterator[Recorder]:
    settings = RecorderSettings(
        nats_url=nats.url,
        nats_user="recorder" if password else "",
        nats_password=password,  # type: ignore[arg-type]  # read as a secret
        nats_monitor_url=nats.monitor_url,
        http_port=0,
        database_url=f"sqlite+aiosqlite:///{database}",  # type: ignore[arg-type]  # read as a secret
    )
    host = Host(settings, build)
    recorder = Recorder(host)
    try:
        await host.start()
        yield recorder
    finally:
        await recorder.client.aclose()
        await host.stop()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "timeline.db"


# --- from the log to people ------------------------------------------------------------------------------------------


async def test_what_the_services_say_is_on_the_timeline_and_on_the_page(
    nats_server: NatsServer, others: Others, database: Path
) -> None:
    log = as_log(a_whole_incident())
    await others.say(log[:10])
    async with recording(nats_server, database) as recorder:
        assert await recorder.ids(INCIDENT) == others.written[INCIDENT]
        await others.say(log[10:])
        await recorder.has(INCIDENT, 26)
        assert await recorder.ids(INCIDENT) == others.written[INCIDENT]
        assert (await recorder.get(f"/api/v1/incidents/{INCIDENT}"))["time_to_resolve"] == 23.9
        assert "Paged ada (level 1)" in (await recorder.client.get(f"/incidents/{INCIDENT}")).text
        assert (await recorder.get("/readyz"))["ready"]
        assert "tocsin_recorded_entries_total" in (await recorder.client.get("/metrics")).text


async def test_a_page_that_watches_is_told_and_the_stream_ends_with_the_service(
    nats_server: NatsServer, others: Others, database: Path
) -> None:
    story = as_log(a_whole_incident())
    await others.say(story[:1])
    lines: list[str] = []

    async def watch(recorder: Recorder) -> None:
        async with recorder.client.stream("GET", f"/api/v1/stream?incident={INCIDENT}&after=1", timeout=60) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                lines.append(line)  # noqa: PERF401  # the test reads them while they come

    async with recording(nats_server, database) as recorder:
        watching = asyncio.create_task(watch(recorder))
        await others.say(story[1:3])

        async def told() -> bool:
            return lines.count("event: entry") == 2

        await until(told)
        begin = asyncio.get_running_loop().time()
        await recorder.host.stop()
        await asyncio.wait_for(watching, 10)
        assert asyncio.get_running_loop().time() - begin < 30
    assert [line for line in lines if line.startswith("id: ")] == ["id: 2", "id: 3"]


async def test_it_needs_no_more_than_its_identity_may(tmp_path: Path, database: Path) -> None:
    """Also to compare the log after a reconnect: a question that it may not ask would never be answered."""
    passwords = {name: f"secret-of-{name}" for name in IDENTITIES}
    with NatsServer(tmp_path / "guarded", users=users(passwords)) as nats:
        writer = Connection(Address(nats.url, "escalator", passwords["escalator"]), "escalator")
        await writer.open()
        await ensure_streams(writer)
        others = Others(writer)
        async with recording(nats, database, password=passwords["recorder"]) as recorder:
            await others.say([envelope(opened())])
            await recorder.has(INCIDENT, 1)
            await asyncio.to_thread(nats.kill)
            await asyncio.to_thread(nats.start)
            await connected(others)
            await others.say(notes(INCIDENT, 1, 3))
            await recorder.has(INCIDENT, 4)
        async with recording(nats, database, password=passwords["recorder"]) as recorder:
            assert await recorder.ids(INCIDENT) == others.written[INCIDENT]
        await writer.close()


async def test_what_could_not_be_handled_is_shown(nats_server: NatsServer, others: Others, database: Path) -> None:
    letter = DeadLettered(
        service="notifier",
        stream="INCIDENTS",
        sequence=7,
        original_subject=f"tocsin.incidents.{INCIDENT}.escalator.opened",
        reason="failed 8 times; last: KeyError('channel')",
        deliveries=8,
    )
    await others.connection.publish(deadletter_subject("notifier"), caused_by("x", 0, "notifier", "", NOW, letter))
    await others.say([envelope(opened())])
    async with recording(nats_server, database) as recorder:
        assert (await recorder.get("/api/v1/dead-letters"))["dead_letters"][0]["reason"] == letter.reason
        assert "KeyError" in (await recorder.client.get(f"/incidents/{INCIDENT}")).text


async def test_a_message_that_has_no_place_there_holds_nothing_up(
    nats_server: NatsServer, others: Others, database: Path
) -> None:
    await others.say([envelope(opened())])
    headers, body = encode(
        caused_by("t", 0, "escalator", INCIDENT, NOW, TimerDue(incident="x", deadline="d", due_at=NOW))
    )
    await others.connection.publish_raw(f"tocsin.incidents.{INCIDENT}.escalator.opened", body, headers)
    await others.connection.publish_raw(f"tocsin.incidents.{INCIDENT}.escalator.opened", b"\xff\x00", {"ce-id": "x"})
    others._last[INCIDENT] = 3
    await others.say(notes(INCIDENT, 1, 2))
    async with recording(nats_server, database) as recorder:
        assert await recorder.ids(INCIDENT) == others.written[INCIDENT]
        letters = (await recorder.get("/api/v1/dead-letters"))["dead_letters"]
        assert [letter["stream_sequence"] for letter in letters] == [2]


# --- stopped, killed, twice ------------------------------------------------------------------------------------------


async def test_two_thousand_events_while_it_was_down_are_caught_up_with_without_a_gap(
    nats_server: NatsServer, others: Others, database: Path
) -> None:
    await others.say([envelope(opened())])
    async with recording(nats_server, database) as recorder:
        await recorder.has(INCIDENT, 1)
    await others.say(notes(INCIDENT, 1, 2000))
    async with recording(nats_server, database) as recorder:
        assert (await recorder.get("/readyz"))["ready"]  # ready means caught up
        assert await recorder.ids(INCIDENT) == others.written[INCIDENT]


async def test_replicas_each_have_the_whole_timeline_and_the_same_chain(
    nats_server: NatsServer, others: Others, tmp_path: Path
) -> None:
    async with (
        recording(nats_server, tmp_path / "one.db") as one,
        recording(nats_server, tmp_path / "two.db") as two,
        recording(nats_server, tmp_path / "two.db") as shares_with_two,
    ):
        await others.say(as_log(a_whole_incident()))
        heads = set()
        for recorder in (one, two, shares_with_two):
            await recorder.has(INCIDENT, 26)
            assert await recorder.ids(INCIDENT) == others.written[INCIDENT]
            heads.add((await recorder.get(f"/api/v1/incidents/{INCIDENT}"))["head_hash"])
        assert len(heads) == 1


async def test_a_database_that_is_thrown_away_is_rebuilt_from_the_log(
    nats_server: NatsServer, others: Others, database: Path
) -> None:
    await others.say(as_log(a_whole_incident()))
    async with recording(nats_server, database) as recorder:
        before = await recorder.get(f"/api/v1/incidents/{INCIDENT}")
    for file in ("", "-wal", "-shm"):
        await asyncio.to_thread(Path(f"{database}{file}").unlink, missing_ok=True)
    async with recording(nats_server, database) as recorder:
        assert await recorder.get(f"/api/v1/incidents/{INCIDENT}") == before


async def test_killed_in_the_middle_of_its_work_again_and_again_it_misses_nothing_and_doubles_nothing(
    nats_server: NatsServer, others: Others, database: Path, tmp_path: Path
) -> None:
    """kill -9 of a real process while it writes, wherever that hits it."""
    await others.say([envelope(opened())])
    await others.say(notes(INCIDENT, 1, 3000))
    counts = [0]
    for number in range(3):
        with (tmp_path / f"recorder-{number}.log").open("wb") as output:
            child = as_a_process(nats_server, database, output)
            try:
                before = counts[-1]

                async def has_moved_on(before: int = before) -> bool:
                    return stored(database) > before

                await until(has_moved_on)
            finally:
                child.kill()
                child.wait()
        counts.append(stored(database))
        await others.say(notes(INCIDENT, 3001 + number * 200, 3200 + number * 200))
    assert counts == sorted(set(counts)), "every start went on from where the one before was killed"
    async with recording(nats_server, database) as recorder:
        assert await recorder.ids(INCIDENT) == others.written[INCIDENT]


def as_a_process(nats: NatsServer, database: Path, output: Any) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "TOCSIN_NATS_URL": nats.url,
        "TOCSIN_NATS_MONITOR_URL": nats.monitor_url,
        "TOCSIN_HTTP_PORT": "0",
        "TOCSIN_RECORDER_DATABASE_URL": f"sqlite+aiosqlite:///{database}",
    }
    return subprocess.Popen([sys.executable, "-m", "tocsin_recorder"], env=environment, stdout=output, stderr=output)


def stored(database: Path) -> int:
    """How many entries are committed, as another process sees it."""
    if not database.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
        except sqlite3.OperationalError:  # the schema is being created
            return 0


# --- the broker ------------------------------------------------------------------------------------------------------


async def test_a_broker_that_is_killed_and_comes_back_leaves_no_gap(
    nats_server: NatsServer, others: Others, database: Path
) -> None:
    await others.say([envelope(opened())])
    async with recording(nats_server, database) as recorder:
        for round_ in range(3):
            await others.say(notes(INCIDENT, round_ * 50 + 1, round_ * 50 + 50))
            await asyncio.to_thread(nats_server.kill)
            assert (await recorder.client.get("/readyz")).status_code == 503
            assert (await recorder.client.get("/")).status_code == 200  # what is recorded can be read
            await asyncio.to_thread(nats_server.start)
            await connected(others)
        await recorder.has(INCIDENT, 151)
        assert await recorder.ids(INCIDENT) == others.written[INCIDENT]

        async def ready() -> bool:
            return (await recorder.client.get("/readyz")).status_code == 200

        await until(ready)
        assert (await recorder.get("/api/v1/dead-letters"))["log_breaks"] == []


@pytest.mark.parametrize("running", [True, False], ids=["while it runs", "while it is down"])
async def test_a_log_that_lost_its_end_is_noticed_noted_and_read_again(
    nats_server: NatsServer, others: Others, database: Path, tmp_path: Path, running: bool
) -> None:
    """As after a power failure of a server that did not sync: other events stand where those that were lost stood."""
    await others.say([envelope(opened())])
    await asyncio.to_thread(nats_server.stop)
    shutil.copytree(nats_server.store, tmp_path / "earlier")
    await asyncio.to_thread(nats_server.start)
    await connected(others)

    async with contextlib.AsyncExitStack() as stack:
        recorder = await stack.enter_async_context(recording(nats_server, database))
        await others.say(notes(INCIDENT, 1, 5))
        await recorder.has(INCIDENT, 6)
        lost = others.written.pop(INCIDENT)
        if not running:
            await stack.aclose()

        await asyncio.to_thread(nats_server.stop)
        shutil.rmtree(nats_server.store)
        shutil.copytree(tmp_path / "earlier", nats_server.store)
        await asyncio.to_thread(nats_server.start)
        await connected(others)
        others._last[INCIDENT] = 1
        await others.say(notes(INCIDENT, 101, 103))

        if not running:
            recorder = await stack.enter_async_context(recording(nats_server, database))
        await recorder.has(INCIDENT, 9)
        assert await recorder.ids(INCIDENT) == lost + others.written[INCIDENT]
        (noted,) = (await recorder.get("/api/v1/dead-letters"))["log_breaks"]
        assert (noted["stream"], noted["sequence"]) == ("INCIDENTS", 6)
        await others.say(notes(INCIDENT, 104, 120))
        await recorder.has(INCIDENT, 26)
        assert await recorder.ids(INCIDENT) == lost + others.written[INCIDENT]


async def test_a_log_that_was_lost_whole_begins_anew_and_the_timeline_keeps_what_it_has(
    nats_server: NatsServer, others: Others, database: Path
) -> None:
    await others.say([envelope(opened()), *notes(INCIDENT, 1, 5)])
    async with recording(nats_server, database) as recorder:
        await recorder.has(INCIDENT, 6)
        await asyncio.to_thread(nats_server.stop)
        shutil.rmtree(nats_server.store)
        await asyncio.to_thread(nats_server.start)
        await connected(others)
        await ensure_streams(others.connection)
        await others.say([envelope(opened(), incident="another")])
        await recorder.has("another", 1)
        assert len(await recorder.ids(INCIDENT)) == 6


async def connected(others: Others) -> None:
    async def is_so() -> bool:
        return others.connection.is_connected

    await until(is_so)


# --- starting --------------------------------------------------------------------------------------------------------


async def test_while_it_starts_it_says_that_it_cannot_answer_yet(nats_server: NatsServer, database: Path) -> None:
    settings = RecorderSettings(
        nats_url="nats://127.0.0.1:1",  # nobody is there
        http_port=0,
        database_url=f"sqlite+aiosqlite:///{database}",  # type: ignore[arg-type]  # read as a secret
    )
    host = Host(settings, build)
    starting = asyncio.create_task(host.start())
    try:
        async with httpx.AsyncClient(base_url=host.ops.url) as client:

            async def answers() -> bool:
                with contextlib.suppress(httpx.ConnectError):
                    return (await client.get("/api/v1/incidents")).status_code == 503
                return False

            await until(answers)
            assert "timeline" in (await client.get("/readyz")).json()["problems"]
    finally:
        while not starting.done():  # a wait_for of Python 3.11 may swallow one (cpython#86296)
            starting.cancel()
            await asyncio.wait([starting], timeout=0.5)
        await host.stop()
