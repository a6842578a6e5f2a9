"""The alerts that are firing, as the ALERTS stream tells it: a fold that every replica shares.

An alert's episodes form a chain: the next episode's name follows from the one before. Replicas that see the same
alert start at different moments therefore give it the same name, and the stream takes it once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tocsin_schemas import Envelope, Labels, Payload
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import alert_episode

__all__ = ["EMPTY", "KnownAlert", "KnownAlerts"]


@dataclass(frozen=True, slots=True)
class KnownAlert:
    """The last that was said of one alert."""

    fingerprint: str
    episode: str
    rule: str
    labels: Labels
    source: str
    firing: bool
    starts_at: datetime
    expires_at: datetime | None = None
    last: AlertFired | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownAlerts:
    """Alerts by fingerprint. `with_events` makes the next state; the mapping is never changed in place."""

    alerts: Mapping[str, KnownAlert]

    def get(self, fingerprint: str) -> KnownAlert | None:
        return self.alerts.get(fingerprint)

    def firing(self) -> Iterable[KnownAlert]:
        return (alert for alert in self.alerts.values() if alert.firing)

    def next_episode(self, fingerprint: str) -> str:
        """What the alert's next firing is called. The first of all follows from the fingerprint alone."""
        known = self.alerts.get(fingerprint)
        return alert_episode(fingerprint, known.episode if known else "first")

    def with_events(self, events: Iterable[Payload]) -> "KnownAlerts":
        """After these events. An event of an episode that is over changes nothing."""
        alerts = dict(self.alerts)
        for event in events:
            known = alerts.get(event.fingerprint) if isinstance(event, AlertFired | AlertResolved) else None
            if isinstance(event, AlertFired):
                alerts[event.fingerprint] = _fired(known, event)
            elif isinstance(event, AlertResolved):
                alerts[event.fingerprint] = _resolved(known, event)
        return KnownAlerts(alerts)

    def without_older_than(self, moment: datetime) -> "KnownAlerts":
        """Forget alerts that ended before `moment`: their chain of episodes has started anew by then."""
        kept = {
            name: alert
            for name, alert in self.alerts.items()
            if alert.firing or alert.ended_at is None or alert.ended_at >= moment
        }
        return self if len(kept) == len(self.alerts) else KnownAlerts(kept)

    def with_envelopes(self, envelopes: Iterable[Envelope[Payload]]) -> "KnownAlerts":
        return self.with_events(envelope.data for envelope in envelopes)


EMPTY = KnownAlerts({})


def _fired(known: KnownAlert | None, event: AlertFired) -> KnownAlert:
    if known is not None and known.episode == event.episode:
        if not known.firing:
            return known  # late: this episode is over
        later = max(filter(None, (known.expires_at, event.expires_at)), default=None)
        return replace(known, expires_at=later, last=event)
    return KnownAlert(
        event.fingerprint,
        event.episode,
        event.rule,
        event.labels,
        event.source,
        firing=True,
        starts_at=event.starts_at,
        expires_at=event.expires_at,
        last=event,
    )


def _resolved(known: KnownAlert | None, event: AlertResolved) -> KnownAlert:
    if known is not None and known.episode != event.episode and known.firing:
        return known  # late: another episode has begun
    starts_at = known.starts_at if known is not None else event.ends_at
    return KnownAlert(
        event.fingerprint,
        event.episode,
        event.rule,
        event.labels,
        event.source,
        firing=False,
        starts_at=starts_at,
        ended_at=event.ends_at,
    )
