"""The escalator's core alone, under a virtual clock: given alerts, commands and the passing of time, a timeline.

`World` keeps the log as the runtime does (ids from causes, one decision a cause) and rings deadlines when they are
due. `timeline()` says what was decided in words, so that a test compares all of it and fails on what nobody wanted.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from tocsin_escalator.core.deadlines import ring_cause
from tocsin_escalator.core.fold import EscalatorFold
from tocsin_escalator.core.grouping import group_of
from tocsin_escalator.core.incident import AlertKey, Deadline, IncidentState, empty
from tocsin_escalator.core.muting import Mutes, mutes_of
from tocsin_escalator.core.on_alert import Slot, decide_alert_fired, decide_alert_resolved
from tocsin_escalator.core.on_command import IncidentCommand, Others, decide_command
from tocsin_escalator.core.on_outcome import decide_outcome
from tocsin_escalator.core.on_timer import decide_timer, decide_unmuted
from tocsin_escalator.core.placing import is_over
from tocsin_escalator.core.rulebook import Rulebook, make_rulebook
from tocsin_playbook import load
from tocsin_playbook.model import format_duration
from tocsin_schemas import Actor, Envelope, Event, Labels, PlaybookRef, caused_by
from tocsin_schemas.events import (
    AlertCleared,
    AlertFired,
    AlertGrouped,
    AlertMoved,
    AlertResolved,
    CommandRejected,
    DeadlineMissed,
    DeadlineSet,
    ImpactStated,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentEscalated,
    IncidentLinked,
    IncidentMonitoring,
    IncidentMuted,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentUnmuted,
    NoteAdded,
    OriginSuspected,
    ResponderAdded,
    ResponderAnswered,
    ResponderDeclined,
    ResponderPaged,
    RoleAssigned,
    SeverityChanged,
    SeverityReleased,
    StatusUpdated,
    TargetNeared,
    WarRoomRequested,
)
from tocsin_schemas.ids import derive_id, fingerprint, incident_id

START = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
FOLD = EscalatorFold()


def rulebook(text: str) -> Rulebook:
    loaded = load(text)
    return make_rulebook(PlaybookRef(name=loaded.playbook.metadata.name, revision=loaded.revision), loaded.playbook)


def seconds(amount: float) -> timedelta:
    return timedelta(seconds=amount)


def minutes(amount: float) -> timedelta:
    return timedelta(minutes=amount)


def person(name: str) -> Actor:
    return Actor.person(name, "cli")


def fired(
    rule: str = "CheckoutErrors", severity: str | None = "P1", episode: str = "e1", at: datetime = START, **labels: str
) -> AlertFired:
    all_labels = Labels({"alertname": rule, "service": "checkout", **labels})
    return AlertFired(
        fingerprint=fingerprint(all_labels),
        episode=episode,
        rule=rule,
        labels=all_labels,
        source="shop",
        severity=severity,
        starts_at=at,
    )


def ended(alert: AlertFired, at: datetime = START) -> AlertResolved:
    return AlertResolved(
        fingerprint=alert.fingerprint,
        episode=alert.episode,
        rule=alert.rule,
        labels=alert.labels,
        source=alert.source,
        ends_at=at,
    )


class World:
    """One group of alerts, its incidents, and a clock."""

    def __init__(self, book: Rulebook, start: datetime = START) -> None:
        self.book = book
        self.start = self.now = start
        self.log: dict[str, list[Envelope[Event]]] = {}
        self.states: dict[str, IncidentState] = {}
        self._causes: dict[str, set[str]] = {}
        self._messages = 0

    @property
    def mutes(self) -> Mutes:
        """What mutes alerts just now."""
        return mutes_of(self.book.playbook, ())

    # --- what happens -------------------------------------------------------------------------------------------------

    def fire(self, alert: AlertFired, message: str | None = None) -> tuple[Event, ...]:
        slot = self.slot(alert)
        return self.decide(
            slot.incident, message, lambda s: decide_alert_fired(s, alert, slot, self.book, self.now, self.mutes)
        )

    def end(self, alert: AlertFired, message: str | None = None) -> tuple[Event, ...]:
        gone = ended(alert, self.now)
        incident = self.slot(gone).incident
        return self.decide(incident, message, lambda s: decide_alert_resolved(s, gone, self.book, self.now))

    def do(self, make: Callable[..., IncidentCommand], by: str = "ada", **fields: object) -> tuple[Event, ...]:
        command = make(incident=self.incident, by=person(by), **fields)
        named = getattr(command, "into", None) or getattr(command, "other", None)
        others = Others(named=self.states.get(named, empty(named)) if named is not None else None)
        return self.decide(self.incident, None, lambda s: decide_command(s, command, self.book, self.now, others))

    def report(self, outcome: Event, message: str | None = None) -> tuple[Event, ...]:
        return self.decide(self.incident, message, lambda s: decide_outcome(s, outcome, self.book, self.now))

    def advance(self, by: timedelta) -> None:
        """Let time pass; every deadline rings when it is due."""
        until = self.now + by
        while (due := self.next_due()) is not None and due[1].due_at <= until:
            self.now = max(self.now, due[1].due_at)
            self.ring(*due)
        self.now = until

    def sleep(self, by: timedelta) -> None:
        """Let time pass while nobody is there to hear a deadline."""
        self.now += by

    def next_due(self) -> tuple[str, Deadline] | None:
        due = [(each.due_at, name, each) for name, state in self.states.items() for each in state.deadlines.values()]
        return None if not due else min(((name, each) for _, name, each in due), key=lambda pair: pair[1].due_at)

    def ring(self, incident: str, deadline: Deadline) -> tuple[Event, ...]:
        cause = ring_cause(incident, deadline)
        return self.decide(incident, cause, lambda s: decide_timer(s, deadline.id, self.book, self.now, self.mutes))

    def look_again(self, incident: str, message: str | None = None) -> tuple[Event, ...]:
        return self.decide(incident, message, lambda s: decide_unmuted(s, self.book, self.now, self.mutes))

    # --- as the runtime does it ---------------------------------------------------------------------------------------

    def decide(
        self, incident: str, cause: str | None, decision: Callable[[IncidentState], Sequence[Event]]
    ) -> tuple[Event, ...]:
        self._messages += 1
        cause = cause or derive_id("message", self._messages)
        causes = self._causes.setdefault(incident, set())
        if cause in causes:
            return ()
        state = self.states.get(incident, empty(incident))
        events = tuple(decision(state))
        for position, event in enumerate(events):
            envelope = caused_by(cause, position, "escalator", incident, self.now, event)
            self.log.setdefault(incident, []).append(envelope)
            state = FOLD.evolve(state, envelope)
        if events:
            causes.add(cause)
            self.states[incident] = state
        return events

    def slot(self, alert: AlertFired | AlertResolved) -> Slot:
        group = group_of(alert, self.book)
        key, number = AlertKey(alert.fingerprint, alert.episode), 0
        while True:
            name = incident_id(group.key, number)
            state = self.states.get(name)
            if state is None or state.knows(key) or not is_over(state, self.book, self.now):
                previous = incident_id(group.key, number - 1) if number else None
                return Slot(group, number, incident=name, previous=previous)
            number += 1

    # --- what came of it ----------------------------------------------------------------------------------------------

    @property
    def incident(self) -> str:
        """The latest incident."""
        return list(self.log)[-1]

    @property
    def state(self) -> IncidentState:
        return self.states[self.incident]

    def rebuilt(self, incident: str) -> IncidentState:
        state = empty(incident)
        for envelope in self.log[incident]:
            state = FOLD.evolve(state, envelope)
        return state

    def events(self, kind: type[Event]) -> list[Event]:
        return [envelope.data for events in self.log.values() for envelope in events if isinstance(envelope.data, kind)]

    def pages(self) -> list[str]:
        """Whom, when: `0s person:ada`."""
        return [line for line in self.timeline() if " page " in line]

    def timeline(self, *, deadlines: bool = False) -> list[str]:
        """Everything that was decided, in words; deadlines that were set only if asked for."""
        told = sorted((envelope for events in self.log.values() for envelope in events), key=lambda each: each.time)
        return [
            f"{format_duration(envelope.time - self.start)} {said}"
            for envelope in told
            if (said := in_words(envelope.data, self.start))
            and (deadlines or not isinstance(envelope.data, DeadlineSet))
        ]


def in_words(event: Event, start: datetime) -> str:
    match event:
        case IncidentOpened():
            return f"opened {event.severity} {event.title}"
        case AlertGrouped():
            muted = f", muted by {event.alert.muted}" if event.alert.muted else ""
            return f"grouped {event.alert.rule} {event.alert.severity}{muted}"
        case IncidentMuted():
            until = f" until {format_duration(event.until - start)}" if event.until is not None else ""
            return f"muted by {event.why} {event.name}{until}: {event.because}"
        case IncidentUnmuted():
            return f"unmuted: {event.because}"
        case AlertCleared():
            return f"cleared {event.rule}"
        case SeverityChanged():
            return f"severity {event.before} -> {event.after} ({event.why})"
        case DeadlineSet():
            place = "" if event.level is None else f" level {event.level} round {event.round}"
            return f"set {event.kind.value}{place} at {format_duration(event.due_at - start)}"
        case DeadlineMissed():
            return f"missed {event.kind.value}"
        case ResponderPaged():
            way = f" way {event.way}" if event.way is not None else ""
            return f"page {event.target} level {event.level}.{event.round} {event.severity} ({event.reason}){way}"
        case IncidentEscalated():
            return f"escalated level {event.level}.{event.round} ({event.reason})"
        case IncidentAcknowledged():
            return f"acknowledged by {event.by.name}"
        case RoleAssigned():
            return f"role {event.role.value} {event.person}"
        case NoteAdded():
            return f"note {event.text}"
        case IncidentMonitoring():
            return "monitoring"
        case IncidentResumed():
            return "resumed"
        case IncidentResolved():
            return f"resolved by {event.by.name}" + (", a false alarm" if event.false_alarm else "")
        case IncidentReopened():
            return "reopened"
        case IncidentClosed():
            return "closed"
        case CommandRejected():
            return f"rejected {event.command}: {event.reason}"
        case IncidentLinked():
            return f"linked {event.relation}"
        case ImpactStated():
            known = event.impact.model_dump(exclude_none=True)
            return "impact " + ", ".join(f"{name}={value}" for name, value in known.items())
        case OriginSuspected():
            return f"origin {event.service}: {event.because}"
        case SeverityReleased():
            return "severity released"
        case StatusUpdated():
            return f"update {event.status or '-'}: {event.text}"
        case TargetNeared():
            return f"near {event.target} at {format_duration(event.due_at - start)}"
        case ResponderAnswered():
            return f"answered by {event.person}, waiting for {', '.join(event.waiting_for)}"
        case ResponderDeclined():
            return f"declined by {event.person}"
        case ResponderAdded():
            return f"added {event.target}: {', '.join(event.people)}"
        case WarRoomRequested():
            return f"room {event.name} for {', '.join(event.invite) or 'responders'}"
        case AlertMoved():
            return f"moved {event.rule}"
        case _:
            raise AssertionError(f"the escalator does not say {type(event).__name__}")
