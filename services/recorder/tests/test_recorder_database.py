"""The database: each event once, a batch whole or not at all, any damage named; full or locked, it loses nothing."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recorder_builders import INCIDENT, NOW, a_whole_incident, after, as_log, envelope, every_event, opened, paged
from sqlalchemy import event as sql_event
from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from tocsin_recorder.adapters import store as store_module
from tocsin_recorder.adapters import tables
from tocsin_recorder.adapters.database import Database, DatabaseUnavailableError, WrongDatabaseError, _read_url
from tocsin_recorder.adapters.live import LiveFeed
from tocsin_recorder.adapters.queries import Queries
from tocsin_recorder.adapters.store import Position, Recorded, Store
from tocsin_recorder.core.fold import fold
from tocsin_recorder.core.timeline import Head, append
from tocsin_recorder.handlers import Recording
from tocsin_runtime import SystemClock
from tocsin_schemas import DeadLettered, Envelope, Payload, TimerDue
from tocsin_schemas import events as said
from tocsin_schemas.envelope import caused_by

LOG = as_log(a_whole_incident())
OTHER = "a2c3vq7d2m5x"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "timeline.db"


@contextlib.asynccontextmanager
async def opened_at(path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{path}")
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with opened_at(path) as database:
        yield database


async def everything(database: Database) -> list[tuple[Any, ...]]:
    """All that is stored about incidents."""
    async with database.reading() as connection:
        found: list[tuple[Any, ...]] = []
        for table in (tables.entries, tables.incidents, tables.positions, tables.dead_letters):
            found += [tuple(row) for row in await connection.execute(select(table).order_by(*table.primary_key))]
        return found


# --- each event once -------------------------------------------------------------------------------------------------


async def test_a_batch_is_on_the_timeline_with_its_position(database: Database) -> None:
    store, queries = Store(database), Queries(database)
    recorded = await store.record(LOG)
    assert recorded.incidents == (INCIDENT,)
    assert await store.position("INCIDENTS") == Position(26, LOG[-1].id)
    assert await queries.entries(INCIDENT) == list(recorded.entries)
    found = await queries.incident(INCIDENT)
    assert found is not None
    assert found.summary == fold(INCIDENT, LOG)
    assert found.head == recorded.entries[-1].head


async def test_the_same_batch_twice_changes_nothing(database: Database) -> None:
    store = Store(database)
    await store.record(LOG)
    before = await everything(database)
    assert await store.record(LOG) == Recorded()
    assert await everything(database) == before


async def test_a_batch_that_comes_late_does_not_move_the_position_back(database: Database) -> None:
    """As from a second recorder that shares the database and lags behind."""
    store = Store(database)
    await store.record(LOG)
    assert await store.record(LOG[:5]) == Recorded()
    assert (await store.position("INCIDENTS")).sequence == 26


async def test_batches_that_overlap_leave_no_gap_and_no_duplicate(database: Database) -> None:
    store = Store(database)
    for begin, end in ((0, 10), (5, 12), (3, 4), (12, 26)):
        await store.record(LOG[begin:end])
    entries = await Queries(database).entries(INCIDENT)
    assert [entry.id for entry in entries] == [event.id for event in LOG]
    assert [entry.seq for entry in entries] == list(range(1, 27))


@pytest.mark.parametrize("size", [1, 2, 7, 26])
async def test_however_it_is_cut_into_batches_the_timeline_is_the_same(tmp_path: Path, size: int) -> None:
    interleaved = sorted(LOG + as_log(a_whole_incident(), incident=OTHER, first=101), key=lambda event: event.id)
    log = [event.at(number) for number, event in enumerate(interleaved, 1)]
    found = []
    for cut in (size, len(log)):
        async with opened_at(tmp_path / f"{cut}.db") as database:
            for start in range(0, len(log), cut):
                await Store(database).record(log[start : start + cut])
            found.append(await everything(database))
            queries = Queries(database)
            for incident in (INCIDENT, OTHER):
                verified = await queries.verify(incident)
                assert verified is not None
                assert verified.broken is None
    assert found[0] == found[1]


async def test_an_event_that_stands_twice_in_the_log_stands_once_on_the_timeline(database: Database) -> None:
    again = [LOG[0], LOG[1], LOG[0].at(3), LOG[2].at(4), LOG[1].at(5)]
    recorded = await Store(database).record(again)
    assert [entry.id for entry in recorded.entries] == [LOG[0].id, LOG[1].id, LOG[2].id]
    assert (await Store(database).position("INCIDENTS")).sequence == 5


async def test_a_crash_inside_a_batch_leaves_neither_events_nor_position(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(database)
    await store.record(LOG[:5])
    before = await everything(database)

    async def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store_module, "_move_on", crash)
        with pytest.raises(KeyboardInterrupt):
            await store.record(LOG[5:])
    assert await everything(database) == before
    await store.record(LOG[5:])
    assert len(await Queries(database).entries(INCIDENT)) == 26


async def test_two_recorders_that_share_a_database_record_each_event_once(path: Path) -> None:
    async with opened_at(path) as one, opened_at(path) as two:
        batches = [LOG[start : start + 3] for start in range(0, len(LOG), 3)]
        for batch in batches:
            await asyncio.gather(Store(one).record(batch), Store(two).record(batch))
        verified = await Queries(two).verify(INCIDENT)
        assert verified is not None
        assert (verified.broken, verified.head.seq) == (None, 26)


async def test_it_is_still_there_when_it_is_opened_again(path: Path) -> None:
    async with opened_at(path) as database:
        await Store(database).record(LOG)
        before = await everything(database)
    async with opened_at(path) as database:
        assert await everything(database) == before


# --- what does not belong there --------------------------------------------------------------------------------------


async def test_what_has_no_place_on_a_timeline_is_set_aside_and_holds_nothing_up(database: Database) -> None:
    timer = TimerDue(incident="inc1", deadline="d", due_at=NOW)
    strange: list[Envelope[Payload]] = [
        LOG[0].at(1),
        caused_by("cause", 0, "escalator", "inc1", NOW, timer).at(2),
        replace(envelope(paged(), incident="../../etc/passwd"), sequence=3),
        replace(envelope(paged(page="p2")), id="\x00\x1b[2J", incident="", sequence=4),
        LOG[1].at(5),
    ]
    recorded = await Store(database).record(strange)
    assert (len(recorded.entries), recorded.set_aside) == (2, 3)
    letters, more = await Queries(database).dead_letters()
    assert not more
    assert {letter.stream_sequence for letter in letters} == {2, 3, 4}
    assert {letter.incident for letter in letters} == {"inc1", ""}
    assert all("cannot stand on a timeline" in letter.reason for letter in letters)
    assert await Store(database).record(strange) == Recorded()


async def test_dead_letters_are_kept_once_and_name_their_incident(database: Database) -> None:
    store, queries = Store(database), Queries(database)
    letters = [dead_letter(n, f"tocsin.incidents.{INCIDENT}.notifier.delivered") for n in range(1, 4)]
    letters += [dead_letter(4, "tocsin.alerts.7"), dead_letter(5, "tocsin.incidents.*.>.x")]
    assert await store.record_dead_letters(letters) == 5
    assert await store.record_dead_letters(letters) == 0
    assert await store.position("DEADLETTERS") == Position(5, letters[-1].id)
    assert await queries.count_dead_letters() == 5
    of_the_incident, _ = await queries.dead_letters(incident=INCIDENT)
    assert len(of_the_incident) == 3
    assert of_the_incident[0].payload == '{"page": \ufffd[2J'


async def test_a_message_among_the_dead_letters_that_is_none_is_kept_too(database: Database) -> None:
    stray = envelope(paged(), sequence=1)
    broken = replace(dead_letter(2, "x"), data=dead_letter(2, "x").data.model_copy(update={"payload_base64": "%%%"}))
    assert await Store(database).record_dead_letters([stray, broken]) == 2
    letters, _ = await Queries(database).dead_letters()
    assert {letter.payload == "(not base64)" for letter in letters} == {True, False}


def dead_letter(sequence: int, subject: str) -> Envelope[DeadLettered]:
    letter = DeadLettered(
        service="notifier",
        stream="INCIDENTS",
        sequence=sequence,
        original_subject=subject,
        reason="failed 8 times; last: KeyError('x')",
        deliveries=8,
        payload_base64="eyJwYWdlIjogG1sySg==",  # {"page": ESC[2J
    )
    return caused_by(f"letter-{sequence}", 0, "notifier", "", after(sequence), letter).at(sequence)


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", [column.name for column in tables.entries.columns])
async def test_one_changed_byte_anywhere_is_named(path: Path, column: str) -> None:
    async with opened_at(path) as database:
        await Store(database).record(LOG)
    victim = 13
    is_number = tables.entries.c[column].type.python_type is int
    changed = f"{column} + 100" if is_number else f"'~' || substr({column}, 2)"
    by_hand(path, f"UPDATE entries SET {column} = {changed} WHERE seq = {victim}")  # noqa: S608  # our own words
    async with opened_at(path) as database:
        verified = await Queries(database).verify(INCIDENT)
        assert verified is not None
        assert verified.broken is not None
        # An entry that was moved away is missed in its place, by the entry that stands there now.
        assert verified.broken.seq == (victim + 1 if column in ("seq", "incident") else victim)


async def test_a_byte_that_is_no_text_is_named_too(path: Path) -> None:
    async with opened_at(path) as database:
        await Store(database).record(LOG)
    by_hand(path, "UPDATE entries SET data = CAST(x'7bff7d' AS TEXT) WHERE seq = 4")
    async with opened_at(path) as database:
        verified = await Queries(database).verify(INCIDENT)
        assert verified is not None
        assert verified.broken is not None
        assert verified.broken.seq == 4


async def test_entries_cut_off_at_the_end_are_missed(path: Path) -> None:
    async with opened_at(path) as database:
        await Store(database).record(LOG)
    by_hand(path, "DELETE FROM entries WHERE seq > 20")
    async with opened_at(path) as database:
        verified = await Queries(database).verify(INCIDENT)
        assert verified is not None
        assert verified.broken is not None
        assert (verified.broken.seq, verified.broken.reason) == (
            21, "missing: the incident has 26 entries and 20 were found",
        )  # fmt: skip


async def test_nothing_can_be_verified_of_an_incident_that_is_not_there(database: Database) -> None:
    assert await Queries(database).verify("nobody") is None


@pytest.mark.parametrize("change", ["fold_version = 0", "summary = 'nonsense'", "fold_version = 99, summary = '{}'"])
async def test_a_summary_of_another_version_is_folded_anew_from_the_entries(path: Path, change: str) -> None:
    async with opened_at(path) as database:
        await Store(database).record(LOG[:20])
    by_hand(path, f"UPDATE incidents SET {change}")  # noqa: S608  # our own words
    async with opened_at(path) as database:
        found = await Queries(database).incident(INCIDENT)
        assert found is not None
        assert found.summary == fold(INCIDENT, LOG[:20])
        await Store(database).record(LOG[20:])
        found = await Queries(database).incident(INCIDENT)
        assert found is not None
        assert found.summary == fold(INCIDENT, LOG)


def by_hand(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


# --- a log that is another one ---------------------------------------------------------------------------------------


async def test_a_log_that_is_read_again_adds_what_is_new_and_removes_nothing(database: Database) -> None:
    store, queries = Store(database), Queries(database)
    await store.record(LOG[:20])
    await store.read_again("INCIDENTS", NOW, "nothing: it ends before")
    assert await store.position("INCIDENTS") == Position(0, "")
    lost_the_last_five = [*LOG[:15], LOG[24].at(16), LOG[25].at(17)]
    await store.record(lost_the_last_five)
    entries = await queries.entries(INCIDENT)
    assert [entry.id for entry in entries] == [event.id for event in (*LOG[:20], *LOG[24:])]
    assert [entry.seq for entry in entries] == list(range(1, 23))
    verified = await queries.verify(INCIDENT)
    assert verified is not None
    assert verified.broken is None
    (noted,) = await queries.breaks()
    assert (noted.stream, noted.sequence, noted.found) == ("INCIDENTS", 20, "nothing: it ends before")


# --- a database that does not take it --------------------------------------------------------------------------------


class FastClock(SystemClock):
    """Pauses take no time, and are remembered."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0.001)


