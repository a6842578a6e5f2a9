"""The index on disk: taken up where it is whole, of this program and of this log; passed over where it is not."""

import asyncio
import hashlib
import os
import pickle
import time
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from escalator_shell import Shell, ShelvedPlaybooks
from escalator_world import fired
from structlog.testing import capture_logs

from tocsin_escalator.adapters import index_file
from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.adapters.index import IncidentIndex, Reached
from tocsin_escalator.adapters.index_file import AnotherLogError, IndexFile, UnreadableError
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_schemas import Envelope, Event, Labels

FILTER = "tocsin.incidents.*.escalator.*"


def of(shell: Shell, folder: Path) -> IndexFile:
    return IndexFile(folder, shell.index, shell.log, FILTER, shell.clock)


def anew(shell: Shell, folder: Path) -> IndexFile:
    """Of a replica that comes up."""
    index = IncidentIndex(Explanations(Rulebooks(shell.playbooks, shell.orders)))  # type: ignore[arg-type]  # a double
    return IndexFile(folder, index, shell.log, FILTER, shell.clock)


async def kept(shell: Shell, folder: Path) -> IndexFile:
    alerts = [fired(at=shell.clock.now(), service=service) for service in ("checkout", "search", "cart")]
    await shell.handle(*alerts)
    read = [event for name in await incidents(shell) for event in await shell.log.load(name, service="escalator")]
    await shell.index.on_events(sorted(read, key=lambda each: each.sequence))
    file = of(shell, folder)
    await file.save()
    return file


async def incidents(shell: Shell) -> list[str]:
    names, at = [], 1
    while (event := await shell.log.first(FILTER, at)) is not None:
        names.append(event.incident)
        at = event.sequence + 1
    return list(dict.fromkeys(names))


async def test_who_comes_up_goes_on_where_the_kept_index_ends(shell: Shell, tmp_path: Path) -> None:
    file = await kept(shell, tmp_path)
    again = anew(shell, tmp_path)
    assert await again.resume() == shell.index.reached.sequence > 0
    assert again._index.standing() == shell.index.standing()
    assert len(again._index.incidents()) == 3
    assert file.path.stat().st_mode & 0o777 == 0o600
    left = {each.name for each in tmp_path.iterdir()}  # noqa: ASYNC240  # of a test
    assert left == {"nats", file.path.name}


