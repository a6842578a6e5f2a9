"""Foreign alerts that fire for longer than the stream keeps what was said of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tocsin_detector.core.known import KnownAlerts
from tocsin_schemas.events import AlertFired

__all__ = ["decide_kept"]

AGAIN_AFTER = timedelta(days=3)
"""The stream keeps seven days: after a restart, what was said before is not known any more."""


def decide_kept(known: KnownAlerts, now: datetime) -> Sequence[AlertFired]:
    """The last word about each foreign alert that fires and of which nothing was said for long, to be said again."""
    return tuple(
        alert.last.model_copy(update={"expires_at": alert.expires_at})
        for alert in known.firing()
        if alert.last is not None and not alert.playbook and now - alert.told_at >= AGAIN_AFTER
    )
