"""Expectations in words, on one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tocsin_playbook.model import AnyTarget, PersonRef
from tocsin_rehearsal.cases.model import (
    ActionExpected,
    AlertExpected,
    ApprovalExpected,
    DeadlineExpected,
    EventExpected,
    Expectation,
    IncidentExpected,
    MessageExpected,
    PageExpected,
)
from tocsin_rehearsal.cases.model.times import WHOLE, shown

NO_ALERT = "no alert fires"
NOTHING: Mapping[str, str] = {
    "alerts": NO_ALERT,
    "pages": "nobody is paged",
    "approvals": "nobody is asked to approve anything",
    "actions": "nothing is run",
    "messages": "no message leaves",
    "deadlines": "nothing is due",
    "events": "nothing happens",
}
OTHERS: Mapping[str, str] = {
    "pages": "nobody else is paged",
    "approvals": "nobody else is asked to approve anything",
    "actions": "nothing else is run",
    "messages": "no other message leaves",
    "events": "nothing else happens",
}


def when(expectation: Expectation) -> str:
    """`at 5m`, `between 5m and 10m`, `by 10m`, `throughout`."""
    span = expectation.between or expectation.throughout
    if span == WHOLE:
        return "throughout"
    if span is not None and span[1] is not None:
        words = ("between", "and") if expectation.between is not None else ("throughout", "to")
        return f"{words[0]} {shown(span[0])} {words[1]} {shown(span[1])}"
    time = expectation.at if expectation.at is not None else expectation.by
    assert time is not None  # noqa: S101 - the model's validator
    return f"{expectation.mode} {shown(time)}"


def in_words(item: object) -> str:
    """One item of an expectation."""
    return _WORDS[type(item)](item)


def _with(labels: Mapping[str, str]) -> str:
    return " {" + ", ".join(f"{name}={value}" for name, value in labels.items()) + "}" if labels else ""


def _alert(alert: AlertExpected) -> str:
    name = f"alert {alert.name}" if alert.name else "an alert"
    severity = f" ({alert.severity})" if alert.severity else ""
    source = f" from {alert.source}" if alert.source else ""
    return f"{name} {'fires' if alert.firing else 'does not fire'}{severity}{source}{_with(alert.labels)}"


def _incident(incident: IncidentExpected) -> str:
    impact = incident.impact.said if incident.impact is not None else {}
    named = (
        incident.phase,
        incident.severity,
        *(f"{role.replace('_', ' ')} {person}" for role, person in incident.roles.said.items()),
        *(f"{name.replace('_', ' ')} {value}" for name, value in impact.items()),
        f"part of{_with(incident.part_of)}" if incident.part_of else None,
        f"from {incident.origin}" if incident.origin else None,
        f"in {incident.war_room}" if incident.war_room else None,
    )
    facts = ", ".join(fact for fact in named if fact)
    tail = f"{': ' if facts else ''}{facts}{_with(incident.labels)}"
    if incident.count is None:
        return f"incident{' ' if facts else ''}{facts}{_with(incident.labels)}"
    if incident.count == 0:
        return f"no incident{tail}"
    return f"{incident.count} incident{'s' if incident.count > 1 else ''}{tail}"


def _times(times: int | None) -> str:
    if times is None:
        return ""
    return ", never" if times == 0 else ", exactly once" if times == 1 else f", exactly {times} times"


def _who(target: AnyTarget | None) -> str:
    return "somebody" if target is None else target.name if isinstance(target, PersonRef) else str(target)


def _page(page: PageExpected) -> str:
    said = {"delivered": "is paged", "failed": "could not be paged", "decided": "is to be paged"}[page.outcome]
    by = f" by {page.channel}" if page.channel else ""
    level, way = f"level {page.level}" if page.level else "", f"way {page.way}" if page.way else ""
    facts = ", ".join(fact for fact in (level, way, page.severity or "") if fact)
    return f"{_who(page.who)} {said}{by}{f' ({facts})' if facts else ''}{_with(page.incident)}{_times(page.times)}"


_ASKED = {"delivered": "is asked", "failed": "could not be asked", "decided": "is to be asked"}


def _approval(approval: ApprovalExpected) -> str:
    step = approval.step or "a step"
    runbook = f" of {approval.runbook}" if approval.runbook else ""
    by = f" by {approval.channel}" if approval.channel else ""
    said = f"{_who(approval.who)} {_ASKED[approval.outcome]} to approve {step}{runbook}{by}"
    return f"{said}{_with(approval.incident)}{_times(approval.times)}"


_ACTION_WORDS: Mapping[str, str] = {
    "started": "is run",
    "proposed": "is proposed",
    "approved": "is approved",
    "succeeded": "is carried out",
    "failed": "fails",
    "unknown": "has an unknown outcome",
    "refused": "is refused",
    "helped": "helps",
    "did_not_help": "does not help",
}


def _action(action: ActionExpected) -> str:
    step = f"step {action.step}" if action.step else "a step"
    runbook = f" of {action.runbook}" if action.runbook else ""
    return f"{step}{runbook} {_ACTION_WORDS[action.outcome]}{_with(action.incident)}{_times(action.times)}"


def _message(message: MessageExpected) -> str:
    person = f" for {message.person}" if message.person else ""
    where = f" by {message.channel}" if message.channel else ""
    to = f" to {message.to}" if message.to else ""
    about = f" ({message.about})" if message.about else ""
    text = " containing " + " and ".join(repr(each) for each in message.containing) if message.containing else ""
    return f"message{person}{where}{to}{about}{text}{_with(message.incident)}{_times(message.times)}"


def _deadline(deadline: DeadlineExpected) -> str:
    level = f" to level {deadline.level}" if deadline.level else ""
    due = f" at {shown(deadline.due)}" if deadline.due is not None else ""
    return f"{deadline.kind.value}{level} is due{due}{_with(deadline.incident)}"


def _event(event: EventExpected) -> str:
    fields = ", ".join(f"{name}={value}" for name, value in event.fields.items())
    return f"{event.type}{f' with {fields}' if fields else ''}{_with(event.incident)}{_times(event.times)}"


# `Any`: each row takes an item of its own type.
_WORDS: Mapping[type[object], Callable[[Any], str]] = {
    AlertExpected: _alert,
    IncidentExpected: _incident,
    PageExpected: _page,
    ApprovalExpected: _approval,
    ActionExpected: _action,
    MessageExpected: _message,
    DeadlineExpected: _deadline,
    EventExpected: _event,
}
