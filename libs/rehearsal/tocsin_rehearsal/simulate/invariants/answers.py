"""Who answers, and who is told until then."""

from collections import defaultdict

from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant
from tocsin_schemas.events import (
    IncidentAcknowledged,
    IncidentReopened,
    ResponderAnswered,
    ResponderDeclined,
    ResponderPaged,
)

__all__ = ["EachAnswers", "NoWayAfterAnswer"]

_PERSON = "person:"


class NoWayAfterAnswer(Invariant):
    """10: nobody is told in yet another way of what they, or anybody for all, have answered since."""

    numbers = "10"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._paged: dict[str, int] = {}
        self._answered: dict[tuple[str, str], int] = {}

    def on_event(self, happened: Happened) -> None:
        data, incident, place = happened.data, happened.incident, happened.envelope.sequence
        match data:
            case ResponderPaged(repeats=None):
                self._paged[data.page] = place
            case ResponderPaged(repeats=str(first)):
                of_all, own = ((incident, name) for name in ("", data.target.removeprefix(_PERSON)))
                last = max(self._answered.get(of_all, 0), self._answered.get(own, 0))
                if last > self._paged.get(first, 0):
                    self.fails(f"{data.target} is told in another way although that was answered", incident)
            case IncidentAcknowledged(by=by):  # by no way: an update prolongs it, and answers for nobody else
                self._answered[incident, "" if by.via is not None else by.name] = place
            case ResponderAnswered(person=person) | ResponderDeclined(person=person):
                self._answered[incident, person] = place
            case _:
                pass


class EachAnswers(Invariant):
    """7: where each of several people must answer, nothing is acknowledged before the last of them has answered, or has
    said that they cannot take it."""

    numbers = "7"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._asked: defaultdict[str, set[str]] = defaultdict(set)
        self._said: defaultdict[str, set[str]] = defaultdict(set)

    def on_event(self, happened: Happened) -> None:
        data, incident = happened.data, happened.incident
        match data:
            case ResponderPaged(each=True, target=target) if target.startswith(_PERSON):
                self._asked[incident].add(target.removeprefix(_PERSON))
            case ResponderAnswered(person=person) | ResponderDeclined(person=person):
                self._said[incident].add(person)
            case IncidentAcknowledged(by=by):
                self._said[incident].add(by.name)
                waiting = self._asked[incident] - self._said[incident]
                if happened.before.is_waiting and waiting:
                    self.fails(f"is acknowledged, and {', '.join(sorted(waiting))} must still answer", incident)
            case IncidentReopened():
                self._asked[incident].clear()
                self._said[incident].clear()
            case _:
                pass
