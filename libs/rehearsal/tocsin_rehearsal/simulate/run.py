"""One simulation from its plan to its outcome."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from tocsin_rehearsal.simulate.faults import RandomFaults
from tocsin_rehearsal.simulate.history import History
from tocsin_rehearsal.simulate.invariants import ALL, Course, Invariant, Violation
from tocsin_rehearsal.simulate.plan import HOUR, Plan, draw
from tocsin_rehearsal.simulate.playbook import playbook_text
from tocsin_rehearsal.simulate.profiles import PROFILES
from tocsin_rehearsal.simulate.stage import NotingSenders, Stage
from tocsin_rehearsal.world import ServiceDiedError, World

if TYPE_CHECKING:
    from tocsin_rehearsal.simulate.recorder import Timeline

__all__ = ["HEALED_WITHIN", "Outcome", "perform", "simulate"]

HEALED_WITHIN = 65.0
"""Virtual seconds after the last fault within which everything is done that was to be done: the minute in which the
escalator looks through all deadlines, and the seconds in which everybody connects again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a simulation. `digest` is over every message of the log and every page, ids included."""

    plan: Plan
    violations: tuple[Violation, ...]
    digest: str
    events: int
    pages: int
    actions: int

    @property
    def holds(self) -> bool:
        return not self.violations


def simulate(seed: int, profile: str = "everything") -> Outcome:
    """The simulation of a seed. Always the same for the same code. Raises KeyError for an unknown profile."""
    return perform(draw(seed, profile))[0]


def perform(plan: Plan) -> tuple[Outcome, Course]:
    """Carry a plan out, and look at every step whether the invariants hold."""
    course = _prepare(plan)
    world = course.world
    _schedule(course)
    try:
        world.run_until(timedelta(seconds=plan.ends))
        course.stage.heal()
        _watch_backlog(course)
        world.run_until(timedelta(seconds=plan.ends + HEALED_WITHIN))
        for invariant in course.invariants:
            invariant.when_healed()
        world.run_until(timedelta(seconds=HOUR))
    except ServiceDiedError as error:
        course.violate("AllLive", "0", f"{error} ({error.__cause__!r})")
    else:
        for invariant in course.invariants:
            invariant.at_end()
    outcome = Outcome(
        plan,
        tuple(course.violations),
        _digest(world),
        len(course.history.events),
        len(world.pages),
        sum(world.web.done.values()),
    )
    world.close()
    if course.timeline is not None:
        course.timeline.close()
    return outcome, course


def _prepare(plan: Plan) -> Course:
    faults = RandomFaults(plan.seed, plan.hazards, plan.begins, plan.ends)
    world = World([playbook_text(plan.shape)], replicas=plan.replicas, faults=faults)
    faults.follow(world.loop.time)
    history = History(world.loop.time)
    stage = Stage(world, history, plan.seed)
    senders = NotingSenders(world.loop, world._detectors)
    world._senders = senders
    world.web.fault_of = stage.fault_of
    course = Course(plan, stage, _timeline(world, plan))
    course.invariants = [made(course) for made in ALL]
    streams = world.broker.streams
    history.on_event.append(stage.note)
    history.on_event += course.hooks("on_event", Invariant.on_event)
    streams["INCIDENTS"].on_stored(history.stored)
    streams["ALERTS"].on_stored(history.told)
    world.inbox.on_arrival += course.hooks("on_arrival", Invariant.on_arrival)
    world.web.on_done += course.hooks("on_effect", Invariant.on_effect)
    senders.on_taken += course.hooks("on_taken", Invariant.on_taken)
    return course


def _timeline(world: World, plan: Plan) -> "Timeline | None":
    """What a recorder stores, in the profiles that have one."""
    if not PROFILES[plan.profile].records:
        return None
    from tocsin_rehearsal.simulate.recorder import add_recorder  # it brings a database's library along

    return add_recorder(world)


def _schedule(course: Course) -> None:
    world, stage = course.world, course.stage
    for step in course.plan.steps:
        world.at(timedelta(seconds=step.at), partial(step.apply, stage))
    for upheaval in course.plan.upheavals:
        world.at(timedelta(seconds=upheaval.at), partial(upheaval.begin, stage))
        world.at(timedelta(seconds=upheaval.at + upheaval.lasts), partial(upheaval.end, stage))


def _watch_backlog(course: Course) -> None:
    """Look every few seconds, for a minute, which consumers have nothing left to do but what nobody can handle: that
    each replica tries eight times, with pauses of half a minute in all, before one of them parks it."""
    course.drained.clear()
    poison = course.stage.poison

    def look() -> None:
        for name, consumer in course.world.broker.consumers.items():
            if all(stored.envelope.id in poison for stored in consumer.unsettled()):
                course.drained.add(name)

    for second in range(2, int(HEALED_WITHIN), 2):
        course.world.at(timedelta(seconds=course.plan.ends + second + 0.9), look)


def _digest(world: World) -> str:
    """Of the log with its ids, times and places, and of all messages."""
    digest = hashlib.sha256()
    for event in world.log:
        digest.update(f"{event.sequence} {event.id} {event.time.isoformat()} {event.type}\n".encode())
    for sent in world.messages:
        digest.update(f"{sent.at} {sent.id} {sent.channel} {sent.address}\n".encode())
    return digest.hexdigest()
