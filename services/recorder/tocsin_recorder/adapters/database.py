"""The database: opened, checked and guarded. What is stored in it is in `store`, what is read from it in `queries`.

SQLite by default, in WAL mode with every commit synced. A database that cannot be written to (locked, full, gone)
is a DatabaseUnavailableError: whoever writes waits and writes again; nothing is ever thrown away to make room.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, insert, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tocsin_recorder.adapters.tables import SCHEMA_VERSION, metadata, positions, schema_version

__all__ = ["STREAMS", "Database", "DatabaseUnavailableError", "WrongDatabaseError"]

STREAMS = ("INCIDENTS", "DEADLETTERS")

_CONNECTIONS = 4
_PATIENCE = 5.0


class DatabaseUnavailableError(Exception):
    """The database does not answer or does not take what is written. It may again; the reason says what it said."""


class WrongDatabaseError(Exception):
    """This database is not one that we can use. Says what it is, and what to do."""


class Database:
    """One timeline database. `url` names an asynchronous driver: `sqlite+aiosqlite` or `postgresql+psycopg`."""

    def __init__(self, url: str) -> None:
        self._address = url
        self._engine: AsyncEngine | None = None
        self._writing = asyncio.Lock()

    # --- life ---------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and create the schema if there is none.

        Raises DatabaseUnavailableError, and WrongDatabaseError for an address that is none of a database that we can
        use, and for a schema newer than this version's.
        """
        url = _read_url(self._address)
        _make_folder(url)
        self._engine = _engine(url)
        try:
            async with self.writing() as connection:
                await _create_schema(connection)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let a write end, and disconnect."""
        async with self._writing:
            engine, self._engine = self._engine, None
            if engine is not None:
                await engine.dispose()

    # --- use ----------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, alone: all of what is done in it, or nothing. Raises DatabaseUnavailableError."""
        async with self._writing, _said_plainly(), self._connected().begin() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view. Raises DatabaseUnavailableError."""
        async with _said_plainly(), self._connected().connect() as connection:
            if connection.dialect.name == "postgresql":  # SQLite's transactions always see one state
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    def _connected(self) -> AsyncEngine:
        if self._engine is None:
            raise DatabaseUnavailableError("the timeline's database is not open")
        return self._engine


def _engine(url: URL) -> AsyncEngine:
    try:
        engine = create_async_engine(
            url, pool_size=_CONNECTIONS, max_overflow=0, pool_timeout=_PATIENCE, hide_parameters=True
        )
    except ModuleNotFoundError as error:
        raise WrongDatabaseError(f"the driver of {url.drivername} is not installed: {error.name} is missing") from None
    if url.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


@asynccontextmanager
async def _said_plainly() -> AsyncIterator[None]:
    """Failures that may pass, without the statement and its values."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise DatabaseUnavailableError(f"the timeline's database says: {error.orig}") from error
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError("all connections to the timeline's database are in use") from error


def _read_url(text: str) -> URL:
    try:
        url = make_url(text)
        asynchronous = url.get_dialect().get_async_dialect_cls(url).is_async  # psycopg is both
    except (ArgumentError, NoSuchModuleError):
        raise WrongDatabaseError(
            "database_url is no address of a database: expected sqlite+aiosqlite:///PATH or "
            "postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        ) from None
    if not asynchronous:
        raise WrongDatabaseError(
            f"database_url names the driver {url.drivername!r}: expected sqlite+aiosqlite or postgresql+psycopg"
        )
    return url


def _make_folder(url: URL) -> None:
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnavailableError(f"cannot create the folder {folder}: {error.strerror}") from error


async def _create_schema(connection: AsyncConnection) -> None:
    await connection.run_sync(metadata.create_all)
    found = (await connection.execute(select(schema_version.c.version))).scalar_one_or_none()
    if found is None:
        await connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
        start = [{"stream": stream, "sequence": 0, "message_id": ""} for stream in STREAMS]
        await connection.execute(insert(positions), start)
    elif found > SCHEMA_VERSION:
        raise WrongDatabaseError(
            f"the timeline's database has schema version {found} and this recorder knows versions up to "
            f"{SCHEMA_VERSION}: start the newer recorder that wrote it, or give this one another database_url"
        )


# --- SQLite ----------------------------------------------------------------------------------------------------------


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """`Any`: SQLAlchemy's adapter of aiosqlite, which has no public type."""
    connection.isolation_level = None  # transactions begin where we say, see below
    connection.driver_connection.text_factory = _lenient  # a damaged byte is for `verify` to find, not to fail on
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    """The driver would begin a transaction only at the first change: what was read before could be stale."""
    connection.exec_driver_sql("BEGIN")


def _lenient(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")
