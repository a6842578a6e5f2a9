"""A rule of the playbook over time: what its expression returns becomes alerts that fire, change and resolve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite

from tocsin_detector.core.known import KnownAlerts
from tocsin_detector.core.ladder import NOT_HOLDING, Climb, climb
from tocsin_playbook.model.detect import Rule
from tocsin_playbook.summary import parse_summary
from tocsin_schemas import Labels, PlaybookRef
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import fingerprint
from tocsin_schemas.text import clean_line

__all__ = ["RuleState", "Seen", "evaluate_rule", "restore"]

AlertEvent = AlertFired | AlertResolved


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rule's expression returned: a value for each set of labels. `blind`: its source did not answer."""

    values: Mapping[Labels, float]
    blind: bool = False


@dataclass(frozen=True, slots=True)
class RuleState:
    """Each alert of the rule that is pending or firing, by its labels."""

    climbs: Mapping[Labels, Climb] = field(default_factory=dict)


def alert_labels(rule: Rule, series: Mapping[str, str]) -> Labels:
    """The alert's labels: those of the series, then the rule's own, which win, then its name."""
    own = {name: value for name, value in series.items() if name != "__name__"}
    return Labels({**own, **rule.labels, "alertname": rule.name})


def evaluate_rule(
    rule: Rule, state: RuleState, seen: Seen, known: KnownAlerts, playbook: PlaybookRef, source: str, now: datetime
) -> tuple[RuleState, tuple[AlertEvent, ...]]:
    """The rule's next state, and what there is to tell.

    While its source does not answer, nothing begins and nothing ends: silence is no recovery.
    """
    if seen.blind:
        return state, ()
    values = {alert_labels(rule, series): value for series, value in seen.values.items()}
    climbs: dict[Labels, Climb] = {}
    events: list[AlertEvent] = []
    for labels in {**state.climbs, **values}:
        before, value = state.climbs.get(labels, NOT_HOLDING), values.get(labels)
        after = climb(before, rule.ladder, value, now, rule.keep_firing_for)
        if not after.is_idle:
            climbs[labels] = after
        event = _tell(rule, labels, before, after, value, known, playbook, source, now)
        if event is not None:
            events.append(event)
    return RuleState(climbs), tuple(events)


def _tell(
    rule: Rule,
    labels: Labels,
    before: Climb,
    after: Climb,
    value: float | None,
    known: KnownAlerts,
    playbook: PlaybookRef,
    source: str,
    now: datetime,
) -> AlertEvent | None:
    mark = fingerprint(labels)
    said = known.get(mark)
    if after.rung is None:
        if before.rung is None or said is None or not said.firing:
            return None
        return AlertResolved(
            fingerprint=mark,
            episode=said.episode,
            rule=rule.name,
            labels=labels,
            source=source,
            playbook=playbook,
            ends_at=now,
        )
    severity = rule.ladder[after.rung].severity
    firing = said is not None and said.firing
    if said is not None and said.firing and said.last is not None and said.last.severity == severity:
        return None
    finite = value if value is not None and isfinite(value) else None
    return AlertFired(
        fingerprint=mark,
        episode=said.episode if said is not None and firing else known.next_episode(mark),
        rule=rule.name,
        labels=labels,
        source=source,
        playbook=playbook,
        severity=severity,
        annotations=dict(rule.annotations),
        summary=_summary(rule, value, labels),
        value=finite,
        threshold=rule.ladder[after.rung].threshold,
        starts_at=said.starts_at if said is not None and firing else (after.started_at or now),
    )


def _summary(rule: Rule, value: float | None, labels: Labels) -> str:
    if rule.summary is None:
        return rule.name
    return clean_line(parse_summary(rule.summary).render(value if value is not None else float("nan"), labels))


def restore(rule: Rule, known: KnownAlerts) -> RuleState:
    """After a restart: the rule's alerts that the stream says are firing go on firing.

    What was pending is not in the stream and begins again.
    """
    climbs: dict[Labels, Climb] = {}
    severities = [rung.severity for rung in rule.ladder]
    for alert in known.firing():
        if alert.rule == rule.name and alert.last is not None and alert.last.severity in severities:
            rung = severities.index(alert.last.severity)
            climbs[alert.labels] = Climb((None,) * len(rule.ladder), rung, alert.starts_at)
    return RuleState(climbs)
