"""What is known of all alerts, and the telling of what is new: the ALERTS stream from both sides."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from prometheus_client import Counter

from tocsin_detector.adapters.aside import Aside, at_once
from tocsin_detector.core.known import AlertEvent, KnownAlert, KnownAlerts, Word, after_word
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_schemas import Envelope, Payload, caused_by
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import derive_id
from tocsin_schemas.moments import EARLIEST
from tocsin_schemas.subjects import alert_subject

__all__ = ["AlertBook", "Told"]

TOLD = Counter("tocsin_alert_events_total", "Alert events published", ["event"])

_OWN_IDS = 100_000
_VOID_IDS = 10_000
_FORGET_EVERY = timedelta(minutes=1)


class Reading(Protocol):
    """How far the stream has been read."""

    async def reach(self, sequence: int) -> None:
        """Return when everything up to this place has been handed over."""
        ...


class Told(NamedTuple):
    """What was told, and what it was decided on. `place` is that of the last of it, 0 for nothing."""

    envelopes: Sequence[Envelope[AlertEvent]]
    known: KnownAlerts
    place: int


class AlertBook:
    """The fold of the ALERTS stream, and what this replica has told since."""

    def __init__(self, connection: Connection, remember: timedelta) -> None:
        self._connection = connection
        self._followed = KnownAlerts(remember=remember)
        self._forgets_at = EARLIEST
        self._reached = 0
        self._own: list[tuple[int, Word]] = []
        self._own_ids: OrderedDict[str, None] = OrderedDict()
        self._view: KnownAlerts | None = None
        self._on_change: list[Callable[[], None]] = []
        self._void_ids: OrderedDict[str, None] = OrderedDict()
        self._turn = asyncio.Lock()
        self._reading: Reading | None = None

    def read_by(self, reading: Reading) -> None:
        """Who hands over what the stream says, to be asked how far it is."""
        self._reading = reading

    def on_change(self, call: Callable[[], None]) -> None:
        """Call this whenever something new is known."""
        self._on_change.append(call)

    def on_reopening(self, call: Callable[[], None]) -> None:
        """Call this when nothing could be told for a while, however short, and now it can again."""
        self._connection.on_reconnect(call)

    @property
    def is_open(self) -> bool:
        """Whether anything can be told now."""
        return self._connection.is_connected

    @property
    def known(self) -> KnownAlerts:
        """All alerts, this replica's latest word included."""
        if self._view is None:
            self._view = self._followed.with_words(word for _, word in self._own) if self._own else self._followed
        return self._view

    async def on_events(self, envelopes: Sequence[Envelope[Payload]]) -> None:
        """What the stream says. Own events that it has reached need not be held apart any more."""
        now = self._connection.clock.now()
        new = [envelope for envelope in envelopes if envelope.sequence > self._reached]
        words = (Word(each.data, each.time, None if each.id in self._own_ids else now, each.id) for each in new)
        self._followed = self._followed.with_words(words, self._is_void)
        if now >= self._forgets_at:  # all are looked through, and it makes no difference when
            self._followed, self._forgets_at = self._followed.without_forgotten(now), now + _FORGET_EVERY
        self._reached = max(self._reached, envelopes[-1].sequence)
        self._own = [(sequence, word) for sequence, word in self._own if sequence > self._reached]
        self._changed()

    def _is_void(self, word: Word) -> None:
        """This word came too late to say anything. That an alert ended which has ended is as good as said."""
        if isinstance(word.event, AlertFired):
            self._void_ids[word.id] = None
            while len(self._void_ids) > _VOID_IDS:
                self._void_ids.popitem(last=False)

    # --- saying -------------------------------------------------------------------------------------------------------

    async def say(self, decide: Callable[[KnownAlerts], Iterable[AlertEvent]], aside: Aside = at_once) -> Told:
        """Tell what `decide` makes of what is known, one after the other: nobody here decides on what is known while
        another's words are under way. Returns when all of it is on disk. Raises BusUnavailableError.

        Other replicas say something meanwhile: `void` tells whether they made these words void.
        """
        async with self._turn:
            known = self.known
            envelopes = await aside(lambda: self.wrap(decide(known), known))
            return Told(envelopes, known, max(await self.tell(envelopes), default=0))

    async def void(self, told: Told) -> set[str]:
        """The fingerprints of alerts that this telling did not keep firing: another replica's word, written before,
        had ended the episode. Where it told nothing, everything that is in the stream by now has been read after this.
        Raises BusUnavailableError."""
        if self._reading is None:
            raise RuntimeError("nobody reads the stream for this book")
        await self._reading.reach(told.place or await self._connection.last_sequence("ALERTS"))
        return {envelope.data.fingerprint for envelope in told.envelopes if envelope.id in self._void_ids}

    def wrap(self, events: Iterable[AlertEvent], known: KnownAlerts) -> Sequence[Envelope[AlertEvent]]:
        """Name these events. The n-th word about an episode has the same id, whichever replica says it: the stream
        takes it once. Telling the same envelopes again is harmless."""
        now = self._connection.clock.now()
        after: dict[str, KnownAlert] = {}
        wrapped: list[Envelope[AlertEvent]] = []
        for event in events:
            said = after.get(event.fingerprint) or known.get(event.fingerprint)
            wrapped.append(caused_by(_cause(event, said), 0, "detector", "", now, event))
            after[event.fingerprint] = after_word(said, Word(event, now))
        return wrapped

    async def tell(self, envelopes: Sequence[Envelope[AlertEvent]]) -> Sequence[int]:
        """Publish; returns when all of it is on disk, with the place of each. Raises BusUnavailableError."""
        if not envelopes:
            return ()
        if not self._connection.is_connected:
            raise BusUnavailableError("not connected to nats")  # at once, instead of after the time for an answer
        for envelope in envelopes:
            self._own_ids[envelope.id] = None
        while len(self._own_ids) > max(_OWN_IDS, len(envelopes)):
            self._own_ids.popitem(last=False)
        messages = [(alert_subject(envelope.data.rule), envelope) for envelope in envelopes]
        places = await self._connection.publish_all(messages)
        for place, envelope in zip(places, envelopes, strict=True):
            TOLD.labels(type(envelope.data).__name__).inc()
            if place > self._reached:
                self._own.append((place, Word(envelope.data, envelope.time)))
        self._own.sort(key=lambda own: own[0])
        self._changed()
        return places

    def _changed(self) -> None:
        self._view = None
        for call in self._on_change:
            call()


def _cause(event: AlertEvent, said: KnownAlert | None) -> str:
    if isinstance(event, AlertResolved):
        return derive_id("resolved", event.episode)
    same = said is not None and said.firing and said.episode == event.episode
    return derive_id("fired", event.episode, said.words if same and said is not None else 0)
