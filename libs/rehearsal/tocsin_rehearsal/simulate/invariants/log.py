"""The log itself."""

from collections import defaultdict
from collections.abc import Mapping

from tocsin_escalator.core.incident import HELD, OPEN, OVER, WAITING, Phase
from tocsin_escalator.core.lifecycle import TABLE, Answer
from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.again import decided_again
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant
from tocsin_rehearsal.simulate.stage import Asked
from tocsin_schemas.ids import event_id
from tocsin_schemas.parts import Actor

__all__ = ["CommandsAnswered", "DecidedOnce", "LegalLife", "SameDecisionAgain", "WholeLog"]


class WholeLog(Invariant):
    """13: the log is in order, without gaps, and no event stands in it twice."""

    numbers = "13"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._last = 0
        self._ids: set[str] = set()

    def on_event(self, happened: Happened) -> None:
        envelope = happened.envelope
        if envelope.sequence != self._last + 1:
            self.fails(f"event {envelope.sequence} follows {self._last}", happened.incident)
        if envelope.id in self._ids:
            self.fails(f"{envelope.type} stands in the log twice", happened.incident)
        self._last = envelope.sequence
        self._ids.add(envelope.id)


class DecidedOnce(Invariant):
    """8, 14: each message is decided on once by each service, as a whole, and ids follow from causes.

    Where the room ended within a decision, the rest of it comes later: it is still one decision.
    """

    numbers = "8, 13, 14"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._last: dict[tuple[str, str, str], tuple[int, int]] = {}
        self._missing: dict[tuple[str, str, str], int] = {}

    def on_event(self, happened: Happened) -> None:
        envelope = happened.envelope
        key = (envelope.data.OWNER, envelope.incident, envelope.cause)
        sequence, position = self._last.get(key, (envelope.sequence - 1, -1))
        if envelope.sequence != sequence + 1 and not self._is_torn(sequence):
            self.fails(f"{envelope.type} follows from what was decided on before", happened.incident)
            return
        if position + 1 >= envelope.together:
            self.fails(f"{envelope.type} is more than its decision has", happened.incident)
            return
        self._last[key] = (envelope.sequence, position + 1)
        self._missing[key] = envelope.together - position - 2
        if envelope.id != event_id(envelope.cause, envelope.incident, envelope.type, position + 1):
            self.fails(f"the id of {envelope.type} does not follow from its cause", happened.incident)

    def at_end(self) -> None:
        for (service, incident, _), missing in self._missing.items():
            if missing and service == "escalator":  # the remediator goes on from what there is
                self.fails(f"{missing} events of a decision are not in the log", incident)

    def _is_torn(self, sequence: int) -> bool:
        return sequence in self.world.broker.streams["INCIDENTS"].torn_at


_FIRING = WAITING | HELD
_MOVES: Mapping[Answer, tuple[frozenset[Phase], frozenset[Phase]]] = {
    Answer.OPEN: (frozenset({Phase.NONE}), frozenset({Phase.TRIGGERED})),
    Answer.RESUME: (frozenset({Phase.MONITORING}), _FIRING),
    Answer.REOPEN: (OVER, frozenset({Phase.REOPENED})),
    Answer.CLEAR: (_FIRING, frozenset({Phase.MONITORING})),
    Answer.SPLIT: (_FIRING, frozenset({Phase.MONITORING})),
    Answer.TELL: (HELD, WAITING),
    Answer.ACKNOWLEDGE: (WAITING, HELD),
    Answer.UPDATE: (_FIRING, HELD),
    Answer.RESOLVE: (OPEN, OVER),
    Answer.CLOSE: (OVER, frozenset({Phase.CLOSED})),
}
"""From where each answer may lead an incident, and where to."""

_STEPS: frozenset[tuple[Phase, Phase]] = frozenset(
    (before, after)
    for (before, _), answered in TABLE.items()
    if answered in _MOVES and before in _MOVES[answered][0]
    for after in _MOVES[answered][1]
)
"""From which phase to which an incident may go, by the table."""


class LegalLife(Invariant):
    """15: an incident goes from phase to phase as the table says; after its end nothing is decided."""

    numbers = "15"

    def on_event(self, happened: Happened) -> None:
        before, after = happened.before.phase, happened.after.phase
        if before is not after and (before, after) not in _STEPS:
            self.fails(f"{before.value} becomes {after.value} by {type(happened.data).__name__}", happened.incident)
        owner = happened.data.OWNER
        if owner == "escalator" and before is Phase.CLOSED and happened.data.SLUG != "command_rejected":
            self.fails(f"{type(happened.data).__name__} after the incident was closed", happened.incident)
        if owner != "escalator" and before is Phase.NONE:
            self.fails(f"{type(happened.data).__name__} before the incident was opened", happened.incident)
        if after is Phase.MONITORING and happened.after.firing:
            self.fails("is watched although alerts fire", happened.incident)
        by_itself = getattr(happened.data, "by", None) == Actor.system("escalator")
        if after is Phase.RESOLVED and before not in (*OVER, Phase.MONITORING) and by_itself:
            self.fails("is resolved without having been watched", happened.incident)


class CommandsAnswered(Invariant):
    """15: whatever an operator asks for is answered in the log, or parked with the reason."""

    numbers = "15"

    def at_end(self) -> None:
        parked = {getattr(letter.data, "headers", {}).get("ce-id", "") for letter in self.world.dead_letters}
        for asked in self.course.stage.asked:
            answers = [each for each in self.history.by_cause.get(asked.id, ()) if each.incident == _about(asked)]
            if not answers and asked.id not in parked:
                self.fails(f"{type(asked.command).__name__} at {asked.at:.1f} s was never answered")


def _about(asked: Asked) -> str:
    return str(getattr(asked.command, "incident", ""))


class SameDecisionAgain(Invariant):
    """14: what the escalator's core decides again, on the state that the log folds to, is what it decided."""

    numbers = "14"

    def at_end(self) -> None:
        decisions: defaultdict[tuple[str, str], list[Happened]] = defaultdict(list)
        for happened in self.history.events:
            if happened.data.OWNER == "escalator":
                decisions[happened.incident, happened.envelope.cause].append(happened)
        for (incident, _), events in decisions.items():
            again = decided_again(self.course, events)
            if again is not None and again != tuple(happened.data for happened in events):
                was = [type(happened.data).__name__ for happened in events]
                now = [type(event).__name__ for event in again]
                self.fails(f"decided {was}, and now {now}", incident)
