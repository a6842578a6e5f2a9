"""Receipts on their way into the log: in order, and for as long as it takes the log to come back."""

import asyncio

import structlog

from tocsin_notifier.core.incident import Incident
from tocsin_notifier.core.progress import Recording
from tocsin_runtime import BusUnavailableError, Clock, Decider

__all__ = ["Receipts"]

log = structlog.get_logger(__name__)

_LONGEST_PAUSE = 2.0


class Receipts:
    """The receipts of one notification. The next channel need not wait for the last one's receipt."""

    def __init__(self, decider: Decider[Incident], clock: Clock, incident: str) -> None:
        self._decider, self._clock, self._incident = decider, clock, incident
        self._last: asyncio.Task[None] | None = None

    def record(self, recording: Recording) -> None:
        """Record this after what is to be recorded already."""
        self._last = asyncio.create_task(self._after(self._last, recording))

    async def recorded(self) -> None:
        """Wait until everything is in the log."""
        if self._last is not None:
            await self._last

    def abandon(self) -> None:
        """Record no more. What was not recorded comes again with its event."""
        if self._last is not None:
            self._last.cancel()

    async def _after(self, before: asyncio.Task[None] | None, recording: Recording) -> None:
        if before is not None:
            await before
        attempt = 0
        while True:
            try:
                await self._decider.one(self._incident, recording.cause, lambda state, _now: recording.decide(state))
            except BusUnavailableError as error:
                attempt += 1
                log.warning("a receipt waits for the log", incident=self._incident, reason=str(error))
                await self._clock.sleep(min(0.1 * 2 ** min(attempt, 8), _LONGEST_PAUSE))
            else:
                return
