"""Who is told when."""

from tocsin_escalator.core.incident import Deadline
from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant
from tocsin_rehearsal.simulate.profiles import Trouble
from tocsin_schemas.commands import Resolve
from tocsin_schemas.events import (
    DeadlineMissed,
    IncidentClosed,
    IncidentEscalated,
    IncidentResolved,
    ResponderPaged,
)
from tocsin_schemas.parts import Actor, DeadlineKind

__all__ = [
    "CatchesUpSanely",
    "EachLevelOnce",
    "HearsResolutionsFirst",
    "NeverEarly",
    "NoEscalationAfterResolution",
    "OnTime",
]

_BY_TIME = ("unacknowledged", "unresolved")


def due(happened: Happened) -> Deadline | None:
    """The deadline by which this happens, if it happens by one."""
    data, deadlines = happened.data, happened.before.deadlines
    match data:
        case DeadlineMissed():
            return deadlines.get(data.deadline)
        case IncidentEscalated() if data.reason == "unacknowledged":
            return happened.before.escalation
        case IncidentResolved() if data.by == Actor.system("escalator"):
            return _of(happened, DeadlineKind.WATCH)
        case IncidentClosed():
            return _of(happened, DeadlineKind.CLOSE)
        case _:
            return None


def _of(happened: Happened, kind: DeadlineKind) -> Deadline | None:
    return next((each for each in happened.before.deadlines.values() if each.kind is kind), None)


class Due(Invariant):
    """What happens by a deadline, and when it was due in seconds since the start."""

    def on_event(self, happened: Happened) -> None:
        deadline = due(happened)
        if deadline is not None:
            self.on_due(happened, deadline, (deadline.due_at - self.world.start).total_seconds())

    def on_due(self, happened: Happened, deadline: Deadline, due_at: float) -> None:
        """This has happened by it."""


class NeverEarly(Due):
    """8, 20: nothing happens before its deadline, whatever a clock says."""

    numbers = "8, 20"

    def on_due(self, happened: Happened, deadline: Deadline, due_at: float) -> None:
        if happened.at < due_at - 0.001:
            early = due_at - happened.at
            self.fails(f"{type(happened.data).__name__} {early:.1f} s before its {deadline.kind}", happened.incident)


class OnTime(Due):
    """8: what is due happens within a second when nothing is wrong."""

    numbers = "8"

    def on_due(self, happened: Happened, deadline: Deadline, due_at: float) -> None:
        late = happened.at - due_at
        if self.plan.is_calm and late > 1.0:
            self.fails(f"{type(happened.data).__name__} is {late:.1f} s late", happened.incident)


class EachLevelOnce(Invariant):
    """8: each level of each round is told once, as long as the severity is the same and it is not reopened."""

    numbers = "8"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._told: set[tuple[object, ...]] = set()
        self._pages: set[str] = set()

    def on_event(self, happened: Happened) -> None:
        data = happened.data
        if isinstance(data, IncidentEscalated) and data.reason == "unacknowledged":
            state = happened.before
            level = (happened.incident, state.reopened, state.severity_since, data.round, data.level)
            if level in self._told:
                self.fails(f"level {data.level} of round {data.round} is told again", happened.incident)
            self._told.add(level)
        elif isinstance(data, ResponderPaged):
            if data.page in self._pages:
                self.fails(f"the page {data.page} is decided twice", happened.incident)
            self._pages.add(data.page)


class CatchesUpSanely(Invariant):
    """9: after an outage whoever is told by deadlines that passed meanwhile is told once."""

    numbers = "9"
    together = 10.0
    """Seconds: no plan tells anybody twice so soon."""

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._told: dict[tuple[str, str], Happened] = {}

    def on_event(self, happened: Happened) -> None:
        data = happened.data
        if not isinstance(data, ResponderPaged) or data.reason != "escalated":
            return
        before = self._told.get((happened.incident, data.target))
        if before is not None and happened.at - before.at < self.together and self._had_passed(happened, before):
            self.fails(f"{data.target} is paged twice by deadlines within {self.together:g} s", happened.incident)
        self._told[happened.incident, data.target] = happened

    def _had_passed(self, page: Happened, before: Happened) -> bool:
        """Whether both follow from deadlines in the same opening and severity, and the later one had passed by the time
        of the earlier page. A level that is due just then is told all the same."""
        due_at = [self._due_at(each) for each in (before, page)]
        if None in due_at or before.before.reopened != page.before.reopened:
            return False
        return before.before.severity_since == page.before.severity_since and (due_at[1] or 0.0) <= before.at + 0.25

    def _due_at(self, page: Happened) -> float | None:
        """When the deadline was due because of which this page was decided, if it was because of one."""
        decided = self.history.by_cause[page.envelope.cause]
        escalated = [each for each in decided if isinstance(each.data, IncidentEscalated)]
        if not escalated or any(getattr(each.data, "reason", "") not in _BY_TIME for each in escalated):
            return None
        deadline = escalated[0].before.escalation
        return None if deadline is None else (deadline.due_at - self.world.start).total_seconds()


class HearsResolutionsFirst(Invariant):
    """9: after an outage a resolution that has waited is heard before deadlines that passed meanwhile page anybody."""

    numbers = "9"
    quiet = (Trouble.CUT, Trouble.BROKER, Trouble.FULL, Trouble.CLOCKS)

    def on_event(self, happened: Happened) -> None:
        data = happened.data
        if not isinstance(data, ResponderPaged) or data.reason != "escalated":
            return
        if self.plan.hazards or self.plan.has(*self.quiet):
            return
        deadline = happened.before.escalation
        escalated = self.history.by_cause[happened.envelope.cause]
        if not any(isinstance(each.data, IncidentEscalated) and each.data.reason in _BY_TIME for each in escalated):
            return
        first = escalated[0].before.escalation or deadline
        if first is None or happened.at - (first.due_at - self.world.start).total_seconds() < 5.0:
            return
        waiting = [
            asked
            for asked in self.course.stage.asked
            if isinstance(asked.command, Resolve)
            and asked.command.incident == happened.incident
            and asked.at < happened.at - 5.0
            and asked.id not in self.history.by_cause
        ]
        if waiting:
            self.fails("is escalated although a person has resolved it and was not heard", happened.incident)


class NoEscalationAfterResolution(Invariant):
    """7: after a resolution nobody is paged or escalated to, in the log's order, until it is reopened."""

    numbers = "7"

    def on_event(self, happened: Happened) -> None:
        if happened.after.is_open:
            return
        if isinstance(happened.data, ResponderPaged | IncidentEscalated):
            self.fails(f"{type(happened.data).__name__} after the resolution", happened.incident)
