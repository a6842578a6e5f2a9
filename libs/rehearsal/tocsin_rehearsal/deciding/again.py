"""Recorded decisions made again by the escalator's pure core: no loop, no broker, no clock.

Each decision is made on the state to which the recorded log had folded by then, at the moment at which it was made.
So one that comes out otherwise shows up by itself, and not in all that follow it. Inputs from which nothing followed
are decided on as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tocsin_escalator.core.deadlines import is_overdue, ring_cause
from tocsin_escalator.core.fold import apply
from tocsin_escalator.core.grouping import Alert, Group, group_of
from tocsin_escalator.core.incident import Deadline, IncidentState, empty
from tocsin_escalator.core.merging import decide_absorbed
from tocsin_escalator.core.muting import Mutes, muting_cause, unmuting_cause
from tocsin_escalator.core.on_alert import Slot, decide_alert_fired, decide_alert_resolved
from tocsin_escalator.core.on_command import INCIDENT_COMMANDS
from tocsin_escalator.core.on_outcome import concerns, decide_outcome
from tocsin_escalator.core.on_timer import decide_timer, decide_unmuted
from tocsin_escalator.core.placing import is_over
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_rehearsal.deciding.books import Books
from tocsin_rehearsal.deciding.mutes import recorded_mutes
from tocsin_rehearsal.deciding.quiet import Heard, quiet
from tocsin_rehearsal.deciding.related import StateOf, decide_on_command, is_absorbed
from tocsin_rehearsal.recorded import Recording
from tocsin_rehearsal.recording import Difference, compare
from tocsin_schemas import Envelope, Event, GroupedAlert, caused_by
from tocsin_schemas.commands import Acknowledge, AcknowledgeAlert, Split
from tocsin_schemas.events import (
    AlertCleared,
    AlertFired,
    AlertGrouped,
    AlertMoved,
    AlertResolved,
    CommandRejected,
    IncidentMuted,
    IncidentOpened,
    IncidentUnmuted,
)
from tocsin_schemas.ids import incident_id

__all__ = ["Decided", "fold_and_decide"]

Events = list[Envelope[Event]]
Firing = tuple[str, str]
"""One firing of one alert: its fingerprint and its episode."""
Decision = tuple[str, str]
"""What one message led to in one incident: the incident, and the message's id."""
Made = tuple[str, Sequence[Event]]
"""An incident, and what is decided in it."""

