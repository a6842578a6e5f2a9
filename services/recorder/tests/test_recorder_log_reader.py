"""Whether the log is the one that is stored: asked before anything is taken, asked again as long as nobody knows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from nats.errors import NoRespondersError
from recorder_builders import a_whole_incident, as_log
from structlog.testing import capture_logs

from tocsin_recorder.adapters import log_reader
from tocsin_recorder.adapters.database import Database, DatabaseUnavailableError
from tocsin_recorder.adapters.log_reader import LogReader
from tocsin_recorder.adapters.queries import Queries
from tocsin_recorder.adapters.store import Position, Store
from tocsin_runtime import SystemClock
from tocsin_schemas import Envelope, Payload

LOG = as_log(a_whole_incident())
LAST = LOG[9]
THERE = {"Nats-Sequence": "10", "ce-id": LAST.id}


class Answer:
    def __init__(self, headers: dict[str, str] | None) -> None:
        self.headers = headers


class Bus:
    """A connection that answers as it is told. Any other question fails the test."""

    def __init__(self) -> None:
        self.answers: list[dict[str, str] | Exception | None] = []
        self.last_dead_letter: int | None = 0
        self.reconnected: Callable[[], None] = lambda: None
        self.client = self

    async def request(self, subject: str, body: bytes = b"", *, timeout: float = 0) -> Any:  # as nats-py has it
        if subject == "$JS.API.STREAM.INFO.DEADLETTERS":
            if self.last_dead_letter is None:
                return {"error": {"description": "stream not found"}}
            return {"state": {"last_seq": self.last_dead_letter}}
        assert (subject, body) == ("$JS.API.DIRECT.GET.INCIDENTS", b'{"seq":10}')
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer)

    def on_reconnect(self, call: Callable[[], None]) -> None:
        self.reconnected = call


class Follower:
    def __init__(self, take: Any) -> None:
        self.take, self.position, self.caught_up, self.stopped = take, 0, asyncio.Event(), False

    async def start(self) -> None:
        self.caught_up.set()

    async def stop(self) -> None:
        self.stopped = True


class World:
    """What a LogReader needs of its host, with ten events stored."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.connection = store, SystemClock(), Bus()
        self.followers: dict[str, list[Follower]] = {"INCIDENTS": [], "DEADLETTERS": []}
        self.starts: list[Callable[[], Any]] = []
        self.work: list[Callable[[], Any]] = []
        self.taken: list[Envelope[Payload]] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.reader = LogReader(self, store, self.on_events, self.on_events)  # type: ignore[arg-type]  # all it needs

    def follow(self, stream: str, filters: tuple[str, ...], take: Any, *, gather: float = 0) -> Follower:
        self.followers[stream].append(Follower(take))
        return self.followers[stream][-1]

    def at_start(self, call: Callable[[], Any]) -> None:
        self.starts.append(call)

    def background(self, name: str, work: Callable[[], Any]) -> None:
        self.work.append(work)

    async def on_events(self, events: Sequence[Envelope[Payload]]) -> None:
        await self.hold.wait()
        self.taken += events

    async def start(self) -> None:
        for call in self.starts:
            await call()

    @property
    def follower(self) -> Follower:
        return self.followers["INCIDENTS"][-1]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.005)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(log_reader, "_ASK_AGAIN", 0.01)
    monkeypatch.setattr(log_reader, "_GRACE", 0.05)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/timeline.db")
    await database.open()
    store = Store(database)
    await store.record(LOG[:10])
    made = World(store)
    yield made
    made.hold.set()
    await made.reader.stop()
    await database.close()


async def test_the_log_that_is_stored_is_followed_from_where_it_is_stored(world: World) -> None:
    world.connection.answers = [THERE]
    await world.start()
    assert world.follower.position == 10
    assert world.reader.problem() == "catching up, at 10"
    world.follower.caught_up.set()
    assert world.reader.problem() is None


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"Status": "404", "Description": "Message Not Found"}, "nothing: it ends before"),
        ({"Nats-Sequence": "10", "ce-id": "another"}, "another event: another"),
        ({"Nats-Sequence": "10"}, "another event: sha256-"),
        ({"Nats-Sequence": "10", "ce-id": "%ff"}, "an event that cannot be read: ce-id"),
    ],
)
async def test_another_log_is_noted_and_read_from_its_beginning(
    world: World, headers: dict[str, str], found: str
) -> None:
    world.connection.answers = [headers]
    await world.start()
    assert world.follower.position == 0
    assert await world.store.position("INCIDENTS") == Position(0, "")
    (noted,) = await Queries(world.store._database).breaks()
    assert noted.found.startswith(found)


