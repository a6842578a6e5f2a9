"""Two incidents that are one, and one that is two."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin_escalator.core.classify import asks_at_once, classify_again, on_the_ladder
from tocsin_escalator.core.deadlines import set_deadline
from tocsin_escalator.core.draft import SYSTEM, Draft
from tocsin_escalator.core.escalation import begin
from tocsin_escalator.core.grouping import Group
from tocsin_escalator.core.incident import AlertKey, Firing, IncidentState, Mute, Phase
from tocsin_escalator.core.kin import Kin, services_of
from tocsin_escalator.core.lifecycle import Answer, Input, answer
from tocsin_escalator.core.muting import mute, unmute
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_escalator.core.severity import change_severity, tell_at_once
from tocsin_playbook.model import Playbook
from tocsin_schemas import Actor, DeadlineKind, Event, GroupedAlert, Labels
from tocsin_schemas.events import (
    AlertGrouped,
    AlertMoved,
    IncidentLinked,
    IncidentMonitoring,
    IncidentOpened,
    OriginSuspected,
)
from tocsin_schemas.ids import group_key_digest
from tocsin_schemas.text import clean_line

__all__ = [
    "Parts", "decide_absorbed", "decide_split_off", "merge", "move_out", "parts_of", "split_off_group", "stand_alone",
    "watch",
]  # fmt: skip


def merge(draft: Draft, other: IncidentState, because: str, by: Actor) -> None:
    """From now on people are told of the other."""
    title = other.opening.title if other.opening is not None else other.incident
    draft.add(IncidentLinked(other=other.incident, relation="absorbed_by", because=because, by=by))
    mute(draft, Mute("merge", title, because, explained_by=other.incident))


def decide_absorbed(
    state: IncidentState, part: IncidentState, rulebook: Rulebook, now: datetime, because: str = "", by: Actor = SYSTEM
) -> tuple[Event, ...]:
    """Another incident is a part of this one, which is at least as severe, and people learn where both come from."""
    draft = Draft(state, rulebook, now)
    if answer(state.phase, Input.PART_FOUND) is not Answer.ABSORB or part.muted is None:
        return ()
    is_new = part.incident not in state.parts
    if is_new:
        draft.add(
            IncidentLinked(
                other=part.incident, relation="absorbed", because=clean_line(because or part.muted.because), by=by
            )
        )
    origin = _origin(state, part, rulebook.playbook) if is_new and part.muted.why == "correlation" else None
    if origin is not None and origin[0] != state.origin:
        draft.add(OriginSuspected(service=origin[0], because=clean_line(origin[1])))
    severity = on_the_ladder(part.severity, rulebook)  # the part may be of another playbook, or of another revision
    if not state.severity_is_a_persons and rulebook.is_more_severe(severity, state.severity):
        title = part.opening.title if part.opening is not None else part.incident
        change_severity(draft, severity, "merge", clean_line(f"its part {title} is"), by)
    if asks_at_once(rulebook) and not draft.state.told_at_once:
        news = None if is_new else tuple(part.firing.values())[-1:]  # the others have been asked
        if (verdict := classify_again(part, rulebook, now, news)) is not None:
            tell_at_once(draft, verdict)
    return draft.done()


def _origin(state: IncidentState, part: IncidentState, playbook: Playbook) -> tuple[str, str] | None:
    """The service where two incidents come from, and why."""
    some, others = (
        services_of(
            playbook,
            [*(firing.labels for firing in each.firing.values()), *([each.opening.labels] if each.opening else [])],
        )
        for each in (part, state)
    )
    found = Kin(playbook=playbook).kinship(some, others)
    return None if found is None else (found.origin, found.because)


@dataclass(frozen=True, slots=True)
class Parts:
    """Alerts that are taken out of an incident, and the incident that they become."""

    group: Group
    incident: str
    alerts: tuple[tuple[AlertKey, Firing], ...]
    day_number: int | None = None


def split_off_group(state: IncidentState, cause: str, rulebook: Rulebook) -> Group:
    """The group of the incident that some alerts become: its own, so that the group they came from goes on."""
    labels = state.opening.labels if state.opening is not None else Labels()
    return Group(group_key_digest((("split_from", state.incident), ("by", cause)), rulebook.ref.name), labels)


def parts_of(state: IncidentState, fingerprints: Sequence[str], to: str) -> tuple[tuple[AlertKey, Firing], ...]:
    """The alerts of these fingerprints that fire in the incident, or went from it to this one already: then the command
    comes again, and the log may have taken no more of it.
    """
    gone = {key: moved.firing for key, moved in state.moved.items() if moved.to == to and moved.firing is not None}
    return tuple((key, firing) for key, firing in {**state.firing, **gone}.items() if key.fingerprint in fingerprints)


def decide_split_off(
    state: IncidentState, whole: IncidentState, parts: Parts, by: Actor, because: str, rulebook: Rulebook, now: datetime
) -> tuple[Event, ...]:
    """The alerts that were taken out of `whole` are an incident of their own, of which people are told."""
    if state.opening is not None or whole.opening is None or not parts.alerts:
        return ()
    draft = Draft(state, rulebook, now)
    first = parts.alerts[0][1]
    severity = min((firing.severity for _, firing in parts.alerts), key=lambda name: rulebook.ranks.get(name, 0))
    shared = ", ".join(value for name, value in parts.group.labels.items() if name != "alertname")
    draft.add(
        IncidentOpened(
            group_key=parts.group.key,
            episode=0,
            title=clean_line(f"{first.rule} ({shared})" if shared else first.rule),
            severity=severity if severity in rulebook.ranks else whole.severity,
            labels=parts.group.labels,
            playbook=whole.opening.playbook,
            started_at=min(whole.opening.opened_at, now),
            day_number=parts.day_number,
        )
    )
    for key, firing in parts.alerts:
        grouped = GroupedAlert(
            fingerprint=key.fingerprint,
            episode=key.episode,
            rule=firing.rule,
            severity=firing.severity,
            labels=firing.labels,
            starts_at=min(whole.opening.opened_at, now),
        )
        draft.add(AlertGrouped(alert=grouped))
    draft.add(IncidentLinked(other=whole.incident, relation="split_from", because=because, by=by))
    begin(draft, "opened")
    return draft.done()


def move_out(draft: Draft, parts: Parts, because: str, by: Actor) -> None:
    """Some alerts are another incident's from now on; what is left without any is watched."""
    for key, firing in parts.alerts:
        moved = AlertMoved(fingerprint=key.fingerprint, episode=key.episode, rule=firing.rule, to=parts.incident)
        draft.add(moved)
    draft.add(IncidentLinked(other=parts.incident, relation="split_into", because=because, by=by))
    watch(draft)


def stand_alone(draft: Draft, by: Actor) -> None:
    """It is no part of another any more: people are told of it."""
    other = draft.state.part_of
    unmute(draft, f"it stands for itself again, says {by.name}" if other else "it stands for itself again")


def watch(draft: Draft) -> None:
    """When nothing fires any more in an open incident, it is watched."""
    state = draft.state
    if state.firing or not state.is_open or state.phase is Phase.MONITORING:
        return
    watch_until = draft.now + draft.rulebook.playbook.watch_for(state.severity)
    draft.add(IncidentMonitoring(watch_until=watch_until))
    set_deadline(draft, DeadlineKind.WATCH, watch_until)
