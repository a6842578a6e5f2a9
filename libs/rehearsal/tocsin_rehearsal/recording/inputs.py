"""What of a recording came from outside: alerts, commands, playbooks. All else was decided by services.

Commands leave their stream once they are carried out, so most recordings do not hold them. They are built again
from the events that answered them: an event names its cause, which is the command's id, and who gave it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tocsin_escalator.core.standing import ORDER_COMMANDS, order_id
from tocsin_rehearsal.recording.format import Recorded
from tocsin_schemas import Actor, Command, Envelope, EnvelopeError, Event, Payload, PlaybookPublished, Role
from tocsin_schemas.commands import (
    Acknowledge,
    AddNote,
    AddResponder,
    ApproveAction,
    AssignRole,
    Decline,
    Escalate,
    LiftOverride,
    LiftSilence,
    Link,
    Merge,
    OverrideOnCall,
    ReleaseSeverity,
    Reopen,
    Resolve,
    RunAction,
    SetSeverity,
    Silence,
    Split,
    StateImpact,
    StopAutomation,
    TakeOver,
    Update,
)
from tocsin_schemas.events import (
    ActionApproved,
    ActionProposed,
    AlertCleared,
    AlertFired,
    AlertGrouped,
    AlertMoved,
    AlertResolved,
    AutomationStopped,
    CommandRejected,
    ImpactStated,
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentLinked,
    IncidentReopened,
    IncidentResolved,
    NoteAdded,
    OverrideLifted,
    OverrideSet,
    RequestRefused,
    ResponderAdded,
    ResponderAnswered,
    ResponderDeclined,
    RoleAssigned,
    SeverityChanged,
    SeverityReleased,
    SilenceLifted,
    SilenceSet,
    StatusUpdated,
)
from tocsin_schemas.subjects import alert_subject, command_subject, playbook_subject

__all__ = ["Input", "Inputs", "inputs_of"]


_LEAD = timedelta(seconds=1)
"""How long before the first alert or other command what stands then is ordered again."""


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

    `playbooks` were published before the first alert or command. `orders` says which silences and overrides people
    have set and lifted, `alerts_of` which firings (fingerprint, episode) an incident is made of, `steps` which runbook
    and step an action was: so a command about an incident finds it again under another name. `left_out` names what
    cannot be replayed, and why.
    """

    playbooks: tuple[Input, ...] = ()
    messages: tuple[Input, ...] = ()
    events: tuple[Envelope[Event], ...] = ()
    orders: tuple[Envelope[Event], ...] = ()
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
        self._orders: list[Envelope[Event]] = []
        self._rebuilt: dict[str, int] = {}
        """Where among the inputs the command of this id is that was built again."""
        self._moved: dict[str, list[str]] = {}
        """The alerts that the command of this id took out of their incident."""

    def take(self, message: Recorded) -> None:
        if message.stream not in ("ALERTS", "COMMANDS", "ORDERS", "PLAYBOOKS", "INCIDENTS"):
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
            case "ORDERS", Event():
                self._order(message, envelope)  # type: ignore[arg-type]  # narrowed through the field
            case "INCIDENTS", Event():
                self._event(message, envelope)  # type: ignore[arg-type]  # narrowed through the field
            case _:
                self._left_out.append(f"{message.stream} {message.sequence}: {envelope.type} does not belong there")

    def done(self) -> Inputs:
        begun = (n for n, given in enumerate(self._inputs) if given.stream != "PLAYBOOKS" and not _is_order(given))
        first = next(begun, len(self._inputs))
        early, messages = self._inputs[:first], self._inputs[first:]
        if not messages:
            first = next((n for n, given in enumerate(early) if given.stream != "PLAYBOOKS"), first)
            early, messages = early[:first], early[first:]
        return Inputs(
            playbooks=tuple(given for given in early if given.stream == "PLAYBOOKS"),
            messages=(*(_standing(early, messages[0].at) if messages else ()), *messages),
            orders=tuple(self._orders),
            events=tuple(self._events),
            alerts_of=self._alerts_of,
            steps=self._steps,
            left_out=tuple(self._left_out),
        )

    def _input(self, message: Recorded, subject: str, envelope: Envelope[Payload]) -> None:
        self._inputs.append(Input(message.moment, message.stream, subject, envelope))

    def _order(self, message: Recorded, envelope: Envelope[Event]) -> None:
        self._orders.append(envelope)
        if envelope.cause in self._answered or not envelope.cause:
            return
        self._answered.add(envelope.cause)
        command = order_behind(envelope.data, envelope.time)
        if command is None:
            said = getattr(envelope.data, "command", envelope.type)
            self._left_out.append(f"ORDERS {message.sequence}: {said} was rejected, and is lost")
            return
        given = Envelope(id=envelope.cause, source="tocsin/replay", time=envelope.time, data=command)
        self._inputs.append(Input(message.moment, "COMMANDS", command_subject(type(command)), given, rebuilt=True))

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
            case AlertMoved(fingerprint=fingerprint):
                self._moved.setdefault(envelope.cause, []).append(fingerprint)
        if envelope.cause not in self._answered:
            self._rebuild(message, envelope)
        elif envelope.cause in self._rebuilt:
            self._say_more(self._rebuilt[envelope.cause], envelope.data)

    def _rebuild(self, message: Recorded, envelope: Envelope[Event]) -> None:
        if isinstance(envelope.data, CommandRejected | RequestRefused):
            self._answered.add(envelope.cause)
            self._left_out.append(f"INCIDENTS {message.sequence}: {envelope.data.command} was rejected, and is lost")
            return
        command = self._command(envelope)
        if command is None or not envelope.cause:
            return
        self._answered.add(envelope.cause)
        self._rebuilt[envelope.cause] = len(self._inputs)
        given = Envelope(
            id=envelope.cause,
            source="tocsin/replay",
            time=envelope.time,
            data=command,
            incident=envelope.incident,
            traceparent=envelope.traceparent,
        )
        self._inputs.append(Input(message.moment, "COMMANDS", command_subject(type(command)), given, rebuilt=True))

    def _say_more(self, index: int, event: Event) -> None:
        """What an answer goes on to say may tell that more was asked for than its beginning does."""
        given = self._inputs[index]
        command = given.envelope.data
        if not isinstance(command, Acknowledge):
            return
        more: Command | None = None
        match event:
            case RoleAssigned(role=Role.COMMANDER, by=by) if by == command.by:
                more = TakeOver(incident=command.incident, by=by)
            case StatusUpdated(by=by, text=text, status=status) if by == command.by:
                more = Update(incident=command.incident, by=by, text=text, status=status)
        if more is not None:
            envelope = replace(given.envelope, data=more)
            self._inputs[index] = replace(given, subject=command_subject(type(more)), envelope=envelope)

    def _command(self, envelope: Envelope[Event]) -> Command | None:
        event, incident = envelope.data, envelope.incident
        if isinstance(event, IncidentLinked) and event.relation == "split_into":
            alerts = tuple(self._moved.get(envelope.cause, ()))
            return Split(incident=incident, by=event.by, alerts=alerts, because=event.because)
        if isinstance(event, ActionApproved):
            if envelope.cause in self._proposed_by:
                return RunAction(incident=incident, by=event.by, runbook=event.runbook, step=event.step)
            return ApproveAction(incident=incident, by=event.by, action=event.action)
        return command_behind(event, incident, envelope.time)


