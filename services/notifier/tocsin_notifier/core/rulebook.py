"""A playbook laid out for telling: its announcements with their conditions compiled."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from tocsin_notifier.core.incident import Incident
from tocsin_playbook import Condition, ConditionEvaluationError, ConditionSyntaxError, IncidentFacts, Playbook
from tocsin_playbook import compile_condition as compile_cel
from tocsin_playbook.model.communicate import Announcement, Occasion
from tocsin_schemas import PlaybookRef

__all__ = ["Rulebook", "make_rulebook"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One announcement. `broken`: its condition does not compile, so it never holds."""

    announcement: Announcement
    condition: Condition | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A playbook and its announcements."""

    ref: PlaybookRef
    playbook: Playbook
    rules: tuple[Rule, ...] = ()
    problems: tuple[str, ...] = ()

    def announcements(
        self, incident: Incident, occasion: Occasion, severities: frozenset[str], at: datetime
    ) -> Iterator[Announcement]:
        """Those that tell of this occasion. A condition that cannot be evaluated does not hold."""
        for rule in self.rules:
            wanted = rule.announcement
            if occasion not in wanted.on or (wanted.severities and not severities & set(wanted.severities)):
                continue
            if not rule.broken and (rule.condition is None or _holds(rule.condition, incident, at)):
                yield wanted


def make_rulebook(ref: PlaybookRef, playbook: Playbook, kinds: Collection[str]) -> Rulebook:
    """Compile every condition. What does not compile, and channels of other `kinds`, are problems to be told."""
    rules: list[Rule] = []
    problems = [
        f"channel {channel.name}: this version cannot send through {channel.kind}; the next way is taken"
        for channel in playbook.communicate.channels
        if channel.kind not in kinds
    ]
    for announcement in playbook.communicate.announce:
        if announcement.when is None:
            rules.append(Rule(announcement))
            continue
        try:
            rules.append(Rule(announcement, compile_cel(announcement.when)))
        except ConditionSyntaxError as error:
            rules.append(Rule(announcement, broken=True))
            problems.append(f"announcement to {', '.join(map(str, announcement.to))}: {error}")
    return Rulebook(ref, playbook, tuple(rules), tuple(problems))


def _holds(condition: Condition, incident: Incident, at: datetime) -> bool:
    facts = IncidentFacts(
        id=incident.id,
        title=incident.title,
        severity=incident.severity,
        state=incident.phase.value,
        labels=incident.labels,
        alerts=len(incident.alerts),
        age=at - (incident.opened_at or at),
        impact=incident.impact.model_dump(exclude_none=True) if incident.impact is not None else {},
    )
    try:
        return condition.evaluate(facts.as_facts())
    except ConditionEvaluationError:
        return False
