"""That what is wrong with one thing does not harm the others, and that a storm delays no first page."""

from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant
from tocsin_rehearsal.simulate.plan import Plan
from tocsin_rehearsal.simulate.upheavals import Refuses
from tocsin_schemas import DeadLettered
from tocsin_schemas.events import (
    AlertFired,
    IncidentMuted,
    IncidentOpened,
    NotificationDelivered,
    NotificationFailed,
    ResponderPaged,
)

__all__ = ["OthersArrive", "PagedSoon", "PoisonIsParked"]

_FIRST_WAY = {"person:ada": "slack", "person:grace": "mail"}
"""How the people of the simulations' playbooks are told first."""

_HARMLESS = ("latency", "slow")


class PoisonIsParked(Invariant):
    """17, 3: a message that nobody can handle is parked as one letter, with its reason; what else there is goes on.

    The stream may hold that letter twice, under one id: where it is written, the word that the message is done with is
    lost, and nobody is there to try it again until ids are forgotten. Who reads letters takes each id once.
    """

    numbers = "17, 3"

    def at_end(self) -> None:
        for poison in self.course.stage.poison:
            reasons: dict[str, str] = {}
            for each in self.world.dead_letters:
                if isinstance(each.data, DeadLettered) and each.data.headers.get("ce-id") == poison:
                    reasons[each.id] = each.data.reason
            if len(reasons) != 1 or not all(reasons.values()):
                self.fails(f"a message that nobody can handle is parked {len(reasons)} times")


class OthersArrive(Invariant):
    """17: while one channel refuses or hangs, and nothing else is wrong, pages by the other arrive as ever."""

    numbers = "17"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        refused = {name for each in self.plan.upheavals if isinstance(each, Refuses) for name in _channels(each)}
        self._well = {"slack", "mail"} - refused if _is_quiet(self.plan) else set()
        # A page waits for a second at most until a channel's rate lets it go.
        self._within = 12.0 if self.plan.hazards else 2.0

    def at_end(self) -> None:
        ended = {
            happened.data.page: happened.at
            for happened in reversed(self.history.events)
            if isinstance(happened.data, NotificationDelivered | NotificationFailed)
        }
        for happened in self.history.events:
            data = happened.data
            if isinstance(data, ResponderPaged) and _FIRST_WAY.get(data.target) in self._well:
                took = ended.get(data.page, float("inf")) - happened.at
                if took > self._within:
                    self.fails(f"the page to {data.target} took {took:.1f} s", happened.incident)


class PagedSoon(Invariant):
    """18: however many alerts come at once, the first page of each incident is decided within five seconds, as long as
    only receivers are troubled, and messages travel no longer than that."""

    numbers = "18"
    within = 5.0

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._looks = _is_quiet(self.plan)
        self._opened: dict[str, float] = {}

    def on_event(self, happened: Happened) -> None:
        if not self._looks:
            return
        if isinstance(happened.data, IncidentOpened):
            self._opened[happened.incident] = self._began(happened)
        elif isinstance(happened.data, IncidentMuted):
            self._opened.pop(happened.incident, None)
        elif isinstance(happened.data, ResponderPaged) and happened.incident in self._opened:
            took = happened.at - self._opened.pop(happened.incident)
            if took > self.within:
                self.fails(f"its first page was decided {took:.1f} s after its alert was told", happened.incident)

    def _began(self, opened: Happened) -> float:
        """When the alert was in the stream because of which this was opened."""
        for words in self.history.words.values():
            for at, word in words:
                if word.id == opened.envelope.cause and isinstance(word.data, AlertFired):
                    return at
        return opened.at


def _is_quiet(plan: Plan) -> bool:
    """Whether only receivers are troubled, and messages travel for a while at most."""
    upheavals, hazards = plan.upheavals, plan.hazards
    return all(isinstance(each, Refuses) for each in upheavals) and all(each.kind in _HARMLESS for each in hazards)


def _channels(refuses: Refuses) -> list[str]:
    return refuses.channel.split(" and ")
