"""The recorder in a simulation: the real service, over a database in memory that outlives it.

It takes time that most simulations need not spend, so only profiles that say so have one.
"""

import sqlite3
from collections import defaultdict
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

from nats.errors import TimeoutError as NatsTimeoutError
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only

from tocsin_recorder.app import build
from tocsin_recorder.core.timeline import Entry
from tocsin_recorder.settings import RecorderSettings
from tocsin_rehearsal.bus.broker import Broker
from tocsin_rehearsal.bus.link import ModelBus, ModelConnection
from tocsin_rehearsal.bus.readers import ModelFollower
from tocsin_rehearsal.loop import Life, VirtualLoop
from tocsin_rehearsal.replicas import Replica
from tocsin_rehearsal.time import VirtualClock
from tocsin_rehearsal.world import World
from tocsin_runtime import BusUnavailableError, Host, load_settings
from tocsin_runtime.bus.connection import Connection
from tocsin_runtime.bus.follow import Follower, OnEvents

__all__ = ["RECORDER", "Timeline", "add_recorder"]

RECORDER = "recorder-1"

_NEVER = 10.0**8
_numbers = count(1)


def add_recorder(world: World) -> "Timeline":
    """Start a recorder in this world, with an empty timeline."""
    timeline = Timeline()
    clock = VirtualClock(world.loop, world.start)
    world.replicas[RECORDER] = replica = _Recorder(timeline, clock)
    replica.start(world.loop, world.broker)
    return timeline


class Timeline:
    """What is stored, in SQLite's memory: shared by connections, and there as long as one of them is open."""

    def __init__(self) -> None:
        self._name = f"file:timeline-{next(_numbers)}"
        self._kept = sqlite3.connect(
            f"{self._name}?mode=memory&cache=shared", uri=True
        )  # as long as this is open it is all there

    @property
    def url(self) -> str:
        return f"sqlite+simulated:///{self._name}?mode=memory&cache=shared&uri=true"

    def entries(self) -> list[Entry]:
        """All, by incident and number."""
        names = Entry.__slots__
        rows = self._kept.execute(f"SELECT {', '.join(names)} FROM entries ORDER BY incident, seq")  # noqa: S608  # ours
        return [Entry(**dict(zip(names, row, strict=True))) for row in rows]

    def incidents(self) -> dict[str, tuple[int, str, str]]:
        """By id: its number of entries, where its chain ends, and its summary as JSON."""
        rows = self._kept.execute("SELECT id, entries, head_hash, summary FROM incidents")
        return {name: (entries, head, summary) for name, entries, head, summary in rows}

    def position(self, stream: str) -> int:
        """How far this stream is stored."""
        found = self._kept.execute("SELECT sequence FROM positions WHERE stream = ?", (stream,)).fetchone()
        return int(found[0])

    def let_go(self) -> None:
        """Whoever used it is dead: what had begun is undone, as a database does when a process is gone."""
        for dialect, connection in _in_use.pop(self._name, ()):
            dialect.is_async = False  # so that SQLAlchemy puts away what nobody closed, rather than warn of it
            connection.rollback()

    def close(self) -> None:
        """Drop all that is stored."""
        self.let_go()
        self._kept.close()


# --- a database without threads ---------------------------------------------------------------------------------------


async def _at_once() -> None:
    """What is awaited for each statement: nothing."""


class _Cursor(sqlite3.Cursor):
    """SQLAlchemy insists that statements are awaited."""

    def execute(self, statement: str, values: Any = ()) -> "_Cursor":  # Any: as SQLAlchemy gives them
        await_only(_at_once())
        super().execute(statement, values)
        return self

    def executemany(self, statement: str, values: Any) -> "_Cursor":  # Any: as SQLAlchemy gives them
        await_only(_at_once())
        super().executemany(statement, values)
        return self

    async def _async_soft_close(self) -> None:
        """Nothing is fetched in the background."""


