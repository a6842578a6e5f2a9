"""What the steps of a simulation act upon."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random

from tocsin_rehearsal.loop import Life, VirtualLoop
from tocsin_rehearsal.outside.senders import ForeignAlert, Senders
from tocsin_rehearsal.outside.web import Behaviour, Kind
from tocsin_rehearsal.replicas import Replica
from tocsin_rehearsal.simulate.history import Happened, History
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
    poison: list[str] = field(default_factory=list)
    """The ids of messages that nobody can handle."""
    target_faults: dict[int, tuple[Kind, Behaviour, float, Random]] = field(default_factory=dict)
    down: Counter[str] = field(default_factory=Counter)
    """Replicas that are to stay dead, and how many times over."""
    cut: dict[str, int] = field(default_factory=dict)
    """Replicas that are parted from the broker, and how many times over."""
    on_written: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By event: after how many of its own steps its next writer is killed, and for how many seconds."""
    redis_away_since: float | None = None
    redis_back_at: float = -1.0e9

    def note(self, happened: Happened) -> None:
        """An event is in the log: its writer may have few steps left. Of a claim it is known which replica that is."""
        steps, lasts = self.on_written.pop(type(happened.data).__name__, (0, 0.0))
        if not steps:
            return
        by, owner = getattr(happened.data, "claimed_by", "").partition("#")[0], happened.data.OWNER
        for replica in self.world.replicas.values():
            if replica.life is not None and (replica.name == by if by else replica.service == owner):
                replica.life.steps_left = steps
                self.world.at(self.world.elapsed + timedelta(seconds=lasts), partial(self._back, replica, replica.life))

    def _back(self, replica: Replica, life: Life) -> None:
        life.steps_left = 0
        if not self.down[replica.name]:
            self.world.restart(replica.name)

    def heal(self) -> None:
        """Nobody is killed any more, and whoever is dead is started."""
        self.on_written.clear()
        for replica in self.world.replicas.values():
            if replica.life is not None:
                replica.life.steps_left = 0
            self.world.restart(replica.name)

    def fault_of(self, kind: Kind, url: str) -> Behaviour | None:
        """How a target answers, if it does so badly now."""
        for of, behaviour, rate, chance in self.target_faults.values():
            if of == kind and chance.random() < rate:
                return behaviour
        return None

    def ask(self, command: Command, by: str) -> None:
        """An operator asks for something."""
        self.asked.append(Asked(self.world.loop.time(), self.world.command(command, by=by), command))
