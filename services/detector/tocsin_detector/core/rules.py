"""A rule of the playbook over time: what its expression returns becomes alerts that fire, change and resolve.

Several replicas evaluate the same rule over samples of their own and agree through the ALERTS stream alone: what
another has said is taken over, and older samples never contradict a newer word.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from math import isfinite

from tocsin_detector.core.known import AlertEvent, KnownAlert, KnownAlerts
from tocsin_detector.core.ladder import NOT_HOLDING, Climb, climb
from tocsin_playbook.model.detect import Rule
from tocsin_playbook.summary import Summary, parse_summary
from tocsin_schemas import Labels, PlaybookRef
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import fingerprint
from tocsin_schemas.text import clean_line, clean_text

__all__ = ["Evaluation", "RuleState", "Seen", "WatchedRule", "evaluate_rule"]


@dataclass(frozen=True, slots=True)
class WatchedRule:
    """A rule, the revision of the playbook that it stands in, and the name of what it looks at."""

    rule: Rule
    playbook: PlaybookRef
    source: str = "playbook"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rule's expression returned, a value for each series, and what that is worth.

    at: when the oldest of the samples was taken: older than what another replica has said, it cannot contradict.
    blind: none of its sources answers. Nothing begins and nothing ends: silence is no recovery.
    may_end: all of its sources answer, and have for as long as the expression looks back. Else alerts begin and
    rise but do not end: what is missing may be why the value is lower, or is not there.
    """

    values: Sequence[tuple[Mapping[str, str], float]]
    at: datetime
    blind: bool = False
    may_end: bool = True


@dataclass(frozen=True, slots=True)
class RuleState:
    """Each alert of the rule that is pending or firing, by its labels."""

    climbs: Mapping[Labels, Climb] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The rule's next state, what there is to tell, and which series could not be judged and why."""

    state: RuleState
    events: tuple[AlertEvent, ...] = ()
    refused: tuple[str, ...] = ()


def evaluate_rule(watched: WatchedRule, state: RuleState, seen: Seen, known: KnownAlerts, now: datetime) -> Evaluation:
    """Judge what was seen."""
    if seen.blind:
        return Evaluation(state)
    rule = watched.rule
    values, refused = _by_alert(rule, seen.values)
    firing = [alert.labels for alert in known.firing_of(watched.playbook.name, rule.name)]
    climbs: dict[Labels, Climb] = {}
    events: list[AlertEvent] = []
    for labels in dict.fromkeys((*state.climbs, *firing, *values)):
        said = known.get(_mark(labels))
        before = _as_said(state.climbs.get(labels, NOT_HOLDING), said, watched)
        value = values.get(labels)
        if said is None and before is NOT_HOLDING and not _crosses(rule, value):
            continue  # as nearly always
        if said is not None and said.heard_at is not None and seen.at <= said.heard_at:
            after = before  # another replica has spoken since these samples were taken
        else:
            after = _unless_unseen(before, climb(before, rule.ladder, value, now, rule.keep_firing_for), seen)
            if event := _tell(watched, labels, after, value, said, known, now):
                events.append(event)
        if not after.is_idle:
            climbs[labels] = after
    return Evaluation(RuleState(climbs), tuple(events), tuple(refused))


# --- what was seen ----------------------------------------------------------------------------------------------------


def _by_alert(
    rule: Rule, values: Iterable[tuple[Mapping[str, str], float]]
) -> tuple[Mapping[Labels, float], Sequence[str]]:
    """The value of each alert. Of several series that become the same alert, the one that is worst counts.

    A series whose labels cannot be an alert's costs itself and no other.
    """
    found: dict[Labels, float] = {}
    refused: list[str] = []
    for series, value in values:
        try:
            labels = _alert_labels(rule, series)
        except ValueError as error:
            refused.append(str(error))
            continue
        if labels not in found or _badness(rule, value) > _badness(rule, found[labels]):
            found[labels] = value
    return found, refused


def _alert_labels(rule: Rule, series: Mapping[str, str]) -> Labels:
    """The alert's labels: those of the series, then the rule's own, which win, then its name."""
    of_rule = (*rule.labels.items(), ("alertname", rule.name))
    return _remembered(series, of_rule) if isinstance(series, Labels) else _together(series, of_rule)


