"""A source that does not answer is an alert of our own: nobody sees what it would have shown.

One replica may reach a source that another cannot. So the alert is a lease, renewed by whoever cannot reach it and
ended only by who has said so: replicas that see differently do not contradict each other in turns.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin_detector.core.known import AlertEvent, KnownAlerts
from tocsin_schemas import Labels, PlaybookRef
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import fingerprint
from tocsin_schemas.text import clean_line

__all__ = ["LEASE", "RULE", "Failing", "decide_source_down"]

RULE = "TocsinSourceDown"
LEASE = timedelta(minutes=2)
"""How long the alert outlives the replica that renews it."""


@dataclass(frozen=True, slots=True)
class Failing:
    """Why a source does not answer, and since when."""

    reason: str
    since: datetime


def decide_source_down(
    source: str,
    failing: Failing | None,
    known: KnownAlerts,
    playbook: PlaybookRef,
    now: datetime,
    *,
    patience: timedelta,
    said_it: bool,
) -> AlertEvent | None:
    """What there is to tell of a source that fails, or answers.

    `patience` is how long it may be silent before somebody hears of it; `said_it`: this replica has said before
    that it is down.
    """
    labels = Labels(alertname=RULE, source=source, playbook=playbook.name)
    mark = fingerprint(labels)
    said = known.get(mark)
    firing = said if said is not None and said.firing else None
    if failing is None:
        if firing is None or not said_it:
            return None
        return AlertResolved(
            fingerprint=mark,
            episode=firing.episode,
            rule=RULE,
            labels=labels,
            source=source,
            playbook=playbook,
            ends_at=now,
        )
    begins = firing is None and now - failing.since >= patience
    renews = firing is not None and (firing.expires_at is None or firing.expires_at - now < LEASE / 2)
    if not begins and not renews:
        return None
    return AlertFired(
        fingerprint=mark,
        episode=firing.episode if firing is not None else known.next_episode(mark, now),
        rule=RULE,
        labels=labels,
        source=source,
        playbook=playbook,
        summary=clean_line(f"Source {source} does not answer, so nothing it shows is watched: {failing.reason}"),
        starts_at=firing.starts_at if firing is not None else failing.since,
        expires_at=now + LEASE,
    )
