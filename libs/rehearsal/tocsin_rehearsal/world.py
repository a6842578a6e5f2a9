"""A virtual world: the real services over modelled outsides, in one thread, under a virtual clock.

    world = World([playbook_text])
    world.feed("shop", {'checkout_errors_total{code="500"}': "0+10x40"}, every=timedelta(seconds=15))
    world.run_until(timedelta(minutes=10))
    world.pages

Nothing in it is random, but for the faults it is given; the same calls give the same log, ids included.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from tocsin_playbook import Loaded, Playbook, PlaybookError, lint_loaded
from tocsin_recorder.core.summary import Summary
from tocsin_rehearsal.bus.broker import Broker
from tocsin_rehearsal.bus.faults import Calm, Faults
from tocsin_rehearsal.bus.streams import ToWrite
from tocsin_rehearsal.loop import Life, VirtualLoop
from tocsin_rehearsal.outside.leases import SharedLeases
from tocsin_rehearsal.outside.metrics import Metrics
from tocsin_rehearsal.outside.receivers import Inbox, Sent
from tocsin_rehearsal.outside.senders import ForeignAlert, Senders
from tocsin_rehearsal.outside.web import Call, Web
from tocsin_rehearsal.replicas import SERVICES, Replica, settings_for
from tocsin_rehearsal.time import VirtualClock
from tocsin_rehearsal.views import Action, Line, actions_in, incidents_in, timeline_of
from tocsin_rehearsal.wiring import Outside, wired
from tocsin_runtime.playbooks import loaded
from tocsin_schemas import Command, Envelope, Event, Payload, PlaybookPublished, PlaybookRef, caused_by
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import command_subject, playbook_subject

__all__ = ["MONDAY", "ServiceDiedError", "World"]

MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When a world begins that is not told otherwise: a Monday morning."""


class ServiceDiedError(RuntimeError):
    """A service ended by an exception that nobody expected: a bug of ours."""


