"""What is done at a time in a test, done to a world."""

from collections.abc import Mapping
from datetime import timedelta

from tocsin_rehearsal.cases.model.acts import (
    Acknowledge,
    Act,
    AddNote,
    Approve,
    Asked,
    Assign,
    Escalate,
    Resolve,
    RunAction,
    SetSeverity,
    Silence,
    StopAutomation,
)
from tocsin_rehearsal.outside.senders import ForeignAlert
from tocsin_rehearsal.perform.outsides import set_channel, set_rules
from tocsin_rehearsal.world import World
from tocsin_schemas import Actor, Command, Labels, commands
from tocsin_schemas.events import (
    ActionApproved,
    ActionClaimed,
    ActionProposed,
    ActionRefused,
    IncidentClosed,
    IncidentOpened,
)

__all__ = ["Stagehand"]


class NothingMeantError(LookupError):
    """What an order is about does not exist at that time."""


class Stagehand:
    """Does what a test says. What cannot be done, because nothing of the kind exists then, is kept as a problem."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._alerts: list[ForeignAlert] = []
        self.problems: list[tuple[timedelta, str]] = []

    def do(self, act: Act) -> None:
        """One act, now."""
        try:
            self._do(act)
        except NothingMeantError as error:
            self.problems.append((self._world.elapsed, f"{act.verb}: {error}"))

    def fire(self, labels: Mapping[str, str], annotations: Mapping[str, str], lasts: timedelta | None) -> None:
        """Another system raises an alert."""
        self._alerts.append(self._world.alert(labels, annotations=annotations, lasts=lasts))

    def _do(self, act: Act) -> None:
        world = self._world
        if (asked := act.asked) is not None:
            world.command(self._command(asked), by=asked.by)
        elif act.kill is not None:
            world.kill(act.kill)
        elif act.restart is not None:
            world.kill(act.restart)
            world.restart(act.restart)
        elif act.fire is not None:
            self.fire(act.fire.labels, act.fire.annotations, act.fire.lasting)
        elif act.clear is not None:
            self._clear(act.clear)
        elif act.nats is not None:
            (world.kill if act.nats == "down" else world.restart)("nats")
        elif act.redis is not None:
            world.leases.is_up = act.redis == "up"
        elif act.http:
            set_rules(world, act.http)
        else:
            for channel, troubles in act.channels.items():
                set_channel(world, channel, troubles)

    def _clear(self, labels: Mapping[str, str]) -> None:
        meant = [alert for alert in self._alerts if alert.ends_at is None and labels.items() <= alert.labels.items()]
        if not meant:
            raise NothingMeantError("no alert of another system with these labels fires")
        for alert in meant:
            self._world.clear(alert)

    # --- orders -------------------------------------------------------------------------------------------------------

    def _command(self, asked: Asked) -> Command:
        by = Actor.person(asked.by, "cli")
        if isinstance(asked, Silence):
            until = self._world.now + asked.lasting
            return commands.Silence(match=Labels(asked.match), until=until, because=asked.because, by=by)
        incident = self._incident(asked.incident)
        match asked:
            case Acknowledge():
                return commands.Acknowledge(incident=incident, by=by, lasting=asked.lasting)
            case Resolve():
                return commands.Resolve(incident=incident, by=by, notes=asked.notes or "")
            case Escalate():
                return commands.Escalate(incident=incident, by=by, because=asked.because or "")
            case SetSeverity():
                because = asked.because or ""
                return commands.SetSeverity(incident=incident, by=by, severity=asked.to, because=because)
            case Assign():
                return commands.AssignRole(incident=incident, by=by, role=asked.role, person=asked.person)
            case AddNote():
                return commands.AddNote(incident=incident, by=by, text=asked.text)
            case Approve():
                return commands.ApproveAction(incident=incident, by=by, action=self._waiting(incident, asked))
            case RunAction():
                return commands.RunAction(incident=incident, by=by, runbook=asked.runbook, step=asked.step)
            case StopAutomation():
                return commands.StopAutomation(incident=incident, by=by, because=asked.because or "")

    def _incident(self, labels: Mapping[str, str]) -> str:
        """The incident that is meant: of those with these labels that are not closed, the one opened last."""
        found = ""
        for envelope in self._world.log:
            data = envelope.data
            if isinstance(data, IncidentOpened) and labels.items() <= dict(data.labels).items():
                found = envelope.incident
            elif isinstance(data, IncidentClosed) and envelope.incident == found:
                found = ""
        if not found:
            raise NothingMeantError("there is no incident" + (f" with {dict(labels)}" if labels else ""))
        return found

    def _waiting(self, incident: str, asked: Approve) -> str:
        """The action that waits for a yes, proposed last."""
        waiting: dict[str, ActionProposed] = {}
        for envelope in self._world.log:
            data = envelope.data
            if envelope.incident != incident:
                continue
            if isinstance(data, ActionProposed) and asked.runbook in (None, data.runbook):
                if asked.step in (None, data.step):
                    waiting[data.action] = data
            elif isinstance(data, ActionApproved | ActionClaimed | ActionRefused):
                waiting.pop(data.action, None)
        if not waiting:
            raise NothingMeantError("no action waits for a yes")
        return list(waiting)[-1]
