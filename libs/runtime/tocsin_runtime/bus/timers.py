"""Alarm clocks on NATS message schedules (ADR-51): arm, re-arm, cancel; they survive a kill -9 of the server.

A timer is an alarm clock, not the truth: the incident's log says which deadlines are open, and the audit finds
those that did not ring. One subject holds one clock; publishing there again re-arms it.
"""

from datetime import datetime

import structlog

from tocsin_runtime.bus.connection import Connection
from tocsin_runtime.bus.errors import BusUnavailableError
from tocsin_schemas import TimerDue, encode
from tocsin_schemas.envelope import caused_by
from tocsin_schemas.ids import derive_id
from tocsin_schemas.moments import format_moment
from tocsin_schemas.subjects import timer_at_subject, timer_due_subject

__all__ = ["Timers"]

log = structlog.get_logger(__name__)


class Timers:
    """The alarm clocks of one service."""

    def __init__(self, connection: Connection, service: str) -> None:
        self._connection = connection
        self._service = service

    async def arm(self, incident: str, deadline: str, due_at: datetime) -> None:
        """Ring at `due_at` (at once if that has passed). Arming the same deadline again moves it."""
        cause = derive_id("timer", self._service, incident, deadline, format_moment(due_at))
        data = TimerDue(incident=incident, deadline=deadline, due_at=due_at)
        envelope = caused_by(cause, 0, self._service, incident, due_at, data)
        headers, body = encode(envelope)
        # Without an id of the server's: re-arming the same moment after a cancel must not be taken for a duplicate.
        del headers["Nats-Msg-Id"]
        headers["Nats-Schedule"] = f"@at {format_moment(due_at)}"
        headers["Nats-Schedule-Target"] = timer_due_subject(self._service, incident, deadline)
        await self._connection.publish_raw(timer_at_subject(self._service, incident, deadline), body, headers)

    async def cancel(self, incident: str, deadline: str) -> None:
        """Do not ring. A clock that rings all the same does no harm: the log says that nothing is due."""
        subject = timer_at_subject(self._service, incident, deadline)
        answer = await self._connection.request("$JS.API.STREAM.PURGE.TIMERS", b'{"filter":"%s"}' % subject.encode())
        if "error" in answer:
            raise BusUnavailableError(f"cancelling {subject}: {answer['error'].get('description')}")

    async def armed(self) -> int:
        """How many clocks of this service stand."""
        answer = await self._connection.request(
            "$JS.API.STREAM.INFO.TIMERS", b'{"subjects_filter":"tocsin.timers.at.%s.>"}' % self._service.encode()
        )
        return len((answer.get("state") or {}).get("subjects") or {})
