"""A source that does not answer is an alert of our own: nobody sees what it would have shown."""

from datetime import datetime, timedelta

from tocsin_detector.core.known import KnownAlerts
from tocsin_schemas import Labels, PlaybookRef
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import fingerprint
from tocsin_schemas.text import clean_line

__all__ = ["PATIENCE", "RULE", "decide_source_down"]

RULE = "TocsinSourceDown"
PATIENCE = timedelta(seconds=30)
"""How long a source may be silent before somebody hears of it."""


def decide_source_down(
    source: str, failing: str, since: datetime | None, known: KnownAlerts, playbook: PlaybookRef, now: datetime
) -> tuple[AlertFired | AlertResolved, ...]:
    """What there is to tell of a source that fails for this reason since then (or answers: no reason)."""
    labels = Labels(alertname=RULE, source=source, playbook=playbook.name)
    mark = fingerprint(labels)
    said = known.get(mark)
    firing = said is not None and said.firing
    if not failing and said is not None and firing:
        return (
            AlertResolved(
                fingerprint=mark,
                episode=said.episode,
                rule=RULE,
                labels=labels,
                source=source,
                playbook=playbook,
                ends_at=now,
            ),
        )
    if failing and not firing and since is not None and now - since >= PATIENCE:
        return (
            AlertFired(
                fingerprint=mark,
                episode=known.next_episode(mark),
                rule=RULE,
                labels=labels,
                source=source,
                playbook=playbook,
                summary=clean_line(f"Source {source} does not answer, so nothing it shows is watched: {failing}"),
                starts_at=since,
            ),
        )
    return ()
