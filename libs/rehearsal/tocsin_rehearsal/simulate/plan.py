"""What a simulation is going to be, as data: drawn from its seed, and smaller when it is shrunken."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from random import Random
from typing import Any, cast

from tocsin_rehearsal.simulate.drawn_steps import draw_steps, draw_wishes
from tocsin_rehearsal.simulate.drawn_upheavals import Setting, draw_upheavals
from tocsin_rehearsal.simulate.faults import Hazard, draw_hazards
from tocsin_rehearsal.simulate.playbook import Shape, draw_answers, draw_shape
from tocsin_rehearsal.simulate.profiles import PROFILES, SERVICES, Profile, Trouble
from tocsin_rehearsal.simulate.steps import Fires, Step
from tocsin_rehearsal.simulate.upheavals import Upheaval

__all__ = ["HOUR", "Plan", "draw", "replicas_of"]

HOUR = 3600.0
_TROUBLE_ENDS = 1800.0
_PLACES = 1000
"""Moments, spans and chances are whole thousandths: a plan is read by people, too."""


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
    people = Random(f"{profile} {seed} people")  # noqa: S311  # dice of their own
    are_busy = people.random() < found.people
    shape = draw_answers(people, draw_shape(rng)) if are_busy else draw_shape(rng)
    replicas = rng.choices((1, 2, 3), (5, 4, 1))[0]
    begins = rng.uniform(0.5, 120.0)
    ends = begins + rng.uniform(60.0, _TROUBLE_ENDS - 120.0)
    steps = list(draw_steps(rng, found, shape, ends))
    if are_busy:
        steps += draw_wishes(people, [step.at for step in steps if isinstance(step, Fires)])
    steps.sort(key=lambda step: step.at)
    setting = Setting(shape, replicas_of(found.aims, replicas), begins, ends, steps)
    upheavals = sorted(draw_upheavals(rng, enabled, setting), key=lambda each: each.at)
    hazards = draw_hazards(rng, enabled)
    plan = Plan(seed, profile, shape, replicas, tuple(steps), tuple(upheavals), hazards, begins, ends)
    return cast(Plan, _plainly(plan))


def replicas_of(services: Sequence[str], replicas: int) -> list[str]:
    """The names of all replicas of these. There is one recorder, which has the timeline."""
    return [f"{name}-{number + 1}" for name in services for number in range(replicas if name in SERVICES else 1)]


def _plainly(piece: Any) -> Any:  # Any: a plan, or a part of one
    """The same with all numbers cut off. What was before something still is, or is at the same moment."""
    if isinstance(piece, float):
        return math.floor(piece * _PLACES) / _PLACES
    if isinstance(piece, tuple):
        return tuple(map(_plainly, piece))
    if is_dataclass(piece) and not isinstance(piece, type):
        return replace(piece, **{each.name: _plainly(getattr(piece, each.name)) for each in fields(piece)})
    return piece


def _swarm(rng: Random, profile: Profile) -> frozenset[Trouble]:
    """A part of the profile's troubles, at least one: what never happens together hides what happens only then."""
    troubles = sorted(profile.troubles)
    share = rng.choice(profile.shares)
    found = [trouble for trouble in troubles if rng.random() < share]
    return frozenset(found or (rng.sample(troubles, 1) if troubles else ()))
