"""Which alerts are one incident: the group of an alert, and what the group's incident is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from tocsin_escalator.core.rulebook import Rulebook
from tocsin_schemas import Labels, PlaybookRef
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import group_key_digest
from tocsin_schemas.text import clean_line

__all__ = ["Alert", "Group", "UnknownPlaybook", "group_of", "playbook_of", "title_of"]

Alert = AlertFired | AlertResolved
PLAYBOOK_LABEL = "playbook"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of alerts: its key, and the labels that its alerts share."""

    key: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class UnknownPlaybook:
    """An alert names a playbook that has not been published (yet). `otherwise` is the one to take if it never is."""

    named: str
    otherwise: PlaybookRef


def playbook_of(
    alert: Alert, published: Mapping[str, PlaybookRef], is_known: bool
) -> PlaybookRef | UnknownPlaybook | None:
    """The playbook an alert belongs to; none if there is no playbook at all.

    The revision it names (`is_known`: that one has been read), else the one in force of that name, else the one
    its label `playbook` names, else the first by name.
    """
    if not published:
        return None
    first = next(iter(published.values()))
    if alert.playbook is not None:
        if is_known:
            return alert.playbook
        named = published.get(alert.playbook.name)
        return named if named is not None else UnknownPlaybook(alert.playbook.name, first)
    return published.get(alert.labels.get(PLAYBOOK_LABEL, ""), first)


def group_of(alert: Alert, rulebook: Rulebook) -> Group:
    """The group of an alert, by the playbook's `group.by`. An alert with none of those labels is grouped by name."""
    labels, by = alert.labels, rulebook.playbook.group.by
    pairs = tuple((name, labels.get(name, "")) for name in by)
    if "alertname" in by and "alertname" not in labels:
        pairs = tuple((name, alert.rule if name == "alertname" else value) for name, value in pairs)
    if not any(value for _, value in pairs):
        pairs = (("alertname", alert.rule),)
    return _group(pairs, rulebook.ref.name)


@lru_cache(maxsize=20_000)
def _group(pairs: tuple[tuple[str, str], ...], playbook: str) -> Group:
    return Group(group_key_digest(pairs, playbook), Labels(dict(pairs)))


def title_of(alert: AlertFired, group: Group) -> str:
    """What the incident is called: the first alert's name, and what tells its group apart."""
    shared = ", ".join(value for name, value in group.labels.items() if name != "alertname")
    return clean_line(f"{alert.rule} ({shared})" if shared else alert.rule)
