"""All incidents that are not closed, as this service's events in the log say: a hint for the handlers, and what the
audit looks through. It may lag behind; what is decided is decided on the log itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple, cast

from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.core.fold import apply
from tocsin_escalator.core.incident import AlertKey, IncidentState, Phase, empty
from tocsin_escalator.metrics import OPEN_INCIDENTS
from tocsin_runtime import Known
from tocsin_runtime.halves import Half, halves_after
from tocsin_schemas import Envelope, Event, Payload, PlaybookRef
from tocsin_schemas.events import AlertCleared, AlertGrouped, AlertMoved, IncidentOpened

__all__ = ["Folded", "IncidentIndex", "Reached", "Standing"]

_EMPTY: Mapping[type, object] = {dict: {}, frozenset: frozenset()}
"""An empty one of each kind, for all incidents: Python makes a new one of up to 216 bytes wherever one is asked for."""

_DAYS_REMEMBERED = 1000


class Reached(NamedTuple):
    """The last event that was read: its place in the log, and its id."""

    sequence: int
    id: str


class Folded(NamedTuple):
    """An incident: its state, the place of the last event that it is made of, and what has been decided on."""

    state: IncidentState
    last: int
    causes: tuple[str, ...]


class Standing(NamedTuple):
    """What is known at one moment. All that follows from it is made anew when it is taken up again."""

    reached: Reached
    incidents: tuple[Folded, ...]
    halves: Mapping[str, Mapping[str, Half[IncidentState]]]
    latest: Mapping[str, int]
    day_numbers: Mapping[tuple[str, date], int]


class IncidentIndex:
    """Fed by a follower of the escalator's own events."""

    def __init__(self, explanations: Explanations) -> None:
        self._explanations = explanations
        self.reached = Reached(0, "")
        self.read = 0
        """How many events were read, or taken up again."""
        self._folded: dict[str, Folded] = {}
        self._latest: dict[str, int] = {}
        self._of_alert: dict[AlertKey, str] = {}
        self._halves: dict[str, Mapping[str, Half[IncidentState]]] = {}
        self._playbooks: dict[PlaybookRef, PlaybookRef] = {}
        self._day_numbers: dict[tuple[str, date], int] = {}
        explanations.kinships.state_of = self._state_of

    async def on_events(self, events: Sequence[Envelope[Payload]]) -> None:
        for envelope in events:
            data = envelope.data
            if isinstance(data, Event) and envelope.sequence > self.reached.sequence:
                self.reached = Reached(envelope.sequence, envelope.id)
                self.read += 1
                self._take(envelope.incident, data, envelope)
        OPEN_INCIDENTS.set(len(self._folded))

    # --- as a whole ---------------------------------------------------------------------------------------------------

    def standing(self) -> Standing:
        """Everything, as it stands now. What comes later does not change it."""
        return Standing(
            self.reached, tuple(self._folded.values()), dict(self._halves), dict(self._latest), dict(self._day_numbers)
        )

    def take_up(self, standing: Standing) -> None:
        """Stand as this says; nothing was read before."""
        self.reached = standing.reached
        self._halves.update(standing.halves)
        self._latest.update(standing.latest)
        self._day_numbers.update(standing.day_numbers)
        for folded in standing.incidents:
            state = self._sharing(folded.state)
            self._folded[state.incident] = folded._replace(state=state)
            self._of_alert.update(dict.fromkeys((*state.firing, *state.ended), state.incident))
            if state.opening is not None:
                for key, firing in state.firing.items():
                    self._explanations.began(state.opening.playbook, state.incident, key, firing.rule, firing.labels)
        for state in self.incidents():
            for key, moved in state.moved.items():
                if moved.to in self._folded:
                    self._of_alert.setdefault(key, moved.to)
            self._explanations.kinships.stands(state)
            if state.muted is not None or state.incident in self._halves or not state.is_open:
                self._explanations.stands(self._settled(state) if state.is_open else state)
        OPEN_INCIDENTS.set(len(self._folded))

    # --- what is known ------------------------------------------------------------------------------------------------

    def incidents(self) -> Collection[IncidentState]:
        """Every incident that is not closed."""
        return tuple(folded.state for folded in self._folded.values())

    def settled(self) -> Iterable[IncidentState]:
        """Each of them as it was before anything was half decided: by this it is seen what is still to be done."""
        return (self._settled(folded.state) for folded in self._folded.values())

    def _settled(self, state: IncidentState) -> IncidentState:
        return next((half.before for half in self._halves.get(state.incident, {}).values()), state)

    def __len__(self) -> int:
        return len(self._folded)

    def known(self, incident: str) -> Known[IncidentState] | None:
        """An incident that is not closed, as whoever decides on it reads it from the log."""
        folded = self._folded.get(incident)
        if folded is None:
            return None
        state, last, causes = folded
        return Known(state, last, last, set(causes), halves=self._halves.get(incident, {}))

    def _state_of(self, incident: str) -> IncidentState | None:
        folded = self._folded.get(incident)
        return folded.state if folded is not None else None

    def next_of_day(self, playbook: str, day: date) -> int:
        """The number, from 1, of the next incident of this playbook on this day (UTC); each is given once here."""
        number = self._day_numbers[playbook, day] = self._day_numbers.get((playbook, day), 0) + 1
        while len(self._day_numbers) > _DAYS_REMEMBERED:
            del self._day_numbers[next(iter(self._day_numbers))]
        return number

    def latest(self, group_key: str) -> int:
        """The number of the group's latest incident that is known; 0 where none is."""
        return self._latest.get(group_key, 0)

    def incident_of(self, alert: AlertKey) -> str | None:
        """The incident, not closed yet, that has this firing of this alert."""
        return self._of_alert.get(alert)

    def _take(self, incident: str, event: Event, envelope: Envelope[Payload]) -> None:
        folded = self._folded.get(incident)
        if folded is None and not isinstance(event, IncidentOpened):
            return  # closed already
        before, _, causes = folded or Folded(empty(incident), 0, ())
        state = apply(before, event, envelope.time)
        halves_before = self._halves.pop(incident, {})
        halves = halves_after(halves_before, cast(Envelope[Event], envelope), before)
        if halves:
            self._halves[incident] = halves
        if envelope.cause not in halves and envelope.cause not in causes[-1:]:
            causes = (*causes, envelope.cause)
        match event:
            case IncidentOpened():
                state = self._sharing(state)
                self._latest[event.group_key] = max(event.episode, self._latest.get(event.group_key, 0))
                if event.day_number is not None:
                    day = (event.playbook.name, envelope.time.date())
                    self._day_numbers[day] = max(event.day_number, self._day_numbers.get(day, 0))
            case AlertGrouped():
                key = AlertKey(event.alert.fingerprint, event.alert.episode)
                self._of_alert[key] = state.incident
                if state.opening is not None and key not in state.ended:
                    alert = event.alert
                    self._explanations.began(state.opening.playbook, incident, key, alert.rule, alert.labels)
            case AlertMoved():
                self._of_alert[AlertKey(event.fingerprint, event.episode)] = event.to
            case AlertCleared():
                key = AlertKey(event.fingerprint, event.episode)
                self._of_alert[key] = state.incident
                self._explanations.ended(key)
            case _:
                pass
        if state.muted is not None or before.muted is not None or halves_before or not state.is_open:
            # As before what is half decided: that people are told may be in the log, and whom not.
            self._explanations.stands(self._settled(state) if state.is_open else state)
        self._explanations.kinships.stands(state)
        if state.phase is Phase.CLOSED:
            self._drop(state)
        else:
            self._folded[state.incident] = Folded(state, envelope.sequence, causes)

    def _sharing(self, state: IncidentState) -> IncidentState:
        """The same, with what is alike in many held once: there may be a hundred thousand."""
        opening = state.opening
        if opening is None:
            return state
        playbook = self._playbooks.setdefault(opening.playbook, opening.playbook)
        shared = state._replace(opening=replace(opening, playbook=playbook))
        return IncidentState._make(each or _EMPTY.get(type(each), each) for each in shared)

    def _drop(self, state: IncidentState) -> None:
        del self._folded[state.incident]
        self._halves.pop(state.incident, None)
        for alert in (*state.firing, *state.ended):
            self._of_alert.pop(alert, None)
