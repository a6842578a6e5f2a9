"""One test from its text to what became of it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tocsin_playbook import Playbook
from tocsin_playbook.model import Step
from tocsin_rehearsal.cases.compare.check import judge
from tocsin_rehearsal.cases.compare.verdict import Difference, difference_of
from tocsin_rehearsal.cases.filling import fill
from tocsin_rehearsal.cases.loader import TestFile
from tocsin_rehearsal.cases.model import Case
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.cases.results import Result
from tocsin_rehearsal.cases.seen import Seen
from tocsin_rehearsal.cases.side_by_side import WIDTH, side_by_side
from tocsin_rehearsal.outside.metrics import read_recording
from tocsin_rehearsal.perform.acts import Stagehand
from tocsin_rehearsal.perform.coverage import Coverage
from tocsin_rehearsal.perform.outsides import set_channel, set_rules
from tocsin_rehearsal.world import ServiceDiedError, World

__all__ = ["Performance", "perform", "result_of"]

_HOLDS = 4
"""Intervals for which a recorded sample is shown where no other follows."""


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
        settings={"remediator": {"allowed_hosts": _hosts(playbooks)}},
    )
    stagehand = Stagehand(world)
    _set_up(world, stagehand, file, case)
    world.run_until(case.ends)
    seen = fill(world.log, world.alerts, world.messages, start=document.start, until=case.ends)
    return Performance(world, seen, tuple(stagehand.problems))


def result_of(file: TestFile, case: Case, covered: Sequence[Coverage] = (), *, width: int = WIDTH) -> Result:
    """What became of it, for people (in so many columns) and machines; counted in `covered`."""
    began = time.perf_counter()
    line, name = file.line_of(case), str(file.path)
    try:
        performance = perform(file, case)
    except ServiceDiedError as error:
        return Result(name, line, case.name, _since(began), error=str(error))
    verdicts = judge(case.expect, performance.seen)
    differences = tuple(difference_of(each) for each in verdicts if not each.is_met)
    undone = tuple(
        Difference(("at",), at, f"at {shown(at)}: what the test does can be done", said)
        for at, said in performance.problems
    )
    table = side_by_side(verdicts, performance.seen, width=width) if differences else ""
    told = "\n".join([*map(str, undone), table] if undone else [table])
    for coverage in covered:
        coverage.take(performance.world)
    performance.world.close()
    return Result(name, line, case.name, _since(began), (*undone, *differences), told)


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.perf_counter() - began)


# --- the beginning ----------------------------------------------------------------------------------------------------


def _set_up(world: World, stagehand: Stagehand, file: TestFile, case: Case) -> None:
    given = case.given
    set_rules(world, given.world.http)
    for channel, troubles in given.world.channels.items():
        set_channel(world, channel, troubles)
    if given.world.nats == "down":
        world.kill("nats")
    world.leases.is_up = given.world.redis != "down"
    for feed in file.feeds(case):
        source = feed.source or ""
        if feed.file is None:
            world.at(feed.begins, partial(world.feed, source, dict(feed.values), every=feed.interval))
        else:
            recording = read_recording(Path(feed.file).read_text(encoding="utf-8"))
            world.at(feed.begins, partial(world.metrics.play, source, recording, _HOLDS * feed.interval))
    for alert in given.alerts:
        lasts = None if alert.until is None else alert.until - alert.begins
        world.at(alert.begins, partial(stagehand.fire, alert.labels, alert.annotations, lasts))
    for doing in case.at:
        for act in doing.do:
            world.at(doing.at, partial(stagehand.do, act))


def _hosts(playbooks: Sequence[Playbook]) -> str:
    """Every host that the playbooks act upon: which of them may be reached is for the deployment to say."""
    steps = [step for playbook in playbooks for runbook in playbook.remediate.runbooks for step in runbook.steps]
    urls = [url for step in steps for url in _urls(step)]
    return ",".join(sorted({urlsplit(url).netloc.rpartition("@")[2] for url in urls} or {"127.0.0.1"}))


def _urls(step: Step) -> Iterator[str]:
    if step.http is not None:
        yield step.http.url
        if step.http.probe is not None:
            yield step.http.probe.url
    if step.verify is not None and step.verify.http is not None:
        yield step.verify.http.url
