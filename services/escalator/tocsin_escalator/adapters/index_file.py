"""The index of open incidents on disk, so that a start reads what came after it, and not the whole log.

Nothing depends on the file: what is not of this log, not of this version of the program or not whole is passed over,
and the log is read from its beginning. It holds pickled states (Python's `pickle`, protocol 5), and only what is ours
is made from it again.
"""

import asyncio
import dataclasses
import hashlib
import io
import os
import pickle
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import structlog

import tocsin_escalator.core
import tocsin_runtime.halves
import tocsin_schemas
from tocsin_escalator.adapters import index as index_module
from tocsin_escalator.adapters.index import IncidentIndex, Reached, Standing
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_runtime.bus.log import IncidentLog
from tocsin_schemas import Envelope, Event

__all__ = ["AnotherLogError", "IndexFile", "UnreadableError"]

log = structlog.get_logger(__name__)

_NAME = "escalator.index"
_LOOK_EVERY = 10.0
_ASK_AGAIN = 0.5
_CERTAIN = 3
"""Times that the log is asked before it is held to be another."""
_WORTH_KEEPING = 20_000
"""Events that are read again in two or three seconds."""
_TOGETHER, _REST = 100, 0.02
"""Incidents that are written at a time, and seconds until the next ones: deadlines that ring meanwhile are not late."""
_OTHERS = {("datetime", "datetime"), ("datetime", "date"), ("datetime", "timedelta"), ("datetime", "timezone")}
_ABANDONED = 3600.0
"""Seconds after which nobody writes a draft any more."""

_SIZE, _DIGEST = 4, 32


class AnotherLogError(Exception):
    """The log is not the one that was read."""


class UnreadableError(Exception):
    """The file is not whole, or not one of ours."""


