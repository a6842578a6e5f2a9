"""The escalator's handlers on a real log of incidents, without consumers: inputs are handed over, time is moved."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from escalator_world import START
from nats.aio.msg import Msg

from tocsin_escalator.adapters.alarms import Alarms
from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.adapters.index import IncidentIndex
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_escalator.after_outage import AfterOutage
from tocsin_escalator.audit import Audit
from tocsin_escalator.core.fold import EscalatorFold
from tocsin_escalator.half_written import HalfWritten
from tocsin_escalator.handlers import Handlers
from tocsin_escalator.orders import OrderHandlers
from tocsin_playbook import Playbook, load
from tocsin_runtime import BusUnavailableError, Connection, Decider, Delivery
from tocsin_runtime.bus.delivery import Position
from tocsin_runtime.bus.follow import Follower, OnEvents
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import UnknownPlaybookError
from tocsin_schemas import Command, Envelope, Event, Payload, PlaybookRef, TimerDue, caused_by
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import ORDERS

EVERY = timedelta(seconds=60)
ALL_CLOCKS = timedelta(days=1)
"""As if audits were so rare that every clock must be set at once: tests need not wait for them."""


class MovableClock:
    """A clock that stands until a test moves it."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class ShelvedPlaybooks:
    """The published playbooks, as a test says."""

    def __init__(self, *texts: str) -> None:
        self._all: dict[PlaybookRef, Playbook] = {}
        self._heads: dict[str, PlaybookRef] = {}
        for text in texts:
            self.publish(text)

    def publish(self, text: str) -> PlaybookRef:
        loaded = load(text)
        ref = PlaybookRef(name=loaded.playbook.metadata.name, revision=loaded.revision)
        self._all[ref] = loaded.playbook
        self._heads[ref.name] = ref
        return ref

    def forget(self, ref: PlaybookRef) -> None:
        del self._all[ref]

    def heads(self) -> dict[str, PlaybookRef]:
        return dict(sorted(self._heads.items()))

    def head(self, name: str) -> PlaybookRef | None:
        return self._heads.get(name)

    def get(self, ref: PlaybookRef) -> Playbook:
        if ref not in self._all:
            raise UnknownPlaybookError(ref.name)
        return self._all[ref]


@dataclass
class AlarmShelf:
    """Alarm clocks that are set and never ring by themselves; `broken` says that they cannot be set."""

    armed: dict[tuple[str, str], datetime] = field(default_factory=dict)
    broken: bool = False

    async def arm(self, incident: str, deadline: str, due_at: datetime) -> None:
        if self.broken:
            raise BusUnavailableError("no answer")
        self.armed[incident, deadline] = due_at


class Answers:
    """Takes what a delivery answers to the server."""

    def __init__(self) -> None:
        self.said: list[bytes] = []

    async def publish(self, subject: str, answer: bytes) -> None:
        self.said.append(answer)


class Shell:
    """One replica: its own memory, the shared log."""

    def __init__(
        self,
        connection: Connection,
        playbooks: ShelvedPlaybooks,
        clock: MovableClock,
        every: timedelta = ALL_CLOCKS,
    ) -> None:
        self.log = IncidentLog(connection)
        self.clock, self.playbooks, self.shelf = clock, playbooks, AlarmShelf()
        alarms = Alarms(self.shelf)  # type: ignore[arg-type]  # a double of Timers
        self.connection = connection
        self.orders = Orders(self._following)
        rulebooks = Rulebooks(playbooks, self.orders)  # type: ignore[arg-type]  # a double of Playbooks
        explanations = Explanations(rulebooks)
        self.index = IncidentIndex(explanations)
        self.decider = Decider(
            log=self.log, service="escalator", fold=EscalatorFold(), clock=clock, elsewhere=self.index.known
        )
        waits = HalfWritten(clock), AfterOutage(clock)
        self.handlers = Handlers(self.decider, rulebooks, self.index, explanations, alarms, clock, every, *waits)
        self.order_handlers = OrderHandlers(self.orders, connection, self.handlers)
        self.audit = Audit(self.handlers, self.order_handlers, EVERY)
        self._sequence = 0

    async def handle(self, *data: Payload, tries: int = 1, age: float = 0.0, name: str = "") -> list[float | None]:
        """Hand these over in one batch; for each the seconds after which it wants to be asked again, or none."""
        return await self.deliver([self.envelope(each, age=age, name=name) for each in data], tries=tries)

    async def deliver(self, envelopes: Sequence[Envelope[Payload]], *, tries: int = 1) -> list[float | None]:
        answers = [Answers() for _ in envelopes]
        inputs = [self._delivery(each, answer, tries) for each, answer in zip(envelopes, answers, strict=True)]
        first = envelopes[0].data
        if isinstance(first, TimerDue):
            await self.handlers.on_timers(inputs)
        elif isinstance(first, Command):
            await self.order_handlers.on_commands(inputs)
        elif isinstance(first, Event) and first.OWNER == "detector":
            await self.handlers.on_alerts(inputs)
        else:
            await self.handlers.on_outcomes(inputs)
        return [_seconds(answer.said) for answer in answers]

    def envelope(self, data: Payload, *, age: float = 0.0, incident: str = "", name: str = "") -> Envelope[Payload]:
        self._sequence += 1
        cause = derive_id("test", name or f"{id(self)}-{self._sequence}")
        return caused_by(cause, 0, "test", incident, self.clock.now() - timedelta(seconds=age), data)

    async def ring(self, *, tries: int = 1) -> list[float | None]:
        """Every clock that is set and due rings."""
        due = [(at, *key) for key, at in self.shelf.armed.items() if at <= self.clock.now()]
        for _, incident, deadline in due:
            del self.shelf.armed[incident, deadline]
        timers = [TimerDue(incident=incident, deadline=deadline, due_at=at) for at, incident, deadline in sorted(due)]
        return await self.handle(*timers, tries=tries) if timers else []

    async def events(self, incident: str) -> list[Event]:
        return [envelope.data for envelope in await self.log.load(incident)]

    async def said(self, incident: str) -> list[str]:
        return [type(event).__name__ for event in await self.events(incident)]

    async def follow(self, *incidents: str) -> None:
        """Let the index catch up."""
        read = [envelope for incident in incidents for envelope in await self.log.load(incident)]
        await self.index.on_events(sorted(read, key=lambda each: each.sequence))

    async def follow_orders(self) -> list[Event]:
        """Let the standing orders catch up; the answer is all of them."""
        follower = self._following("ORDERS", (ORDERS,), self.orders._on_events)
        await follower.start()
        await asyncio.wait_for(follower.caught_up.wait(), 10)
        await follower.stop()
        return [envelope.data for envelope in self.orders.history()]

    def _following(self, stream: str, filters: tuple[str, ...], on_events: OnEvents) -> Follower:
        return Follower(self.connection, stream, filters, on_events, service="test")

    def _delivery(self, envelope: Envelope[Payload], answers: Answers, tries: int) -> Delivery[Payload]:
        self._sequence += 1
        message = Msg(_client=answers, subject="s", reply="r")  # type: ignore[arg-type]  # a double of the client
        return Delivery(envelope, "s", Position("S", self._sequence, tries), message)


def _seconds(said: list[bytes]) -> float | None:
    if not said:
        return None
    (answer,) = said
    assert answer.startswith(b'-NAK {"delay": ')
    return int(answer.removeprefix(b'-NAK {"delay": ').rstrip(b"}")) / 1e9
