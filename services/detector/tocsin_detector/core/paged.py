"""What follows from events of PagerDuty's kind: an alert fires by its key until it is resolved by it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from tocsin_detector.core.enqueued import SOURCE, EnqueuedAlert, Trigger
from tocsin_detector.core.known import AlertEvent, KnownAlert, KnownAlerts
from tocsin_schemas.events import AlertFired, AlertResolved

__all__ = ["decide_enqueued"]

REPEATED_AFTER = timedelta(hours=1)
"""A trigger that comes so long after the last one that was told is a firing of its own: many senders never resolve, and
people may long have resolved the incident of the first."""

LONGEST = timedelta(days=30)
"""For how long an alert fires that nobody resolves or triggers again."""


def decide_enqueued(alerts: Sequence[EnqueuedAlert], known: KnownAlerts, now: datetime) -> Sequence[AlertEvent]:
    """What these tell, of one alert each; nothing of what was told before."""
    return [event for alert in alerts for event in _decide(alert, known, now)]


def _decide(alert: EnqueuedAlert, known: KnownAlerts, now: datetime) -> Iterator[AlertEvent]:
    said = known.get(alert.fingerprint)
    firing = said if said is not None and said.firing else None
    if alert.trigger is None:
        if firing is not None:
            yield _ended(firing, now, "recovered")
    elif firing is None or now - (firing.latest_start or firing.told_at) >= REPEATED_AFTER:
        yield _fires(alert, alert.trigger, known.next_episode(alert.fingerprint, now), now)
        if firing is not None:  # after it: the incident is never without one
            yield _ended(firing, now, "replaced")
    elif _says_otherwise(firing, alert.trigger):
        yield _fires_on(firing, alert.trigger, now)


def _fires(alert: EnqueuedAlert, trigger: Trigger, episode: str, now: datetime) -> AlertFired:
    return AlertFired(
        fingerprint=alert.fingerprint,
        episode=episode,
        rule=alert.labels["alertname"],
        labels=alert.labels,
        source=SOURCE,
        severity=trigger.severity,
        annotations=dict(trigger.annotations),
        summary=trigger.summary,
        starts_at=min(trigger.at or now, now),
        latest_start=now,
        expires_at=now + LONGEST,
        generator_url=trigger.link or None,
    )


def _fires_on(said: KnownAlert, trigger: Trigger, now: datetime) -> AlertFired:
    """The same firing: by the labels that it began with it is found again."""
    return AlertFired(
        fingerprint=said.fingerprint,
        episode=said.episode,
        rule=said.rule,
        labels=said.labels,
        source=SOURCE,
        severity=trigger.severity,
        annotations=dict(trigger.annotations),
        summary=trigger.summary,
        starts_at=said.starts_at,
        latest_start=now,
        expires_at=now + LONGEST,
        generator_url=trigger.link or None,
    )


def _says_otherwise(said: KnownAlert, trigger: Trigger) -> bool:
    last = said.last
    return last is None or (last.severity, last.summary) != (trigger.severity, trigger.summary)


def _ended(said: KnownAlert, now: datetime, reason: str) -> AlertResolved:
    return AlertResolved(
        fingerprint=said.fingerprint,
        episode=said.episode,
        rule=said.rule,
        labels=said.labels,
        source=said.source,
        ends_at=now,
        reason=reason,
    )
