"""The standing orders of people, as every replica sees them: silences and on-call overrides, none taken twice."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from tocsin_playbook.standing_orders import NO_ORDERS, StandingOrders
from tocsin_runtime.bus.follow import Follower, OnEvents
from tocsin_schemas import Envelope, Event, Payload
from tocsin_schemas.events import ORDER_EVENTS, OverrideLifted, OverrideSet, SilenceLifted, SilenceSet
from tocsin_schemas.subjects import ORDERS

__all__ = ["Orders"]

_KEPT_AFTER_ITS_END = timedelta(days=1)
"""Clocks differ; what is over is dropped when nobody can take it for what is in force."""


class Orders:
    """Everything that was ever ordered, and what of it stands, kept up to date."""

    def __init__(self, follower: Callable[[str, tuple[str, ...], OnEvents], Follower]) -> None:
        """`follower` makes a reader of a stream: of these filters, for this function."""
        self._follower = follower("ORDERS", (ORDERS,), self._on_events)
        self._standing = NO_ORDERS
        self._answers: dict[str, Envelope[Event]] = {}
        self._lifted: set[str] = set()
        self._taken = 0

    async def start(self) -> None:
        await self._follower.start()

    async def stop(self) -> None:
        await self._follower.stop()

    @property
    def caught_up(self) -> asyncio.Event:
        """Set once everything that was ordered before the start has been read."""
        return self._follower.caught_up

    @property
    def position(self) -> int:
        """How far the stream is known."""
        return max(self._taken, self._follower.position)

    @property
    def standing(self) -> StandingOrders:
        """What is in force, or is to come. The same object as long as nothing has changed."""
        return self._standing

    def answer_to(self, command: str) -> Envelope[Event] | None:
        """What came of the command with this id; none as long as nobody has decided on it."""
        return self._answers.get(command)

    def history(self) -> tuple[Envelope[Event], ...]:
        """Every event, in the order of the stream."""
        return tuple(self._answers.values())

    def take(self, envelope: Envelope[Event]) -> None:
        """One event, in its place in the stream: read from there, or just written."""
        event = envelope.data
        if envelope.sequence <= self._taken or envelope.cause in self._answers:
            return
        self._taken = envelope.sequence
        self._answers[envelope.cause] = envelope
        match event:
            case SilenceLifted(silence=name) | OverrideLifted(override=name):
                self._lifted.add(name)
            case SilenceSet(silence=name) | OverrideSet(override=name) if name in self._lifted:
                return
            case _:
                pass
        self._standing = self._standing.after(event).at(envelope.time - _KEPT_AFTER_ITS_END)

    async def _on_events(self, events: Sequence[Envelope[Payload]]) -> None:
        for envelope in events:
            if isinstance(envelope.data, ORDER_EVENTS):
                self.take(envelope)  # type: ignore[arg-type]  # narrowed above; mypy does not narrow through the field
