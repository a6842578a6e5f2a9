"""Plays a script to a world, which is a nats-server or the model, and writes down what came of it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from broker_facts import CONSUMERS, PHASE, Contents, Names
from broker_script import (
    Answer,
    Append,
    Arm,
    Cancel,
    Count,
    Kill,
    Load,
    Part,
    Phase,
    Publish,
    PublishAll,
    Race,
    Script,
    Step,
    answer,
)

from tocsin_rehearsal.bus.filters import matches
from tocsin_runtime import BusUnavailableError, Delivery, NotYetError, RefusedError
from tocsin_runtime.bus import log
from tocsin_runtime.bus.errors import BusError
from tocsin_runtime.bus.nats_bus import Bus
from tocsin_runtime.topology import ConsumerSpec
from tocsin_schemas import Envelope, Payload, subjects

__all__ = ["History", "World", "play"]

_DOWN = 0.4
_AT_ONCE = 0.25
"""Seconds after which a clock rings that is armed for a moment that has passed."""


class World(Protocol):
    """Where a script is played. `scale`: how much slower than in the script everything happens."""

    scale: float

    async def bus(self) -> Bus:
        """A replica's side of the broker, open."""
        ...

    def begin(self) -> None:
        """The script begins here."""
        ...

    def now(self) -> datetime: ...

    async def until(self, seconds: float) -> None:
        """Wait until so many seconds since the beginning."""
        ...

    async def kill(self) -> None: ...

    async def start(self) -> None: ...

    async def open_of(self, spec: ConsumerSpec) -> tuple[int, int]:
        """How many messages of a consumer were not delivered yet, and how many are in hand."""
        ...

    async def contents(self) -> Contents: ...


@dataclass
class History:
    """What came of a script."""

    results: list[tuple[Step, object]] = field(default_factory=list)
    deliveries: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By consumer and message: the numbers of the deliveries, in their order."""
    followed: list[tuple[int, str]] = field(default_factory=list)
    contents: Contents = field(default_factory=dict)
    rings: dict[str, float] = field(default_factory=dict)
    """When each clock rings, by its name, in the script's seconds."""
    became_idle: bool = False
    began: float = 0.0
    """At which fraction of a second by the broker's clock."""


async def play(script: Script, world: World) -> History:
    """From the beginning until nothing is left to be delivered."""
    player = _Player(script, world)
    await player.begin()
    try:
        await player.perform()
        return await player.end()
    finally:
        await player.close()


