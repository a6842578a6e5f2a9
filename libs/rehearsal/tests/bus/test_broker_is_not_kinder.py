"""The model is not kinder than reality: the same scripts and scenes on a real nats-server and in the model.

Where the server is free (which settlements survive a kill), what it did must be among what the model may do. A script
that differs is played twice more, by itself and slower: what a busy machine has delayed does not differ again, and what
the model does otherwise does.
"""

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from broker_compare import differences
from broker_facts import fact
from broker_play import History, World, play
from broker_scene import ACK_WAIT, ONE, PLACE, Hands, Scene, reading, tried, write
from broker_scenes_kills import SCENES as KILLS_AND_LOG
from broker_scenes_readers import SCENES as READERS
from broker_script import Script, random_script
from broker_worlds import Forgetful, ModelWorld, ServerWorld, in_the_model, server_world

from tocsin_runtime.bus.log import Append
from tocsin_runtime.bus.nats_bus import Bus
from tocsin_schemas import subjects

SCALES = (1.0, 2.0, 4.0)
FORGOTTEN = 30
LATE = 0.05
LAST_SECONDS = (Forgetful(), Forgetful(last_seconds=0.01), Forgetful(last_seconds=0.01, loses_settlements=True))


def model_histories(script: Script, scale: float, began: float) -> list[History]:
    """All that the model may do: one history, if nobody is killed. What is due after a kill depends on the fraction of
    a second at which it was delivered: that is the server's, but for what it takes to deliver.
    """
    if not script.has_kills:
        return [in_the_model(partial(play, script), scale)]
    costs = [replace(last, count=count) for count in range(FORGOTTEN) for last in LAST_SECONDS]
    fractions = (began, began + LATE)
    return [in_the_model(partial(play, script), scale, cost, each) for each in fractions for cost in costs]


async def on_a_server(script: Script, folder: Path, scale: float) -> History:
    """What came of it."""
    async with server_world(folder / f"{script.seed}-{scale:g}", scale) as world:
        return await play(script, world)


async def played(scripts: Sequence[Script], folder: Path) -> list[str]:
    """How the server and the model differ, each time a script is played."""
    first, *slower = SCALES
    servers = await asyncio.gather(*(on_a_server(script, folder, first) for script in scripts))
    found = []
    for script, server in zip(scripts, servers, strict=True):
        differ = differences(script, server, model_histories(script, first, server.began))
        for scale in slower:
            if differ:
                server = await on_a_server(script, folder, scale)
                differ = differences(script, server, model_histories(script, scale, server.began))
        found += differ
    return found


def fresh(count: int) -> list[int]:
    return [secrets.randbelow(10**9) for _ in range(count)]


# --- random scripts ---------------------------------------------------------------------------------------------------


@pytest.mark.long  # in real time
async def test_random_scripts_end_alike_on_a_server_and_in_the_model(tmp_path: Path) -> None:
    quiet = [random_script(seed, phases=3) for seed in (3, 25, *fresh(1))]
    killed = [random_script(seed, phases=2, kills=True) for seed in (103, 109, *fresh(1))]
    found = await played([*quiet, *killed], tmp_path)
    assert not found, "\n".join(found)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [False, True])
async def test_many_random_scripts_end_alike(tmp_path: Path, kills: bool) -> None:
    for _ in range(20):
        scripts = [random_script(seed, phases=4, kills=kills) for seed in fresh(3)]
        found = await played(scripts, tmp_path)
        assert not found, "\n".join(found)


def test_a_script_is_told_by_its_seed_alone() -> None:
    assert random_script(7, kills=True) == random_script(7, kills=True) != random_script(8, kills=True)


def test_a_script_ends_in_the_model_as_it_did_before() -> None:
    script = random_script(11, kills=True)
    first, again = (in_the_model(partial(play, script)) for _ in range(2))
    assert differences(script, first, [again]) == []


def test_a_kinder_model_is_found_out() -> None:
    """One that forgets nothing of ids, delivers once, and whose clocks ring always, would be seen to differ."""
    script = random_script(3)
    history, other = (in_the_model(partial(play, script)) for _ in range(2))
    message = next(iter(history.deliveries))
    other.deliveries[message] = [*other.deliveries[message], 9]
    other.contents["ALERTS"] = other.contents["ALERTS"][:-1]
    other.results[0] = (other.results[0][0], "something else")
    other.followed.append((10_000, "more"))
    assert len(differences(script, history, [other])) == 4


