"""Sending alerts on NATS, for programs that watch something themselves.

    alert = await fire(connection, {"alertname": "QueueStuck", "service": "checkout"}, severity="page")
    await renew(connection, alert)      # while it lasts
    await end(connection, alert)        # when it is over

When a call returns, the event is on disk. A call whose answer was lost may be repeated: it is the same event.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tocsin_runtime.bus.connection import Connection
from tocsin_schemas import Labels, caused_by, ids
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.moments import format_moment
from tocsin_schemas.subjects import alert_subject

__all__ = ["end", "fire", "renew"]

LASTING = timedelta(minutes=5)
"""How long an alert holds without being renewed, as with Alertmanager."""


async def fire(
    connection: Connection,
    labels: Mapping[str, str],
    *,
    severity: str | None = None,
    summary: str = "",
    annotations: Mapping[str, str] | None = None,
    since: datetime | None = None,
    lasting: timedelta = LASTING,
) -> AlertFired:
    """Say that an alert fires. `labels` are its identity; `alertname` among them is its name.

    `since` (aware; now, if it is left out) names this firing: saying it again with the same moment renews it. Without
    renewal it ends after `lasting`. Raises ValueError for labels without a name, pydantic's ValidationError for values
    that the contract does not allow, BusUnavailableError where NATS cannot be reached.
    """
    if not labels.get("alertname"):
        raise ValueError("labels: alertname is missing")
    now = connection.clock.now()
    starts_at = since or now
    checked = Labels(labels)
    fingerprint = ids.fingerprint(checked)
    alert = AlertFired(
        fingerprint=fingerprint,
        episode=ids.alert_episode(fingerprint, format_moment(starts_at)),
        rule=checked["alertname"],
        labels=checked,
        source=connection.name,
        severity=severity,
        annotations=dict(annotations or {}),
        summary=summary or checked["alertname"],
        starts_at=starts_at,
        expires_at=now + lasting,
    )
    await _say(connection, alert, now)
    return alert


async def renew(connection: Connection, alert: AlertFired, *, lasting: timedelta = LASTING) -> AlertFired:
    """Say that it still fires."""
    now = connection.clock.now()
    renewed = alert.model_copy(update={"expires_at": now + lasting})
    await _say(connection, renewed, now)
    return renewed


async def end(connection: Connection, alert: AlertFired) -> AlertResolved:
    """Say that it is over."""
    now = connection.clock.now()
    ended = AlertResolved(
        fingerprint=alert.fingerprint,
        episode=alert.episode,
        rule=alert.rule,
        labels=alert.labels,
        source=alert.source,
        playbook=alert.playbook,
        ends_at=now,
    )
    await _say(connection, ended, now)
    return ended


async def _say(connection: Connection, event: AlertFired | AlertResolved, now: datetime) -> None:
    until = format_moment(event.expires_at or now) if isinstance(event, AlertFired) else "ended"
    cause = ids.derive_id("said", event.episode, until)
    await connection.publish(alert_subject(event.rule), caused_by(cause, 0, connection.name, "", now, event))
