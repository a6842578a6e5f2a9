"""That it goes on: nothing dies, nothing is left over."""

from datetime import timedelta

from tocsin_escalator.core.incident import HELD, WAITING, Phase
from tocsin_rehearsal.simulate.history import Life
from tocsin_rehearsal.simulate.invariants.course import Invariant
from tocsin_rehearsal.simulate.steps import Poisons
from tocsin_schemas import DeadLettered
from tocsin_schemas.events import AlertGrouped, IncidentReopened

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
    end none has. What waits for a person's approval may wait, and what nobody can handle: the more replicas try it, the
    later one of them has failed often enough to park it."""

    numbers = "3, liveness"
    tried_for = 130.0
    """Seconds: a minute by its failures, and as long again for those that were lost on the way."""

    def when_healed(self) -> None:
        for name in sorted(set(self.world.broker.consumers) - self.course.drained):
            if not name.startswith("remediator-") and not self._is_poisoned(name):
                self.fails(f"{name} is behind a minute after everything was healed")

    def _is_poisoned(self, consumer: str) -> bool:
        """Whether a message that nobody can handle has come so late that it is tried until now, as it should be."""
        poison = [
            step for step in self.plan.steps if isinstance(step, Poisons) and consumer == f"escalator-{step.where}"
        ]
        return any(step.at < self.course.now < step.at + self.tried_for for step in poison)

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
    """12, 15: long after the last alert has ended every incident is closed. One that a person has reopened and in
    which nothing has fired since is theirs to end."""

    numbers = "12, 15"

    def at_end(self) -> None:
        for life in self.history.incidents.values():
            if life.state.phase is not Phase.CLOSED and not self._is_a_persons(life):
                self.fails(f"is still {life.state.phase.value}", life.id)

    def _is_a_persons(self, life: Life) -> bool:
        begun = [each for each in life.events if isinstance(each.data, IncidentReopened | AlertGrouped)]
        last = begun[-1].data if begun else None
        return life.state.phase in WAITING | HELD and isinstance(last, IncidentReopened) and last.by.kind == "person"
