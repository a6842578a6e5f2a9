"""The alerts that are firing, as the ALERTS stream tells it: a fold that every replica shares.

An alert's episodes form a chain: the next episode's name follows from the one before. Replicas that see the same
alert start at different moments therefore give it the same name, and the stream takes it once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from tocsin_schemas import Labels, Payload
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import alert_episode

__all__ = ["EMPTY", "AlertEvent", "KnownAlert", "KnownAlerts", "Word", "after_word", "next_episode"]

AlertEvent = AlertFired | AlertResolved

_PAST = 8
"""How many ended episodes of an alert are recognised when something is said of them again."""


class Word(NamedTuple):
    """Something that was said of an alert: when, by the clock of who said it, and when another replica's word
    reached us (none: we said it ourselves)."""

    event: Payload
    told_at: datetime
    heard_at: datetime | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class KnownAlert:
    """The last that was said of one alert.

    `playbook` is the name of the playbook whose alert it is, empty for a foreign one. `expires_at` is the lease,
    kept after the end. `words` counts what was said of this episode, `past` are the episodes before it. `replaced`
    are those of them whose end nobody has told: two replicas began an episode each, and this one came later.
    `latest_start` is the latest start that its senders gave.
    """

    fingerprint: str
    episode: str
    rule: str
    labels: Labels
    source: str
    firing: bool
    starts_at: datetime
    told_at: datetime
    playbook: str = ""
    expires_at: datetime | None = None
    last: AlertFired | None = None
    words: int = 0
    past: tuple[str, ...] = ()
    heard_at: datetime | None = None
    latest_start: datetime | None = None
    replaced: tuple[AlertFired, ...] = ()

    @property
    def severity(self) -> str | None:
        return self.last.severity if self.last is not None else None


@dataclass(frozen=True)
class KnownAlerts:
    """Alerts by fingerprint. `with_words` makes the next state; the mapping is never changed in place.

    An alert that ended `remember` ago is as good as unknown: it may be forgotten, and replicas that have
    forgotten it must say the same as those that have not.
    """

    alerts: Mapping[str, KnownAlert] = field(default_factory=dict)
    remember: timedelta = timedelta(hours=24)

    def get(self, fingerprint: str) -> KnownAlert | None:
        return self.alerts.get(fingerprint)

    def firing(self) -> Iterable[KnownAlert]:
        return (alert for alert in self.alerts.values() if alert.firing)

    def replacing(self) -> Iterable[KnownAlert]:
        """Those in whose past an episode has no end yet."""
        return (alert for alert in self.alerts.values() if alert.replaced)

    def firing_of(self, playbook: str, rule: str) -> Iterable[KnownAlert]:
        """What this rule of this playbook has firing."""
        return self._by_rule.get((playbook, rule), ())

    @cached_property
    def _by_rule(self) -> Mapping[tuple[str, str], list[KnownAlert]]:
        found: dict[tuple[str, str], list[KnownAlert]] = {}
        for alert in self.firing():
            found.setdefault((alert.playbook, alert.rule), []).append(alert)
        return found

    def next_episode(self, fingerprint: str, now: datetime) -> str:
        """What the alert's next firing is called."""
        return next_episode(fingerprint, self.alerts.get(fingerprint), now, self.remember)

    def with_words(self, words: Iterable[Word], on_void: Callable[[Word], None] = lambda _: None) -> "KnownAlerts":
        """After these words. What is said late, of an episode that is over, changes nothing: it is void."""
        alerts = dict(self.alerts)
        for word in words:
            if isinstance(word.event, AlertFired | AlertResolved):
                before = alerts.get(word.event.fingerprint)
                after = alerts[word.event.fingerprint] = after_word(before, word)
                if after is before:
                    on_void(word)
        return KnownAlerts(alerts, self.remember)

    def without_forgotten(self, now: datetime) -> "KnownAlerts":
        """Forget alerts that ended longer ago than is remembered."""
        kept = {
            name: alert for name, alert in self.alerts.items() if alert.firing or now - alert.told_at < self.remember
        }
        return self if len(kept) == len(self.alerts) else KnownAlerts(kept, self.remember)


EMPTY = KnownAlerts()


def next_episode(fingerprint: str, known: KnownAlert | None, now: datetime, remember: timedelta) -> str:
    """What the firing after `known` is called. The first in a long time follows from the fingerprint alone.

    "A long time" is counted in whole lengths of `remember` since 1970, so that the name is another than that of
    the firing which was forgotten.
    """
    if known is not None and (known.firing or now - known.told_at < remember):
        return alert_episode(fingerprint, known.episode)
    return alert_episode(fingerprint, f"first of {now.timestamp() // remember.total_seconds():.0f}")


def after_word(known: KnownAlert | None, word: Word) -> KnownAlert:
    """What is known of an alert after one more word about it."""
    if isinstance(word.event, AlertFired):
        return _fired(known, word.event, word)
    if isinstance(word.event, AlertResolved):
        return _resolved(known, word.event, word)
    raise TypeError(f"{type(word.event).__name__} is not said of an alert")


def _fired(known: KnownAlert | None, event: AlertFired, word: Word) -> KnownAlert:
    owner = event.playbook.name if event.playbook else ""
    if known is None or known.episode != event.episode:
        if known is not None and event.episode in known.past:
            return known  # late: that episode is over
        return KnownAlert(
            event.fingerprint,
            event.episode,
            event.rule,
            event.labels,
            event.source,
            firing=True,
            starts_at=event.starts_at,
            told_at=word.told_at,
            playbook=owner,
            expires_at=event.expires_at,
            last=event,
            words=1,
            past=_one_more(known),
            heard_at=word.heard_at,
            latest_start=event.latest_start,
            replaced=_replaced(known),
        )
    if not known.firing:
        return known  # late: this episode is over
    later = _later(known.expires_at, event.expires_at)
    return replace(
        known,
        playbook=owner or known.playbook,
        expires_at=later if owner == known.playbook else event.expires_at,
        last=event,
        told_at=word.told_at,
        words=known.words + 1,
        heard_at=word.heard_at,
        latest_start=_later(known.latest_start, event.latest_start),
    )


def _resolved(known: KnownAlert | None, event: AlertResolved, word: Word) -> KnownAlert:
    if known is not None and known.episode == event.episode:
        if not known.firing:
            return known
        return replace(known, firing=False, told_at=word.told_at, heard_at=word.heard_at)
    if known is not None and any(each.episode == event.episode for each in known.replaced):
        return replace(known, replaced=tuple(each for each in known.replaced if each.episode != event.episode))
    if known is not None and (known.firing or event.episode in known.past):
        return known  # late: another episode has begun
    return KnownAlert(
        event.fingerprint,
        event.episode,
        event.rule,
        event.labels,
        event.source,
        firing=False,
        starts_at=event.ends_at,
        told_at=word.told_at,
        playbook=event.playbook.name if event.playbook else "",
        past=_one_more(known),
        heard_at=word.heard_at,
        replaced=known.replaced if known is not None else (),
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


def _replaced(known: KnownAlert | None) -> tuple[AlertFired, ...]:
    """The episodes without an end, when another follows `known`."""
    if known is None:
        return ()
    return (*known.replaced, known.last) if known.firing and known.last is not None else known.replaced


def _one_more(known: KnownAlert | None) -> tuple[str, ...]:
    return (*known.past, known.episode)[-_PAST:] if known is not None else ()