async def test_a_full_disk_pauses_recording_and_truncates_nothing(path: Path) -> None:
    """SQLITE_FULL, as a full disk gives it: here by a limit of pages."""
    async with opened_at(path) as database:
        store, clock, pragma = Store(database), FastClock(), Pragma(database)
        recording = Recording(store, LiveFeed(1), clock)
        await recording.on_events(LOG[:10])
        before = await everything(database)
        pragma.text = "max_page_count=1"
        waiting = asyncio.create_task(recording.on_events(LOG[10:]))
        async with asyncio.timeout(20):
            while len(clock.pauses) < 8:
                await asyncio.sleep(0.005)
        problem = recording.problem()
        assert problem is not None
        assert "database or disk is full" in problem
        assert max(clock.pauses) <= 5.0
        assert await everything(database) == before
        pragma.text = "max_page_count=1073741823"
        await asyncio.wait_for(waiting, 20)
        assert recording.problem() is None
        assert len(await Queries(database).entries(INCIDENT)) == 26


class Pragma:
    """A pragma for whichever connection of the pool begins a transaction: each connection has its own limits."""

    def __init__(self, database: Database) -> None:
        self.text = "user_version"
        engine = database._engine
        assert engine is not None
        sql_event.listen(engine.sync_engine, "begin", self._set)

    def _set(self, connection: Any) -> None:  # `Any`: as SQLAlchemy has it
        connection.exec_driver_sql(f"PRAGMA {self.text}")


