"""What of a recording came from outside: alerts, commands, playbooks. All else was decided by services.

Commands leave their stream once they are carried out, so most recordings do not hold them. They are built again
from the events that answered them: an event names its cause, which is the command's id, and who gave it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tocsin_rehearsal.recording.format import Recorded
from tocsin_schemas import Actor, Command, Envelope, EnvelopeError, Event, Payload, PlaybookPublished
from tocsin_schemas.commands import (
    Acknowledge,
    AddNote,
    ApproveAction,
    AssignRole,
    Escalate,
    Resolve,
    RunAction,
    SetSeverity,
    StopAutomation,
)
from tocsin_schemas.events import (
    ActionApproved,
    ActionProposed,
    AlertCleared,
    AlertFired,
    AlertGrouped,
    AlertResolved,
    AutomationStopped,
    CommandRejected,
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentResolved,
    NoteAdded,
    RoleAssigned,
    SeverityChanged,
)
from tocsin_schemas.subjects import alert_subject, command_subject, playbook_subject

__all__ = ["Input", "Inputs", "inputs_of"]


@dataclass(frozen=True, slots=True)
class Input:
    """One message from outside, and when the server took it. `rebuilt`: a command that was not recorded itself."""

    at: datetime
    stream: str
    subject: str
    envelope: Envelope[Payload]
    rebuilt: bool = False


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a recording can be replayed from.

    `playbooks` were published before the first alert or command. `alerts_of` says which firings (fingerprint,
    episode) an incident is made of, `steps` which runbook and step an action was: so a command about an incident
    finds it again under another name. `left_out` names what cannot be replayed, and why.
    """

    playbooks: tuple[Input, ...] = ()
    messages: tuple[Input, ...] = ()
    events: tuple[Envelope[Event], ...] = ()
    alerts_of: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    steps: dict[str, tuple[str, str]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def alerts(self) -> int:
        return sum(given.stream == "ALERTS" for given in self.messages)

    @property
    def commands(self) -> int:
        return sum(given.stream == "COMMANDS" for given in self.messages)

    def without_actions(self) -> "Inputs":
        """Without the commands to the remediator: for where no action is carried out."""
        kept = tuple(
            given
            for given in self.messages
            if not isinstance(command := given.envelope.data, Command) or command.OWNER != "remediator"
        )
        return replace(self, messages=kept)


def inputs_of(messages: Iterable[Recorded]) -> Inputs:
    """Sort a recording. Keeps inputs and incidents' events in memory; raises what reading the recording raises."""
    sorting = _Sorting()
    for message in messages:
        sorting.take(message)
    return sorting.done()


class _Sorting:
    def __init__(self) -> None:
        self._inputs: list[Input] = []
        self._events: list[Envelope[Event]] = []
        self._alerts_of: dict[str, set[tuple[str, str]]] = {}
        self._steps: dict[str, tuple[str, str]] = {}
        self._answered: set[str] = set()
        self._proposed_by: dict[str, ActionProposed] = {}
        self._left_out: list[str] = []

    def take(self, message: Recorded) -> None:
        if message.stream not in ("ALERTS", "COMMANDS", "PLAYBOOKS", "INCIDENTS"):
            return
        try:
            envelope = message.decode()
        except EnvelopeError as error:
            self._left_out.append(f"{message.stream} {message.sequence}: cannot be read: {error}")
            return
        match message.stream, envelope.data:
            case "ALERTS", AlertFired() | AlertResolved():
                self._input(message, alert_subject(envelope.data.rule), envelope)
            case "COMMANDS", Command():
                self._answered.add(envelope.id)
                self._input(message, command_subject(type(envelope.data)), envelope)
            case "PLAYBOOKS", PlaybookPublished():
                self._input(message, playbook_subject(envelope.data.playbook.name), envelope)
            case "INCIDENTS", Event():
                self._event(message, envelope)  # type: ignore[arg-type]  # narrowed through the field
            case _:
                self._left_out.append(f"{message.stream} {message.sequence}: {envelope.type} does not belong there")

    def done(self) -> Inputs:
        first = next((n for n, given in enumerate(self._inputs) if given.stream != "PLAYBOOKS"), len(self._inputs))
        return Inputs(
            playbooks=tuple(self._inputs[:first]),
            messages=tuple(self._inputs[first:]),
            events=tuple(self._events),
            alerts_of=self._alerts_of,
            steps=self._steps,
            left_out=tuple(self._left_out),
        )

    def _input(self, message: Recorded, subject: str, envelope: Envelope[Payload]) -> None:
        self._inputs.append(Input(message.moment, message.stream, subject, envelope))

    def _event(self, message: Recorded, envelope: Envelope[Event]) -> None:
        self._events.append(envelope)
        match envelope.data:
            case AlertGrouped(alert=alert):
                self._alerts_of.setdefault(envelope.incident, set()).add((alert.fingerprint, alert.episode))
            case AlertCleared(fingerprint=fingerprint, episode=episode):
                self._alerts_of.setdefault(envelope.incident, set()).add((fingerprint, episode))
            case ActionProposed() as proposed:
                self._steps[proposed.action] = (proposed.runbook, proposed.step)
                self._proposed_by[envelope.cause] = proposed
        if envelope.cause not in self._answered:
            self._rebuild(message, envelope)

    def _rebuild(self, message: Recorded, envelope: Envelope[Event]) -> None:
        if isinstance(envelope.data, CommandRejected):
            self._answered.add(envelope.cause)
            self._left_out.append(f"INCIDENTS {message.sequence}: {envelope.data.command} was rejected, and is lost")
            return
        command = self._command(envelope)
        if command is None or not envelope.cause:
            return
        self._answered.add(envelope.cause)
        given = Envelope(
            id=envelope.cause,
            source="tocsin/replay",
            time=envelope.time,
            data=command,
            incident=envelope.incident,
            traceparent=envelope.traceparent,
        )
        self._inputs.append(Input(message.moment, "COMMANDS", command_subject(type(command)), given, rebuilt=True))

    def _command(self, envelope: Envelope[Event]) -> Command | None:
        event, incident = envelope.data, envelope.incident
        if isinstance(event, ActionApproved):
            if envelope.cause in self._proposed_by:
                return RunAction(incident=incident, by=event.by, runbook=event.runbook, step=event.step)
            return ApproveAction(incident=incident, by=event.by, action=event.action)
        return command_behind(event, incident, envelope.time)


def command_behind(event: Event, incident: str, at: datetime) -> Command | None:
    """The command to the escalator, or to stop automation, that a person gave; none if it was no person's doing."""
    match event:
        case IncidentAcknowledged(by=Actor(kind="person") as by, until=until):
            lasting = None if until is None else max(until - at, timedelta(seconds=1))
            return Acknowledge(incident=incident, by=by, lasting=lasting)
        case IncidentResolved(by=Actor(kind="person") as by, notes=notes):
            return Resolve(incident=incident, by=by, notes=notes)
        case IncidentEscalated(by=Actor(kind="person") as by, reason="command"):
            return Escalate(incident=incident, by=by)
        case SeverityChanged(by=Actor(kind="person") as by, why="person", after=severity, because=because):
            return SetSeverity(incident=incident, by=by, severity=severity, because=because)
        case RoleAssigned(by=Actor(kind="person") as by, role=role, person=person):
            return AssignRole(incident=incident, by=by, role=role, person=person)
        case NoteAdded(by=Actor(kind="person") as by, text=text):
            return AddNote(incident=incident, by=by, text=text)
        case AutomationStopped(by=Actor(kind="person") as by, because=because):
            return StopAutomation(incident=incident, by=by, because=because)
        case _:
            return None
