"""What muted alerts when something was decided, as far as the decision itself says: which alerts of which incident
explained others is known in a replica's memory, and named in what it decided."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.muting import Explaining, Mutes, mutes_of
from tocsin_playbook import Playbook
from tocsin_schemas import Event
from tocsin_schemas.events import AlertGrouped, IncidentMuted

__all__ = ["HEARD_BEFORE", "recorded_mutes"]

HEARD_BEFORE = timedelta(seconds=5)
"""How much sooner than it stands in the log a replica may know of an alert: it has decided on it, and writes it."""


def recorded_mutes(playbook: Playbook, decided: Iterable[Event], state_of: Callable[[str], IncidentState]) -> Mutes:
    """The playbook's silences, and the alerts that fire in incidents by which the decision says that this is muted.

    `state_of`: an incident as it stood when last something fired in it: other replicas hear of the end a little later.
    """
    named: set[str | None] = set()
    for event in decided:
        if isinstance(event, IncidentMuted):
            named.add(event.explained_by)
        elif isinstance(event, AlertGrouped):
            named.add(event.alert.explained_by)
    states = [state_of(incident) for incident in sorted(filter(None, named))]
    firing = [Explaining(state.incident, each.rule, each.labels) for state in states for each in state.firing.values()]
    return mutes_of(playbook, firing)
