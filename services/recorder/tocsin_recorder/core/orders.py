"""Silences and overrides as they stand at a moment, from everything that was ever ordered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

from tocsin_schemas import Actor, Envelope, Event
from tocsin_schemas.events import OverrideLifted, OverrideSet, SilenceLifted, SilenceSet

__all__ = ["Lifted", "Order", "OrderState", "overrides_of", "silences_of"]

E = TypeVar("E", SilenceSet, OverrideSet)

OrderState = Literal["pending", "active", "over", "lifted"]


@dataclass(frozen=True, slots=True)
class Lifted:
    """Who has ended an order before its time, when, and why."""

    at: datetime
    by: Actor
    because: str


@dataclass(frozen=True, slots=True)
class Order(Generic[E]):
    """One silence, or one override, and what became of it."""

    name: str
    event: E
    set_at: datetime
    lifted: Lifted | None

    def state(self, now: datetime) -> OrderState:
        """Whether it is still to begin, in force, over, or was lifted."""
        if self.lifted is not None:
            return "lifted"
        if now >= self.event.ends_at:
            return "over"
        return "active" if now >= self.event.begins_at else "pending"

    def stands(self, now: datetime) -> bool:
        """Whether it is in force or still to begin."""
        return self.state(now) in ("active", "pending")


def silences_of(history: Iterable[Envelope[Event]]) -> list[Order[SilenceSet]]:
    """Every silence, the one set last first."""
    known = list(history)
    lifted = {each.data.silence: _lifted(each, each.data) for each in known if isinstance(each.data, SilenceLifted)}
    found = (
        Order(each.data.silence, each.data, each.time, lifted.get(each.data.silence))
        for each in reversed(known)
        if isinstance(each.data, SilenceSet)
    )
    return list(found)


def overrides_of(history: Iterable[Envelope[Event]]) -> list[Order[OverrideSet]]:
    """Every override, the one set last first."""
    known = list(history)
    lifted = {each.data.override: _lifted(each, each.data) for each in known if isinstance(each.data, OverrideLifted)}
    found = (
        Order(each.data.override, each.data, each.time, lifted.get(each.data.override))
        for each in reversed(known)
        if isinstance(each.data, OverrideSet)
    )
    return list(found)


def _lifted(envelope: Envelope[Event], event: SilenceLifted | OverrideLifted) -> Lifted:
    return Lifted(envelope.time, event.by, event.because)
