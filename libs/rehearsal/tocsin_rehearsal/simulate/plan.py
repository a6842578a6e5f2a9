"""What a simulation is going to be, as data: drawn from its seed, and smaller when it is shrunken."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tocsin_rehearsal.outside.web import Behaviour, Fault, Kind
from tocsin_rehearsal.simulate.faults import Hazard, draw_hazards
from tocsin_rehearsal.simulate.playbook import Shape, draw_shape
from tocsin_rehearsal.simulate.profiles import PROFILES, Profile, Trouble
from tocsin_rehearsal.simulate.steps import Asks, Fires, Mends, Shows, Step, Verb
from tocsin_rehearsal.simulate.upheavals import (
    Away,
    Cut,
    Dies,
    Down,
    Full,
    Refuses,
    Resets,
    Sourceless,
    Targets,
    Upheaval,
)

__all__ = ["HOUR", "Plan", "draw"]

HOUR = 3600.0
_ALERTS_END = 2300.0
_TROUBLE_ENDS = 1800.0

_SERVICES = ("shop", "api", "search", "billing", "mail", "login")
_NAMES = ("Errors", "Slow", "Full", "Lagging")
_REPLICATED = ("detector", "escalator", "remediator", "notifier")


@dataclass(frozen=True, slots=True)
class Plan:
    """One simulation. `begins` and `ends`: when anything may go wrong, in seconds since the start."""

    seed: int
    profile: str
    shape: Shape
    replicas: int
    steps: tuple[Step, ...]
    upheavals: tuple[Upheaval, ...]
    hazards: tuple[Hazard, ...]
    begins: float
    ends: float

    @property
    def is_calm(self) -> bool:
        """Whether nothing goes wrong at all."""
        return not self.upheavals and not self.hazards

    def has(self, *troubles: Trouble) -> bool:
        """Whether anything of these kinds goes wrong at a moment."""
        return any(upheaval.trouble in troubles for upheaval in self.upheavals)


def draw(seed: int, profile: str) -> Plan:
    """The plan of a seed: always the same. Raises KeyError for a profile that does not exist."""
    found = PROFILES[profile]
    rng = Random(f"{profile} {seed}")  # noqa: S311  # a simulation's dice
    enabled = _swarm(rng, found)
    shape = draw_shape(rng)
    replicas = rng.choices((1, 2, 3), (5, 4, 1))[0]
    begins = rng.uniform(0.5, 120.0)
    ends = begins + rng.uniform(60.0, _TROUBLE_ENDS - 120.0)
    steps = sorted(_draw_steps(rng, found, shape, ends), key=lambda step: step.at)
    upheavals = sorted(_draw_upheavals(rng, enabled, replicas, begins, ends, steps), key=lambda each: each.at)
    hazards = draw_hazards(rng, enabled)
    return Plan(seed, profile, shape, replicas, tuple(steps), tuple(upheavals), hazards, begins, ends)


def _swarm(rng: Random, profile: Profile) -> frozenset[Trouble]:
    """A part of the profile's troubles, at least one: what never happens together hides what happens only then."""
    troubles = sorted(profile.troubles)
    share = rng.choice((0.2, 0.4, 0.7))
    found = [trouble for trouble in troubles if rng.random() < share]
    return frozenset(found or (rng.sample(troubles, 1) if troubles else ()))


# --- what happens ----------------------------------------------------------------------------------------------------


def _draw_steps(rng: Random, profile: Profile, shape: Shape, ends: float) -> Iterator[Step]:
    """Most of it while things go wrong, some of it after."""
    latest = min(ends + 300.0, _ALERTS_END - 400.0)
    first = rng.uniform(1.0, 60.0)
    services = rng.sample(_SERVICES, rng.randint(1, 3 if profile.alerts[1] < 10 else 6))
    at = [first, *(rng.uniform(first, latest) for _ in range(rng.randint(*profile.alerts) - 1))]
    if profile.alerts[1] >= 10:  # a storm: most of them at once
        at = [moment if rng.random() < 0.2 else first + rng.uniform(0.0, 5.0) for moment in at]
    used: Counter[tuple[str, str]] = Counter()
    for moment in at:
        yield from _draw_alert(rng, services, moment, used)
    for _ in range(rng.randint(*profile.commands)):
        near = rng.choice(at) + rng.uniform(0.0, 0.6)  # while all is busy with an alert
        asked_at = near if rng.random() < 0.3 else first + (latest - first) * rng.random() ** 2
        yield from _draw_command(rng, asked_at)
    yield Mends(0.2, is_well=rng.random() < 0.5)
    if rng.random() < 0.5:
        yield Mends(rng.uniform(first, latest), is_well=rng.random() < 0.7)
    if shape.is_scraped:
        yield Shows(0.1, rng.choice((0, 20, 80)))
        yield Shows(rng.uniform(100.0, latest), rng.choice((0, 20, 80)))
        yield Shows(_ALERTS_END - 300.0, 0)


