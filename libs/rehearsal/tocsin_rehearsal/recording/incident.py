"""What belongs to one incident: its log, the alerts it is made of, its playbook, its clocks, commands, dead letters."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tocsin_rehearsal.recording.format import Recorded
from tocsin_rehearsal.recording.streams import Source, StreamReader, stream_info
from tocsin_runtime import Connection
from tocsin_schemas import DeadLettered, EnvelopeError, GroupedAlert, Payload, PlaybookPublished, PlaybookRef
from tocsin_schemas.events import AlertCleared, AlertFired, AlertGrouped, AlertResolved, IncidentOpened
from tocsin_schemas.subjects import ALERTS, alert_subject, incident_filter, playbook_subject

__all__ = ["AlertKey", "incident_sources"]

AlertKey = tuple[str, str]
"""Fingerprint and episode: one firing of one alert."""

_SKEW = timedelta(minutes=5)
"""How much earlier than its condition began an alert may have been published, by clocks that differ."""


@dataclass(slots=True)
class _Incident:
    """What its log says about where it came from."""

    alerts: set[AlertKey] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)
    began: datetime | None = None
    opened: datetime | None = None
    playbook: PlaybookRef | None = None

    def take(self, message: Recorded) -> None:
        match _said(message):
            case IncidentOpened(playbook=playbook):
                self.playbook = playbook
                self.opened = self.opened or message.moment
            case AlertGrouped(alert=alert):
                self._belongs(alert, min(alert.starts_at, message.moment))
            case AlertCleared() as alert:
                self._belongs(alert, min(alert.ends_at, message.moment))

    def _belongs(self, alert: GroupedAlert | AlertCleared, at: datetime) -> None:
        self.alerts.add((alert.fingerprint, alert.episode))
        self.rules.add(alert.rule)
        self.began = min(self.began or at, at)


async def incident_sources(connection: Connection, incident: str, streams: Iterable[str]) -> list[Source]:
    """What to read of each of these streams. Raises ValueError where the log knows no such incident."""
    log = await stream_info(connection, "INCIDENTS")
    found = _Incident()
    empty = True
    async for message in StreamReader(connection, "INCIDENTS", subject=incident_filter(incident)).read(log.last):
        found.take(message)
        empty = False
    if empty:
        raise ValueError(f"there is no incident {incident!r} in the log")
    return [source for name in streams if (source := await _source(connection, name, incident, found)) is not None]


async def _source(connection: Connection, name: str, incident: str, found: _Incident) -> Source | None:
    match name:
        case "INCIDENTS":
            return Source(name, StreamReader(connection, name, subject=incident_filter(incident)))
        case "ALERTS":
            return _alerts(connection, found)
        case "PLAYBOOKS":
            return await _pinned(connection, found.playbook, found.opened) if found.playbook is not None else None
        case "ORDERS":
            return Source(name, StreamReader(connection, name))
        case "DEADLETTERS":
            return Source(name, StreamReader(connection, name), wanted=_letter_about(incident))
        case _:
            return Source(name, StreamReader(connection, name), wanted=_about(incident))


def _alerts(connection: Connection, found: _Incident) -> Source:
    subjects = {alert_subject(rule) for rule in found.rules}
    subject = subjects.pop() if len(subjects) == 1 else ALERTS
    since = None if found.began is None else found.began - _SKEW

    def wanted(message: Recorded) -> bool:
        match _said(message):
            case AlertFired() | AlertResolved() as alert:
                return (alert.fingerprint, alert.episode) in found.alerts
            case _:
                return False

    return Source("ALERTS", StreamReader(connection, "ALERTS", subject=subject, since=since), wanted=wanted)


async def _pinned(connection: Connection, playbook: PlaybookRef, opened: datetime | None) -> Source:
    """The revision's last publication before the incident was opened."""
    subject = playbook_subject(playbook.name)
    last = (await stream_info(connection, "PLAYBOOKS")).last
    texts: list[Recorded] = []
    async for message in StreamReader(connection, "PLAYBOOKS", subject=subject).read(last):
        match _said(message):
            case PlaybookPublished(playbook=ref) if ref == playbook and (opened is None or message.moment <= opened):
                texts = [message]
    return Source("PLAYBOOKS", None, before=texts)


def _about(incident: str) -> Callable[[Recorded], bool]:
    return lambda message: _header(message, "ce-subject") == incident


def _letter_about(incident: str) -> Callable[[Recorded], bool]:
    def wanted(message: Recorded) -> bool:
        match _said(message):
            case DeadLettered(headers=headers):
                return any(name.lower() == "ce-subject" and value == incident for name, value in headers.items())
            case _:
                return False

    return wanted


def _header(message: Recorded, wanted: str) -> str | None:
    return next((value for name, value in message.headers if name.lower() == wanted), None)


def _said(message: Recorded) -> Payload | None:
    try:
        return message.decode().data
    except EnvelopeError:
        return None
