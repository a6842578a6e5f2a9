"""Alarm clocks: schedules of NATS (ADR-51), which are messages of the stream until they ring."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from tocsin_rehearsal.bus.machine import Machine
from tocsin_rehearsal.bus.streams import Stream
from tocsin_runtime.bus.errors import BusUnavailableError
from tocsin_schemas import Envelope, Payload

__all__ = ["AlarmClocks"]

_AT_EARLIEST = 0.25
"""Seconds after arming, or after the server's start. It looks at its clocks no more often than that."""


@dataclass(slots=True)
class _Armed:
    sequence: int
    due_at: datetime
    target: str
    envelope: Envelope[Payload]
    handles: list[asyncio.TimerHandle]


class AlarmClocks:
    """Those of one stream. One subject, one clock.

    A clock that cannot ring because the stream is full stays silent, also when there is room again: until it is
    armed again or the server is started anew. That is how the server does it.
    """

    def __init__(self, machine: Machine, stream: Stream) -> None:
        self._machine, self._stream = machine, stream
        self._armed: dict[str, _Armed] = {}

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
        armed = self._armed[at] = _Armed(stored.sequence, due_at, target, envelope, [])
        self._set(at, armed)

    def disarm(self, at: str) -> None:
        """Do not ring."""
        if (armed := self._armed.pop(at, None)) is not None:
            self._stream.remove(armed.sequence)
            for handle in armed.handles:
                handle.cancel()

    def restart(self) -> None:
        """The server is back: all clocks that stand are set anew; those that were due meanwhile ring now."""
        for at, armed in self._armed.items():
            for handle in armed.handles:
                handle.cancel()
            self._set(at, armed)

    def _set(self, at: str, armed: _Armed) -> None:
        wait = max((armed.due_at - self._machine.now()).total_seconds(), _AT_EARLIEST)
        armed.handles = [
            self._machine.call_later(wait + late, self._ring, at, armed) for late in self._machine.faults.rings()
        ]

    def _ring(self, at: str, armed: _Armed) -> None:
        if not self._machine.is_up or self._stream.is_full:
            return
        self._stream.store(armed.target, armed.envelope)
        if self._armed.get(at) is armed:
            del self._armed[at]
            self._stream.remove(armed.sequence)
