"""What goes wrong at a moment: replicas die, links are cut, the broker is killed, the outside answers badly."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import ClassVar, Literal

from tocsin_rehearsal.outside.receivers import Reception
from tocsin_rehearsal.outside.web import Behaviour, Kind
from tocsin_rehearsal.simulate.profiles import Trouble
from tocsin_rehearsal.simulate.stage import Stage

__all__ = [
    "Away",
    "Cut",
    "Dies",
    "Down",
    "Falls",
    "Full",
    "Outage",
    "Refuses",
    "Resets",
    "Sourceless",
    "Targets",
    "Upheaval",
]


@dataclass(frozen=True, slots=True)
class Dies:
    """A replica, or all of a service, is killed and started again; a replica also after so many of its own steps."""

    at: float
    lasts: float
    replica: str
    steps: int = 0

    @property
    def trouble(self) -> Trouble:
        return Trouble.CRASH if self.steps else Trouble.KILL

    def __str__(self) -> str:
        when = f" after {self.steps} more steps" if self.steps else ""
        return f"{self.replica} is killed{when}, for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        if not self.steps:
            stage.world.kill(self.replica)
            stage.down.update(self._names(stage))
        elif (life := stage.world.replicas[self.replica].life) is not None:
            life.steps_left = self.steps

    def end(self, stage: Stage) -> None:
        replica = stage.world.replicas.get(self.replica)
        if replica is not None and replica.life is not None:
            replica.life.steps_left = 0
        names = self._names(stage)
        if not self.steps:
            stage.down.subtract(names)
        for name in names:
            if not stage.down[name]:
                stage.world.restart(name)

    def _names(self, stage: Stage) -> list[str]:
        replicas = stage.world.replicas.values()
        return [each.name for each in replicas if self.replica in (each.name, each.service)]


Written = Literal["ActionClaimed", "ActionSucceeded", "IncidentOpened", "DeadlineSet", "NotificationDelivered"]


@dataclass(frozen=True, slots=True)
class Falls:
    """Whoever writes such an event next, however long that takes, is killed so many of its own steps later."""

    at: float
    lasts: float
    event: Written
    steps: int
    trouble: ClassVar[Trouble] = Trouble.CRASH

    def __str__(self) -> str:
        return f"who writes {self.event} next is killed {self.steps} steps later, for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        stage.on_written[self.event] = (self.steps, self.lasts)

    def end(self, stage: Stage) -> None:
        """Nothing ends yet: it may still be waiting for its event."""


@dataclass(frozen=True, slots=True)
class Outage:
    """All escalators are gone while deadlines pass."""

    at: float
    lasts: float
    trouble: ClassVar[Trouble] = Trouble.OUTAGE

    def __str__(self) -> str:
        return f"there is no escalator for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        self._dies.begin(stage)

    def end(self, stage: Stage) -> None:
        self._dies.end(stage)

    @property
    def _dies(self) -> Dies:
        return Dies(self.at, self.lasts, "escalator")


@dataclass(frozen=True, slots=True)
class Cut:
    """A replica is parted from the broker."""

    at: float
    lasts: float
    replica: str
    trouble: ClassVar[Trouble] = Trouble.CUT

    def __str__(self) -> str:
        return f"{self.replica} is cut off for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        stage.cut[self.replica] = stage.cut.get(self.replica, 0) + 1
        for link in list(stage.world.broker.links):
            if link.life.name.startswith(f"{self.replica}#"):
                link.cut()

    def end(self, stage: Stage) -> None:
        stage.cut[self.replica] -= 1
        if stage.cut[self.replica]:
            return
        for link in list(stage.world.broker.links):
            if link.life.name.startswith(f"{self.replica}#"):
                link.heal()


@dataclass(frozen=True, slots=True)
class Down:
    """The broker is killed, and started again."""

    at: float
    lasts: float
    trouble: ClassVar[Trouble] = Trouble.BROKER

    def __str__(self) -> str:
        return f"nats is killed for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        stage.world.kill("nats")

    def end(self, stage: Stage) -> None:
        stage.world.restart("nats")


@dataclass(frozen=True, slots=True)
class Full:
    """A stream takes nothing more."""

    at: float
    lasts: float
    stream: str
    room: int = 0
    trouble: ClassVar[Trouble] = Trouble.FULL

    def __str__(self) -> str:
        return f"{self.stream} has room for {self.room} for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        stage.world.broker.streams[self.stream].room = self.room

    def end(self, stage: Stage) -> None:
        stage.world.broker.streams[self.stream].room = None


@dataclass(frozen=True, slots=True)
class Targets:
    """Requests of one kind are answered so, now and then."""

    at: float
    lasts: float
    number: int
    kind: Kind
    behaviour: Behaviour
    rate: float
    trouble: ClassVar[Trouble] = Trouble.TARGETS

    def __str__(self) -> str:
        how = self.behaviour.fault or f"{self.behaviour.status}, after {self.behaviour.takes:.1f} s"
        return f"{100 * self.rate:.0f} % of each {self.kind}: {how}, for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        chance = Random(f"{stage.seed} target {self.number}")  # noqa: S311  # a simulation's dice
        stage.target_faults[self.number] = (self.kind, self.behaviour, self.rate, chance)

    def end(self, stage: Stage) -> None:
        stage.target_faults.pop(self.number, None)


@dataclass(frozen=True, slots=True)
class Refuses:
    """Channels (`slack`, `mail`, `slack and mail`) take nothing, or say nothing."""

    at: float
    lasts: float
    channel: str
    status: int
    fault: Literal["", "lost", "refused", "hangs"]
    retry_after: float | None = None
    trouble: ClassVar[Trouble] = Trouble.RECEIVERS

    def __str__(self) -> str:
        return f"{self.channel} answers {self.fault or self.status} for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        for channel in self.channel.split(" and "):
            stage.world.inbox.receive(channel, Reception(self.status, self.retry_after, self.fault))

    def end(self, stage: Stage) -> None:
        for channel in self.channel.split(" and "):
            stage.world.inbox.heal(channel)


@dataclass(frozen=True, slots=True)
class Away:
    """Redis is gone, emptied or slow."""

    at: float
    lasts: float
    how: Literal["gone", "flushed", "slow"]
    trouble: ClassVar[Trouble] = Trouble.REDIS

    def __str__(self) -> str:
        return f"redis is {self.how} for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        leases = stage.world.leases
        match self.how:
            case "gone":
                leases.is_up = False
                stage.redis_away_since = stage.world.loop.time()
            case "flushed":
                leases.flush()
            case "slow":
                leases.takes = 0.4

    def end(self, stage: Stage) -> None:
        leases = stage.world.leases
        leases.is_up, leases.takes = True, 0.0
        if stage.redis_away_since is not None:
            stage.redis_away_since, stage.redis_back_at = None, stage.world.loop.time()


@dataclass(frozen=True, slots=True)
class Sourceless:
    """What is scraped does not answer."""

    at: float
    lasts: float
    trouble: ClassVar[Trouble] = Trouble.SOURCES

    def __str__(self) -> str:
        return f"the shop cannot be scraped for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        stage.world.metrics.down.add("shop")

    def end(self, stage: Stage) -> None:
        stage.world.metrics.down.discard("shop")


@dataclass(frozen=True, slots=True)
class Resets:
    """The wall clock of a replica's computer is set, and set right again."""

    at: float
    lasts: float
    replica: str
    by: float
    trouble: ClassVar[Trouble] = Trouble.CLOCKS

    def __str__(self) -> str:
        return f"the clock of {self.replica} is off by {self.by:+.1f} s for {self.lasts:.1f} s"

    def begin(self, stage: Stage) -> None:
        stage.world.replicas[self.replica].clock.off_by = timedelta(seconds=self.by)

    def end(self, stage: Stage) -> None:
        stage.world.replicas[self.replica].clock.off_by = timedelta()


Upheaval = Dies | Falls | Outage | Cut | Down | Full | Targets | Refuses | Away | Sourceless | Resets
Draw = Callable[[Random, float, float], Upheaval]
