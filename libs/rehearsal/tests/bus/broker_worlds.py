"""The two worlds that scripts are played to: an embedded nats-server, and the model in virtual time."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.parser import Parser
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from broker_facts import Contents, streams

from tocsin_rehearsal.bus.broker import Broker
from tocsin_rehearsal.bus.faults import Calm
from tocsin_rehearsal.bus.link import ModelBus
from tocsin_rehearsal.loop import Life, VirtualLoop
from tocsin_rehearsal.time import VirtualClock
from tocsin_runtime import Address, BusUnavailableError, Connection, ServiceSettings, SystemClock, load_settings
from tocsin_runtime.bus.nats_bus import Bus, NatsBus
from tocsin_runtime.bus.provision import stream_config
from tocsin_runtime.topology import ConsumerSpec
from tocsin_testkit.nats import NatsServer

__all__ = ["Forgetful", "ModelWorld", "ServerWorld", "in_the_model", "server_world"]

T = TypeVar("T")

_SLACK = 0.2
"""Seconds by which anything may be late without changing what comes of a script."""
_TICK = 0.02
_AT_MOST = 60.0


class _Settings(ServiceSettings):
    SERVICE: ClassVar[str] = "detector"  # which has no consumers of its own that could take our messages


# --- the server -------------------------------------------------------------------------------------------------------


class ServerWorld:
    """A real nats-server in real time. It notices when the machine was too slow for what it is to show."""

    def __init__(self, server: NatsServer, scale: float) -> None:
        self.scale = scale
        self._server = server
        self._asking = Connection(Address(server.url), "asking")
        self.buses: list[NatsBus] = []
        self._began = 0.0
        self._late = 0.0
        self._ticking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._asking.open()
        for spec in streams(self.scale):
            body = json.dumps(stream_config(spec)).encode()
            answer = await self._asking.request(f"$JS.API.STREAM.CREATE.{spec.name}", body)
            assert "error" not in answer, answer
        self._ticking = asyncio.create_task(self._tick())

    async def close(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        await asyncio.gather(*(bus.close() for bus in self.buses))
        await self._asking.close()

    @property
    def was_slow(self) -> bool:
        return self._late > _SLACK * self.scale

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self._late = max(self._late, loop.time() - due)

    # --- as scripts use it --------------------------------------------------------------------------------------------

    async def bus(self) -> Bus:
        settings = load_settings(_Settings, {}, nats_url=self._server.url, nats_monitor_url=self._server.monitor_url)
        bus = NatsBus(settings, SystemClock())
        await bus.open()
        self.buses.append(bus)
        return bus

    def begin(self) -> None:
        self._began = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def until(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(self._began + seconds - loop.time(), 0))

    async def kill(self) -> None:
        await asyncio.to_thread(self._server.kill)
        while any(bus.connection.is_connected for bus in self.buses):
            await asyncio.sleep(0.005)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)
        while not all(bus.connection.is_connected for bus in self.buses):
            await asyncio.sleep(0.005)

    async def open_of(self, spec: ConsumerSpec) -> tuple[int, int]:
        info = await self._asking.request(f"$JS.API.CONSUMER.INFO.{spec.stream}.{spec.name}")
        return info["num_pending"], info["num_ack_pending"]

    async def storage(self) -> int:
        """How many bytes are used."""
        return int((await self._asking.request("$JS.API.INFO"))["storage"])

    async def fill(self) -> None:
        """Until not even an empty message fits."""
        for body in (b"x" * 500, b""):
            with suppress(BusUnavailableError):
                while True:
                    await self._asking.publish_raw("tocsin.deadletters.nobody", body, {}, attempts=1)

    async def empty(self) -> None:
        """Make room again."""
        await self._asking.request("$JS.API.STREAM.PURGE.DEADLETTERS")

    async def contents(self) -> Contents:
        return {spec.name: await self._messages(spec.name) for spec in streams(1) if not spec.in_memory}

    async def _messages(self, stream: str) -> list[tuple[int, str, str]]:
        info = await self._asking.request(f"$JS.API.STREAM.INFO.{stream}")
        found = []
        for sequence in range(1, info["state"]["last_seq"] + 1):
            asked = json.dumps({"seq": sequence}).encode()
            answer = await self._asking.request(f"$JS.API.STREAM.MSG.GET.{stream}", asked)
            if "message" in answer:
                headers = base64.b64decode(answer["message"].get("hdrs", "")).decode().partition("\r\n")[2]
                found.append((sequence, answer["message"]["subject"], str(Parser().parsestr(headers)["ce-id"])))
        return [*found, (info["state"]["last_seq"], "the end", "")]


@asynccontextmanager
async def server_world(folder: Path, scale: float = 1.0, **jetstream: object) -> AsyncIterator[ServerWorld]:
    """A server of its own."""
    server = await asyncio.to_thread(NatsServer(folder, jetstream=jetstream).start)
    world = ServerWorld(server, scale)
    try:
        async with asyncio.timeout(_AT_MOST * scale):
            await world.open()
            yield world
    finally:
        await world.close()
        await asyncio.to_thread(server.stop)


# --- the model --------------------------------------------------------------------------------------------------------


@dataclass
class Forgetful(Calm):
    """What a kill may cost: so many of each consumer's latest changes, and the settlements that were under way in so
    many seconds before it.
    """

    count: int = 0
    last_seconds: float = 0.0
    loses_settlements: bool = False
    is_dying: bool = False

    def forgotten(self) -> int:
        return self.count

    def settlement_lost(self, consumer: str) -> bool:
        return self.is_dying and self.loses_settlements


class ModelWorld:
    """The model, in virtual time."""

    def __init__(self, loop: VirtualLoop, scale: float, faults: Forgetful, fraction: float) -> None:
        self.scale = scale
        self._faults = faults
        self._loop = loop
        self._began = 0.0
        self._clock = VirtualClock(loop, datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=fraction))
        self.broker = Broker(loop, self._clock, faults, streams=streams(scale), consumers=())

    async def bus(self) -> Bus:
        bus = ModelBus(self.broker, Life("replica"), "detector", self._clock)
        await bus.open()
        return bus

    def begin(self) -> None:
        self._began = self._loop.time()

    def now(self) -> datetime:
        return self._clock.now()

    async def until(self, seconds: float) -> None:
        await asyncio.sleep(max(self._began + seconds - self._loop.time(), 0))

    async def kill(self) -> None:
        if self._faults.last_seconds:
            self._faults.is_dying = True
            await asyncio.sleep(self._faults.last_seconds)
            self._faults.is_dying = False
        self.broker.kill()

    async def start(self) -> None:
        self.broker.start()
        await asyncio.sleep(0.25)

    async def open_of(self, spec: ConsumerSpec) -> tuple[int, int]:
        consumer = self.broker.consumers[spec.name]
        return consumer.backlog - consumer.in_hand, consumer.in_hand

    async def contents(self) -> Contents:
        return {
            name: [
                *((stored.sequence, stored.subject, stored.envelope.id) for stored in stream.after(0)),
                (stream.last, "the end", ""),
            ]
            for name, stream in self.broker.streams.items()
            if not stream.spec.in_memory
        }


def in_the_model(
    call: Callable[[ModelWorld], Coroutine[Any, Any, T]],
    scale: float = 1.0,
    faults: Forgetful | None = None,
    fraction: float = 0.0,
) -> T:
    """What comes of this in the model. It begins at this fraction of a second."""
    loop = VirtualLoop()
    try:
        return loop.run(call(ModelWorld(loop, scale, faults or Forgetful(), fraction)))
    finally:
        assert loop.problems == []
        loop.close()
