"""Alarm clocks for deadlines: set after the deadlines stand in the log."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from tocsin_escalator.core.incident import IncidentState
from tocsin_runtime.bus.timers import Timers
from tocsin_schemas import Envelope, Event
from tocsin_schemas.events import DeadlineSet

__all__ = ["Alarm", "Alarms", "alarms_for", "open_alarms"]

_AT_ONCE = 64
"""How many clocks are being set at the same time."""


class Alarm(NamedTuple):
    """A clock to set."""

    incident: str
    deadline: str
    due_at: datetime


def alarms_for(events: Iterable[Envelope[Event]], before: datetime) -> tuple[Alarm, ...]:
    """The clocks that these events ask for, of deadlines that are due before a moment; the audit sets the others when
    it is time: most deadlines never come to that.
    """
    return tuple(
        Alarm(event.incident, event.data.deadline, event.data.due_at)
        for event in events
        if isinstance(event.data, DeadlineSet) and event.data.due_at < before
    )


def open_alarms(state: IncidentState, before: datetime) -> tuple[Alarm, ...]:
    """The clocks of an incident's open deadlines that are due before a moment: in case they were never set."""
    return tuple(
        Alarm(state.incident, deadline.id, deadline.due_at)
        for deadline in state.deadlines.values()
        if deadline.due_at < before
    )


class Alarms:
    """Sets clocks. Setting one again is harmless."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    async def set(self, alarms: Iterable[Alarm]) -> None:
        """Set these; of several for one deadline the last. Raises BusUnavailableError."""
        last = {(alarm.incident, alarm.deadline): alarm for alarm in alarms}
        if not last:
            return
        slots = asyncio.Semaphore(_AT_ONCE)

        async def arm(alarm: Alarm) -> None:
            async with slots:
                await self._timers.arm(alarm.incident, alarm.deadline, alarm.due_at)

        await asyncio.gather(*(arm(alarm) for alarm in last.values()))
