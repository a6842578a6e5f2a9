"""Alarm clocks: schedules of NATS (ADR-51), which are messages of the stream until they ring."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from tocsin_rehearsal.bus.machine import Machine
from tocsin_rehearsal.bus.streams import Stream
from tocsin_runtime.bus.errors import BusUnavailableError
from tocsin_schemas import Envelope, Payload

__all__ = ["AlarmClocks"]

_LOOKS_EVERY = 0.25
"""Seconds. The server looks at its clocks no more often than that: one may ring so much late."""


@dataclass(slots=True)
class _Armed:
    sequence: int
    due_at: datetime
    rings_at: float | None  # in the loop's time; never, if a fault says so or the stream was full
    target: str
    envelope: Envelope[Payload]


class AlarmClocks:
    """Those of one stream. One subject, one clock.

    A clock that cannot ring because the stream is full stays silent, also when there is room again: until it is
    armed again or the server is started anew. That is how the server does it.
    """

    def __init__(self, machine: Machine, stream: Stream) -> None:
        self._machine, self._stream = machine, stream
        self._armed: dict[str, _Armed] = {}
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def armed(self) -> dict[str, datetime]:
        """When each clock that stands is due, by its subject."""
        return {at: armed.due_at for at, armed in self._armed.items()}

    def arm(self, at: str, target: str, due_at: datetime, envelope: Envelope[Payload]) -> None:
        """Ring at this moment, at once if it has passed. A clock that stands there is taken away.

        Raises BusUnavailableError where the stream is full.
        """
        if self._stream.is_full:
            raise BusUnavailableError(f"refused by nats: {self._stream.spec.name} is full")
        stored = self._stream.store(at, envelope)
        self.disarm(at)
        armed = self._armed[at] = _Armed(stored.sequence, due_at, None, target, envelope)
        self._set(armed)
        self._look_by(armed.rings_at)

    def disarm(self, at: str) -> None:
        """Do not ring."""
        if (armed := self._armed.pop(at, None)) is not None:
            self._stream.remove(armed.sequence)

    def restart(self) -> None:
        """The server is back: all clocks that stand are set anew; those that were due meanwhile ring now."""
        self._stop()
        for armed in self._armed.values():
            self._set(armed)
        self._look_by(self._earliest())

    def _set(self, armed: _Armed) -> None:
        now = self._machine.time()
        due = now + max((armed.due_at - self._machine.now()).total_seconds(), 0.0)
        late = self._machine.faults.rings()
        armed.rings_at = due + late[0] if late else None
        for again in late[1:]:
            self._machine.call_at(due + again, self._ring, armed)

    def _earliest(self) -> float | None:
        return min((armed.rings_at for armed in self._armed.values() if armed.rings_at is not None), default=None)

    def _look_by(self, moment: float | None) -> None:
        """Look at the clocks then, but not too soon. What is to be looked at earlier stands."""
        if moment is None:
            return
        moment = max(moment, self._machine.time() + _LOOKS_EVERY)
        if self._alarm is None or moment < self._alarm.when():
            self._stop()
            self._alarm = self._machine.call_at(moment, self._look)

    def _stop(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _look(self) -> None:
        """Ring what is due, what was armed first at first."""
        self._alarm = None
        if not self._machine.is_up:
            return
        now = self._machine.time()
        due = [(at, armed) for at, armed in self._armed.items() if armed.rings_at is not None and armed.rings_at <= now]
        for at, armed in due:
            if self._ring(armed):
                del self._armed[at]
                self._stream.remove(armed.sequence)
        self._look_by(now if due else self._earliest())

    def _ring(self, armed: _Armed) -> bool:
        if not self._machine.is_up:
            return False
        if self._stream.is_full:
            armed.rings_at = None
            return False
        self._stream.store(armed.target, armed.envelope)
        return True