def _draw_alert(rng: Random, services: list[str], at: float, used: Counter[tuple[str, str]]) -> Iterator[Step]:
    """One alert, which perhaps comes again. No two senders have the same one."""
    name, service = rng.choice(_NAMES), rng.choice(services)
    used[name, service] += 1
    if used[name, service] > 1:
        name = f"{name}{used[name, service]}"
    severity = rng.choices(("critical", "major", "minor"), (5, 3, 1))[0]
    lasts = min(rng.choice((2.0, 30.0, 200.0, 900.0)) * rng.uniform(0.5, 1.5), _ALERTS_END - 200.0 - at)
    yield Fires(at, name, service, severity, lasts)
    if rng.random() < 0.4:  # it flaps: again soon after it ended, while it is watched or after
        again = at + lasts + rng.choice((0.1, 1.0, 20.0, 70.0, 200.0))
        yield Fires(again, name, service, severity, max(min(60.0, _ALERTS_END - again), 1.0))


def _draw_command(rng: Random, at: float) -> Iterator[Step]:
    verbs: tuple[Verb, ...] = (
        "acknowledge",
        "acknowledge for a while",
        "resolve",
        "escalate",
        "note",
        "approve",
        "severity",
        "stop",
    )
    verb = rng.choices(verbs, (5, 3, 3, 2, 1, 4, 2, 1))[0]
    asked = Asks(
        at,
        rng.choice(("ada", "grace")),
        verb,
        rng.randrange(6),
        rng.choice((20.0, 120.0)),
    )
    yield asked
    if rng.random() < 0.3:  # two people, or one twice, at the same moment or soon after
        again = asked.at + rng.choice((0.0, 0.0, 0.5, 5.0))
        yield Asks(again, rng.choice(("ada", "grace")), verb, asked.which, asked.lasts)


# --- what goes wrong -------------------------------------------------------------------------------------------------


def _draw_upheavals(
    rng: Random, enabled: frozenset[Trouble], replicas: int, begins: float, ends: float, steps: list[Step]
) -> Iterator[Upheaval]:
    """A few of each kind, most of them near to something that happens: there it hurts."""
    names = [f"{service}-{number}" for service in _REPLICATED for number in range(1, replicas + 1)]
    for trouble in sorted(enabled):
        for number in range(rng.randint(1, 4)):
            at = rng.uniform(begins, ends)
            if rng.random() < 0.6:
                near = rng.choice(steps).at + rng.choice((-0.5, 0.0, 0.3, 2.0, 60.0, 121.0)) * rng.random()
                at = min(max(near, begins), ends - 0.5)
            lasts = min(rng.choice((0.5, 3.0, 12.0, 90.0, 600.0)) * rng.uniform(0.5, 1.5), ends - at)
            found = _draw_one(rng, trouble, names, number, at, lasts, ends - at)
            if found is not None:
                yield found


def _draw_one(
    rng: Random, trouble: Trouble, names: list[str], number: int, at: float, lasts: float, left: float
) -> Upheaval | None:
    match trouble:
        case Trouble.KILL:
            if rng.random() < 0.5:
                return Dies(at, lasts, rng.choice(names))
            return Dies(
                at, left * rng.random(), rng.choice((*_REPLICATED, "escalator", "escalator"))
            )  # all of a service
        case Trouble.CRASH:
            return Dies(at, lasts, rng.choice(names), steps=int(10 ** rng.uniform(0.0, 2.8)))
        case Trouble.CUT:
            return Cut(at, lasts, rng.choice(names))
        case Trouble.BROKER:
            return Down(at, min(lasts, 200.0))
        case Trouble.FULL:
            return Full(at, min(lasts, 200.0), rng.choice(("INCIDENTS", "ALERTS", "TIMERS", "COMMANDS")))
        case Trouble.TARGETS:
            return Targets(at, lasts, number, *_draw_answer(rng), rng.choice((0.3, 1.0)))
        case Trouble.RECEIVERS:
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
            return Resets(at, lasts, name, -abs(by) if name.startswith("escalator") else by)
        case _:
            return None


def _draw_answer(rng: Random) -> tuple[Kind, Behaviour]:
    kinds: tuple[Kind, ...] = ("action", "action", "probe", "check")
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
    return rng.choice(kinds), rng.choice(answers)
