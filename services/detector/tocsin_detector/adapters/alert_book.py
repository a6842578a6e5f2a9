"""What is known of all alerts, and the telling of what is new: the ALERTS stream from both sides."""

from collections.abc import Sequence
from datetime import timedelta

from prometheus_client import Counter

from tocsin_detector.core.known import EMPTY, KnownAlerts
from tocsin_runtime import Connection
from tocsin_runtime.bus.follow import Follower
from tocsin_schemas import Envelope, Payload, caused_by
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import derive_id
from tocsin_schemas.moments import format_moment
from tocsin_schemas.subjects import alert_subject

__all__ = ["AlertBook"]

TOLD = Counter("tocsin_alert_events_total", "Alert events published", ["event"])


class AlertBook:
    """The fold of the ALERTS stream, and what this replica has told since."""

    def __init__(self, connection: Connection, remember: timedelta) -> None:
        self._connection = connection
        self._remember = remember
        self._followed: KnownAlerts = EMPTY
        self._own: list[tuple[int, Payload]] = []
        self._view: KnownAlerts | None = None
        self.follower: Follower | None = None

    @property
    def known(self) -> KnownAlerts:
        """All alerts, this replica's latest word included."""
        if self._view is None:
            self._view = self._followed.with_events(event for _, event in self._own)
        return self._view

    async def on_events(self, envelopes: Sequence[Envelope[Payload]]) -> None:
        """What the stream says. Own events that it has reached need not be held apart any more."""
        now = self._connection.clock.now()
        self._followed = self._followed.with_envelopes(envelopes).without_older_than(now - self._remember)
        reached = envelopes[-1].sequence
        self._own = [(sequence, event) for sequence, event in self._own if sequence > reached]
        self._view = None

    async def tell(self, events: Sequence[AlertFired | AlertResolved]) -> None:
        """Publish; returns when all of it is on disk. Raises BusUnavailableError; telling again is harmless."""
        wrapped = ((alert_subject(event.rule), self._wrap(event)) for event in events)
        messages = {envelope.id: (subject, envelope) for subject, envelope in wrapped}
        if not messages:
            return
        places = await self._connection.publish_all(list(messages.values()))
        for place, (_, envelope) in zip(places, messages.values(), strict=True):
            TOLD.labels(type(envelope.data).__name__).inc()
            if self.follower is None or place > self.follower.position:
                self._own.append((place, envelope.data))
        self._view = None

    def _wrap(self, event: AlertFired | AlertResolved) -> Envelope[Payload]:
        """The same word about the same episode has the same id, whichever replica says it."""
        if isinstance(event, AlertFired):
            lease = format_moment(event.expires_at) if event.expires_at else ""
            cause = derive_id("fired", event.episode, event.severity or "", lease)
        else:
            cause = derive_id("resolved", event.episode)
        return caused_by(cause, 0, "detector", "", self._connection.clock.now(), event)
