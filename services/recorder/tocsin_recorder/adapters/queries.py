"""What is read from the database: incidents, timelines, dead letters, and whether a chain holds."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin_recorder.adapters import tables
from tocsin_recorder.adapters.database import Database
from tocsin_recorder.adapters.summaries import load_summary
from tocsin_recorder.core.fold import FOLD_VERSION, evolve
from tocsin_recorder.core.summary import Summary, empty
from tocsin_recorder.core.timeline import Broken, Entry, Head, Verifier, ends_at, read

__all__ = ["Break", "DeadLetter", "Incident", "Listed", "Queries", "Verified", "entry_of", "summary_of"]

_PAGE = 500
_COLUMNS = Entry.__slots__


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident: what it adds up to, where its chain ends, and its place in the list."""

    summary: Summary
    head: Head
    first_sequence: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list, and whether there is more after it."""

    incidents: tuple[Incident, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """How many entries an incident has, and the first that does not hold."""

    head: Head
    broken: Broken | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be handled."""

    id: str
    at: str
    service: str
    stream: str
    stream_sequence: int
    subject: str
    incident: str
    reason: str
    deliveries: int
    payload: str


@dataclass(frozen=True, slots=True)
class Break:
    """A moment at which the log was found not to be the one that was stored."""

    at: str
    stream: str
    sequence: int
    found: str


class Queries:
    """Reads from one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def incidents(
        self,
        *,
        active: bool | None = None,
        severity: str | None = None,
        limit: int = 50,
        before: tuple[int, str] | None = None,
    ) -> Listed:
        """Incidents, newest first. `before` is the place (`first_sequence`, id) of the last one already seen."""
        table = tables.incidents.c
        query = select(tables.incidents).order_by(table.first_sequence.desc(), table.id.desc()).limit(limit + 1)
        if active is not None:
            query = query.where(table.active == active)
        if severity is not None:
            query = query.where(table.severity == severity)
        if before is not None:
            sequence, name = before
            query = query.where(
                or_(table.first_sequence < sequence, and_(table.first_sequence == sequence, table.id < name))
            )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
            found = tuple([await _incident(connection, row) for row in rows[:limit]])
        return Listed(found, len(rows) > limit)

    async def names_like(self, prefix: str, limit: int = 11) -> list[str]:
        """The ids that begin like this; only the one, if there is one that is exactly this."""
        name = tables.incidents.c.id
        query = select(name).where(name.startswith(prefix, autoescape=True)).order_by(name).limit(limit)
        async with self._database.reading() as connection:
            exact = (await connection.execute(select(name).where(name == prefix))).scalars().all()
            return list(exact or (await connection.execute(query)).scalars())

    async def incident(self, name: str) -> Incident | None:
        """This incident, if there is one."""
        async with self._database.reading() as connection:
            row = await _row(connection, name)
            return None if row is None else await _incident(connection, row)

    async def entries(self, incident: str, *, after: int = 0, limit: int = _PAGE) -> list[Entry]:
        """The incident's entries after number `after`, in order."""
        async with self._database.reading() as connection:
            return await _entries(connection, incident, after, limit)

    async def verify(self, name: str) -> Verified | None:
        """Check the whole chain of an incident. None if there is no such incident."""
        async with self._database.reading() as connection:
            row = await _row(connection, name)
            if row is None:
                return None
            head, verifier = Head(row.id, row.entries, row.head_hash), Verifier(name)
            async for page in _pages(connection, name):
                if broken := verifier.check(page):
                    return Verified(head, broken)
            return Verified(head, ends_at(verifier.head, head))

    async def severities(self) -> list[str]:
        """The severities that incidents have now."""
        query = select(tables.incidents.c.severity).distinct().order_by(tables.incidents.c.severity).limit(20)
        async with self._database.reading() as connection:
            return list((await connection.execute(query)).scalars())

    async def dead_letters(
        self, *, incident: str | None = None, limit: int = 50, before: tuple[str, str] | None = None
    ) -> tuple[list[DeadLetter], bool]:
        """Dead letters, newest first, and whether there are more. `before` is (at, id) of the last one seen."""
        table = tables.dead_letters.c
        query = select(tables.dead_letters).order_by(table.at.desc(), table.id.desc()).limit(limit + 1)
        if incident is not None:
            query = query.where(table.incident == incident)
        if before is not None:
            at, name = before
            query = query.where(or_(table.at < at, and_(table.at == at, table.id < name)))
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [DeadLetter(**row._mapping) for row in rows[:limit]], len(rows) > limit

    async def count_dead_letters(self) -> int:
        async with self._database.reading() as connection:
            return int((await connection.execute(select(func.count()).select_from(tables.dead_letters))).scalar_one())

    async def breaks(self, limit: int = 20) -> list[Break]:
        """When the log was found to be another than the one that is stored, latest first."""
        query = select(tables.breaks).order_by(tables.breaks.c.at.desc()).limit(limit)
        async with self._database.reading() as connection:
            return [Break(**row._mapping) for row in await connection.execute(query)]


# --- rows ------------------------------------------------------------------------------------------------------------


def entry_of(row: Row[Any]) -> Entry:
    """`Any`: the columns of a row."""
    return Entry(*(getattr(row, name) for name in _COLUMNS))


async def summary_of(connection: AsyncConnection, row: Row[Any]) -> Summary:
    """The stored summary, or one folded anew where it comes from another fold or cannot be read."""
    if row.fold_version == FOLD_VERSION and (stored := load_summary(row.summary)) is not None:
        return stored
    summary = empty(row.id)
    async for page in _pages(connection, row.id):
        for entry in page:
            if (event := read(entry)) is not None:
                summary = evolve(summary, event)
    return summary


async def _row(connection: AsyncConnection, name: str) -> Row[Any] | None:
    return (await connection.execute(select(tables.incidents).where(tables.incidents.c.id == name))).one_or_none()


async def _incident(connection: AsyncConnection, row: Row[Any]) -> Incident:
    return Incident(await summary_of(connection, row), Head(row.id, row.entries, row.head_hash), row.first_sequence)


async def _entries(connection: AsyncConnection, incident: str, after: int, limit: int) -> list[Entry]:
    table = tables.entries.c
    query = select(tables.entries).where(table.incident == incident, table.seq > after).order_by(table.seq).limit(limit)
    return [entry_of(row) for row in await connection.execute(query)]


async def _pages(connection: AsyncConnection, incident: str) -> AsyncIterator[list[Entry]]:
    after = 0
    while page := await _entries(connection, incident, after, _PAGE):
        yield page
        after = page[-1].seq
