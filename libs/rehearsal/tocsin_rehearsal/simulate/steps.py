"""What happens in a simulation's hour, besides what goes wrong: alerts fire and end, people act."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tocsin_rehearsal.outside.web import Behaviour
from tocsin_rehearsal.simulate.history import History, Life
from tocsin_rehearsal.simulate.stage import Stage
from tocsin_rehearsal.simulate.wishes import ABOUT_OVER, Verb, Wish, command_of
from tocsin_schemas import PlaybookPublished, PlaybookRef, caused_by
from tocsin_schemas.commands import Acknowledge
from tocsin_schemas.ids import derive_id
from tocsin_schemas.parts import Actor
from tocsin_schemas.subjects import alert_subject, command_subject, timer_due_subject

__all__ = ["Asks", "Fires", "Mends", "Poisons", "Shows", "Step", "Works"]


@dataclass(frozen=True, slots=True)
class Fires:
    """Another system posts an alert until it ends."""

    at: float
    name: str
    service: str
    severity: str
    lasts: float

    def __str__(self) -> str:
        return f"{self.severity} alert {self.name} of {self.service} fires for {self.lasts:.1f} s"

    def apply(self, stage: Stage) -> None:
        labels = {"alertname": self.name, "service": self.service, "severity": self.severity}
        stage.world.alert(labels, lasts=timedelta(seconds=self.lasts))


@dataclass(frozen=True, slots=True)
class Shows:
    """The scraped source shows another value."""

    at: float
    value: int

    def __str__(self) -> str:
        return f"the shop shows {self.value} failures"

    def apply(self, stage: Stage) -> None:
        stage.world.feed("shop", {"failures": f"{self.value}x2000"}, every=timedelta(seconds=15))


@dataclass(frozen=True, slots=True)
class Mends:
    """From now on what is acted upon is well, or not."""

    at: float
    is_well: bool

    def __str__(self) -> str:
        return f"health checks {'succeed' if self.is_well else 'fail'}"

    def apply(self, stage: Stage) -> None:
        stage.world.web.forget("/health")
        stage.world.web.answer("/health", Behaviour(200 if self.is_well else 503))


@dataclass(frozen=True, slots=True)
class Works:
    """From now on an action takes so long until its target answers; its effect comes first."""

    at: float
    takes: float

    def __str__(self) -> str:
        return f"targets answer after {self.takes:.1f} s"

    def apply(self, stage: Stage) -> None:
        stage.world.web.answer("*", Behaviour(takes=self.takes), kinds=("action",))


@dataclass(frozen=True, slots=True)
class Poisons:
    """A message stands where it does not belong: nobody can handle it, however often it is delivered."""

    at: float
    where: Literal["alerts", "commands", "timers"]

    def __str__(self) -> str:
        return f"a message that nobody can handle stands among the {self.where}"

    def apply(self, stage: Stage) -> None:
        subject = {
            "alerts": alert_subject("poison"),
            "commands": command_subject(Acknowledge),
            "timers": timer_due_subject("escalator", "poison", "poison"),
        }[self.where]
        lost = PlaybookPublished(playbook=PlaybookRef(name="lost", revision="0" * 12), text="")
        cause = derive_id("poison", self.where, str(self.at))
        envelope = caused_by(cause, 0, "operator", "", stage.world.now, lost)
        stage.poison.append(envelope.id)
        stage.world.send(subject, envelope)


@dataclass(frozen=True, slots=True)
class Asks:
    """An operator asks for something about one of the open incidents, if there is any."""

    at: float
    by: str
    verb: Verb
    which: int
    lasts: float = 60.0

    def __str__(self) -> str:
        return f"{self.by}: {self.verb} (incident {self.which})"

    def apply(self, stage: Stage) -> None:
        lives = self._meant(stage.history)
        if not lives:
            return
        life = lives[self.which % len(lives)]
        others = [other for other in stage.history.incidents.values() if other is not life]
        running = [other for other in others if other.state.is_open] or others
        other = running[self.which // 2 % len(running)] if running else None
        by, lasts = Actor.person(self.by, "simulation"), timedelta(seconds=self.lasts)
        command = command_of(self.verb, Wish(by, life, other, self.which, lasts))
        if command is not None:
            stage.ask(command, self.by)

    def _meant(self, history: History) -> list[Life]:
        last = list(history.incidents.values())[-1:]
        if self.verb in ABOUT_OVER:
            return history.over_incidents() or last
        return history.open_incidents() or last


Step = Fires | Shows | Mends | Works | Poisons | Asks
