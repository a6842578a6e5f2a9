"""Alerts that nobody can end any more, because the playbook no longer has what raised them."""

from collections.abc import Sequence
from datetime import datetime

from tocsin_detector.core import source_down
from tocsin_detector.core.known import KnownAlerts
from tocsin_playbook import Playbook
from tocsin_schemas import PlaybookRef
from tocsin_schemas.events import AlertResolved

__all__ = ["decide_withdrawn"]


def decide_withdrawn(
    playbook: Playbook, ref: PlaybookRef, known: KnownAlerts, now: datetime
) -> Sequence[AlertResolved]:
    """The end of every alert of this playbook whose rule (or source) stood in an earlier revision only."""
    signals = {signal.name for signal in playbook.detect.signals}
    sources = {source.name for source in playbook.sources}
    return tuple(
        AlertResolved(
            fingerprint=alert.fingerprint,
            episode=alert.episode,
            rule=alert.rule,
            labels=alert.labels,
            source=alert.source,
            playbook=ref,
            ends_at=now,
            reason="withdrawn",
        )
        for alert in known.firing()
        if alert.playbook == ref.name
        and (alert.source not in sources if alert.rule == source_down.RULE else alert.rule not in signals)
    )
