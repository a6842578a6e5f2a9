"""How severe an alert makes its incident.

The source's own word is mapped onto the playbook's ladder; then the playbook's conditions raise or cap it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from tocsin_escalator.core.impact import known_of, said_by, together, told_by
from tocsin_escalator.core.incident import Firing, IncidentState
from tocsin_escalator.core.rulebook import Rule, Rulebook
from tocsin_playbook.expressions import AlertFacts, ConditionEvaluationError, Facts, IncidentFacts
from tocsin_schemas import Impact
from tocsin_schemas.events import AlertFired
from tocsin_schemas.text import clean_line

__all__ = ["Verdict", "asks_at_once", "classify", "classify_again", "incident_facts", "may_have_risen", "on_the_ladder"]

_POSITIONS: Mapping[str, int] = {
    word: position
    for position, words in (
        (0, ("critical", "crit", "emergency", "emerg", "fatal", "disaster", "page", "alert")),
        (1, ("error", "err", "high", "major", "severe")),
        (2, ("warning", "warn", "medium", "moderate", "average", "minor")),
        (-1, ("low", "info", "informational", "information", "notice", "debug", "none", "ticket")),
    )
    for word in words
}
"""Words of other systems, as the step of the ladder they stand for; -1 is the last."""

_NOTHING = Impact()
_UNKNOWN = 1
"""The step for a word nobody knows, and for none: the second. The first would cry wolf, the last would be overheard."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The severity an alert asks for, and why."""

    severity: str
    why: Literal["alert", "classification"] = "alert"
    because: str = ""
    at_once: str = ""
    """Why the next level is told too, at once; empty where it is not."""


def on_the_ladder(word: str | None, rulebook: Rulebook) -> str:
    """The name of the ladder that a source's word means."""
    if word is not None and word in rulebook.ranks:
        return word
    names = tuple(rulebook.ranks)
    lowered = (word or "").strip().lower()
    for name in names:
        if name.lower() == lowered:
            return name
    position = _POSITIONS.get(lowered, _UNKNOWN)
    return names[-1] if position < 0 else names[min(position, len(names) - 1)]


def classify(alert: AlertFired, state: IncidentState, rulebook: Rulebook, now: datetime) -> Verdict:
    """The severity that this alert asks for."""
    own = on_the_ladder(alert.severity, rulebook)
    if not rulebook.rules:
        return Verdict(own)
    said = told_by(state, said_by(alert.labels, alert.annotations))
    return _verdict(own, {**incident_facts(state, now, said), **_alert_facts(alert, own)}, rulebook)


def asks_at_once(rulebook: Rulebook) -> bool:
    """Whether any condition tells the next level at once."""
    return any(rule.classification.at_once for rule in rulebook.rules)


def classify_again(
    state: IncidentState, rulebook: Rulebook, now: datetime, among: Iterable[Firing] | None = None
) -> Verdict | None:
    """The severity that what fires, or only `among` that, asks for by now; none where nothing fires.

    An alert's annotations and value are not kept: a condition that asks for them holds as it held when the alert said
    so, which its severity remembers.
    """
    best: Verdict | None = None
    for firing in state.firing.values() if among is None else among:
        own = firing.severity if firing.severity in rulebook.ranks else on_the_ladder(firing.severity, rulebook)
        facts = incident_facts(state, now, together(said_by(firing.labels, {}), state.impact or _NOTHING))
        facts = {**facts, "alert.name": firing.rule, "alert.severity": own, "alert.labels": firing.labels}
        verdict = _verdict(own, facts, rulebook)
        if best is None or rulebook.is_more_severe(verdict.severity, best.severity):
            best = verdict if best is None or verdict.at_once else replace(verdict, at_once=best.at_once)
        elif verdict.at_once and not best.at_once:
            best = replace(best, at_once=verdict.at_once)
    return best


def _verdict(own: str, facts: Facts, rulebook: Rulebook) -> Verdict:
    holding = [rule.classification for rule in rulebook.rules if _holds(rule, facts)]
    at_once = next((clean_line(each.because) for each in holding if each.at_once), "")
    severity = rulebook.playbook.classified(own, holding)
    if severity == own:
        return Verdict(own, at_once=at_once)
    decisive = next(each for each in holding if each.severity == severity)
    return Verdict(severity, "classification", clean_line(decisive.because), at_once)


def may_have_risen(alert: AlertFired, known: Firing, rulebook: Rulebook) -> bool:
    """Whether a renewal can ask for more than its alert has had. Conditions are costly and most renewals say the same.

    A condition on labels has been asked already: a renewal has the labels of its alert.
    """
    return rulebook.rules_vary or rulebook.is_more_severe(on_the_ladder(alert.severity, rulebook), known.severity)


def _holds(rule: Rule, facts: Facts) -> bool:
    try:
        return rule.condition.evaluate(facts)
    except ConditionEvaluationError:
        return False  # nobody's severity is changed on a guess


def incident_facts(state: IncidentState, now: datetime, impact: Impact | None = None) -> Facts:
    """What a condition may know of an incident. `impact`: what is known of it, where that is more than people said."""
    opening = state.opening
    return IncidentFacts(
        id=state.incident,
        title=opening.title if opening else "",
        severity=state.severity,
        state=state.phase.value,
        labels=opening.labels if opening else {},
        alerts=len(state.firing),
        age=now - opening.opened_at if opening else timedelta(),
        impact=known_of(impact if impact is not None else state.impact),
    ).as_facts()


def _alert_facts(alert: AlertFired, severity: str) -> Facts:
    return AlertFacts(
        name=alert.rule,
        severity=severity,
        labels=alert.labels,
        annotations=alert.annotations,
        value=alert.value if alert.value is not None else 0.0,
    ).as_facts()