async def test_without_a_file_all_is_read(shell: Shell, tmp_path: Path) -> None:
    with capture_logs() as said:
        assert await anew(shell, tmp_path / "not yet there").resume() == 0
    assert said == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def changed(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("happens", [cut, emptied, changed, a_folder])
async def test_a_file_that_is_not_whole_is_passed_over(
    shell: Shell, tmp_path: Path, happens: Callable[[Path], None]
) -> None:
    happens((await kept(shell, tmp_path)).path)
    again = anew(shell, tmp_path)
    with capture_logs() as said:
        assert await again.resume() == 0
    assert [each["event"] for each in said] == ["the index that was kept is passed over"]
    assert not again._index.incidents()


async def test_what_another_version_of_the_program_wrote_is_passed_over(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept(shell, tmp_path)
    monkeypatch.setattr(index_file, "version", lambda: "another")
    with capture_logs() as said:
        assert await anew(shell, tmp_path).resume() == 0
    assert said[0]["reason"] == "another version of the program wrote it"


def test_any_word_of_the_core_is_part_of_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = index_file.version.__wrapped__()
    (tmp_path / "fold.py").write_text("other = 1\n")
    monkeypatch.setattr("tocsin_escalator.core.__path__", [str(tmp_path)])
    assert index_file.version.__wrapped__() != before == index_file.version()


@pytest.mark.parametrize("nats_server_is", ["shorter", "another"])
async def test_what_is_of_another_log_is_passed_over(shell: Shell, tmp_path: Path, nats_server_is: str) -> None:
    file = await kept(shell, tmp_path)
    standing = index_file.read(file.path)
    place = standing.reached.sequence
    other = (
        standing.reached._replace(sequence=place + 100)
        if nats_server_is == "shorter"
        else standing.reached._replace(id="of something else")
    )
    await index_file._write(file.path, standing._replace(reached=other))
    with capture_logs() as said:
        assert await anew(shell, tmp_path).resume() == 0
    assert said[0]["reason"] == "it is of another log"


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch evil",)


class Reaching:
    def __reduce__(self) -> tuple[type, tuple[()]]:
        return pickle.Unpickler, ()


@pytest.mark.parametrize("evil", [Evil(), Reaching(), datetime.now])
async def test_nothing_but_states_is_made_of_a_file(shell: Shell, tmp_path: Path, evil: object) -> None:
    file = await kept(shell, tmp_path)
    content = b"".join(_framed(part) for part in (index_file.version().encode(), pickle.dumps(evil)))
    file.path.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(UnreadableError, match="it names"):
        index_file.read(file.path)
    assert await anew(shell, tmp_path).resume() == 0


@pytest.mark.parametrize("parts", [(), (b"no pickle",), (pickle.dumps(Labels())[:-5],)])
async def test_no_file_whatsoever_keeps_a_replica_from_coming_up(
    shell: Shell, tmp_path: Path, parts: tuple[bytes, ...]
) -> None:
    file = await kept(shell, tmp_path)
    content = b"".join(_framed(part) for part in (index_file.version().encode(), *parts))
    file.path.write_bytes(content + hashlib.sha256(content).digest())
    with capture_logs() as said:
        assert await anew(shell, tmp_path).resume() == 0
    assert [each["event"] for each in said] == ["the index that was kept is passed over"]


async def test_what_is_no_standing_is_passed_over(shell: Shell, tmp_path: Path) -> None:
    file = await kept(shell, tmp_path)
    content = b"".join(_framed(part) for part in (index_file.version().encode(), pickle.dumps(Labels(a="b"))))
    file.path.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(UnreadableError, match="it holds Labels"):
        index_file.read(file.path)


def _framed(part: bytes) -> bytes:
    packed = zlib.compress(part)
    return len(packed).to_bytes(4) + packed


async def test_that_it_cannot_be_written_is_told_and_leaves_no_draft(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    file = of(shell, tmp_path / "a file")
    with capture_logs() as said:
        await file.save()
    assert [each["event"] for each in said] == ["the index cannot be kept"]


async def test_two_replicas_with_the_same_process_number_do_not_write_one_draft(shell: Shell, tmp_path: Path) -> None:
    file = await kept(shell, tmp_path)
    file.path.unlink()
    with capture_logs() as said:
        await asyncio.gather(*(of(shell, tmp_path).save() for _ in range(4)))
    assert {each["event"] for each in said} == {"the index is kept"}
    assert index_file.read(file.path) == shell.index.standing()
    assert list(tmp_path.glob("*.draft")) == []  # noqa: ASYNC240  # of a test


async def test_what_was_left_by_one_that_was_killed_is_cleared_away_when_it_is_old(
    shell: Shell, tmp_path: Path
) -> None:
    old, young = (tmp_path / f"escalator.index.{name}.draft" for name in ("old", "young"))
    for draft in (old, young):
        draft.write_bytes(b"half")
    an_hour_ago = time.time() - index_file._ABANDONED
    os.utime(old, (an_hour_ago, an_hour_ago))
    await kept(shell, tmp_path)
    assert (old.exists(), young.exists()) == (False, True)


async def test_a_draft_that_another_replica_has_just_finished_does_no_harm(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "escalator.index.gone.draft").symlink_to(tmp_path / "nowhere")
    assert (await kept(shell, tmp_path)).path.exists()


async def test_an_update_of_the_files_does_not_make_the_index_one_of_the_new_version(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_file.version.cache_clear()
    file = of(shell, tmp_path)
    (tmp_path / "fold.py").write_text("other = 1\n")
    monkeypatch.setattr("tocsin_escalator.core.__path__", [str(tmp_path)])
    await file.save()
    index_file.version.cache_clear()
    with pytest.raises(UnreadableError, match="another version"):
        index_file.read(file.path)
    monkeypatch.undo()
    index_file.version.cache_clear()
    assert index_file.read(file.path) == shell.index.standing()


async def looked(file: IndexFile, shell: Shell, monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """The warnings of so many looks; raises what ends them."""
    looks = iter(range(times))

    async def look(seconds: float) -> None:
        if next(looks, None) is None:
            raise InterruptedError

    monkeypatch.setattr(shell.clock, "sleep", look)
    with capture_logs() as said, pytest.raises(InterruptedError):
        await file.keep()
    return [each["event"] for each in said if each["log_level"] == "warning"]


async def test_after_a_reconnect_to_the_same_log_the_index_is_kept_as_before(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_file, "_WORTH_KEEPING", 0)
    file = await kept(shell, tmp_path)
    file.path.unlink()
    file.doubt()
    await shell.handle(fired(at=shell.clock.now(), service="later"))
    shell.index.reached = Reached((last := await last_of(shell)).sequence, last.id)
    shell.index.read += 10
    assert await looked(file, shell, monkeypatch, 2) == []
    assert file.path.exists()


async def test_a_log_that_has_lost_what_was_read_ends_the_service(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_file, "_WORTH_KEEPING", 0)
    file = await kept(shell, tmp_path)
    file.path.unlink()
    shell.index.read += 10
    reached = shell.index.reached
    shell.index.reached = reached._replace(id="of what was lost")
    file.doubt()
    shell.index.reached = reached
    assert len(await looked(file, shell, monkeypatch, 1)) == 2, "a replica of a cluster may lag behind"
    assert not file.path.exists()
    with pytest.raises(AnotherLogError, match="of what was lost"):
        await file.keep()


async def last_of(shell: Shell) -> Envelope[Event]:
    at, last = 1, None
    while (event := await shell.log.first(FILTER, at)) is not None:
        last, at = event, event.sequence + 1
    assert last is not None
    return last


async def test_it_is_written_when_enough_was_added(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_file, "_WORTH_KEEPING", 5)
    file, looks, written = of(shell, tmp_path), [0, 4, 5, 9, 10], []

    async def look(seconds: float) -> None:
        written.append(file.path.exists())
        file.path.unlink(missing_ok=True)
        if not looks:
            raise InterruptedError
        shell.index.read = looks.pop(0)

    monkeypatch.setattr(shell.clock, "sleep", look)
    with pytest.raises(InterruptedError):
        await file.keep()
    assert written == [False, False, False, True, False, True]


async def test_a_replica_of_the_log_after_it_was_kept_reads_the_rest(
    shell: Shell, connection: Connection, playbooks: ShelvedPlaybooks, tmp_path: Path
) -> None:
    await kept(shell, tmp_path)
    await shell.handle(fired(at=shell.clock.now(), service="mail"))
    again = anew(shell, tmp_path)
    place = await again.resume()
    rest, at = [], place + 1
    while (event := await shell.log.first(FILTER, at)) is not None:
        rest.append(event)
        at = event.sequence + 1
    await again._index.on_events(rest)
    assert len(again._index.incidents()) == 4


async def test_whoever_comes_up_while_nats_is_away_asks_again(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept(shell, tmp_path)
    first, answers = shell.log.first, iter([BusUnavailableError("no answer"), BusUnavailableError("no answer"), None])

    async def later(subject: str, start: int) -> Envelope[Event] | None:
        if (error := next(answers)) is not None:
            raise error
        return await first(subject, start)

    monkeypatch.setattr(shell.log, "first", later)
    assert await anew(shell, tmp_path).resume() == shell.index.reached.sequence
    assert next(answers, "asked three times") == "asked three times"
