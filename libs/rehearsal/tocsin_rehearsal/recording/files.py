"""Recordings as files: written whole or not at all, read line by line, never all in memory.

A name that ends in `.gz` is compressed with gzip; zstd is not in the standard library of the Python we support.
"""

import gzip
import os
import zlib
from collections.abc import Iterator
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Self

from tocsin_rehearsal.recording.format import (
    MAX_LINE,
    LineError,
    Meta,
    Recorded,
    decode_line,
    decode_meta,
    encode_line,
    encode_meta,
)

__all__ = ["CutRecordingError", "RecordingError", "RecordingFile", "read", "read_meta"]

Opened = BufferedReader | gzip.GzipFile
_REFUSED = {".zst", ".zstd", ".xz", ".bz2", ".lz4", ".zip"}


class RecordingError(ValueError):
    """A file is no recording, or one of its lines is not what the format says."""

    def __init__(self, path: Path, line: int, field: str, reason: str) -> None:
        super().__init__(f"{path}:{line}: {field}: {reason}")
        self.path, self.line, self.field, self.reason = path, line, field, reason


class CutRecordingError(RecordingError):
    """The file ends within a line: whoever wrote it was interrupted. What stands before that line is whole."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(path, line, "line", "the file ends within this line; what stands before it is whole")


# --- writing ----------------------------------------------------------------------------------------------------------


class RecordingFile:
    """A recording being written. It appears under its name when the block ends without an exception, and is synced.

    Readable by its owner only: alerts and notes may be nobody else's business. Raises ValueError for a name that
    asks for a compression there is not.
    """

    def __init__(self, path: Path, meta: Meta) -> None:
        if path.suffix in _REFUSED:
            raise ValueError(f"{path}: {path.suffix} cannot be written; end the name in .jsonl or .jsonl.gz")
        self._path, self._meta = path, meta
        self._beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        self.lines = 0

    def __enter__(self) -> Self:
        handle = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._raw: BufferedWriter = os.fdopen(handle, "wb")
        self._out: BufferedWriter | gzip.GzipFile = self._raw
        if self._path.suffix == ".gz":
            self._out = gzip.GzipFile("", "wb", fileobj=self._raw, mtime=0)
        self._line(encode_meta(self._meta))
        return self

    def write(self, message: Recorded) -> None:
        """Append one message. Raises LineError where it is too large, OSError where the disk is full."""
        self._line(encode_line(message))

    def _line(self, line: bytes) -> None:
        self._out.write(line + b"\n")
        self.lines += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._raw.close()
            self._beside.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._out is not self._raw:
            self._out.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# --- reading ----------------------------------------------------------------------------------------------------------


def read_meta(path: Path) -> Meta:
    """The first line. Raises RecordingError, OSError where the file cannot be read."""
    with _opened(path) as file:
        try:
            return decode_meta(_first_line(path, file))
        except LineError as error:
            raise RecordingError(path, 1, error.field, error.reason) from None


def read(path: Path, *, despite_cut: bool = False) -> Iterator[Recorded]:
    """The messages, one after the other.

    Raises RecordingError at the first line that is refused, and CutRecordingError before the first message where
    the last line is cut; with `despite_cut` what stands before that line is read. OSError where the file cannot be.
    """
    read_meta(path)
    cut_at = _cut_line(path)
    if cut_at and not despite_cut:
        raise CutRecordingError(path, cut_at)
    last: dict[str, int] = {}
    with _opened(path) as file:
        for number, line in enumerate(_lines(path, file), 1):
            if number == 1:
                continue
            if number == cut_at:
                return
            try:
                message = decode_line(line)
                _check_order(message, last)
            except LineError as error:
                raise RecordingError(path, number, error.field, error.reason) from None
            yield message


def _check_order(message: Recorded, last: dict[str, int]) -> None:
    before = last.get(message.stream, 0)
    if message.sequence <= before:
        raise LineError("sequence", f"{message.sequence} does not come after {before} of {message.stream}")
    last[message.stream] = message.sequence


def _opened(path: Path) -> Opened:
    if path.suffix in _REFUSED:
        raise RecordingError(path, 1, "file", f"{path.suffix} cannot be read; .jsonl and .jsonl.gz can")
    return gzip.GzipFile(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _first_line(path: Path, file: Opened) -> bytes:
    line = next(_lines(path, file), b"")
    if not line:
        raise RecordingError(path, 1, "file", "is empty")
    return line


def _lines(path: Path, file: Opened) -> Iterator[bytes]:
    """Lines without their end. The end of a compressed file that was cut is the end of the file."""
    number = 1
    while True:
        try:
            line = file.readline(MAX_LINE + 2)
        except EOFError:
            return
        except (gzip.BadGzipFile, zlib.error) as error:
            raise RecordingError(path, number, "file", f"the compression is broken: {error}") from None
        if not line:
            return
        if len(line.removesuffix(b"\n")) > MAX_LINE:
            raise RecordingError(path, number, "line", f"more than {MAX_LINE} bytes")
        yield line.removesuffix(b"\n")
        number += 1


def _cut_line(path: Path) -> int:
    """The number of the line within which the file ends; 0 where it ends with a line."""
    lines, ends_whole = 0, True
    with _opened(path) as file:
        try:
            while line := file.readline(MAX_LINE + 2):
                ends_whole = line.endswith(b"\n")
                lines += ends_whole
        except EOFError:
            ends_whole = False
        except (gzip.BadGzipFile, zlib.error):
            return 0  # broken, not cut: whoever reads line by line says where
    return 0 if ends_whole else lines + 1
