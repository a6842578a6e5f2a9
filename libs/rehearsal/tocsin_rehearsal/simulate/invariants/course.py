"""What an invariant looks at, and how it says that it does not hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tocsin_rehearsal.outside.receivers import Sent
from tocsin_rehearsal.outside.senders import ForeignAlert
from tocsin_rehearsal.outside.web import Call
from tocsin_rehearsal.simulate.history import Happened, History
from tocsin_rehearsal.simulate.plan import Plan
from tocsin_rehearsal.simulate.stage import Stage
from tocsin_rehearsal.world import World

if TYPE_CHECKING:
    from tocsin_rehearsal.simulate.recorder import Timeline

__all__ = ["Course", "Invariant", "Violation"]

_MOST = 20
"""Violations of one simulation that are kept: the first ones say enough."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What does not hold: the invariant's name and its numbers in the reliability page, when (seconds), and where."""

    invariant: str
    numbers: str
    at: float
    text: str
    incident: str = ""

    def __str__(self) -> str:
        where = f" [{self.incident}]" if self.incident else ""
        return f"{self.invariant} ({self.numbers}) at {self.at:.3f} s{where}: {self.text}"


@dataclass(slots=True)
class Course:
    """One simulation under way."""

    plan: Plan
    stage: Stage
    timeline: "Timeline | None" = None
    """What the recorder stores, where one takes part."""
    invariants: "list[Invariant]" = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    drained: set[str] = field(default_factory=set)
    """Consumers that had nothing left to do at some moment soon after all was healed."""

    @property
    def world(self) -> World:
        return self.stage.world

    @property
    def history(self) -> History:
        return self.stage.history

    @property
    def now(self) -> float:
        return self.world.loop.time()

    @property
    def healed_at(self) -> float:
        return 0.0 if self.plan.is_calm else self.plan.ends

    def violate(self, invariant: str, numbers: str, text: str, incident: str = "") -> None:
        """Say that something does not hold."""
        if len(self.violations) < _MOST:
            self.violations.append(Violation(invariant, numbers, self.now, text, incident))

    def hooks(self, name: str, base: Callable[..., None]) -> list[Callable[..., Any]]:
        """What the invariants want to be called with: those that say anything to it."""
        found = [(getattr(invariant, name), getattr(type(invariant), name)) for invariant in self.invariants]
        return [bound for bound, plain in found if plain is not base]


class Invariant:
    """One thing that must hold. `numbers`: which of the twenty of the reliability page it is."""

    numbers: ClassVar[str] = ""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.plan, self.world, self.history = course.plan, course.world, course.history

    def fails(self, text: str, incident: str = "") -> None:
        self.course.violate(type(self).__name__, self.numbers, text, incident)

    def on_event(self, happened: Happened) -> None:
        """An event is in the log."""

    def on_arrival(self, sent: Sent) -> None:
        """A message has arrived."""

    def on_effect(self, call: Call) -> None:
        """An action has had its effect."""

    def on_taken(self, alert: ForeignAlert, has_ended: bool) -> None:
        """A detector has answered 200."""

    def when_healed(self) -> None:
        """A minute after everything was healed."""

    def at_end(self) -> None:
        """At the end of the hour."""
