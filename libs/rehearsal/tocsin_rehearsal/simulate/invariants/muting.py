"""What nobody is told of."""

from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant
from tocsin_schemas.events import ResponderPaged

__all__ = ["NobodyToldWhileMuted"]

_BY_ITSELF = ("opened", "escalated", "reopened", "severity_raised", "unanswered", "declined")


class NobodyToldWhileMuted(Invariant):
    """7, 12: of a muted incident nobody is paged by itself, and it does not stay muted when nothing mutes it."""

    numbers = "7, 12"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._asked_for: set[str] = set()

    def on_event(self, happened: Happened) -> None:
        data, muted = happened.data, happened.before.muted
        if not isinstance(data, ResponderPaged):
            return
        if data.reason not in _BY_ITSELF or data.repeats in self._asked_for:
            self._asked_for.add(data.page)
        elif muted is not None:
            self.fails(f"{data.target} is paged ({data.reason}) although {muted.name} mutes it", happened.incident)

    def at_end(self) -> None:
        for life in self.history.incidents.values():
            muted = life.state.muted
            if life.state.is_open and life.state.firing and muted is not None:
                self.fails(f"{muted.name} still mutes it", life.id)
