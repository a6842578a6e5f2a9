"""What muted alerts when something was decided, as far as the decision itself says: which alerts of which incident
explained others, and of what it was a part, is known in a replica's memory, and named in what it decided."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.kin import Kin, Relative, services_of
from tocsin_escalator.core.muting import NOTHING_MUTES, Explaining, Mutes, mutes_of
from tocsin_playbook import Playbook
from tocsin_rehearsal.deciding.related import StateOf
from tocsin_schemas import Event, GroupedAlert
from tocsin_schemas.events import AlertGrouped, IncidentMuted, IncidentUnmuted

__all__ = ["recorded_mutes"]


def recorded_mutes(
    playbook: Playbook,
    decided: Sequence[Event],
    alerts_of: Callable[[str], Iterable[GroupedAlert]],
    state: IncidentState,
    state_of: StateOf,
) -> Mutes:
    """The playbook's silences, those of people among them, and the alerts and incidents by which the decision says that
    something is muted.

    `alerts_of`: the alerts that an incident has ever had. When exactly a replica had heard of one nobody can say.
    `state`: the incident's own, before the decision.
    """
    mutes = NOTHING_MUTES
    if playbook.silences or playbook.inhibit:
        named: dict[str, str] = {}
        for event in decided:
            if isinstance(event, AlertGrouped) and event.alert.explained_by is not None and _whole(event) is None:
                named.setdefault(event.alert.explained_by, "")
            elif isinstance(event, IncidentMuted) and event.why == "inhibition" and event.explained_by is not None:
                named[event.explained_by] = event.because
        mutes = mutes_of(
            playbook,
            [
                Explaining(incident, alert.rule, alert.labels)
                for incident, because in sorted(named.items())
                for alert in alerts_of(incident)
                if because in ("", f"{alert.rule} fires")
            ],
        )
    return replace(mutes, kin=_kin(playbook, decided, state, state_of))


def _kin(playbook: Playbook, decided: Sequence[Event], state: IncidentState, state_of: StateOf) -> Kin:
    """The incidents of which it is said to be a part; that of which it was one is heard of unless it says otherwise."""
    stays = not any(isinstance(event, IncidentMuted | IncidentUnmuted) for event in decided)
    heard = frozenset({state.part_of} if state.part_of is not None and stays else ())
    wholes = dict.fromkeys(filter(None, map(_whole, decided)))
    return Kin(heard, [found for whole in wholes if (found := _relative(state_of(whole), playbook))], playbook)


def _whole(event: Event) -> str | None:
    match event:
        case AlertGrouped(alert=alert) if (alert.muted or "").startswith("correlation:"):
            return alert.explained_by
        case IncidentMuted(why="correlation", explained_by=whole):
            return whole
        case _:
            return None


def _relative(state: IncidentState, playbook: Playbook) -> Relative | None:
    if state.opening is None:
        return None
    labels = [*(firing.labels for firing in state.firing.values()), state.opening.labels]
    return Relative(state.incident, state.opening.title, services_of(playbook, labels), state.opening.opened_at)
