"""A recording as a file: whole or not there, read line by line, and what is wrong with it is named."""

import gzip
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from recording_builders import NOW, fired, note, recorded

from tocsin_rehearsal.recording import (
    CutRecordingError,
    LineError,
    Meta,
    Recorded,
    RecordingError,
    RecordingFile,
    read,
    read_meta,
)
from tocsin_rehearsal.recording.format import MAX_LINE, encode_line, encode_meta

META = Meta(version="0.1.0", recorded_at=NOW)
MESSAGES = recorded(fired(), note("one"), note("two"))
BOTH = pytest.mark.parametrize("name", ["night.jsonl", "night.jsonl.gz"])


def write(path: Path, *messages: Recorded) -> Path:
    with RecordingFile(path, META) as file:
        for message in messages or MESSAGES:
            file.write(message)
    return path


def write_lines(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in (encode_meta(META), *lines)))
    return path


# --- writing ----------------------------------------------------------------------------------------------------------


@BOTH
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    assert list(read(path)) == MESSAGES
    assert read_meta(path) == META


def test_a_name_in_gz_is_compressed_and_the_same_recording_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.jsonl.gz"), write(tmp_path / "two.jsonl.gz")
    assert gzip.decompress(one.read_bytes()) == write(tmp_path / "plain.jsonl").read_bytes()
    assert one.read_bytes() == two.read_bytes()


@BOTH
def test_an_interrupted_recording_leaves_what_was_there_before(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, MESSAGES[0])
    before = path.read_bytes()
    too_large = replace(MESSAGES[1], data=b"\xff" * MAX_LINE)
    with pytest.raises(LineError), RecordingFile(path, META) as file:
        file.write(too_large)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208  # the names as they are


def test_the_file_appears_only_when_it_is_whole_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    with RecordingFile(path, META) as file:
        file.write(MESSAGES[0])
        assert not path.exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("suffix", [".zst", ".xz", ".bz2"])
def test_a_compression_that_there_is_not_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"night.jsonl{suffix}"
    with pytest.raises(ValueError, match=r"\.jsonl\.gz"):
        RecordingFile(path, META)
    path.write_bytes(b"")
    with pytest.raises(RecordingError, match="cannot be read"):
        list(read(path))


# --- cut --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 2, 100])
def test_a_cut_last_line_is_reported_with_its_number_before_anything_is_read(tmp_path: Path, lost: int) -> None:
    path = write(tmp_path / "night.jsonl")
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(CutRecordingError) as cut:
        next(read(path))
    assert cut.value.line == 4
    assert f"{path}:4:" in str(cut.value)


@pytest.mark.parametrize("lost", [1, 2, 100])
def test_what_stands_before_the_cut_is_read_when_asked_for(tmp_path: Path, lost: int) -> None:
    path = write(tmp_path / "night.jsonl")
    path.write_bytes(path.read_bytes()[:-lost])
    assert list(read(path, despite_cut=True)) == MESSAGES[:-1]


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.99])
def test_a_compressed_file_that_was_cut_is_read_as_far_as_it_goes(tmp_path: Path, kept: float) -> None:
    many = recorded(*(note(f"{n} {os.urandom(300).hex()}", cause=str(n)) for n in range(50)))
    path = write(tmp_path / "night.jsonl.gz", *many)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CutRecordingError) as cut:
        list(read(path))
    rest = list(read(path, despite_cut=True))
    assert rest == many[: len(rest)]
    assert 0 < len(rest) < 50
    assert cut.value.line == len(rest) + 2


# --- hostile ----------------------------------------------------------------------------------------------------------


def test_a_refused_line_is_named_with_its_field(tmp_path: Path) -> None:
    bad = encode_line(MESSAGES[1]).replace(b'"sequence":2', b'"sequence":"two"')
    path = write_lines(tmp_path / "night.jsonl", encode_line(MESSAGES[0]), bad)
    reading = read(path)
    assert next(reading) == MESSAGES[0]
    with pytest.raises(RecordingError) as refused:
        next(reading)
    assert (refused.value.line, refused.value.field) == (3, "sequence")


def test_a_line_without_end_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "night.jsonl", b"x" * (MAX_LINE + 1))
    with pytest.raises(RecordingError) as refused:
        list(read(path))
    assert (refused.value.line, refused.value.field) == (2, "line")


def test_a_bomb_of_one_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl.gz"
    path.write_bytes(gzip.compress(encode_meta(META) + b"\n" + b"0" * 40_000_000 + b"\n"))
    with pytest.raises(RecordingError) as refused:
        list(read(path))
    assert refused.value.line == 2


def test_a_message_twice_or_out_of_order_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "night.jsonl", encode_line(MESSAGES[1]), encode_line(MESSAGES[1]))
    with pytest.raises(RecordingError) as refused:
        list(read(path))
    assert (refused.value.line, refused.value.field) == (3, "sequence")


@pytest.mark.parametrize("content", [b"", b"\n", b"nonsense\n", b"{}\n", b'{"tocsin_recording":2}\n'])
def test_what_is_no_recording_is_refused_in_its_first_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "night.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as refused:
        list(read(path))
    assert refused.value.line == 1


@pytest.mark.parametrize("content", [b"nonsense", gzip.compress(b"x" * 1000, mtime=0)[:-8] + b"12345678"])
def test_what_is_no_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "night.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(RecordingError):
        list(read(path))


def test_compression_that_breaks_in_the_middle_is_refused(tmp_path: Path) -> None:
    many = recorded(*(note(f"{n} {os.urandom(300).hex()}", cause=str(n)) for n in range(200)))
    path = write(tmp_path / "night.jsonl.gz", *many)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 50] = b"\x00" * 50
    path.write_bytes(content)
    with pytest.raises(RecordingError):
        list(read(path))


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "nothing.jsonl"))
