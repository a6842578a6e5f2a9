"""What people ask for in a test, as the command that a person would give: to which incident, about which alert."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tocsin_rehearsal.cases.model.acts import (
    AboutIncident,
    Acknowledge,
    AddNote,
    AddResponder,
    Approve,
    Assign,
    Decline,
    Escalate,
    Link,
    Merge,
    Order,
    ReleaseSeverity,
    Reopen,
    Resolve,
    RunAction,
    SetSeverity,
    Split,
    StateImpact,
    StopAutomation,
    TakeOver,
    Update,
)
from tocsin_schemas import Actor, Command, Envelope, Event, Impact, commands
from tocsin_schemas.events import (
    ActionApproved,
    ActionClaimed,
    ActionProposed,
    ActionRefused,
    AlertCleared,
    AlertGrouped,
    AlertMoved,
    IncidentClosed,
    IncidentOpened,
)

__all__ = ["NothingMeantError", "command_of"]

Log = Sequence[Envelope[Event]]


class NothingMeantError(LookupError):
    """What an order is about does not exist at that time."""


def command_of(asked: AboutIncident, log: Log) -> Command:
    """The command. Raises NothingMeantError where there is nothing that it could be about."""
    kind, more = _COMMANDS[type(asked)]
    incident = _incident(log, asked.incident)
    return kind(incident=incident, by=Actor.person(asked.by, "cli"), **more(asked, log, incident))


def _incident(log: Log, labels: Mapping[str, str]) -> str:
    """The incident that is meant: of those with these labels that are not closed, the one opened last; where all are
    closed, the last of them.
    """
    meant: dict[str, None] = {}
    last = ""
    for envelope in log:
        data = envelope.data
        if isinstance(data, IncidentOpened) and labels.items() <= dict(data.labels).items():
            meant[envelope.incident], last = None, envelope.incident
        elif isinstance(data, IncidentClosed):
            meant.pop(envelope.incident, None)
    if not last:
        raise NothingMeantError("there is no incident" + (f" with {dict(labels)}" if labels else ""))
    return [last, *meant][-1]


def _firing(log: Log, incident: str, meant: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """The fingerprints of the alerts with these labels that fire in the incident."""
    fires: dict[str, Mapping[str, str]] = {}
    for envelope in log:
        data = envelope.data
        if envelope.incident != incident:
            continue
        if isinstance(data, AlertGrouped):
            fires[data.alert.fingerprint] = dict(data.alert.labels)
        elif isinstance(data, AlertCleared | AlertMoved):
            fires.pop(data.fingerprint, None)
    found: list[str] = []
    for labels in meant:
        those = [name for name, of in fires.items() if labels.items() <= of.items()]
        if not those:
            raise NothingMeantError(f"no alert with {dict(labels)} fires in it")
        found += those
    return tuple(dict.fromkeys(found))


def _waiting(log: Log, incident: str, asked: Approve) -> str:
    """The action that waits for a yes, proposed last."""
    waiting: dict[str, ActionProposed] = {}
    for envelope in log:
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


def _because(asked: Any) -> dict[str, str]:  # Any: each that may say why
    return {"because": asked.because or ""}


Fields = dict[str, Any]  # Any: the fields of a command
More = Callable[[Any, Log, str], Fields]  # Any: each row takes what is asked of its own kind

_COMMANDS: Mapping[type[Order], tuple[Callable[..., Command], More]] = {
    Acknowledge: (commands.Acknowledge, lambda asked, log, incident: {"lasting": asked.lasting}),
    TakeOver: (commands.TakeOver, lambda asked, log, incident: {}),
    Decline: (commands.Decline, lambda asked, log, incident: _because(asked)),
    AddResponder: (
        commands.AddResponder,
        lambda asked, log, incident: {"target": str(asked.target), **_because(asked)},
    ),
    Update: (commands.Update, lambda asked, log, incident: {"text": asked.text, "status": asked.status}),
    StateImpact: (
        commands.StateImpact,
        lambda asked, log, incident: {"impact": Impact(**asked.said)},
    ),
    Resolve: (
        commands.Resolve,
        lambda asked, log, incident: {"notes": asked.notes or "", "false_alarm": asked.false_alarm or None},
    ),
    Reopen: (commands.Reopen, lambda asked, log, incident: _because(asked)),
    Escalate: (commands.Escalate, lambda asked, log, incident: _because(asked)),
    SetSeverity: (commands.SetSeverity, lambda asked, log, incident: {"severity": asked.to, **_because(asked)}),
    ReleaseSeverity: (commands.ReleaseSeverity, lambda asked, log, incident: {}),
    Merge: (commands.Merge, lambda asked, log, incident: {"into": _incident(log, asked.into), **_because(asked)}),
    Split: (
        commands.Split,
        lambda asked, log, incident: {"alerts": _firing(log, incident, asked.alerts), **_because(asked)},
    ),
    Link: (commands.Link, lambda asked, log, incident: {"other": _incident(log, asked.other), **_because(asked)}),
    Assign: (commands.AssignRole, lambda asked, log, incident: {"role": asked.role, "person": asked.person}),
    AddNote: (commands.AddNote, lambda asked, log, incident: {"text": asked.text}),
    Approve: (commands.ApproveAction, lambda asked, log, incident: {"action": _waiting(log, incident, asked)}),
    RunAction: (commands.RunAction, lambda asked, log, incident: {"runbook": asked.runbook, "step": asked.step}),
    StopAutomation: (commands.StopAutomation, lambda asked, log, incident: _because(asked)),
}
