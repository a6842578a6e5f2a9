"""The contract between Tocsin's services: what is said, how it is wrapped, where it is published.

`events` holds the facts, `commands` what may be asked for, `signals` the rest; `envelope` is CloudEvents over
NATS, `subjects` builds and reads subjects, `ids` derives every id from its cause.
"""

from tocsin_schemas.commands import COMMANDS
from tocsin_schemas.envelope import PAYLOADS, Envelope, EnvelopeError, caused_by, decode, encode
from tocsin_schemas.events import ALERT_EVENTS, EVENTS, INCIDENT_EVENTS, ORDER_EVENTS
from tocsin_schemas.labels import Labels
from tocsin_schemas.parts import Actor, DeadlineKind, GroupedAlert, Impact, PlaybookRef, Role, RunbookOutcome
from tocsin_schemas.payload import Command, Event, Payload
from tocsin_schemas.signals import SIGNALS, DeadLettered, PlaybookPublished, SamplesPushed, TimerDue

__all__ = [
    "ALERT_EVENTS",
    "COMMANDS",
    "EVENTS",
    "INCIDENT_EVENTS",
    "ORDER_EVENTS",
    "PAYLOADS",
    "SIGNALS",
    "Actor",
    "Command",
    "DeadLettered",
    "DeadlineKind",
    "Envelope",
    "EnvelopeError",
    "Event",
    "GroupedAlert",
    "Impact",
    "Labels",
    "Payload",
    "PlaybookPublished",
    "PlaybookRef",
    "Role",
    "RunbookOutcome",
    "SamplesPushed",
    "TimerDue",
    "caused_by",
    "decode",
    "encode",
]
