"""Decisions of which only a part is in the log.

JetStream writes an atomic batch whole or not at all, but for one case: where the room ends within it (a full disk, a
limit), a part is written and nobody is answered. What the rest would have said (whom to page, when to look again) must
not be lost. Every event says how many of its decision there are; so whoever reads the log sees what is missing, and
decides again on the state of before when the input comes again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from tocsin_schemas import Envelope, Event

__all__ = ["Half", "halves_after"]

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Half(Generic[S]):
    """The beginning of a decision: the state it was made on, when, which of its events are written, of how many."""

    before: S
    at: datetime
    ids: tuple[str, ...]
    together: int


def halves_after(halves: Mapping[str, Half[S]], event: Envelope[Event], before: S) -> Mapping[str, Half[S]]:
    """By cause: what is not whole after this event, which came to the state `before`. For one service's events."""
    if event.together == 1:
        return halves
    half = halves.get(event.cause)
    if half is None:
        half = Half(before, event.time, (event.id,), event.together)
    else:
        half = replace(half, ids=(*half.ids, event.id))
    others = {cause: each for cause, each in halves.items() if cause != event.cause}
    return others if len(half.ids) >= half.together else {**others, event.cause: half}