async def test_a_locked_database_is_waited_for(path: Path) -> None:
    async with opened_at(path) as database:
        clock = FastClock()
        recording = Recording(Store(database), LiveFeed(1), clock)
        Pragma(database).text = "busy_timeout=1"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(recording.on_events(LOG))
            async with asyncio.timeout(20):
                while not clock.pauses:
                    await asyncio.sleep(0.005)
            assert recording.problem() == "not recording: the timeline's database says: database is locked"
            somebody.execute("COMMIT")
        await asyncio.wait_for(waiting, 20)
        assert len(await Queries(database).entries(INCIDENT)) == 26


async def test_what_the_database_says_never_repeats_what_was_to_be_stored(path: Path) -> None:
    async with opened_at(path) as database:
        Pragma(database).text = "max_page_count=1"
        secret = opened(title="xoxb-secret-token" + "x" * 900)
        many = [envelope(secret, sequence=number, cause=str(number)) for number in range(1, 500)]
        with pytest.raises(DatabaseUnavailableError) as refused:
            await Store(database).record(many)
        assert "xoxb" not in str(refused.value)
        assert "INSERT" not in str(refused.value)


async def test_a_database_that_is_closed_says_so(database: Database) -> None:
    await database.close()
    with pytest.raises(DatabaseUnavailableError, match="is not open"):
        await Queries(database).incident(INCIDENT)
    await database.close()


