"""Drawing what goes wrong at a moment in a simulation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tocsin_rehearsal.outside.web import Behaviour, Fault, Kind
from tocsin_rehearsal.simulate.playbook import Shape
from tocsin_rehearsal.simulate.profiles import Trouble
from tocsin_rehearsal.simulate.steps import Fires, Step
from tocsin_rehearsal.simulate.upheavals import (
    Away,
    Cut,
    Dies,
    Down,
    Falls,
    Full,
    Outage,
    Refuses,
    Resets,
    Sourceless,
    Targets,
    Upheaval,
    Written,
)

__all__ = ["Setting", "draw_upheavals"]


_WRITERS: Mapping[Written, str] = {
    "ActionClaimed": "remediator",
    "ActionSucceeded": "remediator",
    "IncidentOpened": "escalator",
    "DeadlineSet": "escalator",
    "NotificationDelivered": "notifier",
}
_STATES = (Trouble.TARGETS, Trouble.RECEIVERS, Trouble.REDIS, Trouble.SOURCES, Trouble.CLOCKS)
"""What is found by whoever comes later."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where things go wrong: in this family's playbook, among these replicas, between these moments."""

    shape: Shape
    replicas: Sequence[str]
    begins: float
    ends: float
    steps: Sequence[Step]


def draw_upheavals(rng: Random, enabled: frozenset[Trouble], setting: Setting) -> Iterator[Upheaval]:
    """A few of each kind, most of them near to something that happens: there it hurts."""
    begins, ends = setting.begins, setting.ends
    for trouble in sorted(enabled):
        for number in range(1 if trouble is Trouble.OUTAGE else rng.randint(1, 4)):
            at = rng.uniform(begins, ends)
            if rng.random() < 0.7:
                before = rng.choice((0.0, 5.0, 30.0)) if trouble in _STATES else 0.0
                at = min(max(_near(rng, setting) - before, begins), ends - 0.5)
            lasts = min(rng.choice((0.5, 3.0, 12.0, 90.0, 600.0)) * rng.uniform(0.5, 1.5), ends - at)
            found = _draw_one(rng, trouble, setting, number, at, lasts)
            if found is not None:
                yield found


def _near(rng: Random, setting: Setting) -> float:
    """Soon after something happens, or just before; mostly when an alert fires: much follows from that."""
    steps = [step for step in setting.steps if step.at < setting.ends] or setting.steps
    fires = [step for step in steps if isinstance(step, Fires)]
    step = rng.choice(fires if fires and rng.random() < 0.6 else steps)
    return step.at + rng.choice((-0.5, 0.0, 0.3, 2.0, 12.0, 60.0, 121.0)) * rng.random()


def _written_by(replicas: Sequence[str]) -> list[Written]:
    return [event for event, service in _WRITERS.items() if f"{service}-1" in replicas]


def _draw_one(rng: Random, trouble: Trouble, setting: Setting, number: int, at: float, lasts: float) -> Upheaval | None:
    names, left = setting.replicas, setting.ends - at
    match trouble:
        case Trouble.KILL:
            if rng.random() < 0.5:
                return Dies(at, lasts, rng.choice(names))
            services = sorted({name.rpartition("-")[0] for name in names})
            whole = rng.choice((*services, *(["escalator", "escalator"] if len(services) > 1 else ())))
            return Dies(at, rng.choice((lasts, left * rng.random())), whole)
        case Trouble.OUTAGE:
            return _draw_outage(rng, setting)
        case Trouble.CRASH if rng.random() < 0.5 and (events := _written_by(names)):
            return Falls(at, lasts, rng.choice(events), int(10 ** rng.uniform(0.0, 1.2)))
        case Trouble.CRASH:
            return Dies(at, lasts, rng.choice(names), steps=int(10 ** rng.uniform(0.0, 2.8)))
        case Trouble.CUT:
            return Cut(at, lasts, rng.choice(names))
        case Trouble.BROKER:
            return Down(at, min(lasts, 200.0))
        case Trouble.FULL:
            stream = rng.choice(("INCIDENTS", "INCIDENTS", "ALERTS", "TIMERS", "COMMANDS"))
            return Full(at, min(lasts, 200.0), stream, rng.choice((0, rng.randint(1, 9))))
        case Trouble.TARGETS:
            return Targets(
                at, min(max(lasts, rng.uniform(30.0, 300.0)), left), number, *_draw_answer(rng), rng.choice((0.3, 1.0))
            )
        case Trouble.RECEIVERS:
            lasts = min(max(lasts, rng.uniform(5.0, 60.0)), left)
            channel = rng.choice(("slack", "mail", "slack and mail"))
            faults: tuple[Fault, ...] = ("", "", "", "lost", "refused", "hangs")
            status, fault = rng.choice((429, 500, 400)), rng.choice(faults)
            return Refuses(at, lasts, channel, status, fault, rng.choice((None, 1.0, 30.0)) if status == 429 else None)
        case Trouble.REDIS:
            return Away(at, rng.choice((lasts, left)), rng.choice(("gone", "gone", "flushed", "slow")))
        case Trouble.SOURCES:
            return Sourceless(at, lasts)
        case Trouble.CLOCKS:
            by = rng.choice((-1, 1)) * rng.choice((2.0, 30.0, 300.0, 3600.0))
            name = rng.choice(names)
            return Resets(at, lasts, name, by)
        case _:
            return None


def _draw_outage(rng: Random, setting: Setting) -> Upheaval | None:
    """Soon after an alert the whole escalator is gone, until several levels should have been told."""
    fires = [step.at for step in setting.steps if isinstance(step, Fires) and step.at < setting.ends - 1.0]
    if not fires:
        return None
    at = min(
        max(rng.choice(fires[:2]) + rng.uniform(1.0, setting.shape.level_after), setting.begins), setting.ends - 0.5
    )
    lasts = setting.shape.level_after * rng.choice((1.0, 3.0, 7.0, 7.0)) * rng.uniform(1.0, 1.5)
    return Outage(at, min(lasts, setting.ends - at))


def _draw_answer(rng: Random) -> tuple[Kind, Behaviour]:
    """Most often an action is done and its answer gets lost: nothing is harder to get right."""
    kinds: tuple[Kind, ...] = ("action", "action", "action", "probe", "check")
    answers = (
        Behaviour(fault="lost"),
        Behaviour(409),
        Behaviour(429),
        Behaviour(500),
        Behaviour(fault="hangs"),
        Behaviour(fault="refused"),
        Behaviour(takes=3.0),
        Behaviour(takes=8.0),
    )
    return rng.choice(kinds), rng.choices(answers, (5, 1, 1, 1, 2, 1, 1, 1))[0]
