"""Random scripts of what services ask of the broker. The same script is played to a server and to the model."""

import random
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Answer",
    "Append",
    "Arm",
    "Cancel",
    "Count",
    "Kill",
    "Load",
    "Part",
    "Phase",
    "Publish",
    "PublishAll",
    "Race",
    "Script",
    "Step",
    "answer",
    "random_script",
]

Expected = Literal["none", "right", "stale", "zero"]
Scope = Literal["all", "own", "subject"]

INCIDENTS = ("inc1", "inc2", "inc3")
SUBJECTS = (
    "tocsin.alerts.1",
    "tocsin.alerts.2",
    "tocsin.commands.escalator.note",
    "tocsin.commands.escalator.page",
    "tocsin.playbooks.small",
)


@dataclass(frozen=True, slots=True)
class Publish:
    """One message, once: `cause` makes its id."""

    subject: str
    cause: str
    expect: Expected = "none"
    scope: str = ""  # the subject itself where none is named


@dataclass(frozen=True, slots=True)
class PublishAll:
    messages: tuple[tuple[str, str], ...]  # subject and cause


@dataclass(frozen=True, slots=True)
class Part:
    """What is appended to one incident."""

    incident: str
    causes: tuple[str, ...]
    expect: Expected
    scope: Scope
    by: Literal["escalator", "remediator"] = "escalator"


@dataclass(frozen=True, slots=True)
class Append:
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Race:
    """Two replicas append on what they know, at the same time."""

    left: Part
    right: Part


@dataclass(frozen=True, slots=True)
class Load:
    incident: str
    service: str | None = None
    after: int = 0


@dataclass(frozen=True, slots=True)
class Arm:
    incident: str
    deadline: str
    due: float  # seconds after the beginning of the phase


@dataclass(frozen=True, slots=True)
class Cancel:
    incident: str
    deadline: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many clocks stand?"""


@dataclass(frozen=True, slots=True)
class Phase:
    """Wait for the beginning of the next phase."""


@dataclass(frozen=True, slots=True)
class Kill:
    """kill -9 and start again. Meanwhile these are asked for."""

    meanwhile: tuple["Publish | Append | Load", ...] = ()


Step = Publish | PublishAll | Append | Race | Load | Arm | Cancel | Count | Phase | Kill


@dataclass(frozen=True, slots=True)
class Script:
    seed: int
    steps: tuple[Step, ...]

    @property
    def has_kills(self) -> bool:
        return any(isinstance(step, Kill) for step in self.steps)


# --- what handlers answer ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    kind: Literal["ack", "silent", "nak", "term", "work", "fail", "refuse", "later", "unreachable"]
    seconds: float = 0.0


_ANSWERS = (
    *[Answer("ack")] * 8,
    *[Answer("silent")] * 2,
    Answer("nak"),
    Answer("nak", 0.4),
    Answer("nak", 1.1),
    Answer("term"),
    Answer("work", 2.6),
    Answer("fail"),
    Answer("refuse"),
    Answer("later", 0.5),
    Answer("unreachable"),
)
_LAST = 4


def answer(seed: int, consumer: str, name: str, deliveries: int) -> Answer:
    """What the handler does with this delivery: the same in any world, whoever is given it."""
    if deliveries >= _LAST:
        return Answer("ack")
    return random.Random(f"{seed}/{consumer}/{name}/{deliveries}").choice(_ANSWERS)


# --- making them ------------------------------------------------------------------------------------------------------


@dataclass
class _Maker:
    chance: random.Random
    causes: list[str] = field(default_factory=list)
    count: int = 0

    def cause(self) -> str:
        """A new one; now and then one that was used before."""
        if self.causes and self.chance.random() < 0.15:
            return self.chance.choice(self.causes)
        self.count += 1
        self.causes.append(f"c{self.count}")
        return self.causes[-1]

    def publish(self) -> Publish:
        chance = self.chance
        subject = chance.choice(SUBJECTS)
        expect: Expected = chance.choice(("none", "none", "none", "right", "stale", "zero"))
        if subject.startswith("tocsin.commands"):
            expect = "none"  # what is the last of them depends on how quickly they are handled
        scope = chance.choice(("", subject.rpartition(".")[0] + ".*", ".".join(subject.split(".")[:2]) + ".>"))
        return Publish(subject, self.cause(), expect, scope if expect != "none" else "")

    def publish_all(self) -> PublishAll:
        count = self.chance.randint(1, 5)
        if self.chance.random() < 0.3:
            return PublishAll(tuple(("tocsin.commands.escalator.all", self.cause()) for _ in range(count)))
        return PublishAll(tuple((self.chance.choice(SUBJECTS[:2]), self.cause()) for _ in range(count)))

    def part(self, incident: str) -> Part:
        chance = self.chance
        causes = tuple(self.cause() for _ in range(chance.choice((1, 1, 1, 2, 3))))
        expect: Expected = chance.choice(("right", "right", "right", "right", "stale", "zero"))
        scope: Scope = chance.choice(("all", "own", "own", "subject"))
        return Part(incident, causes, expect, scope, chance.choice(("escalator", "escalator", "remediator")))

    def append(self) -> Append:
        """To one or several incidents; now and then twice to the same one in one batch."""
        chance = self.chance
        incidents = chance.sample(INCIDENTS, chance.choice((1, 1, 2, 3)))
        if chance.random() < 0.15:
            incidents.append(incidents[0])
        return Append(tuple(self.part(incident) for incident in incidents))

    def race(self) -> Race:
        """What either racer appends has the same name in the history: who wins is nobody's promise."""
        incident, count = self.chance.choice(INCIDENTS), self.chance.choice((1, 2))
        scope: Scope = self.chance.choice(("all", "own"))
        self.count += 1
        left, right = (
            Part(incident, tuple(f"race{self.count}.{place}/{side}" for place in range(count)), "right", scope)
            for side in ("left", "right")
        )
        return Race(left, right)

    def load(self) -> Load:
        chance = self.chance
        return Load(
            chance.choice(INCIDENTS), chance.choice((None, "escalator", "remediator")), chance.choice((0, 0, 4))
        )

    def arm(self) -> Arm:
        return Arm(self._incident(), self._deadline(), self.chance.choice((-60.0, 0.6, 0.6, 1.95, 3600.0)))

    def cancel(self) -> Cancel:
        return Cancel(self._incident(), self._deadline())

    def _incident(self) -> str:
        return self.chance.choice(INCIDENTS)

    def _deadline(self) -> str:
        return self.chance.choice(("ack", "update"))

    def step(self) -> Step:
        makers = (
            *[self.publish] * 5,
            self.publish_all,
            *[self.append] * 5,
            self.race,
            *[self.load] * 2,
            *[self.arm] * 3,
            self.cancel,
            Count,
        )
        return self.chance.choice(makers)()

    def kill(self) -> Kill:
        """What is read while something is written may be read before or after it: so there is either."""
        if self.chance.random() < 0.3:
            return Kill((self.load(),))
        return Kill(tuple(self.chance.choice((self.publish, self.append))() for _ in range(2)))


def random_script(seed: int, *, phases: int = 4, kills: bool = False) -> Script:
    """Some steps in each phase; with `kills` the server is killed at the end of one of them."""
    made = _Maker(random.Random(seed))
    killed = made.chance.randrange(phases) if kills else None
    steps: list[Step] = []
    for phase in range(phases):
        steps.extend(made.step() for _ in range(made.chance.randint(4, 9)))
        if phase == killed:
            steps.append(made.kill())
        steps.append(Phase())
    return Script(seed, tuple(steps))
