"""How fast recorded decisions are made again by the cores, and how fast a recording is read.

The recording is of one virtual world: hundreds of incidents of many services, each paged, acknowledged and resolved.
It is folded and decided again in memory: events are those of the log, the alerts and the commands that were gone
through, as `Decided.messages` counts them. What reading all lines of the file costs, decoded and checked, is a figure
of its own, and both together another one. Processor time, one core.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure, spread_of
from bench.rehearsal import CASE_PLAYBOOK
from tocsin_rehearsal.deciding import fold_and_decide
from tocsin_rehearsal.recorded import Recording, recorded_from
from tocsin_rehearsal.recording import Meta, RecordingFile
from tocsin_rehearsal.simulate import be_quiet
from tocsin_rehearsal.world import World
from tocsin_schemas.commands import Acknowledge
from tocsin_schemas.parts import Actor

ROUNDS = 5
INCIDENTS = 400
EVERY = timedelta(seconds=10)
"""Between the beginnings of two incidents."""
LASTS = timedelta(minutes=3)


def measure() -> list[Figure]:
    be_quiet()
    with TemporaryDirectory(prefix="tocsin-bench-") as name:
        path = Path(name) / "night.jsonl"
        lines = _record(path)
        taken = [_replay(path) for _ in range(ROUNDS)]
    events = taken[0].messages
    return [
        spread_of(
            f"events a CPU second through the cores ({events:,}, in memory)",
            [events / each.deciding for each in taken],
            "/s",
            target=50_000.0,
            side="at least",
        ),
        spread_of(f"lines a CPU second read from a file ({lines:,})", [lines / each.reading for each in taken], "/s"),
        spread_of(
            "events a CPU second, reading included",
            [events / (each.reading + each.deciding) for each in taken],
            "/s",
        ),
    ]


def _record(path: Path) -> int:
    """Make the night, write it down; the answer is how many messages it has."""
    world = World([CASE_PLAYBOOK])
    for number in range(INCIDENTS):
        labels = {"alertname": "Queue", "service": f"s{number}", "severity": "P1"}
        world.at(number * EVERY, partial(world.alert, labels, lasts=LASTS))
    acknowledged: set[str] = set()
    while world.elapsed < INCIDENTS * EVERY + timedelta(minutes=15):
        world.run_for(timedelta(minutes=1))
        for incident in dict.fromkeys(event.incident for event in world.log):
            if incident not in acknowledged:
                acknowledged.add(incident)
                world.command(Acknowledge(incident=incident, by=Actor.person("ada", "bench")))
    recorded = recorded_from(world)
    with RecordingFile(path, Meta(version="0", recorded_at=world.start)) as file:
        for message in recorded:
            file.write(message)
    world.close()
    return len(recorded)


@dataclass(frozen=True, slots=True)
class _Replayed:
    """CPU seconds of reading the file and of deciding again, and how many messages were gone through."""

    reading: float
    deciding: float
    messages: int


def _replay(path: Path) -> _Replayed:
    """Raises RuntimeError where anything is decided otherwise."""
    began = time.process_time()
    recording = Recording.read(path)
    read = time.process_time()
    decided = fold_and_decide(recording)
    ended = time.process_time()
    if decided.differences or decided.undecided or decided.decisions < INCIDENTS:
        raise RuntimeError(f"{decided.decisions} decisions; the first difference: {decided.differences[:1]}")
    return _Replayed(read - began, ended - read, decided.messages)
