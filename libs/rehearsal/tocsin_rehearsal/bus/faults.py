"""What can go wrong between a replica and the broker. `Calm` is a world in which nothing does."""

from enum import Enum
from typing import Protocol

__all__ = ["Calm", "Fate", "Faults"]


class Fate(Enum):
    """What becomes of a request."""

    ANSWERED = "answered"
    LOST = "lost"  # it never arrives
    ANSWER_LOST = "answer lost"  # it is done, and nobody hears of it
    LATE = "late"  # it is done after whoever asked has given up


class Faults(Protocol):
    """Asked at every exchange. The times are seconds."""

    def latency(self) -> float:
        """How long a message travels, one way."""
        ...

    def fate(self, what: str, who: str) -> Fate:
        """What becomes of this request of this replica."""
        ...

    def settlement_lost(self, consumer: str) -> bool:
        """Whether the broker never hears of an acknowledgement."""
        ...

    def settlement_late(self, consumer: str) -> float:
        """By how much an acknowledgement is late."""
        ...

    def rings(self) -> tuple[float, ...]:
        """How late an alarm clock rings; more than once, or never."""
        ...

    def silence(self, consumer: str) -> float:
        """For how long a reader gets nothing, although there is something. A follower is `follow-<service>`."""
        ...

    def forgotten(self) -> int:
        """How many of its latest changes (a delivery, a settlement) a consumer has lost when the server comes back
        after a kill. The server writes a consumer's state down ten times a second: what is older is not lost.
        """
        ...


class Calm:
    """Everything arrives at once, everything is answered."""

    def latency(self) -> float:
        return 0.0

    def fate(self, what: str, who: str) -> Fate:
        return Fate.ANSWERED

    def settlement_lost(self, consumer: str) -> bool:
        return False

    def settlement_late(self, consumer: str) -> float:
        return 0.0

    def rings(self) -> tuple[float, ...]:
        return (0.0,)

    def silence(self, consumer: str) -> float:
        return 0.0

    def forgotten(self) -> int:
        return 0
