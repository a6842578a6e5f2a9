"""The broker: streams, durable consumers and alarm clocks. It may be down, full, or killed and started again."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tocsin_rehearsal.bus.clocks import AlarmClocks
from tocsin_rehearsal.bus.consumer import DurableConsumer
from tocsin_rehearsal.bus.faults import Faults
from tocsin_rehearsal.bus.machine import Machine
from tocsin_rehearsal.bus.streams import Stream, ToWrite
from tocsin_rehearsal.time import VirtualClock
from tocsin_runtime.topology import CONSUMERS, STREAMS, ConsumerSpec, StreamSpec

if TYPE_CHECKING:
    from tocsin_rehearsal.bus.wire import Link

__all__ = ["Broker"]

_RECONNECTS_AFTER = 0.2
"""Seconds until clients have found the server again."""


class Broker:
    """One server. Everything it has acknowledged is on disk."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: VirtualClock,
        faults: Faults,
        *,
        streams: Sequence[StreamSpec] = STREAMS,
        consumers: Sequence[ConsumerSpec] = CONSUMERS,
    ) -> None:
        self.machine = Machine(loop, clock, faults)
        self.streams = {spec.name: Stream(spec, self.machine.now) for spec in streams}
        self._of_subject = {spec.subjects[0].split(".")[1]: spec.name for spec in streams}
        self.consumers: dict[str, DurableConsumer] = {}
        for spec in consumers:
            self.consumer(spec)
        self.clocks = AlarmClocks(self.machine, next(self.streams[spec.name] for spec in streams if spec.schedules))
        self.links: list[Link] = []
        self._starts = 0

    @property
    def is_up(self) -> bool:
        return self.machine.is_up

    @property
    def faults(self) -> Faults:
        return self.machine.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.machine.faults = faults

    def stream_of(self, subject: str) -> Stream:
        """The stream that takes this subject."""
        return self.streams[self._of_subject[subject.split(".")[1]]]

    def write(self, messages: Sequence[ToWrite]) -> tuple[int, bool]:
        """As `Stream.write`, to the stream of the first one's subject."""
        return self.stream_of(messages[0].subject).write(messages)

    def consumer(self, spec: ConsumerSpec) -> DurableConsumer:
        """The durable consumer of this name; one that is not in the table yet begins at the stream's beginning."""
        if spec.name not in self.consumers:
            self.consumers[spec.name] = DurableConsumer(spec, self.streams[spec.stream], self.machine)
        return self.consumers[spec.name]

    @property
    def backlog(self) -> int:
        """What no handler has settled yet."""
        return sum(consumer.backlog for consumer in self.consumers.values())

    # --- failures -----------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """kill -9: nothing is answered from here on. Nothing happens if it is down already."""
        if not self.is_up:
            return
        self.machine.is_up = False
        for consumer in self.consumers.values():
            consumer.kill()
        self.links = [link for link in self.links if not link.life.is_over]
        for link in self.links:
            link.break_()

    def start(self) -> None:
        """Up again, with everything that was acknowledged, and perhaps without the latest settlements."""
        if self.is_up:
            return
        self.machine.is_up = True
        self._starts += 1
        for stream in self.streams.values():
            stream.restart()
        for consumer in self.consumers.values():
            consumer.restart()
        self.clocks.restart()
        self.machine.call_later(_RECONNECTS_AFTER, self._let_in, self._starts)

    def _let_in(self, start: int) -> None:
        if self.is_up and start == self._starts:
            for link in tuple(self.links):
                link.connect()

    def declare(self) -> None:
        """Make the streams that are missing, as each service does when it comes up."""
        for stream in self.streams.values():
            stream.declare()
