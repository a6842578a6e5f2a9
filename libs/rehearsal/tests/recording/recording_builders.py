"""Messages and doubles for the tests of recording and replay."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tocsin_playbook import revision_of
from tocsin_rehearsal.recording import Recorded
from tocsin_runtime import Address, Connection
from tocsin_schemas import (
    Actor,
    Command,
    Envelope,
    Event,
    GroupedAlert,
    Labels,
    Payload,
    PlaybookPublished,
    PlaybookRef,
    caused_by,
    encode,
)  # fmt: skip
from tocsin_schemas.events import AlertFired, AlertGrouped, IncidentOpened, NoteAdded
from tocsin_schemas.ids import alert_episode, fingerprint
from tocsin_schemas.moments import format_moment
from tocsin_schemas.subjects import alert_subject, command_subject, incident_subject, order_subject, playbook_subject
from tocsin_testkit.nats import NatsServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ADA = Actor.person("ada", "cli")
SHOP = PlaybookRef(name="shop", revision="0" * 12)

Message = tuple[str, Envelope[Payload]]


class StillClock:
    """Time that passes only while somebody sleeps, and says how long that was."""

    def __init__(self, now: datetime = NOW) -> None:
        self._start = self._now = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self._now += timedelta(seconds=seconds)
        await asyncio.sleep(0.001)  # whoever waits for the network gets a turn


def connected(server: NatsServer, clock: StillClock | None = None) -> Connection:
    """Use it with `async with`."""
    return Connection(Address(server.url), "operator", clock=clock)


def labels(service: str = "checkout", rule: str = "Errors") -> Labels:
    return Labels(alertname=rule, service=service)


def fired(service: str = "checkout", *, at: datetime = NOW, cause: str = "a", rule: str = "Errors") -> Message:
    """An alert of this service; its firing is named after the moment."""
    mark = fingerprint(labels(service, rule))
    alert = AlertFired(
        fingerprint=mark,
        episode=alert_episode(mark, format_moment(at)),
        rule=rule,
        labels=labels(service, rule),
        source="prometheus",
        starts_at=at - 3 * SECOND,
        expires_at=at + 60 * SECOND,
    )
    return alert_subject(rule), caused_by(cause, 0, "detector", "", at, alert)


def grouped(alert: Message, incident: str, *, cause: str = "") -> Message:
    """The alert belongs to this incident."""
    data = alert[1].data
    assert isinstance(data, AlertFired)
    part = GroupedAlert(
        fingerprint=data.fingerprint, episode=data.episode, rule=data.rule, labels=data.labels, starts_at=data.starts_at
    )
    return stated(AlertGrouped(alert=part), incident, cause=cause or alert[1].id)


def opened(incident: str = "inc1", *, group: str = "g", at: datetime = NOW, playbook: PlaybookRef = SHOP) -> Message:
    event = IncidentOpened(
        group_key=group, episode=0, title="Errors", severity="P1", labels=labels(), playbook=playbook, started_at=at
    )
    return stated(event, incident, at=at)


def stated(event: Event, incident: str = "inc1", *, at: datetime = NOW, cause: str = "c", position: int = 0) -> Message:
    """A fact in the log."""
    return incident_subject(incident, type(event)), caused_by(cause, position, event.OWNER, incident, at, event)


def note(text: str, incident: str = "inc1", *, at: datetime = NOW, cause: str = "c") -> Message:
    return stated(NoteAdded(text=text, by=ADA), incident, at=at, cause=cause)


def asked(command: Command, incident: str = "inc1", *, at: datetime = NOW, cause: str = "ask") -> Message:
    return command_subject(type(command)), caused_by(cause, 0, "cli", incident, at, command)


def ordered(event: Event, *, at: datetime = NOW, cause: str = "order") -> Message:
    """The answer to a standing order."""
    return order_subject(type(event)), caused_by(cause, 0, event.OWNER, "", at, event)


def playbook_text(name: str = "shop", more: str = "") -> str:
    return (
        f"apiVersion: tocsin/v1\nkind: Playbook\nmetadata:\n  name: {name}\nseverities:\n  - name: P1\n"
        f"communicate:\n  channels: [{{name: term, console: {{}}}}]\n{more}"
    )


def published(text: str = "", *, name: str = "shop", at: datetime = NOW) -> Message:
    whole = text or playbook_text(name)
    ref = PlaybookRef(name=name, revision=revision_of(whole))
    event = PlaybookPublished(playbook=ref, text=whole)
    return playbook_subject(name), caused_by(ref.revision, 0, "playbook", "", at, event)


STREAMS: Mapping[str, str] = {
    "alerts": "ALERTS", "incidents": "INCIDENTS", "commands": "COMMANDS", "playbooks": "PLAYBOOKS", "timers": "TIMERS",
    "deadletters": "DEADLETTERS", "orders": "ORDERS",
}  # fmt: skip


def recorded(*messages: Message, first: int = 1) -> list[Recorded]:
    """The messages as they stand in their streams; the server's time is that of the message."""
    found = []
    for number, (subject, envelope) in enumerate(messages, first):
        headers, body = encode(envelope)
        time = format_moment(envelope.time).replace("Z", f"{number % 1000:03d}Z")
        stream = STREAMS[subject.split(".")[1]]
        found.append(Recorded(stream, number, time, subject, tuple(headers.items()), body))
    return found


def events(*messages: Message) -> list[Envelope[Event]]:
    found = []
    for number, (_, envelope) in enumerate(messages, 1):
        assert isinstance(envelope.data, Event)
        found.append(envelope.at(number))
    return found  # type: ignore[return-value]  # checked above
