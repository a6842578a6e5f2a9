"""Alerts of other systems, as the Alertmanager API v2 takes them (api/v2/openapi.yaml, postableAlert).

`endsAt` in the future is a lease: the sender repeats the alert while it fires, and without a repetition it ends
there. A repetition that prolongs the lease by little is not told again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from tocsin_detector.core.known import KnownAlerts
from tocsin_schemas import Labels
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import alert_episode, fingerprint
from tocsin_schemas.moments import EARLIEST, LATEST, format_moment, parse_moment
from tocsin_schemas.text import clean_line, clean_text

__all__ = ["PostedAlert", "RefusedAlert", "decide_expired", "decide_posted", "read_posted"]

RESOLVE_TIMEOUT = timedelta(minutes=5)
"""How long an alert without `endsAt` is taken to fire (Alertmanager's `resolve_timeout`)."""

MAX_ALERTS = 10_000
_UNSET_YEAR = 1  # amtool sends 0001-01-01T00:00:00.000Z for a moment that is not set
_FURTHEST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PostedAlert:
    """One alert as it was posted, checked."""

    labels: Labels
    annotations: Mapping[str, str]
    starts_at: datetime | None
    ends_at: datetime | None
    generator_url: str

    @property
    def name(self) -> str:
        return self.labels.get("alertname") or "unnamed"


@dataclass(frozen=True, slots=True)
class RefusedAlert:
    """One alert of the request that cannot be taken, and why."""

    index: int
    reason: str


def read_posted(document: JsonValue) -> tuple[tuple[PostedAlert, ...], tuple[RefusedAlert, ...]]:
    """Sort the body of `POST /api/v2/alerts` into what can be taken and what cannot.

    Raises ValueError where the body is not a list of at most 10,000 alerts.
    """
    if not isinstance(document, list):
        raise ValueError("the body is not a list of alerts")
    if len(document) > MAX_ALERTS:
        raise ValueError(f"{len(document)} alerts in one request; at most {MAX_ALERTS} are allowed")
    good: list[PostedAlert] = []
    bad: list[RefusedAlert] = []
    for index, item in enumerate(document):
        try:
            good.append(_read_one(item))
        except ValueError as error:
            bad.append(RefusedAlert(index, str(error)))
    return tuple(good), tuple(bad)


def _read_one(item: JsonValue) -> PostedAlert:
    if not isinstance(item, dict):
        raise ValueError("is not an object")
    labels = Labels(_texts(item.get("labels"), "labels"))
    if not labels:
        raise ValueError("labels: at least one label is needed")
    starts_at, ends_at = _moment(item.get("startsAt"), "startsAt"), _moment(item.get("endsAt"), "endsAt")
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        raise ValueError("endsAt lies before startsAt")
    annotations = {clean_line(n, 128): clean_text(t) for n, t in _texts(item.get("annotations"), "annotations").items()}
    if len(annotations) > 64:
        raise ValueError(f"annotations: {len(annotations)} of them; at most 64 are allowed")
    return PostedAlert(labels, annotations, starts_at, ends_at, clean_line(str(item.get("generatorURL") or "")))


def _texts(value: JsonValue, field: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{field} is not an object")
    texts: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(text, str):
            raise ValueError(f"{field}.{name[:64]} is not a text")
        texts[name] = text
    return texts


def _moment(value: JsonValue, field: str) -> datetime | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"{field} is not a text")
    if value.startswith("0001-01-01"):
        return None
    try:
        return parse_moment(value)
    except ValueError as error:
        raise ValueError(f"{field} {value[:40]!r}: {error}") from None


# --- decisions --------------------------------------------------------------------------------------------------------


def decide_posted(
    alert: PostedAlert, known: KnownAlerts, source: str, now: datetime
) -> AlertFired | AlertResolved | None:
    """What this posting tells; nothing if it was told before.

    A start in the future counts as now: a producer's wrong clock must not hide its alert.
    """
    mark = fingerprint(alert.labels)
    said = known.get(mark)
    ends_at = min(alert.ends_at or now + RESOLVE_TIMEOUT, now + _FURTHEST)
    if ends_at <= now:
        if said is None or not said.firing:
            return None
        return AlertResolved(
            fingerprint=mark,
            episode=said.episode,
            rule=clean_line(alert.name, 128),
            labels=alert.labels,
            source=source,
            ends_at=_within(ends_at),
        )
    if said is not None and said.firing:
        if said.expires_at is None or not _prolongs(said.expires_at, ends_at, now):
            return None
        episode, starts_at = said.episode, said.starts_at
    else:
        starts_at = min(alert.starts_at or now, now)
        episode = alert_episode(mark, format_moment(alert.starts_at)) if alert.starts_at else known.next_episode(mark)
        if said is not None and said.episode == episode:
            return None  # this very episode is over: a late repetition
    return AlertFired(
        fingerprint=mark,
        episode=episode,
        rule=clean_line(alert.name, 128),
        labels=alert.labels,
        source=source,
        severity=alert.labels.get("severity"),
        annotations=dict(alert.annotations),
        summary=_summary(alert),
        starts_at=_within(starts_at),
        expires_at=ends_at,
        generator_url=alert.generator_url or None,
    )


def _prolongs(lease: datetime, ends_at: datetime, now: datetime) -> bool:
    """Whether the new lease is worth telling: it adds a fifth to what is left of the old one, and two seconds."""
    left = max(lease - now, timedelta(0))
    return ends_at - lease > max(left / 5, timedelta(seconds=2))


def _summary(alert: PostedAlert) -> str:
    told = alert.annotations.get("summary") or alert.annotations.get("description") or alert.name
    return clean_line(told)


def _within(moment: datetime) -> datetime:
    return min(max(moment, EARLIEST), LATEST)


def decide_expired(known: KnownAlerts, now: datetime, grace: timedelta) -> Sequence[AlertResolved]:
    """Leases that have run out without a renewal, `grace` ago or longer."""
    return tuple(
        AlertResolved(
            fingerprint=alert.fingerprint,
            episode=alert.episode,
            rule=alert.rule,
            labels=alert.labels,
            source=alert.source,
            ends_at=alert.expires_at,
            reason="expired",
        )
        for alert in known.firing()
        if alert.expires_at is not None and alert.expires_at + grace <= now
    )
