"""What is expected: of people, channels, severities, steps, alerts and events that exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tocsin_playbook.model import ChannelRef, PersonRef
from tocsin_playbook.problems import Path
from tocsin_rehearsal.cases.checks.acts import step_of
from tocsin_rehearsal.cases.checks.finding import Finding, unknown
from tocsin_rehearsal.cases.known import Known
from tocsin_rehearsal.cases.messages import closest
from tocsin_rehearsal.cases.model import (
    ActionExpected,
    AlertExpected,
    ApprovalExpected,
    Case,
    CaseFile,
    EventExpected,
    IncidentExpected,
    MessageExpected,
    PageExpected,
)
from tocsin_schemas import ALERT_EVENTS, INCIDENT_EVENTS, Event

EVENTS_BY_NAME: Mapping[str, type[Event]] = {each.__name__: each for each in (*ALERT_EVENTS, *INCIDENT_EVENTS)}


def expectations(file: CaseFile, known: Known) -> Iterator[Finding]:
    """Everything an expectation refers to."""
    for number, case in enumerate(file.tests):
        raised = _foreign_alerts(case)
        for index, expectation in enumerate(case.expect):
            path: Path = ("tests", number, "expect", index)
            if expectation.incident is not None:
                yield from _incident(expectation.incident, known, (*path, "incident"))
            for turn, alert in enumerate(expectation.alerts or ()):
                yield from _alert(alert, known, raised, (*path, "alerts", turn))
            for name in ("pages", "approvals", "actions", "messages", "events"):
                for turn, item in enumerate(getattr(expectation, name) or ()):
                    yield from _ITEMS[type(item)](item, known, (*path, name, turn))


def _foreign_alerts(case: Case) -> tuple[str, ...]:
    fired = [act.fire.labels for doing in case.at for act in doing.do if act.fire is not None]
    every = [*(alert.labels for alert in case.given.alerts), *fired]
    return tuple(labels["alertname"] for labels in every if "alertname" in labels)


def _incident(incident: IncidentExpected, known: Known, path: Path) -> Iterator[Finding]:
    yield from unknown("severity", incident.severity, known.severities, (*path, "severity"))
    yield from unknown("service", incident.origin, known.services, (*path, "origin"))
    for role, person in incident.roles.said.items():
        yield from unknown("person", person, known.people, (*path, "roles", role))


def _alert(alert: AlertExpected, known: Known, raised: tuple[str, ...], path: Path) -> Iterator[Finding]:
    names = (*known.alerts, *raised)
    if alert.name is not None and alert.name not in names:
        message = f"nothing in the playbook, nor in this test, raises an alert {alert.name!r}"
        yield Finding((*path, "name"), message, closest(alert.name, names))
    if alert.name in known.alerts and alert.name not in raised:  # a foreign alert has its source's own severity
        yield from unknown("severity", alert.severity, known.severities, (*path, "severity"))
        yield from unknown("source", alert.source, known.sources, (*path, "source"))


def _page(page: PageExpected, known: Known, path: Path) -> Iterator[Finding]:
    yield from _told(page, known, path)
    yield from unknown("severity", page.severity, known.severities, (*path, "severity"))


def _approval(approval: ApprovalExpected, known: Known, path: Path) -> Iterator[Finding]:
    yield from _told(approval, known, path)
    yield from step_of(approval.runbook, approval.step, known, path)


def _told(item: PageExpected | ApprovalExpected, known: Known, path: Path) -> Iterator[Finding]:
    match item.who:
        case PersonRef(name=name):
            yield from unknown("person", name, known.people, (*path, "who"))
        case ChannelRef(name=name):
            yield from unknown("channel", name, known.channels, (*path, "who"))
        case _:
            pass
    yield from unknown("channel", item.channel, known.channels, (*path, "channel"))


def _action(action: ActionExpected, known: Known, path: Path) -> Iterator[Finding]:
    yield from step_of(action.runbook, action.step, known, path)


def _message(message: MessageExpected, known: Known, path: Path) -> Iterator[Finding]:
    yield from unknown("channel", message.channel, known.channels, (*path, "channel"))
    yield from unknown("person", message.person, known.people, (*path, "person"))


def _event(event: EventExpected, _known: Known, path: Path) -> Iterator[Finding]:
    model = EVENTS_BY_NAME.get(event.type)
    if model is None:
        message = f"there is no event {event.type!r}"
        yield Finding((*path, "type"), message, closest(event.type, tuple(EVENTS_BY_NAME)))
        return
    names = tuple(model.model_fields)
    for field in event.fields:
        if field.partition(".")[0] not in names:
            message = f"{event.type} has no field {field!r}"
            yield Finding((*path, "with", field), message, closest(field, names), at_key=True)


# `Any`: each row takes an item of its own type.
_ITEMS: Mapping[type[object], Callable[[Any, Known, Path], Iterator[Finding]]] = {
    PageExpected: _page,
    ApprovalExpected: _approval,
    ActionExpected: _action,
    MessageExpected: _message,
    EventExpected: _event,
}