@pytest.mark.parametrize("answer", [NoRespondersError(), {"Status": "503"}, None])
async def test_it_starts_as_soon_as_there_is_an_answer(world: World, answer: Any) -> None:
    world.connection.answers = [answer, answer, THERE]
    with capture_logs() as said:
        await world.start()
    waits = [each for each in said if each["event"] == "cannot compare the log yet"]
    assert len(waits) == 2
    assert all("reading event 10" in each["reason"] for each in waits)
    assert world.connection.answers == []


async def test_dead_letters_that_begin_anew_are_read_anew(world: World) -> None:
    async with world.store._database.writing() as connection:
        await connection.exec_driver_sql(
            "UPDATE positions SET sequence = 7, message_id = 'x' WHERE stream = 'DEADLETTERS'"
        )
    world.connection.answers, world.connection.last_dead_letter = [THERE, THERE], 7
    await world.start()
    assert world.followers["DEADLETTERS"][-1].position == 7
    await world.reader.stop()
    world.connection.last_dead_letter = 3
    again = World(world.store)
    again.connection = world.connection
    await again.start()
    assert again.followers["DEADLETTERS"][-1].position == 0
    await again.reader.stop()


async def test_after_a_reconnect_nothing_is_taken_until_the_log_is_known(world: World) -> None:
    world.connection.answers = [THERE]
    await world.start()
    world.connection.answers = [NoRespondersError(), {"Status": "503"}, THERE]
    world.connection.reconnected()
    taking = asyncio.create_task(world.follower.take(LOG[10:12]))
    await asyncio.sleep(0)
    assert world.reader.problem() == "making sure that the log is the one that is stored"
    assert world.taken == []
    await asyncio.wait_for(taking, 10)
    assert (world.taken, world.connection.answers) == (LOG[10:12], [])
    assert len(world.followers["INCIDENTS"]) == 1


async def test_a_log_that_is_another_after_a_reconnect_is_followed_anew(world: World) -> None:
    world.connection.answers = [THERE]
    await world.start()
    before = world.follower
    world.connection.answers = [{"Status": "404"}]
    world.connection.reconnected()
    of_the_old_log = asyncio.create_task(before.take(LOG[10:12]))
    await world.until(lambda: len(world.followers["INCIDENTS"]) == 2)
    await world.until(lambda: world.reader.problem() is None)
    assert before.stopped
    assert before.caught_up.is_set()  # a host that is starting must not wait for it
    assert world.follower.position == 0
    of_the_old_log.cancel()
    await asyncio.gather(of_the_old_log, return_exceptions=True)


async def test_what_is_being_stored_is_stored_before_the_log_is_compared(world: World) -> None:
    """Otherwise a batch of the old log could be stored after the position was rewound, and move it on again."""
    world.connection.answers = [THERE]
    await world.start()
    world.hold.clear()
    taking = asyncio.create_task(world.follower.take(LOG[10:12]))
    await asyncio.sleep(0.01)
    world.connection.answers = [THERE]
    world.connection.reconnected()
    await asyncio.sleep(0.05)
    assert world.connection.answers == [THERE]  # not asked yet
    world.hold.set()
    await taking
    await world.until(lambda: world.connection.answers == [])


async def test_a_database_that_does_not_answer_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.connection.answers = [THERE]
    await world.start()
    answers: list[Any] = [DatabaseUnavailableError("locked"), Position(10, LAST.id)]

    async def position(stream: str) -> Position:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]  # the list above

    monkeypatch.setattr(world.store, "position", position)
    world.connection.answers = [THERE]
    world.connection.reconnected()
    await world.until(lambda: answers == [] and "making sure" not in (world.reader.problem() or ""))


async def test_stopping_waits_for_what_is_being_stored_but_not_for_ever(world: World) -> None:
    world.connection.answers = [THERE]
    await world.start()
    world.hold.clear()
    taking = asyncio.create_task(world.follower.take(LOG[10:12]))
    await asyncio.sleep(0.01)
    await asyncio.wait_for(world.reader.stop(), 5)
    assert world.follower.stopped
    await world.reader.stop()
    world.hold.set()
    await taking


async def test_the_service_ends_if_nobody_watches_the_log_any_more(world: World) -> None:
    world.connection.answers = [THERE]
    await world.start()
    world.connection.answers = []  # a question that nobody expects: an error of ours
    world.connection.reconnected()
    with pytest.raises(IndexError):
        await asyncio.wait_for(world.work[0](), 10)
    with contextlib.suppress(asyncio.TimeoutError):
        assert "making sure" in (world.reader.problem() or "")
