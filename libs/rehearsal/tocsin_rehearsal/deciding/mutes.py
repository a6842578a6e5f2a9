"""What muted alerts when something was decided, as far as the decision itself says: which alerts of which incident
explained others is known in a replica's memory, and named in what it decided."""

from collections.abc import Callable, Iterable

from tocsin_escalator.core.muting import NOTHING_MUTES, Explaining, Mutes, mutes_of
from tocsin_playbook import Playbook
from tocsin_schemas import Event, GroupedAlert
from tocsin_schemas.events import AlertGrouped, IncidentMuted

__all__ = ["recorded_mutes"]


def recorded_mutes(
    playbook: Playbook, decided: Iterable[Event], alerts_of: Callable[[str], Iterable[GroupedAlert]]
) -> Mutes:
    """The playbook's silences, and the alerts by which the decision says that something is muted.

    `alerts_of`: the alerts that an incident has ever had. When exactly a replica had heard of one nobody can say.
    """
    if not playbook.silences and not playbook.inhibit:
        return NOTHING_MUTES
    named: dict[str, str] = {}
    for event in decided:
        if isinstance(event, AlertGrouped) and event.alert.explained_by is not None:
            named.setdefault(event.alert.explained_by, "")
        elif isinstance(event, IncidentMuted) and event.explained_by is not None:
            named[event.explained_by] = event.because
    return mutes_of(
        playbook,
        [
            Explaining(incident, alert.rule, alert.labels)
            for incident, because in sorted(named.items())
            for alert in alerts_of(incident)
            if because in ("", f"{alert.rule} fires")
        ],
    )