class World:
    """All of it. Moments are spans since the start."""

    def __init__(
        self,
        playbooks: Iterable[str],
        *,
        start: datetime = MONDAY,
        replicas: int = 1,
        faults: Faults | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        leave_out: Sequence[str] = (),
    ) -> None:
        """`settings`: by service, what is not as it is by default. Raises PlaybookError where a playbook has errors."""
        self.start = start
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, start)
        self.broker = Broker(self.loop, self.clock, faults or Calm())
        self.web, self.inbox, self.metrics = Web(), Inbox(), Metrics(self.clock)
        self.playbooks: list[Playbook] = []
        self._count = 0
        self.replicas: dict[str, Replica] = {}
        self.leases = SharedLeases(self.clock)
        outside = Outside(self.web, self.inbox, self.metrics, self.leases)
        for service in SERVICES:
            if service in leave_out:
                continue
            given = settings_for(service, tuple((settings or {}).get(service, {}).items()))
            for number in range(1, replicas + 1):
                name = f"{service}-{number}"
                clock = VirtualClock(self.loop, start)
                build = _building(service, outside, clock)
                self.replicas[name] = Replica(name, service, given, build, clock)
        self._senders = Senders(self.loop, self._detectors)
        for text in playbooks:
            self.publish(text)
        for replica in self.replicas.values():
            replica.start(self.loop, self.broker)
        self.run_until(timedelta(0))

    # --- time ---------------------------------------------------------------------------------------------------------

    @property
    def elapsed(self) -> timedelta:
        return timedelta(seconds=self.loop.time())

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def at(self, moment: timedelta, call: Callable[[], object]) -> None:
        """Do this at that moment, before anything else that happens then."""
        self.loop.call_at(moment.total_seconds(), call)

    def run_until(self, moment: timedelta) -> None:
        """Let time pass. Raises ServiceDiedError where a service ended by itself."""
        self.loop.run_until(moment.total_seconds())
        self.check()

    def run_for(self, span: timedelta) -> None:
        self.run_until(self.elapsed + span)

    def check(self) -> None:
        """Raises ServiceDiedError where a service ended by itself."""
        for replica in self.replicas.values():
            if (error := replica.problem()) is not None:
                raise ServiceDiedError(f"{replica.name} has died: {error!r}") from error

    # --- what comes in ------------------------------------------------------------------------------------------------

    def publish(self, text: str) -> PlaybookRef:
        """Put a playbook in force. Raises PlaybookError."""
        checked = _checked(text)
        ref = PlaybookRef(name=checked.playbook.metadata.name, revision=checked.revision)
        self.playbooks.append(checked.playbook)
        published = PlaybookPublished(playbook=ref, text=text)
        self._write(playbook_subject(ref.name), derive_id("playbook", ref.name, ref.revision), "", published)
        return ref

    def feed(self, source: str, series: Mapping[str, str], *, every: timedelta = timedelta(seconds=15)) -> None:
        """What a source shows from now on, in promtool's notation. Raises NotationError."""
        self.metrics.feed(source, series, every)

    def alert(
        self,
        labels: Mapping[str, str],
        *,
        annotations: Mapping[str, str] | None = None,
        lasts: timedelta | None = None,
        generator_url: str = "",
    ) -> ForeignAlert:
        """Another system posts an alert, now, and again every minute until it ends: after `lasts`, or by `clear`."""
        sent = ForeignAlert(dict(labels), dict(annotations or {}), self.now, generator_url)
        self._senders.begin(sent)
        if lasts is not None:
            self.at(self.elapsed + lasts, lambda: self.clear(sent))
        return sent

    def clear(self, alert: ForeignAlert) -> None:
        """The other system says that it is over."""
        self._senders.end(alert, self.now)

    def command(self, command: Command, *, by: str = "operator") -> str:
        """What an operator asks for; the answer is the command's id."""
        self._count += 1
        cause = derive_id("asked", by, str(self._count))
        incident = str(getattr(command, "incident", ""))
        return self._write(command_subject(type(command)), cause, incident, command)

    def _write(self, subject: str, cause: str, incident: str, data: Payload) -> str:
        envelope = caused_by(cause, 0, "operator", incident, self.now, data)
        self.send(subject, envelope)
        return envelope.id

    def send(self, subject: str, envelope: Envelope[Payload]) -> None:
        """Publish this message as it is, now; while the broker is away or full, again and again until it is taken."""
        message = ToWrite(subject, envelope, envelope.id)

        def write() -> None:
            if self.broker.is_up and not self.broker.stream_of(subject).is_full:
                self.broker.write([message])
            else:
                self.loop.call_later(1.0, write)

        self.loop.call_soon(write)

    # --- failures -----------------------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """kill -9 of a replica (`escalator-1`), of all of a service (`escalator`), or of the broker (`nats`)."""
        if name == "nats":
            self.broker.kill()
            return
        for replica in self._named(name):
            replica.kill(self.loop)

    def restart(self, name: str) -> None:
        """Start what was killed."""
        if name == "nats":
            self.loop.call_soon(self.broker.start)
            return
        for replica in self._named(name):
            replica.start(self.loop, self.broker)

    def _named(self, name: str) -> list[Replica]:
        found = [replica for replica in self.replicas.values() if name in (replica.name, replica.service)]
        if not found:
            raise LookupError(f"there is no {name}; there are {', '.join((*self.replicas, 'nats'))}")
        return found

    def _detectors(self) -> list[Replica]:
        return [replica for replica in self.replicas.values() if replica.service == "detector" and replica.is_up]

    # --- what came of it ----------------------------------------------------------------------------------------------

    @property
    def log(self) -> list[Envelope[Event]]:
        """Every event of the log of incidents, in its order."""
        return [cast(Envelope[Event], stored.envelope) for stored in self.broker.streams["INCIDENTS"].after(0)]

    @property
    def orders(self) -> list[Envelope[Event]]:
        """Every answer to a silence, an override, or their end."""
        return [cast(Envelope[Event], stored.envelope) for stored in self.broker.streams["ORDERS"].after(0)]

    @property
    def alerts(self) -> list[Envelope[Payload]]:
        """Every alert event, in the order of the stream."""
        return [stored.envelope for stored in self.broker.streams["ALERTS"].after(0)]

    @property
    def dead_letters(self) -> list[Envelope[Payload]]:
        return [stored.envelope for stored in self.broker.streams["DEADLETTERS"].after(0)]

    @property
    def messages(self) -> list[Sent]:
        """Every message that arrived, in the order of arrival."""
        return self.inbox.arrived

    @property
    def pages(self) -> list[Sent]:
        """Those that ask somebody to take an incident on."""
        return [sent for sent in self.inbox.arrived if sent.notification == "page"]

    @property
    def approvals(self) -> list[Sent]:
        """Those that ask somebody to approve an action."""
        return [sent for sent in self.inbox.arrived if sent.notification == "approval"]

    @property
    def calls(self) -> list[Call]:
        """Every request that reached a target."""
        return self.web.calls

    @property
    def timeline(self) -> list[Line]:
        """Every event of the log in words, as `1m30s Paged grace (level 2): nobody has answered yet`."""
        return timeline_of(self.log, self.start)

    @property
    def incidents(self) -> list[Summary]:
        """Every incident as it stands now, in the order in which they were opened."""
        return incidents_in(self.log)

    @property
    def actions(self) -> list[Action]:
        """Every action of a runbook, and what became of it, in the order in which they were proposed."""
        return actions_in(self.log, self.start)

    def close(self) -> None:
        """Drop it all."""
        self.loop.close()


@lru_cache(maxsize=64)
def _checked(text: str) -> Loaded:
    """As `load_checked`. Thousands of worlds have the same playbook, and its services read it once more."""
    read = loaded(text)
    if errors := [problem for problem in lint_loaded(read) if problem.level == "error"]:
        raise PlaybookError(errors)
    return read


def _building(service: str, outside: Outside, clock: VirtualClock) -> Callable[[Life], Callable[[Any], None]]:
    return lambda life: wired(service, outside, life, clock)
