"""The folder of an embedded Tocsin, as other commands find it."""

import json
import os
import stat
import threading
from pathlib import Path

from tocsin.place import Place, Reach
from tocsin_runtime.identities import IDENTITIES

REACH = Reach(
    nats_url="nats://127.0.0.1:1",
    nats_monitor_url="http://127.0.0.1:2",
    redis_url="redis://127.0.0.1:3",
    console_url="http://127.0.0.1:4",
    alertmanager_url="http://127.0.0.1:5",
    pid=os.getpid(),
)


def test_who_looks_while_it_is_being_written_sees_all_of_it_or_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.prepare()
    done = threading.Event()

    def announce() -> None:
        for _ in range(200):
            place.announce(REACH)
        done.set()

    writer = threading.Thread(target=announce)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(place.reach())
    writer.join()
    assert seen <= {None, REACH}
    assert place.reach() == REACH


def test_files_are_for_their_owner_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.prepare()
    place.announce(REACH)
    assert {file.name for file in place.folder.iterdir()} == {"identities.json", "running.json"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in place.folder.iterdir()} == {0o600}


def test_an_update_makes_the_identities_that_are_new_and_keeps_the_passwords_that_are_there(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.prepare()
    before = {"operator": "known", "escalator": "too"}
    (place.folder / "identities.json").write_text(json.dumps(before))
    assert place.passwords() == before
    place.prepare()
    after = place.passwords()
    assert set(after) == set(IDENTITIES)
    assert {name: after[name] for name in before} == before
    place.prepare()
    assert place.passwords() == after


def test_a_tocsin_that_died_without_a_word_is_not_running(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    place.prepare()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    place.announce(Reach(**{**{name: getattr(REACH, name) for name in REACH.__slots__}, "pid": child}))
    assert place.reach() is None
