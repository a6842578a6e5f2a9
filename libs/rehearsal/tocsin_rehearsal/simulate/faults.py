"""What goes wrong between replicas and the broker in a simulation: by chance, at the rates of a plan, for a while."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from tocsin_rehearsal.bus.faults import Fate
from tocsin_rehearsal.simulate.profiles import Trouble

__all__ = ["KINDS", "Hazard", "RandomFaults", "draw_hazards"]


@dataclass(frozen=True, slots=True)
class Hazard:
    """Something that goes wrong now and then: how often (0 to 1), and by how many seconds (or messages) at most."""

    kind: str
    rate: float
    most: float = 0.0

    def __str__(self) -> str:
        most = f", at most {self.most:.3g}" if self.most else ""
        return f"{self.kind}: {100 * self.rate:.3g} %{most}"


_OF: Mapping[Trouble, tuple[tuple[str, float, float], ...]] = {
    Trouble.LATENCY: (("latency", 1.0, 0.4), ("slow", 0.05, 2.0)),
    Trouble.LOST: (("lost", 0.1, 0.0), ("answer lost", 0.15, 0.0), ("late", 0.05, 0.0)),
    Trouble.SETTLEMENTS: (("settlement lost", 0.3, 0.0), ("settlement late", 0.2, 10.0)),
    Trouble.RINGS: (("never rings", 0.3, 0.0), ("rings late", 0.3, 90.0), ("rings twice", 0.3, 20.0)),
    Trouble.SILENCE: (("silence", 0.1, 15.0),),
    Trouble.BROKER: (("forgotten", 1.0, 8.0),),
}
"""By trouble: the hazards it can consist of, each with its highest rate and its highest measure."""

KINDS = tuple(kind for hazards in _OF.values() for kind, _, _ in hazards)


def draw_hazards(rng: Random, troubles: frozenset[Trouble]) -> tuple[Hazard, ...]:
    """Some of the hazards that these troubles can consist of."""
    drawn = []
    for trouble, hazards in _OF.items():
        for kind, rate, most in hazards:
            wanted, share, size = rng.random() < 0.6, rng.random(), rng.random()
            if trouble in troubles and wanted:
                drawn.append(Hazard(kind, rate if rate == 1.0 else rate * share**2, most * size))
    return tuple(drawn)


class RandomFaults:
    """The broker's faults while a simulation has any. Every hazard has a chance of its own: without one of them the
    others do not change."""

    def __init__(self, seed: int, hazards: tuple[Hazard, ...], begins: float, ends: float) -> None:
        self._hazards = {hazard.kind: hazard for hazard in hazards}
        self._chance = {kind: Random(f"{seed} {kind}") for kind in self._hazards}  # noqa: S311  # a simulation's dice
        self._begins, self._ends = begins, ends
        self._time: Callable[[], float] = lambda: -1.0
        self._loses = any(kind in self._hazards for kind in ("lost", "answer lost", "late"))
        self._travels = "latency" in self._hazards or "slow" in self._hazards

    def follow(self, time: Callable[[], float]) -> None:
        """From here on it is known what time it is; before, nothing goes wrong."""
        self._time = time

    def _strikes(self, kind: str) -> bool:
        hazard = self._hazards.get(kind)
        if hazard is None or not self._begins <= self._time() < self._ends:
            return False
        return self._chance[kind].random() < hazard.rate

    def _size(self, kind: str) -> float:
        return self._chance[kind].random() * self._hazards[kind].most

    # --- as the broker asks -------------------------------------------------------------------------------------------

    def latency(self) -> float:
        if not self._travels:
            return 0.0
        usual = self._size("latency") if self._strikes("latency") else 0.0
        return usual + (self._size("slow") if self._strikes("slow") else 0.0)

    def fate(self, what: str, who: str) -> Fate:
        if not self._loses:
            return Fate.ANSWERED
        if self._strikes("lost"):
            return Fate.LOST
        if self._strikes("answer lost"):
            return Fate.ANSWER_LOST
        return Fate.LATE if self._strikes("late") else Fate.ANSWERED

    def settlement_lost(self, consumer: str) -> bool:
        return self._strikes("settlement lost")

    def settlement_late(self, consumer: str) -> float:
        return self._size("settlement late") if self._strikes("settlement late") else 0.0

    def rings(self) -> tuple[float, ...]:
        if self._strikes("never rings"):
            return ()
        first = self._size("rings late") if self._strikes("rings late") else 0.0
        return (first, first + self._size("rings twice")) if self._strikes("rings twice") else (first,)

    def silence(self, consumer: str) -> float:
        return self._size("silence") if self._strikes("silence") else 0.0

    def forgotten(self) -> int:
        return int(self._size("forgotten")) if self._strikes("forgotten") else 0
