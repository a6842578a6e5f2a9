"""The subjects of NATS: builders, parsers and nothing else that makes one.

The subject is the permission: a service may publish only where its name stands. So every token is made by us;
a label, a name or an id from outside never becomes part of a subject (`*`, `>`, `.` and space have meanings).
"""

import hashlib
import re
from dataclasses import dataclass

from tocsin_schemas.payload import Command, Event

__all__ = [
    "ALERTS",
    "ALERT_SHARDS",
    "COMMANDS",
    "DEADLETTERS",
    "INCIDENTS",
    "METRICS",
    "ORDERS",
    "PLAYBOOKS",
    "TIMERS_AT",
    "TIMERS_DUE",
    "IncidentSubject",
    "SubjectError",
    "alert_shard",
    "alert_subject",
    "command_subject",
    "deadletter_subject",
    "incident_filter",
    "incident_subject",
    "metrics_subject",
    "order_subject",
    "parse_incident_subject",
    "playbook_subject",
    "service_log_filter",
    "timer_at_subject",
    "timer_due_subject",
]

ROOT = "tocsin"
METRICS = f"{ROOT}.metrics.>"
ALERTS = f"{ROOT}.alerts.*"
INCIDENTS = f"{ROOT}.incidents.*.*.*"
COMMANDS = f"{ROOT}.commands.*.*"
TIMERS_AT = f"{ROOT}.timers.at.*.*"
TIMERS_DUE = f"{ROOT}.timers.due.*.*"
DEADLETTERS = f"{ROOT}.deadletters.*"
PLAYBOOKS = f"{ROOT}.playbooks.*"
ORDERS = f"{ROOT}.orders.*.*"

ALERT_SHARDS = 64

_TOKEN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class SubjectError(ValueError):
    """Something that may not stand in a subject, or a subject that is not one of ours."""


def _token(value: str, what: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise SubjectError(f"{what} {value[:80]!r} cannot be a token of a subject ({_TOKEN.pattern})")
    return value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def metrics_subject(source: str) -> str:
    """Where samples of this source are pushed. The name is hashed: it is the user's."""
    return f"{ROOT}.metrics.{_digest(source)}"


def alert_shard(rule: str) -> int:
    """Which of the 64 shards the alerts of this rule are in. Alerts that are grouped together mostly share a rule."""
    return int.from_bytes(hashlib.sha256(rule.encode()).digest()[:4], "big") % ALERT_SHARDS


def alert_subject(rule: str) -> str:
    """Where alert events of this rule are published."""
    return f"{ROOT}.alerts.{alert_shard(rule)}"


def incident_subject(incident: str, event: type[Event]) -> str:
    """Where this fact about this incident is written."""
    return f"{ROOT}.incidents.{_token(incident, 'incident')}.{event.OWNER}.{event.SLUG}"


def incident_filter(incident: str) -> str:
    """Everything about one incident."""
    return f"{ROOT}.incidents.{_token(incident, 'incident')}.>"


def service_log_filter(incident: str, service: str) -> str:
    """What one service has said about one incident."""
    return f"{ROOT}.incidents.{_token(incident, 'incident')}.{_token(service, 'service')}.>"


def command_subject(command: type[Command]) -> str:
    """Where this command is sent."""
    return f"{ROOT}.commands.{command.OWNER}.{command.SLUG}"


def order_subject(event: type[Event]) -> str:
    """Where this standing order, which belongs to no incident, is written."""
    return f"{ROOT}.orders.{event.OWNER}.{event.SLUG}"


def timer_at_subject(service: str, incident: str, deadline: str) -> str:
    """Where an alarm clock stands until it rings: one subject, one clock."""
    return f"{ROOT}.timers.at.{_token(service, 'service')}.{_timer_key(incident, deadline)}"


def timer_due_subject(service: str, incident: str, deadline: str) -> str:
    """Where an alarm clock rings."""
    return f"{ROOT}.timers.due.{_token(service, 'service')}.{_timer_key(incident, deadline)}"


def _timer_key(incident: str, deadline: str) -> str:
    return f"{_token(incident, 'incident')}-{_digest(deadline)}"


def playbook_subject(name: str) -> str:
    """Where the texts of this playbook are published. The name is hashed: it is the user's."""
    return f"{ROOT}.playbooks.{_digest(name)}"


def deadletter_subject(service: str) -> str:
    """Where this service parks what it could not handle."""
    return f"{ROOT}.deadletters.{_token(service, 'service')}"


@dataclass(frozen=True, slots=True)
class IncidentSubject:
    """What the subject of an incident's event says."""

    incident: str
    service: str
    token: str


def parse_incident_subject(subject: str) -> IncidentSubject:
    """Read a subject that `incident_subject` made. Raises SubjectError for any other."""
    match subject.split("."):
        case [root, "incidents", incident, service, token] if root == ROOT:
            return IncidentSubject(_token(incident, "incident"), _token(service, "service"), _token(token, "event"))
        case _:
            raise SubjectError(f"{subject[:120]!r} is not the subject of an incident's event")
