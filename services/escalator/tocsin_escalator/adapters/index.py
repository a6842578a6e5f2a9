"""All incidents that are not closed, as this service's events in the log say: a hint for the handlers, and what the
audit looks through. It may lag behind; what is decided is decided on the log itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import cast

from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.core.fold import apply
from tocsin_escalator.core.incident import AlertKey, IncidentState, Phase, empty
from tocsin_escalator.metrics import OPEN_INCIDENTS
from tocsin_runtime.halves import Half, halves_after
from tocsin_schemas import Envelope, Event, Payload, PlaybookRef
from tocsin_schemas.events import AlertCleared, AlertGrouped, AlertMoved, IncidentOpened

__all__ = ["IncidentIndex"]

_EMPTY: Mapping[type, object] = {dict: {}, frozenset: frozenset()}
"""An empty one of each kind, for all incidents: Python makes a new one of up to 216 bytes wherever one is asked for."""

_DAYS_REMEMBERED = 1000


class IncidentIndex:
    """Fed by a follower of the escalator's own events."""

    def __init__(self, explanations: Explanations) -> None:
        self._explanations = explanations
        self._position = 0
        self._states: dict[str, IncidentState] = {}
        self._latest: dict[str, int] = {}
        self._of_alert: dict[AlertKey, str] = {}
        self._halves: dict[str, Mapping[str, Half[IncidentState]]] = {}
        self._playbooks: dict[PlaybookRef, PlaybookRef] = {}
        self._day_numbers: dict[tuple[str, date], int] = {}
        explanations.kinships.state_of = self._states.get

    async def on_events(self, events: Sequence[Envelope[Payload]]) -> None:
        for envelope in events:
            data = envelope.data
            if isinstance(data, Event) and envelope.sequence > self._position:
                self._position = envelope.sequence
                self._take(envelope.incident, data, envelope)
        OPEN_INCIDENTS.set(len(self._states))

    def incidents(self) -> Collection[IncidentState]:
        """Every incident that is not closed."""
        return tuple(self._states.values())

    def settled(self) -> Iterable[IncidentState]:
        """Each of them as it was before anything was half decided: by this it is seen what is still to be done."""
        for incident, state in self._states.items():
            yield next((half.before for half in self._halves.get(incident, {}).values()), state)

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
        before = self._states.get(incident)
        if before is None and not isinstance(event, IncidentOpened):
            return  # closed already
        before = before or empty(incident)
        state = apply(before, event, envelope.time)
        halves_before = self._halves.pop(incident, {})
        halves = halves_after(halves_before, cast(Envelope[Event], envelope), before)
        if halves:
            self._halves[incident] = halves
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
            settled = next((half.before for half in halves.values()), state)
            self._explanations.stands(settled if state.is_open else state)
        self._explanations.kinships.stands(state)
        if state.phase is Phase.CLOSED:
            self._drop(state)
        else:
            self._states[state.incident] = state

    def _sharing(self, state: IncidentState) -> IncidentState:
        """The same, with what is alike in many held once: there may be a hundred thousand."""
        opening = state.opening
        if opening is None:
            return state
        playbook = self._playbooks.setdefault(opening.playbook, opening.playbook)
        shared = state._replace(opening=replace(opening, playbook=playbook))
        return IncidentState._make(each or _EMPTY.get(type(each), each) for each in shared)

    def _drop(self, state: IncidentState) -> None:
        del self._states[state.incident]
        self._halves.pop(state.incident, None)
        for alert in (*state.firing, *state.ended):
            self._of_alert.pop(alert, None)
