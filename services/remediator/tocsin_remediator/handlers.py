"""One short function an input: what an escalator's event and what a person's command lead to.

One task at a time works on an incident in this process. A message that finds another at work says so ("look
again") and is done, or, if it must not be lost, comes again shortly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin_playbook import Playbook
from tocsin_remediator.core.commands import Request, decide_request
from tocsin_remediator.core.incident import Incident, evolve
from tocsin_remediator.core.moves import Trigger
from tocsin_remediator.mitigation import Halt, Mitigator
from tocsin_runtime import Clock, Decider, Delivery, NotYetError, RefusedError
from tocsin_schemas import Envelope, Event, Payload, PlaybookRef
from tocsin_schemas.events import (
    ImpactStated,
    IncidentEscalated,
    IncidentOpened,
    IncidentReopened,
    IncidentUnmuted,
    SeverityChanged,
)
from tocsin_schemas.subjects import parse_incident_subject

__all__ = ["Handlers", "IncidentFold"]

_MAY_START = (
    IncidentOpened, SeverityChanged, ImpactStated, IncidentReopened, IncidentEscalated, IncidentUnmuted
)  # fmt: skip
_BUSY, _BUSY_LONG = 1.0, 30.0
"""Seconds after which a message that must not be lost asks again whether the incident is free: as many as somebody has
been at work on it, within these bounds. Whoever works looks at the log once more for it, and carries on if it waits."""
_SHORTEST, _LONGEST = 0.05, 300.0
"""Seconds that a message waits for its moment; then it is asked again, for the wall clock may have been set."""


class IncidentFold:
    """How the log is read."""

    def empty(self, incident: str) -> Incident:
        return Incident(incident)

    def evolve(self, state: Incident, event: Envelope[Event]) -> Incident:
        return evolve(state, event)


@dataclass
class _Lane:
    """Somebody works on the incident, since this moment (monotonic). `again`: something has happened meanwhile; look
    once more before you leave."""

    since: float
    again: bool = False


class Handlers:
    """The remediator's inputs."""

    def __init__(
        self,
        decider: Decider[Incident],
        mitigator: Mitigator,
        playbook_of: Callable[[PlaybookRef], Playbook],
        clock: Clock,
        command_valid: timedelta,
    ) -> None:
        self._decider = decider
        self._mitigator = mitigator
        self._playbook_of = playbook_of
        self._clock = clock
        self._command_valid = command_valid
        self._lanes: dict[str, _Lane] = {}

    async def on_incidents(self, deliveries: Sequence[Delivery[Payload]]) -> None:
        """An escalator's event: the incident may need something, or need it no more."""
        for delivery in deliveries:
            envelope = delivery.envelope
            incident = parse_incident_subject(delivery.subject).incident
            may_start = isinstance(envelope.data, _MAY_START)
            await self._work(incident, Trigger(envelope.id, envelope.time, may_start), stays=may_start)

    async def on_commands(self, deliveries: Sequence[Delivery[Payload]]) -> None:
        """What a person asks for is written down first, then done."""
        for delivery in deliveries:
            envelope = delivery.envelope
            command = envelope.data
            if not isinstance(command, Request):
                raise RefusedError("the remediator has no such command")
            if await self._is_carried_out(command, envelope.id, envelope.time):
                await self._work(command.incident, Trigger(envelope.id, envelope.time), stays=True)

    async def _is_carried_out(self, command: Request, command_id: str, asked_at: datetime) -> bool:
        """Write down what comes of it, if that has not been done; whether it was no refusal. Raises RefusedError where
        there is no such incident."""

        def decide(state: Incident, now: datetime) -> tuple[Event, ...]:
            if state.playbook is None:
                raise RefusedError("there is no such incident")  # nor a log to answer in
            playbook = self._playbook_of(state.playbook)
            return decide_request(state, playbook, command, command_id, asked_at, now, self._command_valid)

        decided = await self._decider.one(command.incident, command_id, decide)
        return command_id not in decided.state.refused

    async def _work(self, incident: str, trigger: Trigger, *, stays: bool) -> None:
        """Work on the incident until nothing is left, or wait. `stays`: this message is the one that comes again.

        A runbook that has begun is kept going by the message that began it, until it ends: that one, and every
        command, stays. Any other message is only a reason to look.
        """
        if (lane := self._lanes.get(incident)) is not None:
            lane.again = True
            if stays:
                busy = self._clock.monotonic() - lane.since
                raise NotYetError(min(max(busy, _BUSY), _BUSY_LONG), "the incident is being worked on")
            return
        lane = self._lanes[incident] = _Lane(self._clock.monotonic())
        try:
            halt = await self._until_rest(incident, trigger, lane)
        finally:
            del self._lanes[incident]
        if halt.wait is not None and (stays or halt.moved):
            raise NotYetError(self._seconds_until(halt.wait.until), halt.wait.reason)

    async def _until_rest(self, incident: str, trigger: Trigger, lane: _Lane) -> Halt:
        moved = False
        while True:
            lane.again = False
            halt = await self._mitigator.work(incident, trigger)
            moved = moved or halt.moved
            if not lane.again:  # nothing is awaited from here until the lane is free
                return Halt(halt.wait, moved)

    def _seconds_until(self, moment: datetime) -> float:
        return min(max((moment - self._clock.now()).total_seconds(), _SHORTEST), _LONGEST)
