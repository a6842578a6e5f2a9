"""What keeps an alert quiet: a silence, an alert that explains it, or the time in which alerts are collected.

An alert of the system's own is never muted: who cannot see must say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin_escalator.core.deadlines import set_deadline, set_targets
from tocsin_escalator.core.draft import Draft
from tocsin_escalator.core.escalation import begin, resume
from tocsin_escalator.core.incident import IncidentState, Mute
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

    def of(self, rule: str, labels: Labels, incident: str, now: datetime) -> Mute | None:
        """What mutes this alert of this incident; none if nothing does. A silence wins: its end is known."""
        if rule.startswith(OWN):
            return None
        return self._silenced(labels, now) or self._explained(labels, incident)

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
    state, now = draft.state, draft.now
    found = [mutes.of(firing.rule, firing.labels, state.incident, now) for firing in state.firing.values()]
    muted = [each for each in found if each is not None]
    if not found or len(muted) < len(found):
        return None
    return max(muted, key=lambda each: (each.until is None, each.until or now))


def mute(draft: Draft, by: Mute) -> None:
    """From now on nobody is told; it is looked at again when that may be over."""
    until = min(by.until, LATEST) if by.until is not None else None
    name, because = clean_line(by.name), clean_line(by.because)
    draft.add(IncidentMuted(why=by.why, name=name, because=because, explained_by=by.explained_by, until=until))
    if until is not None:
        set_deadline(draft, DeadlineKind.MUTE, until)


def unmute(draft: Draft, because: str) -> None:
    """People are told from now on, as if it had just been opened; not those whom somebody has relieved of it."""
    draft.add(IncidentUnmuted(because=clean_line(because)))
    if draft.state.is_held(draft.now):
        set_targets(draft)
        resume(draft)
    else:
        begin(draft, "opened")


def unmuting_cause(state: IncidentState) -> str:
    """The cause of what follows when somebody notices that what muted this incident is over, whoever it is."""
    return derive_id("unmuted", state.incident, state.mutes)


def look_again(draft: Draft, mutes: Mutes) -> None:
    """Whether it is still muted, and by what; if nothing mutes it any more, people are told."""
    before = draft.state.muted
    if before is None or not draft.state.firing:
        return
    still = mute_of_all(draft, mutes)
    if still is None:
        unmute(draft, f"{_WHAT[before.why]} {before.name} is over")
    elif still != before:
        mute(draft, still)


_WHAT = {"silence": "the silence", "inhibition": "what explained it,", "wait": "the time to collect alerts,"}
