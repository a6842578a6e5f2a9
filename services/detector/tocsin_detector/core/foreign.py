"""What follows from alerts of other systems.

`endsAt` in the future is a lease: the sender repeats the alert while it fires, and without a repetition it ends
there. A repetition that prolongs the lease by little is not told again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tocsin_detector.core.known import AlertEvent, KnownAlert, KnownAlerts, Word, after_word, next_episode
from tocsin_detector.core.posted import PostedAlert
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import alert_episode
from tocsin_schemas.moments import format_moment
from tocsin_schemas.text import clean_line

__all__ = ["decide_expired", "decide_replaced", "decide_request", "next_expiry"]

RESOLVE_TIMEOUT = timedelta(minutes=5)
"""How long an alert without `endsAt` is taken to fire (Alertmanager's `resolve_timeout`)."""

_FURTHEST = timedelta(days=30)
_WORTH_TELLING = timedelta(seconds=2)


def decide_request(
    alerts: Sequence[PostedAlert], known: KnownAlerts, source: str, now: datetime
) -> Sequence[AlertEvent]:
    """What these postings tell, in their order; nothing of what was told before."""
    after: dict[str, KnownAlert] = {}
    events: list[AlertEvent] = []
    for alert in alerts:
        mark = alert.fingerprint
        said = after.get(mark) or known.get(mark)
        event = _decide_one(alert, mark, said, source, now, known.remember)
        if event is not None:
            events.append(event)
            after[mark] = after_word(said, Word(event, now))
    return events


def _decide_one(
    alert: PostedAlert, mark: str, said: KnownAlert | None, source: str, now: datetime, remember: timedelta
) -> AlertEvent | None:
    if said is not None and said.firing and said.playbook:
        return None  # a rule of ours says this of itself: nobody else prolongs or ends it
    ends_at = min(alert.ends_at or now + RESOLVE_TIMEOUT, now + _FURTHEST)
    if ends_at <= now:
        return _resolved(alert, mark, said, source, ends_at)
    return _fired(alert, mark, said, source, now, ends_at, remember)


def _resolved(
    alert: PostedAlert, mark: str, said: KnownAlert | None, source: str, ends_at: datetime
) -> AlertResolved | None:
    if said is None or not said.firing:
        return None
    if said.latest_start is not None and ends_at < said.latest_start:
        return None  # late: this is the end of a firing before
    return AlertResolved(
        fingerprint=mark,
        episode=said.episode,
        rule=clean_line(alert.name, 128),
        labels=alert.labels,
        source=source,
        ends_at=ends_at,
    )


def _fired(
    alert: PostedAlert,
    mark: str,
    said: KnownAlert | None,
    source: str,
    now: datetime,
    ends_at: datetime,
    remember: timedelta,
) -> AlertFired | None:
    # A start in the future counts as now: a producer's wrong clock must not hide its alert.
    starts_at = min(alert.starts_at or now, now)
    latest_start = starts_at if alert.starts_at is not None else None
    if said is not None and said.firing:
        if not _is_later(latest_start, said.latest_start) and not _prolongs(said.expires_at, ends_at, now):
            return None
        episode, starts_at = said.episode, said.starts_at
    else:
        episode = _new_episode(alert, mark, said, now, remember)
        if said is not None and episode in (said.episode, *said.past):
            if said.expires_at is not None and not _prolongs(said.expires_at, ends_at, now):
                return None  # sent before it ended, and late
            episode = next_episode(mark, said, now, remember)  # it ended, and its sender says that it goes on
    return AlertFired(
        fingerprint=mark,
        episode=episode,
        rule=clean_line(alert.name, 128),
        labels=alert.labels,
        source=source,
        severity=_severity(alert),
        annotations=dict(alert.annotations),
        summary=_summary(alert),
        starts_at=starts_at,
        latest_start=latest_start,
        expires_at=ends_at,
        generator_url=alert.generator_url or None,
    )


def _new_episode(alert: PostedAlert, mark: str, said: KnownAlert | None, now: datetime, remember: timedelta) -> str:
    """A start names the episode, whoever receives it; without one it is the next in the chain."""
    if alert.starts_at is None:
        return next_episode(mark, said, now, remember)
    return alert_episode(mark, format_moment(alert.starts_at))


def _is_later(start: datetime | None, known: datetime | None) -> bool:
    """Whether this start is worth telling: with it, the end of the firing before is known for what it is when it comes
    late. Two senders of one alert (a pair of Prometheus) have a start each, and tell the later one once."""
    return start is not None and (known is None or start > known)


def _prolongs(lease: datetime | None, ends_at: datetime, now: datetime) -> bool:
    """Whether the new lease is worth telling: it adds a fifth to what is left of the old one, and two seconds."""
    if lease is None:
        return False
    left = max(lease - now, timedelta(0))
    return ends_at - lease > max(left / 5, _WORTH_TELLING)


def _latest(lease: datetime, told_at: datetime) -> datetime:
    """The latest end that may have been posted without being told."""
    return lease + max((lease - told_at) / 5, _WORTH_TELLING)


def _severity(alert: PostedAlert) -> str | None:
    severity = alert.labels.get("severity")
    return clean_line(severity, 128) if severity is not None else None


def _summary(alert: PostedAlert) -> str:
    told = alert.annotations.get("summary") or alert.annotations.get("description") or alert.name
    return clean_line(told)


def decide_expired(known: KnownAlerts, now: datetime, grace: timedelta) -> Sequence[AlertResolved]:
    """Leases that have run out without a renewal, `grace` ago or longer.

    A renewal that was not worth telling may have prolonged them by a fifth: nothing ends before its sender said.
    """
    return tuple(
        AlertResolved(
            fingerprint=alert.fingerprint,
            episode=alert.episode,
            rule=alert.rule,
            labels=alert.labels,
            source=alert.source,
            playbook=alert.last.playbook if alert.last is not None else None,
            ends_at=alert.expires_at,
            reason="expired",
        )
        for alert in known.firing()
        if alert.expires_at is not None and _latest(alert.expires_at, alert.told_at) + grace <= now
    )


def decide_replaced(known: KnownAlerts) -> Sequence[AlertResolved]:
    """The ends of episodes in whose place another began before they had ended: two replicas each began one."""
    return tuple(
        AlertResolved(
            fingerprint=each.fingerprint,
            episode=each.episode,
            rule=each.rule,
            labels=each.labels,
            source=each.source,
            playbook=each.playbook,
            ends_at=max(alert.starts_at, each.starts_at),
            reason="replaced",
        )
        for alert in known.replacing()
        for each in alert.replaced
    )


def next_expiry(known: KnownAlerts, grace: timedelta) -> datetime | None:
    """When the next lease will have run out, if nobody renews it; none while there are no leases."""
    leases = ((alert.expires_at, alert.told_at) for alert in known.firing())
    return min((_latest(lease, told_at) + grace for lease, told_at in leases if lease is not None), default=None)