_SERVICE = "escalator"


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it.

    `messages`: recorded alerts, commands and events that were gone through. `undecided`: decisions whose input is not
    in the recording, such as a command that was rejected, each with its place in the log.
    """

    messages: int
    decisions: int
    differences: list[Difference]
    undecided: list[str]


def fold_and_decide(recording: Recording) -> Decided:
    """Fold the recorded log, decide again on everything that the escalator decided on, and compare.

    Incidents that had begun before the recording did are left out. Raises PlaybookError where a recorded playbook
    cannot be read.
    """
    deciding = _Deciding(recording)
    deciding.run()
    inputs = recording.inputs
    return Decided(
        messages=len(inputs.messages) + len(inputs.events),
        decisions=deciding.decisions,
        differences=deciding.differences(),
        undecided=deciding.undecided,
    )


@dataclass(slots=True)
class _Incident:
    """An incident as far as the recorded log has been folded."""

    slot: Slot
    book: Rulebook
    state: IncidentState


class _Deciding:
    def __init__(self, recording: Recording) -> None:
        inputs = recording.inputs
        self._log = inputs.events
        self._books = Books(inputs.playbooks, inputs.orders)
        self._ordered = {order.cause for order in inputs.orders}
        self._incidents: dict[str, _Incident] = {}
        self._of_alert: dict[Firing, _Incident] = {}
        self._latest: dict[str, int] = {}
        self._followed: dict[Decision, Events] = {}
        """What was decided."""
        self._instead: dict[Decision, Events] = {}
        """What is decided now, where that is something else."""
        openings = [(event.incident, event.data) for event in self._log if isinstance(event.data, IncidentOpened)]
        self._first = {opening.group_key: opening.episode for _, opening in reversed(openings)}
        """The number of each group's first incident in the recording: it may have had others before."""
        opened = {incident for incident, _ in openings}
        self._skipped = {event.incident for event in self._log} - opened
        self._taken = {key for name, keys in inputs.alerts_of.items() if name in opened for key in keys}
        self._given = {given.envelope.id: given.envelope.data for given in inputs.messages}
        places: dict[str, int] = {}
        for place, event in enumerate(self._log):
            if event.data.OWNER == _SERVICE:
                self._followed.setdefault((event.incident, event.cause), []).append(event)
                places.setdefault(event.cause, place)
            elif concerns(event.data):
                self._given[event.id] = event.data
        self._quiet = quiet(inputs.messages, self._log, places)
        self._before: dict[Decision, IncidentState] = {}
        """How each incident stood before each decision that has been folded."""
        self.decisions = 0
        self.undecided: list[str] = []

    def run(self) -> None:
        """Go through everything in its order."""
        begun: set[Decision] = set()
        for number, event in enumerate(self._log):
            for given in self._quiet.get(number, ()):
                self._hear(given, max(given.at, self._log[number - 1].time) if number else given.at)
            decision = event.incident, event.cause
            if event.data.OWNER == _SERVICE and decision not in begun and event.incident not in self._skipped:
                begun.add(decision)
                events = self._followed[decision]
                self._again(event.incident, event.cause, event.time, events)
                self._fold(event.incident, events)

    def differences(self) -> list[Difference]:
        """Between what was recorded and what was decided, of the incidents in which anything differs."""
        both = (*self._instead.values(), *(self._followed.get(cause, ()) for cause in self._instead))
        touched = {event.incident for events in both for event in events}
        recorded = [event for events in self._followed.values() for event in events if event.incident in touched]
        now = {**self._followed, **self._instead}
        decided = [event for events in now.values() for event in events if event.incident in touched]
        return compare(recorded, decided, tolerance=None) if touched else []

    # --- what happened ------------------------------------------------------------------------------------------------

    def _hear(self, given: Heard, now: datetime) -> None:
        """A message from which nothing followed. The end of an alert waits for its beginning."""
        data = given.data
        if isinstance(data, AlertFired):
            if (data.fingerprint, data.episode) in self._taken:
                self._note(given.id, now, [], self._on_alert(data, given.id, now, []))
        elif isinstance(data, AlertResolved):
            if (data.fingerprint, data.episode) in self._of_alert:
                self._note(given.id, now, [], self._on_alert(data, given.id, now, []))
        elif isinstance(data, Event):
            self._note(given.id, now, [], self._decision(given.incident, given.id, now, []))
        else:
            self._books.publish(data)

    def _fold(self, name: str, events: Events) -> None:
        incident = self._incidents.get(name)
        self._before[name, events[0].cause] = empty(name) if incident is None else incident.state
        for envelope in events:
            event = envelope.data
            if incident is None and isinstance(event, IncidentOpened):
                incident = self._opened(name, event)
            if incident is None:
                return  # it was opened under a playbook that is not in the recording
            incident.state = apply(incident.state, event, envelope.time)
            if isinstance(event, AlertGrouped):
                self._of_alert[event.alert.fingerprint, event.alert.episode] = incident
            elif isinstance(event, AlertCleared):
                self._of_alert[event.fingerprint, event.episode] = incident
            elif isinstance(event, AlertMoved) and event.to in self._incidents:
                self._of_alert[event.fingerprint, event.episode] = self._incidents[event.to]

    def _opened(self, name: str, event: IncidentOpened) -> _Incident | None:
        book = self._books.exactly(event.playbook)
        if book is None:
            return None
        self._latest[event.group_key] = max(event.episode, self._latest.get(event.group_key, 0))
        slot = Slot(Group(event.group_key, event.labels), event.episode, incident=name)
        made = self._incidents[name] = _Incident(slot, book, empty(name))
        return made

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _again(self, name: str, cause: str, now: datetime, recorded: Events) -> None:
        made = self._decision(name, cause, now, recorded)
        if made is None:
            at, kind = recorded[0], type(recorded[0].data).__name__
            self.undecided.append(f"INCIDENTS {at.sequence}: {kind}: what it was decided on is not in the recording")
        else:
            self._note(cause, now, recorded, made)

    def _note(self, cause: str, now: datetime, recorded: Events, made: Made | None) -> None:
        if made is None:
            return
        self.decisions += 1
        name, events = made
        if not _same(name, events, recorded):
            self._instead[name, cause] = [
                caused_by(cause, position, _SERVICE, name, now, event) for position, event in enumerate(events)
            ]

    def _decision(self, name: str, cause: str, now: datetime, recorded: Events) -> Made | None:
        """What is decided because of this cause, and in which incident; none where the cause is not known."""
        data = self._given.get(cause)
        incident = self._incidents.get(name)
        if incident is not None and self._is_looked_at(incident, cause, recorded):
            book = self._books.under_orders(incident.book, now)
            return name, decide_unmuted(incident.state, book, now, self._mutes(incident, book, cause, recorded))
        if incident is not None and is_absorbed([event.data for event in recorded]) and isinstance(data, AlertFired):
            book = self._books.under_orders(incident.book, now)
            return name, decide_absorbed(incident.state, self._part(name, cause), book, now)
        if isinstance(data, AlertFired | AlertResolved):
            return self._on_alert(data, cause, now, recorded)
        if incident is None:
            return self._split_off(name, cause, now, recorded)
        state, book = incident.state, self._books.under_orders(incident.book, now)
        if isinstance(data, AcknowledgeAlert):
            data = Acknowledge(incident=name, by=data.by)
        if isinstance(data, INCIDENT_COMMANDS):
            return name, decide_on_command(state, data, cause, book, now, self._states(cause))
        if isinstance(data, Event):
            return name, decide_outcome(state, data, book, now)
        if isinstance(recorded[0].data, CommandRejected):
            return None
        due = _rung(incident, name, cause, now)
        mutes = self._mutes(incident, book, cause, recorded)
        made = [(name, decide_timer(state, deadline.id, book, now, mutes)) for deadline in due]
        return next((each for each in made if _same(*each, recorded)), made[0] if made else None)

    def _is_looked_at(self, incident: _Incident, cause: str, recorded: Events) -> bool:
        """Whether the decision is about what mutes the incident, or could: somebody has set or lifted a silence,
        another's alert has ended, or the audit noticed it."""
        if cause in self._ordered or cause == muting_cause(incident.state):
            return True
        if incident.state.muted is None:
            return False
        given = self._given.get(cause)
        about = bool(recorded) and isinstance(recorded[0].data, IncidentMuted | IncidentUnmuted)
        by_another = given is None and not any(
            ring_cause(incident.slot.incident, due) == cause for due in incident.state.deadlines.values()
        )
        return cause == unmuting_cause(incident.state) or (about and (by_another or isinstance(given, AlertResolved)))

    def _split_off(self, name: str, cause: str, now: datetime, recorded: Events) -> Made | None:
        """An incident that begins with alerts of another."""
        command = self._given.get(cause)
        whole = self._incidents.get(command.incident) if isinstance(command, Split) else None
        if whole is None or not isinstance(command, Split):
            return None
        book = self._books.under_orders(whole.book, now)
        return name, decide_on_command(
            empty(name), command, cause, book, now, self._states(cause), [event.data for event in recorded]
        )

    def _states(self, cause: str) -> StateOf:
        """How incidents stood when this was decided. What is decided together stands in the log by incident."""

        def state_of(name: str) -> IncidentState:
            incident = self._incidents.get(name)
            return self._before.get((name, cause)) or (empty(name) if incident is None else incident.state)

        return state_of

    def _part(self, whole: str, cause: str) -> IncidentState:
        """How the incident stood that was opened, or took an alert, by the same cause."""
        by_it = ((name, events) for (name, by), events in self._followed.items() if by == cause and name != whole)
        name, events = next(by_it)
        state = self._states(cause)(name)
        for event in events:
            state = apply(state, event.data, event.time)
        return state

    def _mutes(self, incident: _Incident, book: Rulebook, cause: str, recorded: Events) -> Mutes:
        def alerts_of(name: str) -> Iterator[GroupedAlert]:
            for event in self._log:
                if event.incident == name and isinstance(event.data, AlertGrouped):
                    yield event.data.alert

        decided = [event.data for event in recorded]
        return recorded_mutes(book.playbook, decided, alerts_of, incident.state, self._states(cause))

    def _on_alert(self, alert: Alert, cause: str, now: datetime, recorded: Events) -> Made | None:
        incident = self._of_alert.get((alert.fingerprint, alert.episode)) or self._place(alert, now)
        if incident is None:
            return None
        name, state, book = incident.slot.incident, incident.state, self._books.under_orders(incident.book, now)
        if isinstance(alert, AlertFired):
            return name, decide_alert_fired(
                state,
                alert,
                _numbered(incident.slot, recorded),
                book,
                now,
                self._mutes(incident, book, cause, recorded),
            )
        return name, decide_alert_resolved(state, alert, book, now)

    def _place(self, alert: Alert, now: datetime) -> _Incident | None:
        """The incident that takes an alert which none has: the group's latest, or its next. None without playbook."""
        book = self._books.of_alert(alert)
        if book is None:
            return None
        group = group_of(alert, book)
        number = self._latest.get(group.key, self._first.get(group.key, 0))
        latest = self._incidents.get(incident_id(group.key, number))
        if latest is not None and not is_over(latest.state, latest.book, now):
            return latest
        if latest is not None:
            number += 1
        name = incident_id(group.key, number)
        previous = incident_id(group.key, number - 1) if number else None
        return _Incident(Slot(group, number, incident=name, previous=previous), book, empty(name))


def _numbered(slot: Slot, recorded: Events) -> Slot:
    """With the number of the day, which a replica gives from memory; it stands in what was decided."""
    opened = recorded[0].data if recorded else None
    return replace(slot, day_number=opened.day_number) if isinstance(opened, IncidentOpened) else slot


def _rung(incident: _Incident, name: str, cause: str, now: datetime) -> list[Deadline]:
    """The deadline that this is the cause of; else, for a log that names causes in another way, all that are due."""
    deadlines = incident.state.deadlines.values()
    named = [each for each in deadlines if ring_cause(name, each) == cause]
    return named or sorted((each for each in deadlines if is_overdue(each, now)), key=lambda each: each.due_at)


def _same(incident: str, decided: Sequence[Event], recorded: Events) -> bool:
    if not decided or len(decided) != len(recorded):
        return not decided and not recorded
    return all(
        envelope.incident == incident
        and type(event) is type(envelope.data)
        and vars(event) == vars(envelope.data)  # as pydantic compares, without its detours
        for event, envelope in zip(decided, recorded, strict=True)
    )
