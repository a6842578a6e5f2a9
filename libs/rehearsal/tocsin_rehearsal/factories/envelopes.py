"""Payloads as they travel: in an envelope, under a subject."""

from datetime import datetime
from typing import Any, TypeVar

from tocsin_rehearsal.factories.making import INCIDENT, NOW
from tocsin_schemas import Command, DeadLettered, Envelope, Event, Payload, PlaybookPublished, TimerDue, caused_by
from tocsin_schemas.events import ALERT_EVENTS, ORDER_EVENTS, AlertFired, AlertResolved, IncidentOpened
from tocsin_schemas.ids import derive_id, incident_id
from tocsin_schemas.signals import SamplesPushed
from tocsin_schemas.subjects import (
    alert_subject,
    command_subject,
    deadletter_subject,
    incident_subject,
    metrics_subject,
    order_subject,
    playbook_subject,
    timer_due_subject,
)

__all__ = ["envelope", "subject_of"]

P = TypeVar("P", bound=Payload)


def envelope(
    data: P, *, incident: str | None = None, cause: str | None = None, at: datetime = NOW, sequence: int = 0
) -> Envelope[P]:
    """The message that says this.

    `incident`: the one that it is about; by default what the data says, else `INCIDENT` for an event of an incident.
    `cause`: the id of the message that brought it about; by default one that follows from the data, so that the same
    event in the same incident has the same id, and a stream takes it once. `sequence`: its place in the stream.
    """
    about = _incident_of(data) if incident is None else incident
    because = derive_id("factory", data.type_name(), data.to_json().decode()) if cause is None else cause
    return caused_by(because, 0, _sender_of(data), about, at, data).at(sequence)


def subject_of(message: Envelope[Payload]) -> str:
    """Where this message is published. Raises SubjectError where its incident has a name that no subject may have."""
    match message.data:
        case AlertFired(rule=rule) | AlertResolved(rule=rule):
            return alert_subject(rule)
        case Event() as event if isinstance(event, ORDER_EVENTS):
            return order_subject(type(event))
        case Event() as event:
            return incident_subject(message.incident, type(event))
        case Command() as command:
            return command_subject(type(command))
        case TimerDue(incident=incident, deadline=deadline):
            return timer_due_subject("escalator", incident, deadline)
        case PlaybookPublished(playbook=playbook):
            return playbook_subject(playbook.name)
        case SamplesPushed(source=source):
            return metrics_subject(source)
        case DeadLettered(service=service):
            return deadletter_subject(service)
        case other:
            raise TypeError(f"nothing is known of where {type(other).__name__} is published")


def _incident_of(data: Payload) -> str:
    if isinstance(data, IncidentOpened):
        return incident_id(data.group_key, data.episode)
    if isinstance(data, Event):
        return "" if isinstance(data, (*ALERT_EVENTS, *ORDER_EVENTS)) else INCIDENT
    named: Any = getattr(data, "incident", "")  # Any: commands and clocks have such a field, others have not
    return str(named)


def _sender_of(data: Payload) -> str:
    match data:
        case Event():
            return data.OWNER
        case TimerDue():
            return "escalator"
        case DeadLettered(service=service):
            return service
        case _:
            return "operator"
