"""Recorded decisions made again by the escalator's pure core: no loop, no broker, no clock.

Each decision is made on the state to which the recorded log had folded by then, at the moment at which it was made.
So one that comes out otherwise shows up by itself, and not in all that follow it. Inputs from which nothing followed
are decided on as well.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin_escalator.core.deadlines import ring_cause
from tocsin_escalator.core.fold import apply
from tocsin_escalator.core.grouping import Group, UnknownPlaybook, group_of, playbook_of
from tocsin_escalator.core.incident import AlertKey, IncidentState, empty
from tocsin_escalator.core.on_alert import Slot, decide_alert_fired, decide_alert_resolved
from tocsin_escalator.core.on_command import INCIDENT_COMMANDS, decide_command
from tocsin_escalator.core.on_outcome import concerns, decide_outcome
from tocsin_escalator.core.on_timer import decide_timer
from tocsin_escalator.core.placing import is_over
from tocsin_escalator.core.rulebook import Rulebook, make_rulebook
from tocsin_playbook import load
from tocsin_rehearsal.recorded import Recording
from tocsin_rehearsal.recording import Difference, Input, compare
from tocsin_schemas import Envelope, Event, Payload, PlaybookPublished, PlaybookRef, caused_by
from tocsin_schemas.events import AlertCleared, AlertFired, AlertGrouped, AlertResolved, IncidentOpened
from tocsin_schemas.ids import incident_id

__all__ = ["Decided", "fold_and_decide"]

Alert = AlertFired | AlertResolved
Events = list[Envelope[Event]]
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


class _Books:
    """The published playbooks, as the escalator reads them."""

    def __init__(self, published: Iterable[Input]) -> None:
        self._heads: dict[str, PlaybookRef] = {}
        self._books: dict[PlaybookRef, Rulebook] = {}
        for given in published:
            self.publish(given.envelope.data)

    def publish(self, data: Payload) -> None:
        """It is in force from now on."""
        if isinstance(data, PlaybookPublished):
            self._heads = dict(sorted({**self._heads, data.playbook.name: data.playbook}.items()))
            if data.playbook not in self._books:
                self._books[data.playbook] = make_rulebook(data.playbook, load(data.text).playbook)

    def of_alert(self, alert: Alert) -> Rulebook | None:
        """None where no playbook has been published."""
        found = playbook_of(alert, self._heads, alert.playbook in self._books)
        if isinstance(found, UnknownPlaybook):
            found = found.otherwise
        return None if found is None else self._books[found]

    def exactly(self, ref: PlaybookRef) -> Rulebook | None:
        """This revision, else the one in force of that name; none where neither is in the recording."""
        return self._books.get(ref) or self._books.get(self._heads.get(ref.name, ref))


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
        self._books = _Books(inputs.playbooks)
        self._incidents: dict[str, _Incident] = {}
        self._of_alert: dict[AlertKey, _Incident] = {}
        self._latest: dict[str, int] = {}
        self._followed: dict[str, Events] = {}
        """What was decided, by its cause."""
        self._instead: dict[str, Events] = {}
        """What is decided now, where that is something else."""
        opened = {event.incident for event in self._log if type(event.data) is IncidentOpened}
        self._skipped = {event.incident for event in self._log} - opened
        self._taken = {key for name, keys in inputs.alerts_of.items() if name in opened for key in keys}
        self._given = {given.envelope.id: given.envelope.data for given in inputs.messages}
        places: dict[str, int] = {}
        for place, event in enumerate(self._log):
            if event.data.OWNER == _SERVICE:
                self._followed.setdefault(event.cause, []).append(event)
                places.setdefault(event.cause, place)
            elif concerns(event.data):
                self._given[event.id] = event.data
        self._quiet = _quiet(inputs.messages, self._log, places)
        self.decisions = 0
        self.undecided: list[str] = []

    def run(self) -> None:
        """Go through everything in its order."""
        begun: set[str] = set()
        for number, event in enumerate(self._log):
            for given in self._quiet.get(number, ()):
                self._hear(given, self._log[number - 1].time if number else given.at)
            if event.incident in self._skipped:
                continue
            if event.data.OWNER != _SERVICE:
                if event.id in self._given and event.id not in self._followed:
                    self._again(event.incident, event.id, event.time, [])
            elif event.cause not in begun:
                begun.add(event.cause)
                events = self._followed[event.cause]
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

    def _hear(self, given: Input, now: datetime) -> None:
        """A message from which nothing followed. The end of an alert waits for its beginning."""
        data = given.envelope.data
        if isinstance(data, AlertFired):
            if (data.fingerprint, data.episode) in self._taken:
                self._note(given.envelope.id, max(given.at, now), [], self._on_alert(data, max(given.at, now)))
        elif isinstance(data, AlertResolved):
            if (data.fingerprint, data.episode) in self._of_alert:
                self._note(given.envelope.id, max(given.at, now), [], self._on_alert(data, max(given.at, now)))
        else:
            self._books.publish(data)

    def _fold(self, name: str, events: Events) -> None:
        incident = self._incidents.get(name)
        for envelope in events:
            event = envelope.data
            if incident is None and isinstance(event, IncidentOpened):
                incident = self._opened(name, event)
            if incident is None:
                return  # it was opened under a playbook that is not in the recording
            incident.state = apply(incident.state, event, envelope.time)
            if isinstance(event, AlertGrouped):
                self._of_alert[AlertKey(event.alert.fingerprint, event.alert.episode)] = incident
            elif isinstance(event, AlertCleared):
                self._of_alert[AlertKey(event.fingerprint, event.episode)] = incident

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
        made = self._decision(name, cause, now)
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
            self._instead[cause] = [
                caused_by(cause, position, _SERVICE, name, now, event) for position, event in enumerate(events)
            ]

    def _decision(self, name: str, cause: str, now: datetime) -> Made | None:
        """What is decided because of this cause, and in which incident; none where the cause is not known."""
        data = self._given.get(cause)
        if isinstance(data, AlertFired | AlertResolved):
            return self._on_alert(data, now)
        incident = self._incidents.get(name)
        if incident is None:
            return None
        state, book = incident.state, incident.book
        if data is None:
            due = next((each for each in state.deadlines.values() if ring_cause(name, each) == cause), None)
            return None if due is None else (name, decide_timer(state, due.id, book, now))
        if isinstance(data, INCIDENT_COMMANDS):
            return name, decide_command(state, data, book, now)
        return (name, decide_outcome(state, data, book, now)) if isinstance(data, Event) else None

    def _on_alert(self, alert: Alert, now: datetime) -> Made | None:
        incident = self._of_alert.get(AlertKey(alert.fingerprint, alert.episode)) or self._place(alert, now)
        if incident is None:
            return None
        name, state, book = incident.slot.incident, incident.state, incident.book
        if isinstance(alert, AlertFired):
            return name, decide_alert_fired(state, alert, incident.slot, book, now)
        return name, decide_alert_resolved(state, alert, book, now)

    def _place(self, alert: Alert, now: datetime) -> _Incident | None:
        """The incident that takes an alert which none has: the group's latest, or its next. None without playbook."""
        book = self._books.of_alert(alert)
        if book is None:
            return None
        group = group_of(alert, book)
        number = self._latest.get(group.key, 0)
        latest = self._incidents.get(incident_id(group.key, number))
        if latest is not None and not is_over(latest.state, latest.book, now):
            return latest
        if latest is not None:
            number += 1
        name = incident_id(group.key, number)
        previous = incident_id(group.key, number - 1) if number else None
        return _Incident(Slot(group, number, incident=name, previous=previous), book, empty(name))


def _quiet(
    messages: Sequence[Input], log: Sequence[Envelope[Event]], places: Mapping[str, int]
) -> dict[int, list[Input]]:
    """Alerts from which nothing followed, and playbooks, by the place in the log before which they were heard.

    Alerts are heard in the order of their stream: not before one that came earlier, however long that one waited.
    """
    times = [event.time for event in log]
    found: dict[int, list[Input]] = {}
    heard = 0
    for given in messages:
        if given.envelope.id in places:
            heard = max(heard, places[given.envelope.id] + 1)
        elif given.stream != "COMMANDS":
            found.setdefault(max(heard, bisect_right(times, given.at)), []).append(given)
    return found


def _same(incident: str, decided: Sequence[Event], recorded: Events) -> bool:
    if len(decided) != len(recorded):
        return False
    return all(
        envelope.incident == incident and type(event) is type(envelope.data) and event == envelope.data
        for event, envelope in zip(decided, recorded, strict=True)
    )
