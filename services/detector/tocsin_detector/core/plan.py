"""What of a playbook this version watches, and what it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tocsin_playbook import Playbook
from tocsin_playbook.model.detect import Rule
from tocsin_playbook.model.sources import Source
from tocsin_promql import PromQLError, Query, parse
from tocsin_promql.parse import LOOKBACK

__all__ = ["Plan", "PlannedRule", "plan_watch"]


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """A rule that can be evaluated: its query, and the names of the scraped sources that it looks at."""

    rule: Rule
    query: Query
    sources: tuple[str, ...]

    @property
    def reach(self) -> timedelta:
        """How far back there must be samples before the query has its full meaning."""
        return self.query.lookback - LOOKBACK


@dataclass(frozen=True, slots=True)
class Plan:
    """`not_understood`: why a rule cannot be evaluated, by its name. `left_out`: names by kind, of what this
    version does not carry out."""

    rules: tuple[PlannedRule, ...]
    sources: tuple[Source, ...]
    not_understood: Mapping[str, str]
    left_out: Mapping[str, Sequence[str]]

    @property
    def lookback(self) -> timedelta:
        """How long samples must be kept."""
        return max((planned.query.lookback for planned in self.rules), default=LOOKBACK)


def plan_watch(playbook: Playbook) -> Plan:
    """Sort the playbook into what can be watched and what cannot."""
    detect = playbook.detect
    scraped = tuple(source for source in playbook.sources if _is_scraped(source))
    names = tuple(source.name for source in scraped)
    rules: list[PlannedRule] = []
    not_understood: dict[str, str] = {}
    unseen: list[str] = []
    for rule in detect.rules:
        try:
            query = parse(rule.expr)
        except PromQLError as error:
            not_understood[rule.name] = str(error)
            continue
        if rule.source is not None and rule.source not in names:
            unseen.append(rule.name)  # `absent(x)` would fire for what we only do not look at
            continue
        rules.append(PlannedRule(rule, query, names if rule.source is None else (rule.source,)))
    left_out = {
        "rules": unseen,
        "probes": [each.name for each in detect.probes],
        "burn rates": [each.name for each in detect.burn_rates],
        "absences": [each.name for each in detect.absent],
        "anomalies": [each.name for each in detect.anomalies],
        "sources": [each.name for each in playbook.sources if not _is_scraped(each)],
    }
    return Plan(tuple(rules), scraped, not_understood, {kind: found for kind, found in left_out.items() if found})


def _is_scraped(source: Source) -> bool:
    return source.prometheus is not None and source.prometheus.scrape is not None