@pytest.mark.parametrize(("times", "counts"), [(1, False), (2, False), (3, True)])
async def test_what_differs_counts_where_it_differs_each_time(
    times: int, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that is delivered once more, as a busy machine does it, and as another server would do it."""
    scales: list[float] = []

    async def play_it(script: Script, _: Path, scale: float) -> History:
        history = await asyncio.to_thread(in_the_model, partial(play, script), scale)
        scales.append(scale)
        if len(scales) <= times:
            next(iter(history.deliveries.values())).append(9)
        return history

    monkeypatch.setattr(sys.modules[__name__], "on_a_server", play_it)
    found = await played([random_script(3)], Path())
    assert (bool(found), scales) == (counts, [1.0, 2.0, 4.0][: times + 1])


@pytest.mark.parametrize(("apart", "is_difference"), [(0.15, False), (0.35, False), (0.5, True)])
def test_of_two_clocks_that_are_due_at_nearly_the_same_moment_either_may_ring_first(
    apart: float, is_difference: bool
) -> None:
    script = random_script(3)
    server, model = (in_the_model(partial(play, script)) for _ in range(2))
    last = model.contents["TIMERS"][-1]
    due, standing = "tocsin.timers.due.detector.", (3, "tocsin.timers.at.detector.z", "ring 9")
    for history, (one, other) in ((server, "xy"), (model, "yx")):
        rings = [(place, due + each, each) for place, each in ((1, one), (2, other))]
        history.contents["TIMERS"] = [*rings, standing, last]
        history.rings = {"x": 1.8 + apart, "y": 1.8}
    assert bool(differences(script, server, [model])) is is_difference
    server.contents["TIMERS"][2] = (4, *standing[1:])
    assert len(differences(script, server, [model])) == 1


# --- scenes -----------------------------------------------------------------------------------------------------------


async def seen(scene: Scene, folder: Path, faults: Forgetful | None = None) -> tuple[object, object]:
    """What the server shows, and the model."""
    answer: object = None
    model = in_the_model(scene, faults=faults)
    for attempt in range(3):
        async with server_world(folder / f"{scene.__name__[:40]}-{attempt}") as world:
            answer = await scene(world)
        if answer == model or not world.was_slow:
            break
    return answer, model


async def test_scenes_end_alike_on_a_server_and_in_the_model(tmp_path: Path) -> None:
    scenes = (*READERS, *KILLS_AND_LOG)
    pairs = await asyncio.gather(*(seen(scene, tmp_path) for scene in scenes))
    assert {scene.__name__: pair for scene, pair in zip(scenes, pairs, strict=True) if pair[0] != pair[1]} == {}


async def test_what_was_settled_a_while_before_a_kill_stays_settled(tmp_path: Path) -> None:
    """The server writes the state of a consumer down ten times a second: more than that the model cannot forget."""

    async def scene(world: World) -> object:
        bus, hands = await world.bus(), Hands()
        async with reading(bus, ONE, hands):
            await write(bus, "a", "b", "c")
            await asyncio.sleep(0.1)
            await hands.say(0, b"+ACK")
            await hands.say(1, b"+TERM")
            await asyncio.sleep(0.4)
            await world.kill()
            await world.start()
            await asyncio.sleep(ACK_WAIT + 0.5)
        return hands.seen

    server, model = await seen(scene, tmp_path, Forgetful(count=100))
    assert server == model == [(1, 1), (2, 1), (3, 1), (3, 2)]


# --- a full disk ------------------------------------------------------------------------------------------------------

ROOM = 60_000
PART = 6_000
BATCH = 12
LONG = "x" * 700


def batch() -> list[Append]:
    events = tuple(fact(f"batch {number}", "inc2", text=LONG) for number in range(BATCH))
    return [Append("inc2", events, 0, subjects.incident_filter("inc2"))]


async def first_words(bus: Bus) -> int:
    (stored,) = await bus.incidents.append(
        [Append("inc1", (fact("a", "inc1"), fact("b", "inc1")), 0, subjects.incident_filter("inc1"))]
    )
    return stored[-1].sequence


async def refusals(bus: Bus, last: int) -> list[object]:
    """What becomes of writes when nothing fits any more."""
    scope = subjects.incident_filter("inc1")

    def one(cause: str, expected: int) -> Append:
        return Append("inc1", (fact(cause, "inc1", text=LONG * 5),), expected, scope)

    log = bus.incidents
    return [
        await tried(log.append([one("a", last)])),
        await tried(log.append([one("a", last + 7)])),
        await tried(log.append([one("new", last + 7)])),
        await tried(log.append([one("new", last)])),
        await tried(log.append([one("a", last), one("new", last)])),
        await tried(log.append([one("new", last + 7), one("other", last)])),
    ]


async def test_a_batch_is_torn_where_the_room_ends_and_what_is_full_refuses_in_the_same_order(tmp_path: Path) -> None:
    """An atomic batch is not atomic at the end of the room: a part is written, and no answer comes."""
    async with server_world(tmp_path, max_file_store=ROOM) as world:
        bus = await world.bus()
        last = await first_words(bus)
        for number in range(ROOM):
            if await world.storage() > ROOM - PART:
                break
            await bus.connection.publish(PLACE, fact(f"filling {number}", text=LONG))
        torn = await tried(bus.incidents.append(batch()))
        written = len(await bus.incidents.load("inc2"))
        server = (torn, written, await refusals(bus, last))

    async def scene(model: ModelWorld) -> object:
        bus = await model.bus()
        last = await first_words(bus)
        model.broker.streams["INCIDENTS"].room = written
        torn = await tried(bus.incidents.append(batch()))
        return torn, len(await bus.incidents.load("inc2")), await refusals(bus, last)

    assert 0 < written < BATCH
    assert in_the_model(scene) == server


async def test_a_clock_that_is_due_on_a_full_disk_is_silent_until_the_server_is_started_anew(tmp_path: Path) -> None:
    """Also when there is room again long before."""

    async def scene(world: ServerWorld | ModelWorld, fill: Awaitable[None], make_room: Awaitable[None]) -> object:
        bus = await world.bus()
        await bus.timers.arm("inc1", "ack", world.now() + timedelta(seconds=3))
        await fill
        await asyncio.sleep(3.2)
        when_full = await bus.timers.armed()
        await make_room
        await asyncio.sleep(0.6)
        with_room = await bus.timers.armed()
        await world.kill()
        await world.start()
        await asyncio.sleep(0.8)
        return when_full, with_room, await bus.timers.armed()

    async def fill_model(world: ModelWorld, full: bool) -> None:
        world.broker.streams["TIMERS"].is_full = full

    async with server_world(tmp_path, max_file_store=ROOM // 4) as world:
        server = await scene(world, world.fill(), world.empty())
    assert server == (1, 1, 0)
    assert in_the_model(lambda model: scene(model, fill_model(model, True), fill_model(model, False))) == server
