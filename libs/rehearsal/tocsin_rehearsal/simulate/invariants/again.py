"""Deciding again: the escalator's core on what is recorded."""

from collections.abc import Iterator, Sequence

from tocsin_escalator.core.deadlines import ring_cause
from tocsin_escalator.core.grouping import Group
from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.merging import decide_absorbed
from tocsin_escalator.core.muting import Mutes, muting_cause, unmuting_cause
from tocsin_escalator.core.on_alert import Slot, decide_alert_fired, decide_alert_resolved
from tocsin_escalator.core.on_command import INCIDENT_COMMANDS
from tocsin_escalator.core.on_outcome import decide_outcome
from tocsin_escalator.core.on_timer import decide_timer, decide_unmuted
from tocsin_escalator.core.rulebook import Rulebook, make_rulebook
from tocsin_rehearsal.deciding.mutes import recorded_mutes
from tocsin_rehearsal.deciding.related import StateOf, decide_on_command, is_absorbed
from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.course import Course
from tocsin_schemas import Event, GroupedAlert, PlaybookRef
from tocsin_schemas.events import (
    AlertFired,
    AlertGrouped,
    AlertResolved,
    IncidentMuted,
    IncidentOpened,
    IncidentUnmuted,
)

__all__ = ["decided_again"]

_RULEBOOKS: dict[PlaybookRef, Rulebook] = {}


def decided_again(course: Course, events: Sequence[Happened]) -> tuple[Event, ...] | None:
    """What follows now from the message that these events followed from; none if it is not recorded."""
    first = events[0]
    state, cause, now = first.before, first.envelope.cause, first.envelope.time
    rulebook = _rulebook(course, first)

    def state_of(incident: str) -> IncidentState:
        return course.history.state_before(incident, first)

    mutes = _mutes(course, events, rulebook, state_of)
    for deadline in state.deadlines.values():
        if ring_cause(first.incident, deadline) == cause:
            return decide_timer(state, deadline.id, rulebook, now, mutes)
    if cause in (unmuting_cause(state), muting_cause(state)):
        return decide_unmuted(state, rulebook, now, mutes)
    if (given := course.history.by_id.get(cause)) is not None:
        return decide_outcome(state, given.data, rulebook, now)
    for asked in course.stage.asked:
        if asked.id == cause and isinstance(asked.command, INCIDENT_COMMANDS):
            decided = [happened.data for happened in events]
            return decide_on_command(state, asked.command, cause, rulebook, now, state_of, decided)
    for words in course.history.words.values():
        for _, word in words:
            if word.id == cause and is_absorbed([happened.data for happened in events]):
                return decide_absorbed(state, _part(course, first), rulebook, now)
            if word.id == cause:
                return _of_alert(course, first, word.data, rulebook, mutes)
    if isinstance(first.data, IncidentUnmuted | IncidentMuted):  # what it was a part of is over
        return decide_unmuted(state, rulebook, now, mutes)
    return None


def _part(course: Course, absorbed: Happened) -> IncidentState:
    """How the incident stood that was opened, or took an alert, by the same cause."""
    by_it = course.history.by_cause[absorbed.envelope.cause]
    return [each.after for each in by_it if each.incident != absorbed.incident][-1]


def _mutes(course: Course, events: Sequence[Happened], rulebook: Rulebook, state_of: StateOf) -> Mutes:
    def alerts_of(incident: str) -> Iterator[GroupedAlert]:
        life = course.history.incidents.get(incident)
        for happened in life.events if life is not None else ():
            if isinstance(happened.data, AlertGrouped):
                yield happened.data.alert

    decided = [happened.data for happened in events]
    return recorded_mutes(rulebook.playbook, decided, alerts_of, events[0].before, state_of)


def _of_alert(
    course: Course, first: Happened, alert: object, rulebook: Rulebook, mutes: Mutes
) -> tuple[Event, ...] | None:
    state, now = first.before, first.envelope.time
    if isinstance(alert, AlertFired):
        opened = course.history.incidents[first.incident].events[0].data
        if not isinstance(opened, IncidentOpened):
            return None
        slot = Slot(
            Group(opened.group_key, opened.labels), opened.episode, first.incident, opened.previous, opened.day_number
        )
        return decide_alert_fired(state, alert, slot, rulebook, now, mutes)
    if isinstance(alert, AlertResolved) and isinstance(first.data, IncidentUnmuted | IncidentMuted):
        return decide_unmuted(state, rulebook, now, mutes)
    if isinstance(alert, AlertResolved):
        return decide_alert_resolved(state, alert, rulebook, now)
    return None


def _rulebook(course: Course, first: Happened) -> Rulebook:
    opened = course.history.incidents[first.incident].events[0].data
    if not isinstance(opened, IncidentOpened):
        raise TypeError(f"the incident {first.incident} does not begin with its opening")
    if opened.playbook not in _RULEBOOKS:
        _RULEBOOKS[opened.playbook] = make_rulebook(opened.playbook, course.world.playbooks[0])
    return _RULEBOOKS[opened.playbook]
