"""Incidents that are parts of others."""

from tocsin_escalator.core.incident import HELD, WAITING
from tocsin_rehearsal.simulate.history import Happened, Life
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant

__all__ = ["PartsAreHeard"]


class PartsAreHeard(Invariant):
    """1, 7: as long as alerts fire in an incident that is a part of another, people are told of the other; else of it,
    within the minute in which the escalator looks through all."""

    numbers = "1, 7"
    within = 65.0

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._unheard: dict[str, float] = {}

    def on_event(self, happened: Happened) -> None:
        changed = self.history.incidents[happened.incident]
        if happened.before.part_of is not None or happened.after.part_of is not None:
            self._look(changed)
        for name in happened.after.parts:
            if (part := self.history.incidents.get(name)) is not None:
                self._look(part)  # what is decided together stands in the log by incident: the whole may come first

    def when_healed(self) -> None:
        for life in self.history.incidents.values():
            self._look(life)

    def at_end(self) -> None:
        self.when_healed()

    def _look(self, life: Life) -> None:
        if self._is_heard(life):
            since = self._unheard.pop(life.id, None)
        else:
            since = self._unheard.setdefault(life.id, self.course.now)
        if since is not None and self.course.now - max(since, self.course.healed_at) > self.within:
            self.fails(f"nobody was told of it for {self.course.now - since:.0f} s: its whole is not heard", life.id)

    def _is_heard(self, life: Life) -> bool:
        state = life.state
        if state.part_of is None or not state.firing or state.phase not in WAITING | HELD:
            return True
        whole = self.history.incidents.get(state.part_of)
        return whole is not None and whole.state.muted is None and whole.state.phase in WAITING | HELD