def order_behind(event: Event, at: datetime) -> Command | None:
    """The command that set or lifted a silence or an override; none for one that was rejected."""
    match event:
        case SilenceSet(by=by, match=match, because=because, begins_at=begins, ends_at=ends):
            begins_at = None if begins <= at else begins
            return Silence(match=match, begins_at=begins_at, until=ends, because=because, by=by)
        case SilenceLifted(by=by, silence=name, because=because):
            return LiftSilence(silence=name, because=because, by=by)
        case OverrideSet(by=by, schedule=schedule, person=person, because=because, begins_at=begins, ends_at=ends):
            begins_at = None if begins <= at else begins
            return OverrideOnCall(
                schedule=schedule, person=person, begins_at=begins_at, until=ends, because=because, by=by
            )
        case OverrideLifted(by=by, override=name, because=because):
            return LiftOverride(override=name, because=because, by=by)
        case _:
            return None


def _is_order(given: Input) -> bool:
    return isinstance(given.envelope.data, ORDER_COMMANDS)


def _standing(early: Sequence[Input], begins: datetime) -> Iterator[Input]:
    """The orders that stand when the first alert or other command comes, as if they had been given just before."""
    given = {order_id(each.envelope.id): each for each in early if _is_order(each)}
    for each in early:
        if isinstance(lift := each.envelope.data, LiftSilence | LiftOverride):
            given.pop(lift.silence if isinstance(lift, LiftSilence) else lift.override, None)
    for each in given.values():
        if isinstance(each.envelope.data, Silence | OverrideOnCall) and each.envelope.data.until > begins:
            yield replace(each, at=begins - _LEAD)


def _linked(incident: str, other: str, relation: str, because: str, by: Actor) -> Command | None:
    match relation:
        case "related":
            return Link(incident=incident, by=by, other=other, because=because)
        case "absorbed_by":
            return Merge(incident=incident, by=by, into=other, because=because)
        case "absorbed":  # said of the whole before it is said of the part
            return Merge(incident=other, by=by, into=incident, because=because)
        case _:
            return None


def command_behind(event: Event, incident: str, at: datetime) -> Command | None:
    """The command to the escalator, or to stop automation, that a person gave; none if it was no person's doing."""
    match event:
        case IncidentAcknowledged(by=Actor(kind="person") as by, until=until):
            lasting = None if until is None else max(until - at, timedelta(seconds=1))
            return Acknowledge(incident=incident, by=by, lasting=lasting)
        case ResponderAnswered(by=Actor(kind="person") as by):
            return Acknowledge(incident=incident, by=by)
        case ResponderDeclined(by=Actor(kind="person") as by, because=because):
            return Decline(incident=incident, by=by, because=because)
        case ResponderAdded(by=Actor(kind="person") as by, target=target, because=because):
            return AddResponder(incident=incident, by=by, target=target, because=because)
        case StatusUpdated(by=Actor(kind="person") as by, text=text, status=status):
            return Update(incident=incident, by=by, text=text, status=status)
        case ImpactStated(by=Actor(kind="person") as by, impact=impact):
            return StateImpact(incident=incident, by=by, impact=impact)
        case IncidentResolved(by=Actor(kind="person") as by, notes=notes, false_alarm=false_alarm):
            return Resolve(incident=incident, by=by, notes=notes, false_alarm=false_alarm)
        case IncidentReopened(by=Actor(kind="person") as by, because=because):
            return Reopen(incident=incident, by=by, because=because)
        case SeverityReleased(by=Actor(kind="person") as by):
            return ReleaseSeverity(incident=incident, by=by)
        case IncidentLinked(by=Actor(kind="person") as by, other=other, because=because, relation=relation):
            return _linked(incident, other, relation, because, by)
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