class _Player:
    def __init__(self, script: Script, world: World) -> None:
        self._script, self._world = script, world
        self._history = History()
        self._written: list[tuple[str, int]] = []
        self._buses: list[Bus] = []
        self._parts: list[Any] = []  # workers and followers
        self._phase = 0.0
        self._refusals = 1
        self._names = Names()
        self._told: dict[int, Delivery[Payload]] = {}

    # --- readers ------------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        self._buses = [await self._world.bus() for _ in range(2)]
        for bus in self._buses:
            for spec in CONSUMERS:
                short = replace(spec, ack_wait=spec.ack_wait * self._world.scale)
                self._parts.append(bus.consumer(short, self._handler(spec.name)))
        self._parts.append(self._buses[1].follower("INCIDENTS", (subjects.INCIDENTS,), self._on_events))
        for part in self._parts:
            await part.start()
        self._world.begin()
        self._history.began = self._world.now().microsecond / 1e6

    def _handler(self, consumer: str) -> Any:  # a Handler
        async def handle(batch: Sequence[Delivery[Payload]]) -> None:
            for delivery in batch:
                if id(delivery) not in self._told:  # of a batch that failed each is told again
                    self._told[id(delivery)] = delivery
                    name = self._names.of(delivery.envelope.id)
                    self._history.deliveries[f"{consumer} {name}"].append(delivery.position.deliveries)
            answers = [
                answer(self._script.seed, consumer, self._names.of(each.envelope.id), each.position.deliveries)
                for each in batch
            ]
            if len(batch) > 1 and any(each.kind == "fail" for each in answers):
                raise ValueError("the batch fails")
            for delivery, given in zip(batch, answers, strict=True):
                await self._give(delivery, given, alone=consumer != "d-alerts")

        return handle

    async def _give(self, delivery: Delivery[Payload], given: Answer, *, alone: bool) -> None:
        scale = self._world.scale
        match given.kind:
            case "silent":
                delivery.settled = True  # so that the runtime says nothing either
            case "nak":
                await delivery.retry_in(given.seconds * scale)
            case "term":
                await delivery.terminate()
            case "work" if alone:
                await asyncio.sleep(given.seconds * scale)
                await delivery.ack()
            case "fail":
                raise ValueError("it fails")
            case "refuse" if alone:
                raise RefusedError("no")
            case "later" if alone:
                raise NotYetError(given.seconds * scale, "not yet")
            case "unreachable" if alone:
                raise BusUnavailableError("it says")
            case _:
                await delivery.ack()

    async def _on_events(self, events: Sequence[Envelope[Payload]]) -> None:
        if self._refusals:
            self._refusals -= 1
            raise BusUnavailableError("once")
        self._history.followed.extend((event.sequence, self._names.of(event.id)) for event in events)

    # --- steps --------------------------------------------------------------------------------------------------------

    async def perform(self) -> None:
        for step in self._script.steps:
            self._history.results.append((step, await self._outcome(self._do(step))))

    async def _do(self, step: Step) -> object:
        match step:
            case Phase():
                self._phase += PHASE
                return await self._world.until(self._phase * self._world.scale)
            case Kill():
                return await self._kill(step)
            case Race():
                return await self._race(step)
            case Arm():
                return await self._arm(step)
            case Cancel():
                return await self._buses[0].timers.cancel(step.incident, step.deadline)
            case Count():
                return await self._buses[0].timers.armed()
            case _:
                return await self._ask(step)()

    def _ask(self, step: Publish | PublishAll | Append | Load) -> Any:  # what does it, on what is known now
        bus = self._buses[0]
        match step:
            case Publish():
                return partial(self._publish, step, self._expectation(step))
            case PublishAll():
                return partial(self._publish_all, step)
            case Append():
                return partial(self._append, bus, [self._append_of(part) for part in step.parts])
            case Load():
                return partial(self._load, step)

    async def _kill(self, step: Kill) -> object:
        asked = [self._ask(each) for each in step.meanwhile]
        await self._world.kill()
        tasks = [asyncio.create_task(self._outcome(ask())) for ask in asked]
        await asyncio.sleep(_DOWN)
        await self._world.start()
        outcomes = list(await asyncio.gather(*tasks))
        self._phase += 2 * PHASE
        await self._world.until(self._phase * self._world.scale)
        return outcomes

    async def _arm(self, step: Arm) -> object:
        due = self._world.now() + timedelta(seconds=step.due * self._world.scale)
        name = self._names.armed(step.incident, step.deadline, due)
        self._history.rings[name] = self._phase + max(step.due, _AT_ONCE)
        return await self._buses[0].timers.arm(step.incident, step.deadline, due)

    async def _race(self, step: Race) -> object:
        made = [self._append_of(part) for part in (step.left, step.right)]
        racers = [self._outcome(self._append(bus, [append])) for bus, append in zip(self._buses, made, strict=True)]
        return sorted(map(str, await asyncio.gather(*racers)))

    async def _publish(self, step: Publish, expect: dict[str, str]) -> object:
        connection = self._buses[0].connection
        written = await connection.publish(step.subject, self._names.fact(step.cause), expect=expect)
        if not written.duplicate:
            self._written.append((step.subject, written.sequence))
        return written.sequence, written.duplicate

    async def _publish_all(self, step: PublishAll) -> object:
        messages = [(subject, self._names.fact(cause)) for subject, cause in step.messages]
        places = await self._buses[0].connection.publish_all(messages)
        self._written.extend((subject, place) for (subject, _), place in zip(step.messages, places, strict=True))
        return places

    async def _append(self, bus: Bus, appends: Sequence[log.Append]) -> object:
        stored = await bus.incidents.append(appends)
        for append, events in zip(appends, stored, strict=True):
            for event in events:
                self._written.append((subjects.incident_subject(append.incident, type(event.data)), event.sequence))
        return [[event.sequence for event in events] for events in stored]

    async def _load(self, step: Load) -> object:
        found = await self._buses[0].incidents.load(step.incident, after=step.after, service=step.service)
        return [(event.sequence, event.type) for event in found]

    # --- expectations -------------------------------------------------------------------------------------------------

    def _append_of(self, part: Part) -> log.Append:
        events = tuple(self._names.fact(cause, part.incident, part.by) for cause in part.causes)
        scope = {
            "all": subjects.incident_filter(part.incident),
            "own": subjects.service_log_filter(part.incident, part.by),
            "subject": subjects.incident_subject(part.incident, type(events[0].data)),
        }[part.scope]
        return log.Append(part.incident, events, self._expected(part.expect, scope), scope)

    def _expectation(self, step: Publish) -> dict[str, str]:
        if step.expect == "none":
            return {}
        scope = step.scope or step.subject
        headers = {"Nats-Expected-Last-Subject-Sequence": str(self._expected(step.expect, scope))}
        return {**headers, "Nats-Expected-Last-Subject-Sequence-Subject": scope} if step.scope else headers

    def _expected(self, expect: str, scope: str) -> int:
        if expect == "zero":
            return 0
        under = [place for subject, place in self._written if matches(scope.split("."), subject.split("."))]
        return max(under, default=0) if expect == "right" else max(under, default=0) + 3

    async def _outcome(self, asked: Awaitable[object]) -> object:
        try:
            return await asked
        except BusError as error:
            return type(error).__name__

    # --- the end ------------------------------------------------------------------------------------------------------

    async def end(self) -> History:
        history = self._history
        await self._world.until((self._phase + 1.5 * PHASE) * self._world.scale)
        for _ in range(150):
            if all([await self._world.open_of(spec) == (0, 0) for spec in CONSUMERS]):
                history.became_idle = True
                break
            await asyncio.sleep(0.2 * self._world.scale)
        contents = await self._world.contents()
        for stream, messages in contents.items():
            history.contents[stream] = [(place, subject, self._names.of(found)) for place, subject, found in messages]
        return history

    async def close(self) -> None:
        await asyncio.gather(*(part.stop() for part in self._parts))
        await asyncio.gather(*(bus.close() for bus in self._buses))
