"""What the steps of a simulation act upon."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tocsin_rehearsal.loop import VirtualLoop
from tocsin_rehearsal.outside.senders import ForeignAlert, Senders
from tocsin_rehearsal.outside.web import Behaviour, Kind
from tocsin_rehearsal.replicas import Replica
from tocsin_rehearsal.simulate.history import History
from tocsin_rehearsal.world import World
from tocsin_schemas import Command

__all__ = ["Asked", "NotingSenders", "Stage"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operator has asked for: when, and the command's id."""

    at: float
    id: str
    command: Command


class NotingSenders(Senders):
    """Senders of which a simulation knows when a detector took their word, and whether it was that an alert is over."""

    def __init__(self, loop: VirtualLoop, detectors: Callable[[], Sequence[Replica]]) -> None:
        super().__init__(loop, detectors)
        self.on_taken: list[Callable[[ForeignAlert, bool], None]] = []

    async def _post(self, alert: ForeignAlert) -> bool:
        has_ended = alert.ends_at is not None
        taken = await super()._post(alert)
        if taken:
            for call in self.on_taken:
                call(alert, has_ended)
        return taken


@dataclass(slots=True)
class Stage:
    """The world, what has happened in it, and what is wrong with its outsides now."""

    world: World
    history: History
    seed: int
    asked: list[Asked] = field(default_factory=list)
    target_faults: dict[int, tuple[Kind, Behaviour, float, Random]] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    """Replicas that are parted from the broker, and how many times over."""
    redis_away_since: float | None = None
    redis_back_at: float = -1.0e9

    def fault_of(self, kind: Kind, url: str) -> Behaviour | None:
        """How a target answers, if it does so badly now."""
        for of, behaviour, rate, chance in self.target_faults.values():
            if of == kind and chance.random() < rate:
                return behaviour
        return None

    def ask(self, command: Command, by: str) -> None:
        """An operator asks for something."""
        self.asked.append(Asked(self.world.loop.time(), self.world.command(command, by=by), command))
