"""The audit: what an alarm clock missed is found here. The log is the truth about deadlines; clocks may fail."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import structlog

from tocsin_escalator.adapters.alarms import open_alarms
from tocsin_escalator.after_outage import LATE
from tocsin_escalator.core.deadlines import is_overdue
from tocsin_escalator.core.incident import Deadline, IncidentState
from tocsin_escalator.core.muting import unmuting_cause
from tocsin_escalator.handlers import Afterwards, Handlers
from tocsin_escalator.metrics import HEALED
from tocsin_escalator.orders import OrderHandlers
from tocsin_escalator.own_alarms import Missed, OwnAlarms
from tocsin_escalator.search import W
from tocsin_runtime import BusUnavailableError

__all__ = ["Audit", "Overdue"]

log = structlog.get_logger(__name__)

GRACE = timedelta(seconds=2)
"""How long a clock may take to ring, and to be heard."""

_TOGETHER = 128
_AT_FIRST = 2
"""Rounds after a start, or an interruption, in which clocks that rang meanwhile may still be on their way."""
_AFTER_FAILURE = 2.0


@dataclass(frozen=True, slots=True)
class Overdue:
    """A deadline that passed and was not heard."""

    key: int
    incident: str
    deadline: Deadline


class Audit:
    """Looks through all open incidents: heals what is overdue, sets the clocks of what is due soon."""

    def __init__(self, handlers: Handlers, orders: OrderHandlers, every: timedelta) -> None:
        self._handlers, self._orders = handlers, orders
        self._every = every
        self._own = OwnAlarms(handlers)
        self._missed: list[Missed] = []
        self._good_rounds = 0

    async def run(self) -> None:
        """Once soon after the start, then again and again."""
        clock = self._handlers.clock
        await clock.sleep(GRACE.total_seconds())
        while True:
            try:
                await self.once()
            except BusUnavailableError as error:
                self._good_rounds = 0
                log.warning("the audit could not be made", reason=str(error))
                await clock.sleep(_AFTER_FAILURE)
            else:
                await clock.sleep(self._every.total_seconds())

    async def once(self) -> int:
        """Look through all; the answer is how many deadlines were healed. Raises BusUnavailableError."""
        handlers = self._handlers
        now = handlers.clock.now()
        incidents = handlers.index.incidents()
        healed = 0
        if not handlers.after_outage.is_behind():
            overdue = iter(self.overdue(tuple(handlers.index.settled()), now))
            while batch := list(islice(overdue, _TOGETHER)):
                healed += await self._heal(batch)
            await self._say(now)
        await self._look_again()
        await self._orders.audit()
        soon = now + 2 * self._every
        await handlers.alarms.set(
            alarm for state in incidents for alarm in open_alarms(state, soon) if now - alarm.due_at < GRACE
        )
        return healed

    async def _say(self, now: datetime) -> None:
        """Clocks that did not ring although nothing was interrupted are an alarm of our own."""
        missed, self._missed = self._missed, []
        self._good_rounds += 1
        if missed and self._good_rounds > _AT_FIRST:
            await self._own.raise_for(missed)
        elif not missed:
            await self._own.end_where_quiet()

    def overdue(self, incidents: Collection[IncidentState], now: datetime) -> list[Overdue]:
        """What clocks have missed, of the most severe incidents first, and of those the oldest."""
        found = [
            (self._rank(state), deadline.due_at, state.incident, deadline)
            for state in incidents
            for deadline in state.deadlines.values()
            if is_overdue(deadline, now, GRACE)
        ]
        found.sort(key=lambda each: each[:3])
        return [Overdue(key, incident, deadline) for key, (_, _, incident, deadline) in enumerate(found)]

    def _rank(self, state: IncidentState) -> int:
        rulebook = self._handlers.rulebooks.of_incident(state.opening.playbook) if state.opening else None
        return rulebook.ranks.get(state.severity, 0) if rulebook else 0

    async def _look_again(self) -> None:
        """Tell of what was muted because of something that is over: it may have been resolved by hand, or we died."""
        handlers, then = self._handlers, Afterwards()

        async def look(work: W, numbered: tuple[int, str]) -> None:
            key, incident = numbered
            then.begin(key)
            state = (await work.known(incident)).state
            await handlers.look_again(work, incident, unmuting_cause(state), key, then)

        await handlers.decider.many(list(enumerate(handlers.explanations.unexplained())), look)
        await handlers.alarms.set(alarm for alarms in then.alarms.values() for alarm in alarms)

    async def _heal(self, batch: list[Overdue]) -> int:
        handlers, then = self._handlers, Afterwards()
        healed: dict[int, Overdue] = {}

        async def ring(work: W, missed: Overdue) -> None:
            then.begin(missed.key)
            healed.pop(missed.key, None)
            if await handlers.ring(work, missed.incident, missed.deadline.id, missed.key, then):
                healed[missed.key] = missed

        ahead = handlers.decider.unread(missed.incident for missed in batch)
        await handlers.decider.many(batch, ring, ahead=ahead)
        await handlers.alarms.set(alarm for alarms in then.alarms.values() for alarm in alarms)
        for missed in healed.values():
            late = handlers.clock.now() - missed.deadline.due_at
            HEALED.inc()
            if late > LATE:
                self._missed.append(Missed(missed.incident, missed.deadline, late))
            log.warning(
                "deadline did not ring",
                incident=missed.incident,
                deadline=missed.deadline.id,
                kind=missed.deadline.kind.value,
                late_seconds=round(late.total_seconds(), 3),
            )
        return len(healed)