class _Connected(sqlite3.Connection):
    """What the recorder prepares as it prepares a connection of aiosqlite."""

    def cursor(self, *_: object) -> _Cursor:  # type: ignore[override]  # one kind of cursor is all that is needed
        return super().cursor(_Cursor)

    @property
    def driver_connection(self) -> "_Connected":
        return self


class _Dialect(SQLiteDialect_pysqlite):
    """SQLite on the spot. SQLAlchemy asks of an asynchronous driver only that it says it is one."""

    driver = "simulated"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: Any) -> type[AsyncAdaptedQueuePool]:  # Any: as SQLAlchemy declares it
        return AsyncAdaptedQueuePool

    def connect(self, *args: Any, **options: Any) -> Any:  # Any: as SQLAlchemy declares it
        connection = super().connect(*args, factory=_Connected, **options)
        _in_use[args[0].partition("?")[0]].append((self, cast(_Connected, connection)))
        return connection


_in_use: defaultdict[str, list[tuple[_Dialect, _Connected]]] = defaultdict(list)
"""By name of the database: the connections that the living recorder has opened."""


registry.register("sqlite.simulated", __name__, "_Dialect")


# --- the replica ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    headers: dict[str, str]
    data: bytes = field(default=b"", repr=False)


class _Client:
    """Of NATS' client the one request that the recorder makes by itself: which event stands at a place of the log."""

    def __init__(self, connection: "_RecorderConnection") -> None:
        self._connection = connection

    async def request(self, subject: str, payload: bytes, timeout: float) -> _Answer:  # as it is there
        try:
            return await self._connection.event_at(int(payload.removeprefix(b'{"seq":').removesuffix(b"}")))
        except BusUnavailableError:
            raise NatsTimeoutError from None


class _RecorderConnection(ModelConnection):
    """A connection that can also be asked how the streams stand."""

    @property
    def client(self) -> _Client:
        return _Client(self)

    async def event_at(self, sequence: int) -> _Answer:
        stored = await self._link.exchange("event at", lambda: self._link.broker.streams["INCIDENTS"].at(sequence))
        if stored is None:
            return _Answer({"Status": "404"})
        return _Answer({"Nats-Sequence": str(sequence), "ce-id": stored.envelope.id})

    async def request(self, subject: str, payload: bytes = b"") -> dict[str, Any]:  # Any: JSON
        """As `Connection.request`, for how far a stream goes."""
        stream = subject.removeprefix("$JS.API.STREAM.INFO.")
        last = await self._link.repeated("stream info", lambda: self._link.broker.streams[stream].last)
        return {"state": {"last_seq": last}}


class _Follower(ModelFollower):
    """One that can be told where to begin."""

    @property
    def position(self) -> int:
        return super().position

    @position.setter
    def position(self, at: int) -> None:
        self._place.move(at)


class _RecorderBus(ModelBus):
    def __init__(self, broker: Broker, life: Life, clock: VirtualClock) -> None:
        super().__init__(broker, life, "recorder", clock)
        self.connection = cast(Connection, _RecorderConnection(self._link, clock))

    def follower(
        self, stream: str, filters: tuple[str, ...], on_events: OnEvents, *, after: int = 0, gather: float = 0.0
    ) -> Follower:
        return cast(Follower, _Follower(self._link, stream, filters, on_events, after, gather))


class _Recorder(Replica):
    """As the other replicas are; its database is what it finds again."""

    def __init__(self, timeline: Timeline, clock: VirtualClock) -> None:
        settings = load_settings(RecorderSettings, {}, nats_url="nats://model", database_url=timeline.url)
        self._timeline = timeline
        super().__init__(RECORDER, "recorder", settings, lambda life: build, clock)

    def start(self, loop: VirtualLoop, broker: Broker) -> None:
        if self.is_up:
            return
        self._timeline.let_go()
        self.lives += 1
        life = self.life = Life(f"{self.name}#{self.lives}")
        bus = _RecorderBus(broker, life, self.clock)

        async def live() -> None:
            host = self.host = Host(
                self._settings, build, clock=self.clock, bus=bus, replica=life.name, look_after=_NEVER
            )
            await host.start()

        self._started = copy_context().run(loop.start, life, live())
