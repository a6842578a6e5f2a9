"""What keeps an alert quiet: a silence, an alert that explains it, or the time in which alerts are collected.

An alert of the system's own is never muted: who cannot see must say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin_escalator.core.classify import asks_at_once, classify_again
from tocsin_escalator.core.deadlines import set_deadline, set_targets
from tocsin_escalator.core.draft import Draft
from tocsin_escalator.core.escalation import begin, resume
from tocsin_escalator.core.incident import PART_OF_ANOTHER, IncidentState, Mute, Page, Phase, Place
from tocsin_escalator.core.kin import NO_KIN, Kin
from tocsin_escalator.core.paging import page
from tocsin_escalator.core.severity import tell_at_once
from tocsin_playbook.model import Inhibition, Playbook, Silence
from tocsin_schemas import DeadlineKind, Labels
from tocsin_schemas.events import IncidentMuted, IncidentUnmuted
from tocsin_schemas.ids import derive_id
from tocsin_schemas.moments import LATEST
from tocsin_schemas.text import clean_line

__all__ = [
    "NOTHING_MUTES",
    "Explaining",
    "Mutes",
    "look_again",
    "mute",
    "mute_of_all",
    "mutes_of",
    "muting_cause",
    "outlives_its_silence",
    "should_be_silent",
    "unmute",
    "unmuting_cause",
]

OWN = "Tocsin"
"""What the names of the system's own alerts begin with."""


@dataclass(frozen=True, slots=True)
class Explaining:
    """An alert that fires somewhere, of which others may be consequences."""

    incident: str
    rule: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Mutes:
    """What may mute an alert just now: silences, inhibitions, and the alerts that fire and explain others."""

    silences: Sequence[Silence] = ()
    inhibitions: Sequence[Inhibition] = ()
    explaining: Sequence[Explaining] = ()
    kin: Kin = NO_KIN

    def of(
        self, rule: str, labels: Labels, incident: str, now: datetime, opened_at: datetime | None = None
    ) -> Mute | None:
        """What mutes this alert of this incident; none if nothing does. A silence wins: its end is known."""
        if rule.startswith(OWN):
            return None
        muted = self._silenced(labels, now) or self._explained(labels, incident)
        return muted or self.kin.of(labels, incident, now, opened_at)

    def _silenced(self, labels: Labels, now: datetime) -> Mute | None:
        holding = [silence for silence in self.silences if silence.silences(labels, now)]
        if not holding:
            return None
        last = max(holding, key=lambda silence: silence.ends(now) or now)
        return Mute("silence", last.name, last.because, until=last.ends(now))

    def _explained(self, labels: Labels, incident: str) -> Mute | None:
        others = [other for other in self.explaining if other.incident != incident]
        for inhibition in self.inhibitions:
            causes = [other for other in others if inhibition.mutes(labels, other.labels)]
            if causes:
                cause = min(causes, key=lambda other: (other.incident, other.rule))
                because = f"{cause.rule} fires"
                return Mute("inhibition", inhibition.name or cause.rule, because, explained_by=cause.incident)
        return None


NOTHING_MUTES = Mutes()


def mutes_of(playbook: Playbook, explaining: Sequence[Explaining]) -> Mutes:
    """What this playbook mutes by."""
    if not playbook.silences and not playbook.inhibit:
        return NOTHING_MUTES
    return Mutes(playbook.silences, playbook.inhibit, explaining)


def mute_of_all(draft: Draft, mutes: Mutes) -> Mute | None:
    """What mutes an incident: the mute that lasts longest, if every alert that fires in it is muted."""
    found = _muted_by(draft.state, mutes, draft.now)
    return _longest(found, draft.now) if found else None


def _longest(found: Sequence[Mute], now: datetime) -> Mute:
    return max(found, key=lambda each: (each.until is None, each.until or now))