class IndexFile:
    """Keeps the index in a folder, and takes it up again from there."""

    def __init__(self, folder: Path, index: IncidentIndex, incidents: IncidentLog, filter_: str, clock: Clock) -> None:
        """`filter_`: the subject of the events that the index is made of."""
        self.path = folder / _NAME
        self._index, self._incidents, self._filter, self._clock = index, incidents, filter_, clock
        self._kept = 0
        self._doubted: Reached | None = None
        self._asked = 0
        version()  # now: an update changes the files of a program that runs

    def doubt(self) -> None:
        """Connected again, perhaps to a server that has lost something: what was read may not be in the log."""
        self._doubted = self._doubted or self._index.reached

    async def resume(self) -> int:
        """Take up what is kept; the answer is the place in the log after which reading goes on."""
        began = time.perf_counter()
        try:
            standing = await asyncio.to_thread(read, self.path)
        except FileNotFoundError:
            return 0
        except Exception as error:  # noqa: BLE001  # whatever it is, a start must not depend on this file; tested
            log.warning("the index that was kept is passed over", file=str(self.path), reason=str(error) or repr(error))
            return 0
        reached = standing.reached
        found = await self._stored_from(reached.sequence)
        if found is None or (found.sequence, found.id) != reached:
            log.warning("the index that was kept is passed over", file=str(self.path), reason="it is of another log")
            return 0
        self._index.take_up(standing)
        took = round(time.perf_counter() - began, 3)
        log.info("the index is taken up", incidents=len(standing.incidents), after=reached.sequence, seconds=took)
        return reached.sequence

    async def _stored_from(self, sequence: int) -> Envelope[Event] | None:
        """The first event of ours from this place on, as soon as nats answers."""
        while True:
            try:
                return await self._incidents.first(self._filter, sequence)
            except BusUnavailableError as error:
                log.info("the index that was kept is compared later", reason=str(error))
                await self._clock.sleep(_ASK_AGAIN)

    async def keep(self) -> None:
        """Again and again: write the index when much has been added to it. Raises AnotherLogError."""
        while True:
            if self._doubted is not None:
                await self._make_sure(self._doubted)
            elif self._index.read - self._kept >= max(_WORTH_KEEPING, len(self._index) // 2):
                await self.save()
            await self._clock.sleep(_LOOK_EVERY)

    async def _make_sure(self, read: Reached) -> None:
        """Whether what was read is in the log. Where it is not (a backup was restored under us) all that is known is
        wrong: the service ends, and the next start reads the log. A replica of a cluster may lag behind: it is asked
        again before that.
        """
        found = await self._stored_from(read.sequence) if read.sequence else None
        if not read.sequence or (found is not None and (found.sequence, found.id) == read):
            self._doubted, self._asked = None, 0
            return
        self._asked += 1
        log.warning("what was read is not in the log", sequence=read.sequence, asked=self._asked)
        if self._asked >= _CERTAIN:
            raise AnotherLogError(f"event {read.id} was read at {read.sequence}, and is not there any more")

    async def save(self) -> None:
        """Write it now. That it cannot be written is told, and does no harm."""
        read_so_far, standing = self._index.read, self._index.standing()
        try:
            await _write(self.path, standing)
        except OSError as error:
            log.warning("the index cannot be kept", file=str(self.path), reason=str(error))
        else:
            log.debug("the index is kept", incidents=len(standing.incidents), up_to=standing.reached.sequence)
        self._kept = read_so_far


# --- the file: our version, then parts: length, what they are, a digest of it all -------------------------------------


async def _write(path: Path, standing: Standing) -> None:
    """All of it or nothing: another replica may write there too, and any of them may be killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_away(path)
    draft = path.with_name(f"{path.name}.{uuid4().hex}.draft")  # in containers all have the same process number
    try:
        with _new(draft) as file:
            digest = hashlib.sha256()
            for part in _parts(standing):
                await asyncio.to_thread(_put, file, digest, part)
                await asyncio.sleep(_REST)
            file.write(digest.digest())
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _new(path: Path) -> BinaryIO:
    """For us alone to read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _clear_away(path: Path) -> None:
    """Drafts of who was killed as they were written."""
    for draft in path.parent.glob(f"{path.name}.*.draft"):
        with suppress(FileNotFoundError):  # it has just been finished
            if time.time() - draft.stat().st_mtime > _ABANDONED:
                draft.unlink()


def _parts(standing: Standing) -> Iterator[bytes]:
    yield version().encode()
    yield _pickled(standing._replace(incidents=()))
    for start in range(0, len(standing.incidents), _TOGETHER):
        yield _pickled(standing.incidents[start : start + _TOGETHER])


def _pickled(what: object) -> bytes:
    packed = io.BytesIO()
    _Plainly(packed, 5).dump(what)
    return packed.getvalue()


class _Plainly(pickle.Pickler):
    """Writes dataclasses as a call of their class: made again so, they take half the time."""

    def reducer_override(self, obj: object, /) -> Any:
        """A class and what to call it with."""
        kind: Any = type(obj)
        if (values := _values_of(kind)) is None:
            return NotImplemented
        return kind, values(obj)


@lru_cache(maxsize=256)
def _values_of(kind: type[Any]) -> "Callable[[object], tuple[object, ...]] | None":
    """What reads the values of such an object in the order in which its class takes them; none for another kind."""
    if not dataclasses.is_dataclass(kind):
        return None
    names = [field.name for field in dataclasses.fields(kind)]
    return attrgetter(*names) if len(names) > 1 else lambda each: (getattr(each, names[0]),)


def _put(file: BinaryIO, digest: "hashlib._Hash", part: bytes) -> None:
    packed = zlib.compress(part, 1)
    framed = len(packed).to_bytes(_SIZE) + packed
    digest.update(framed)
    file.write(framed)


def read(path: Path) -> Standing:
    """What the file holds. Raises OSError, UnreadableError."""
    whole = path.read_bytes()
    content = memoryview(whole)[:-_DIGEST]
    if hashlib.sha256(content).digest() != whole[-_DIGEST:]:
        raise UnreadableError("it is not whole")
    parts = _unpacked(content)
    if next(parts, b"") != version().encode():
        raise UnreadableError("another version of the program wrote it")
    first, *incidents = (_Ours(io.BytesIO(part)).load() for part in parts)
    if not isinstance(first, Standing):
        raise UnreadableError(f"it holds {type(first).__name__}")
    return first._replace(incidents=tuple(chain.from_iterable(incidents)))


def _unpacked(content: memoryview) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        begin = at + _SIZE
        at = begin + int.from_bytes(content[at:begin])
        yield zlib.decompress(content[begin:at])


class _Ours(pickle.Unpickler):
    """Makes what states consist of, and nothing else: no function, no class of others."""

    def find_class(self, module: str, name: str, /) -> type:
        """The class of this name. Raises UnreadableError."""
        if (module, name) not in _OTHERS and not module.startswith(_MODULES):
            raise UnreadableError(f"it names {module}.{name}")
        found = super().find_class(module, name)
        if not isinstance(found, type) or found.__module__ != module:
            raise UnreadableError(f"it names {module}.{name}")
        return found


_MODULES = ("tocsin_escalator.core.", "tocsin_schemas.", index_module.__name__, tocsin_runtime.halves.__name__)


@lru_cache(maxsize=1)
def version() -> str:
    """Of what the states are made by: any other word of these files may mean another state."""
    digest = hashlib.sha256(sys.version.encode())
    folders = (Path(path) for module in (tocsin_escalator.core, tocsin_schemas) for path in module.__path__)
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    for file in (*files, Path(index_module.__file__), Path(str(tocsin_runtime.halves.__file__))):
        digest.update(file.read_bytes())
    return digest.hexdigest()