def _together(series: Mapping[str, str], of_rule: tuple[tuple[str, str], ...]) -> Labels:
    own = {name: value for name, value in series.items() if name != "__name__"}
    return Labels({**own, **dict(of_rule)})


_remembered = lru_cache(maxsize=65_536)(_together)
"""The same ones are asked for at every evaluation."""


def _crosses(rule: Rule, value: float | None) -> bool:
    """Whether the value is beyond any threshold of a rule that does not fire."""
    return value is not None and any(rung.holds(value) for rung in rule.ladder)


def _badness(rule: Rule, value: float) -> tuple[int, float]:
    """How far up the ladder the value is, and how far out. The same for all replicas, in whatever order they see."""
    crossed = next((i for i, rung in enumerate(rule.ladder) if rung.holds(value)), len(rule.ladder))
    outward = value if rule.ladder[0].above is not None else -value
    return -crossed, outward if value == value else float("-inf")


# --- what was said ----------------------------------------------------------------------------------------------------


def _as_said(own: Climb, said: KnownAlert | None, watched: WatchedRule) -> Climb:
    """Our climb, corrected by what the stream says: after a restart, or where another replica has spoken.

    What is pending is not in the stream; it begins again after a restart.
    """
    if said is None or said.playbook != watched.playbook.name:
        return own
    if not said.firing:
        return own if own.rung is None else NOT_HOLDING
    ladder = watched.rule.ladder
    if own.rung is not None and ladder[own.rung].severity == said.severity:
        return own
    severities = [rung.severity for rung in ladder]
    # A severity that this revision does not know any more: it goes on as the mildest.
    rung = severities.index(said.severity) if said.severity in severities else len(ladder) - 1
    return Climb(own.since or (None,) * len(ladder), rung, said.starts_at)


def _unless_unseen(before: Climb, after: Climb, seen: Seen) -> Climb:
    """`after`, unless it is milder and that may be because something was not seen."""
    milder = before.rung is not None and (after.rung is None or after.rung > before.rung)
    if milder and not seen.may_end:
        return replace(after, rung=before.rung, started_at=before.started_at, quiet_since=None)
    return after


# --- what there is to tell --------------------------------------------------------------------------------------------


def _tell(
    watched: WatchedRule,
    labels: Labels,
    after: Climb,
    value: float | None,
    said: KnownAlert | None,
    known: KnownAlerts,
    now: datetime,
) -> AlertEvent | None:
    rule, playbook, mark = watched.rule, watched.playbook, _mark(labels)
    firing = said if said is not None and said.firing else None
    ours = firing is not None and firing.playbook == playbook.name
    if firing is not None and firing.playbook and not ours:
        return None  # another playbook says the same already
    if after.rung is None:
        if firing is None or not ours:
            return None
        return AlertResolved(
            fingerprint=mark,
            episode=firing.episode,
            rule=rule.name,
            labels=labels,
            source=watched.source,
            playbook=playbook,
            ends_at=now,
        )
    rung = rule.ladder[after.rung]
    if firing is not None and ours and firing.severity == rung.severity:
        return None
    return AlertFired(
        fingerprint=mark,
        episode=firing.episode if firing is not None else known.next_episode(mark, now),
        rule=rule.name,
        labels=labels,
        source=watched.source,
        playbook=playbook,
        severity=rung.severity,
        annotations={name: clean_text(text) for name, text in rule.annotations.items()},
        summary=_summary(rule, value, labels),
        value=value if value is not None and isfinite(value) else None,
        threshold=rung.threshold,
        starts_at=firing.starts_at if firing is not None else (after.started_at or now),
    )


def _summary(rule: Rule, value: float | None, labels: Labels) -> str:
    if rule.summary is None:
        return rule.name
    return clean_line(_read_summary(rule.summary).render(value if value is not None else float("nan"), labels))


@lru_cache(maxsize=2048)
def _read_summary(text: str) -> Summary:
    return parse_summary(text)


@lru_cache(maxsize=65_536)
def _mark(labels: Labels) -> str:
    """The fingerprint. It is computed byte by byte, and asked for at every evaluation."""
    return fingerprint(labels)