def _muted_by(state: IncidentState, mutes: Mutes, now: datetime) -> list[Mute]:
    """What mutes each alert that fires in the incident; nothing if one of them is not muted."""
    found: list[Mute] = []
    opened_at = state.opening.opened_at if state.opening is not None else None
    for firing in state.firing.values():
        by = mutes.of(firing.rule, firing.labels, state.incident, now, opened_at)
        if by is None:
            return []
        found.append(by)
    return found


def mute(draft: Draft, by: Mute) -> None:
    """From now on nobody is told; it is looked at again when that may be over."""
    until = min(by.until, LATEST) if by.until is not None else None
    name, because = clean_line(by.name), clean_line(by.because)
    draft.add(IncidentMuted(why=by.why, name=name, because=because, explained_by=by.explained_by, until=until))
    if until is not None:
        set_deadline(draft, DeadlineKind.MUTE, until)


def unmute(draft: Draft, because: str) -> None:
    """People are told from now on, as if it had just been opened; not those whom somebody has relieved of it."""
    told = draft.state.pages
    draft.add(IncidentUnmuted(because=clean_line(because)))
    if draft.state.phase is Phase.MONITORING:
        set_targets(draft)
        return  # quiet: nobody is paged; if an alert fires again the escalation starts then
    if draft.state.is_held(draft.now):
        set_targets(draft)
        resume(draft)
    else:
        begin(draft, "opened")
        _tell_again(draft, told)
    if asks_at_once(draft.rulebook) and (verdict := classify_again(draft.state, draft.rulebook, draft.now)) is not None:
        tell_at_once(draft, verdict)


def _tell_again(draft: Draft, told: Mapping[str, Page]) -> None:
    """Who had been told before it was muted has been told since that there is nothing to do."""
    declined = {f"person:{name}" for name in draft.state.declined}
    places: dict[Place, dict[str, bool]] = {}
    for each in {each.target: each for each in told.values()}.values():
        if each.target not in declined:
            places.setdefault(each.place, {})[each.target] = each.each
    for place, targets in sorted(places.items()):
        for must in (False, True):
            page(draft, place, [target for target, each in targets.items() if each is must], "opened", each=must)


def unmuting_cause(state: IncidentState) -> str:
    """The cause of what follows when somebody notices that what muted this incident is over, whoever it is."""
    return derive_id("unmuted", state.incident, state.mutes)


def muting_cause(state: IncidentState) -> str:
    """The cause of what follows when somebody notices that this incident should be silent, whoever it is."""
    return derive_id("muted", state.incident, state.mutes)


def should_be_silent(state: IncidentState, mutes: Mutes, now: datetime) -> bool:
    """Whether people are told of it although each of its alerts that fire is silenced."""
    if state.muted is not None or not state.is_open:
        return False
    found = _muted_by(state, mutes, now)
    return bool(found) and all(each.why == "silence" for each in found)


def outlives_its_silence(state: IncidentState, mutes: Mutes, now: datetime) -> bool:
    """Whether nobody is told of it because of a silence that is not in force any more."""
    if state.muted is None or state.muted.why != "silence" or not state.is_open:
        return False
    return not any(each.name == state.muted.name and each.is_active(now) for each in mutes.silences)


def look_again(draft: Draft, mutes: Mutes) -> None:
    """Whether it is still muted, and by what; if nothing mutes it any more, people are told. One of which people are
    told is muted where all of its alerts are silenced.
    """
    before = draft.state.muted
    if before is None and should_be_silent(draft.state, mutes, draft.now):
        mute(draft, _longest(_muted_by(draft.state, mutes, draft.now), draft.now))
    if before is None or not draft.state.firing:
        return
    if before.why in PART_OF_ANOTHER and mutes.kin.stands_for(before):
        return
    still = mute_of_all(draft, mutes)
    if still is None:
        unmute(draft, f"{_WHAT[before.why]} {before.name} is over")
    elif still != before:
        mute(draft, still)


_WHAT = {
    "silence": "the silence",
    "inhibition": "what explained it,",
    "wait": "the time to collect alerts,",
    "merge": "what it was a part of,",
    "correlation": "what it was a part of,",
}