async def test_all_connections_in_use_is_an_answer_and_no_wait_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_recorder.adapters.database._PATIENCE", 0.05)
    async with opened_at(path) as database, contextlib.AsyncExitStack() as readers:
        for _ in range(4):
            await readers.enter_async_context(database.reading())
        with pytest.raises(DatabaseUnavailableError, match="are in use"):
            await Queries(database).incident(INCIDENT)


# --- the wrong one ---------------------------------------------------------------------------------------------------


async def test_a_newer_schema_is_refused_with_what_to_do(path: Path) -> None:
    async with opened_at(path):
        pass
    by_hand(path, "UPDATE schema_version SET version = 99")
    with pytest.raises(WrongDatabaseError, match=r"schema version 99 .* start the newer recorder"):
        async with opened_at(path):
            pass


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite:///x.db", "postgresql+psycopg2://a:hunter2@h/d", "oracel://x"])
async def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(WrongDatabaseError) as refused:
        await Database(url).open()
    assert "sqlite+aiosqlite" in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_a_driver_that_is_not_installed_is_named() -> None:
    with pytest.raises(WrongDatabaseError, match=r"postgresql\+asyncpg is not installed: asyncpg is missing"):
        await Database("postgresql+asyncpg://a:b@h/d").open()


def test_the_drivers_that_the_documentation_names_are_taken() -> None:
    for url in ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite://", "postgresql+psycopg://a:b@h/d"):
        assert _read_url(url).drivername == url.split(":")[0]


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailableError, match="cannot create the folder"):
        await Database(f"sqlite+aiosqlite:///{tmp_path}/file/timeline.db").open()


async def test_commits_are_synced_and_readers_do_not_wait_for_the_writer(database: Database) -> None:
    async with database.writing() as writer, database.reading() as reader:
        for connection in (writer, reader):
            journal = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
            synced = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()
            assert (journal, synced) == ("wal", 2)  # 2 is FULL
        await writer.execute(tables.positions.update().values(sequence=7))
        assert (await reader.execute(select(tables.positions.c.sequence))).scalars().first() == 0


def test_the_schema_is_one_that_postgresql_takes() -> None:
    dialect = postgresql.dialect()
    for table in tables.metadata.sorted_tables:
        statement = str(CreateTable(table).compile(dialect=dialect))
        assert "CREATE TABLE" in statement
        for index in table.indexes:
            assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))


def test_every_id_that_is_kept_fits_its_column() -> None:
    for event in every_event():
        entry = append(Head("x" * 64), replace(envelope(event), id="ä" * 256, cause="\x00" * 256))
        for column in tables.entries.columns:
            length = getattr(column.type, "length", None)
            assert length is None or len(getattr(entry, column.name)) <= length, column.name


async def test_alerts_have_no_place_on_a_timeline(database: Database) -> None:
    alert = said.AlertResolved(
        fingerprint="0" * 16,
        episode="e",
        rule="r",
        labels={},
        source="s",
        ends_at=NOW,  # type: ignore[arg-type]
    )
    recorded = await Store(database).record([envelope(alert, sequence=1)])
    assert (recorded.entries, recorded.set_aside) == ((), 1)
