"""What comes in: events of the log, dead letters. Stored first, shown after; never given up."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from tocsin_recorder.adapters.database import DatabaseUnavailableError
from tocsin_recorder.adapters.live import LiveFeed
from tocsin_recorder.adapters.store import Store
from tocsin_recorder.metrics import RECORDED, SET_ASIDE
from tocsin_runtime import Clock
from tocsin_schemas import Envelope, Payload

__all__ = ["Recording"]

log = structlog.get_logger(__name__)

T = TypeVar("T")
_LONGEST_PAUSE = 5.0


class Recording:
    """Puts what comes in into the database. While that does not take it, the recorder waits, and says so."""

    def __init__(self, store: Store, live: LiveFeed, clock: Clock) -> None:
        self._store, self._live, self._clock = store, live, clock
        self._waiting: dict[str, str] = {}

    async def on_events(self, events: Sequence[Envelope[Payload]]) -> None:
        """Events of the log of incidents, in its order."""
        recorded = await self._until_stored("INCIDENTS", lambda: self._store.record(events))
        RECORDED.inc(len(recorded.entries))
        SET_ASIDE.inc(recorded.set_aside)
        self._live.publish(recorded.incidents)

    async def on_dead_letters(self, letters: Sequence[Envelope[Payload]]) -> None:
        """Messages that a service could not handle."""
        added = await self._until_stored("DEADLETTERS", lambda: self._store.record_dead_letters(letters))
        SET_ASIDE.inc(added)

    def problem(self) -> str | None:
        """Why nothing is recorded at the moment."""
        return next(iter(self._waiting.values()), None)

    async def _until_stored(self, stream: str, write: Callable[[], Awaitable[T]]) -> T:
        """The log keeps everything, so waiting loses nothing, and nobody waits for us."""
        pause = 0.1
        while True:
            try:
                stored = await write()
            except DatabaseUnavailableError as error:
                log.error("cannot record; will try again", stream=stream, reason=str(error), pause=pause)
                self._waiting[stream] = f"not recording: {error}"
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                if self._waiting.pop(stream, None):
                    log.info("recording again", stream=stream)
                return stored
