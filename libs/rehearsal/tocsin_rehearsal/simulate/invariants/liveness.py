"""That it goes on: nothing dies, nothing is left over."""

from datetime import timedelta

from tocsin_escalator.core.incident import Phase
from tocsin_rehearsal.simulate.invariants.course import Invariant
from tocsin_schemas import DeadLettered

__all__ = ["AllClosed", "AllLive", "BacklogEmpties", "NothingOverdue"]

_REFUSED = ("tocsin.commands.remediator.", "tocsin.commands.escalator.")


class AllLive(Invariant):
    """3, 17: no service dies, no task ends by an exception that nobody sees, nothing is parked but refused commands."""

    numbers = "3, 17"

    def at_end(self) -> None:
        for problem in self.world.loop.problems[:3]:
            self.fails(f"{problem.get('message')}: {problem.get('exception')!r}")
        poison = self.course.stage.poison
        letters = [letter.data for letter in self.world.dead_letters if isinstance(letter.data, DeadLettered)]
        for letter in letters:
            expected = letter.original_subject.startswith(_REFUSED) or letter.headers.get("ce-id") in poison
            if not expected:
                self.fails(f"parked: {letter.original_subject}: {letter.reason[:200]}")


class BacklogEmpties(Invariant):
    """Liveness: within a minute after everything was healed each consumer has nothing left to do at some moment; in the
    end none has. What waits for a person's approval may wait."""

    numbers = "3, liveness"

    def when_healed(self) -> None:
        for name in sorted(set(self.world.broker.consumers) - self.course.drained):
            if not name.startswith("remediator-"):
                self.fails(f"{name} is behind a minute after everything was healed")

    def at_end(self) -> None:
        for name, consumer in self.world.broker.consumers.items():
            if consumer.backlog:
                self.fails(f"{name} has {consumer.backlog} messages left")


class NothingOverdue(Invariant):
    """8, liveness: a minute after everything was healed nothing is overdue."""

    numbers = "8, liveness"
    ring = timedelta(seconds=2)

    def when_healed(self) -> None:
        self._look()

    def at_end(self) -> None:
        self._look()

    def _look(self) -> None:
        now = self.world.now
        for life in self.history.incidents.values():
            for deadline in life.state.deadlines.values():
                if now - deadline.due_at > self.ring:
                    late = (now - deadline.due_at).total_seconds()
                    self.fails(f"{deadline.kind} is {late:.0f} s overdue", life.id)


class AllClosed(Invariant):
    """12, 15: long after the last alert has ended every incident is closed."""

    numbers = "12, 15"

    def at_end(self) -> None:
        for life in self.history.incidents.values():
            if life.state.phase is not Phase.CLOSED:
                self.fails(f"is still {life.state.phase.value}", life.id)
