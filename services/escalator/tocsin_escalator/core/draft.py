"""A decision in the making: the events so far, and the state that they would make."""

from datetime import datetime

from tocsin_escalator.core.fold import apply
from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_schemas import Actor, Event

__all__ = ["SYSTEM", "Draft"]

SYSTEM = Actor.system("escalator")


class Draft:
    """Collects events; each is folded as it is added, so that what follows is decided on the state after it.

    Lives within one decision and is never shared: the decision stays a pure function.
    """

    __slots__ = ("events", "now", "rulebook", "state")

    def __init__(self, state: IncidentState, rulebook: Rulebook, now: datetime) -> None:
        self.state = state
        self.rulebook = rulebook
        self.now = now
        self.events: list[Event] = []

    def add(self, event: Event) -> None:
        self.events.append(event)
        self.state = apply(self.state, event, self.now)

    def done(self) -> tuple[Event, ...]:
        return tuple(self.events)
