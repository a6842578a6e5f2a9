"""One test from its text to what became of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from tocsin_rehearsal.cases.compare.check import judge
from tocsin_rehearsal.cases.compare.verdict import Difference, Verdict, difference_of
from tocsin_rehearsal.cases.filling import fill
from tocsin_rehearsal.cases.loader import TestFile
from tocsin_rehearsal.cases.model import Case
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.cases.results import Result
from tocsin_rehearsal.cases.seen import Seen
from tocsin_rehearsal.cases.side_by_side import WIDTH, side_by_side
from tocsin_rehearsal.hosts import hosts_of
from tocsin_rehearsal.perform.acts import Stagehand
from tocsin_rehearsal.perform.cells import watched_cells
from tocsin_rehearsal.perform.coverage import Coverage
from tocsin_rehearsal.perform.outsides import set_channel, set_rules, show
from tocsin_rehearsal.perform.peaks import peaks_of
from tocsin_rehearsal.world import ServiceDiedError, World

__all__ = ["Performance", "perform", "result_of"]


@dataclass(frozen=True, slots=True)
class Performance:
    """A test that was performed: its world as it ended, and everything on one timeline."""

    world: World
    seen: Seen
    problems: tuple[tuple[timedelta, str], ...]
    """What the test says is done and could not be, and when."""


def perform(file: TestFile, case: Case) -> Performance:
    """Perform one test. Raises ServiceDiedError where a service of ours breaks on it."""
    document = file.document
    playbooks = [each.playbook for each in file.playbooks]
    texts = [(file.path.parent / each).read_text(encoding="utf-8") for each in document.playbook]
    world = World(
        texts,
        start=document.start,
        replicas=document.replicas,
        settings={"remediator": {"allowed_hosts": hosts_of(playbooks)}},
    )
    stagehand = Stagehand(world)
    _set_up(world, stagehand, file, case)
    world.run_until(case.ends)
    seen = fill(world.log, world.alerts, world.messages, start=document.start, until=case.ends)
    return Performance(world, seen, stagehand.undone())


def result_of(file: TestFile, case: Case, covered: Sequence[Coverage] = (), *, width: int = WIDTH) -> Result:
    """What became of it, for people (in so many columns) and machines; counted in `covered`."""
    began = time.perf_counter()
    line, name = file.line_of(case), str(file.path)
    try:
        with watched_cells() as cells:
            performance = perform(file, case)
    except ServiceDiedError as error:
        return Result(name, line, case.name, _since(began), error=str(error))
    seen = performance.seen
    verdicts = judge(case.expect, seen)
    if any(_lacks_an_alert(each, seen) for each in verdicts):
        seen = replace(seen, peaks=peaks_of(file, case))
        verdicts = judge(case.expect, seen)
    differences = tuple(difference_of(each) for each in verdicts if not each.is_met)
    undone = tuple(
        Difference(("at",), at, f"at {shown(at)}: what the test does can be done", said)
        for at, said in performance.problems
    )
    table = side_by_side(verdicts, seen, width=width) if differences else ""
    told = "\n".join([*map(str, undone), table] if undone else [table])
    for coverage in covered:
        coverage.take(performance.world, cells)
    performance.world.close()
    return Result(name, line, case.name, _since(began), (*undone, *differences), told)


def _lacks_an_alert(verdict: Verdict, seen: Seen) -> bool:
    """Whether how far values went can be why it is not met."""
    return not verdict.is_met and ("alerts" in verdict.place or not seen.of("alert", end=verdict.at))


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.perf_counter() - began)


# --- the beginning ----------------------------------------------------------------------------------------------------


def _set_up(world: World, stagehand: Stagehand, file: TestFile, case: Case) -> None:
    given = case.given
    for silence in given.silences:
        stagehand.silence(silence, case.ends)
    world.run_until(timedelta())  # they stand before anything happens
    set_rules(world, given.world.http)
    for channel, troubles in given.world.channels.items():
        set_channel(world, channel, troubles)
    if given.world.nats == "down":
        world.kill("nats")
    world.leases.is_up = given.world.redis != "down"
    for feed in file.feeds(case):
        world.at(feed.begins, partial(show, world.metrics, feed))
    for alert in given.alerts:
        lasts = None if alert.until is None else alert.until - alert.begins
        world.at(alert.begins, partial(stagehand.fire, alert.labels, alert.annotations, lasts))
    for doing in case.at:
        for act in doing.do:
            world.at(doing.at, partial(stagehand.do, act))
