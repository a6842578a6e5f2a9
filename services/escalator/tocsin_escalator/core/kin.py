"""Incidents that have to do with each other: parts of one another, by a person's word or by the graph of services.

An incident that is a part of another is muted by it: people are told of the other. That holds only while the other is
open and people are told of it. A part that still fires when the other is over stands for itself again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from tocsin_escalator.core.incident import IncidentState, Mute, Phase
from tocsin_playbook.model import Playbook
from tocsin_schemas import Labels

__all__ = ["NO_KIN", "Kin", "Relative", "Relatives", "relative_of", "services_of"]


@dataclass(frozen=True, slots=True)
class Relative:
    """An open incident that people are told of: which services it is about, and since when. `is_quiet`: all of its
    alerts have cleared, so that nobody is paged for it.
    """

    incident: str
    title: str
    services: frozenset[str]
    opened_at: datetime
    is_quiet: bool = False


class Relatives(Iterable[Relative]):
    """Incidents by the services they are about: a storm asks for each of its alerts."""

    def __init__(self, relatives: Iterable[Relative] = ()) -> None:
        self._all: dict[str, Relative] = {}
        self._about: dict[str, dict[str, Relative]] = defaultdict(dict)
        for relative in relatives:
            self.add(relative)

    def __iter__(self) -> Iterator[Relative]:
        return iter(self._all.values())

    def get(self, incident: str) -> Relative | None:
        """The one of this incident."""
        return self._all.get(incident)

    def add(self, relative: Relative) -> None:
        """As it stands by now."""
        self.drop(relative.incident)
        self._all[relative.incident] = relative
        for service in relative.services:
            self._about[service][relative.incident] = relative

    def drop(self, incident: str) -> None:
        """It is none any more."""
        relative = self._all.pop(incident, None)
        for service in relative.services if relative is not None else ():
            del self._about[service][incident]
            if not self._about[service]:
                del self._about[service]

    def about(self, services: Iterable[str]) -> Collection[Relative]:
        """Those that are about one of these."""
        return {name: each for service in services for name, each in self._about.get(service, {}).items()}.values()


class Graph:
    """Which service needs which, at how many steps, and which are kin."""

    def __init__(self, edges: Mapping[str, Sequence[str]]) -> None:
        self._needs = {
            name: _needs(edges, name) for name in {*edges, *(each for needs in edges.values() for each in needs)}
        }
        self._needed_by: dict[str, set[str]] = defaultdict(set)
        for name, needs in self._needs.items():
            for needed in needs:
                self._needed_by[needed].add(name)

    def kin_of(self, service: str) -> set[str]:
        """The services that this one has to do with: it needs them, they need it, or both need the same."""
        needs = self._needs.get(service, {})
        return {
            service,
            *needs,
            *self._needed_by.get(service, ()),
            *(each for one in needs for each in self._needed_by.get(one, ())),
        }

    def kinship(self, one: str, other: str) -> "Kinship | None":
        """Where both come from: the one that the other needs, or what both need, the nearest first."""
        if one == other:
            return Kinship(one, f"both are about {one}")
        needed_by_one, needed_by_other = self._needs.get(one, {}), self._needs.get(other, {})
        if other in needed_by_one:
            return Kinship(other, f"{one} depends on {other}")
        if one in needed_by_other:
            return Kinship(one, f"{other} depends on {one}")
        shared = [name for name in needed_by_one if name in needed_by_other]
        if not shared:
            return None
        nearest = min(shared, key=lambda name: (needed_by_one[name] + needed_by_other[name], name))
        return Kinship(nearest, f"{one} and {other} both depend on {nearest}")


@dataclass(frozen=True, slots=True)
class Kinship:
    """Why two incidents are one: the service it is suspected to come from, and why."""

    origin: str
    because: str


class Heard(Protocol):
    """The incidents that people are told of."""

    def __contains__(self, incident: object, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Kin:
    """Which incidents people are told of, those among them that others may be a part of, and the graph of services.

    `over`: incidents that have just ended, whatever else says.
    """

    heard: Heard = frozenset()
    relatives: Iterable[Relative] = ()
    playbook: Playbook | None = None
    over: frozenset[str] = frozenset()

    def stands_for(self, mute: Mute) -> bool:
        """Whether people are told of the incident that this one was made a part of."""
        return mute.explained_by not in self.over and mute.explained_by in self.heard

    def of(self, labels: Labels, incident: str, now: datetime, opened_at: datetime | None) -> Mute | None:
        """The incident that one with these labels is a part of by the graph: the oldest that is related, in time. One
        that people are told of stands for itself already.
        """
        if self.playbook is None or self.playbook.group.correlate_within is None:
            return None
        relatives = self.relatives if isinstance(self.relatives, Relatives) else Relatives(self.relatives)
        if relatives.get(incident) is not None:
            return None
        within, began = self.playbook.group.correlate_within, opened_at or now
        own, graph = services_of(self.playbook, (labels,)), _graph_of(self.playbook)
        near = [
            relative
            for relative in relatives.about({name for service in own for name in graph.kin_of(service)})
            if not relative.is_quiet
            and relative.incident not in self.over
            and abs(began - relative.opened_at) <= within
        ]
        for relative in sorted(near, key=lambda each: (each.opened_at, each.incident)):
            if (kinship := self.kinship(own, relative.services)) is not None:
                return Mute("correlation", relative.title, kinship.because, explained_by=relative.incident)
        return None

    def kinship(self, some: frozenset[str], others: frozenset[str]) -> Kinship | None:
        """Why incidents of these services are one; none if nothing connects them."""
        if self.playbook is None:
            return None
        graph = _graph_of(self.playbook)
        for one in sorted(some):
            for other in sorted(others):
                if (found := graph.kinship(one, other)) is not None:
                    return found
        return None


NO_KIN = Kin()


def relative_of(state: IncidentState, playbook: Playbook, services: frozenset[str] | None = None) -> Relative | None:
    """An incident as the others see it; none if it is over, or people are not told of it. `services`: those that it is
    about, where that is known.
    """
    opening = state.opening
    if opening is None or not state.is_open or state.muted is not None:
        return None
    if services is None:
        services = services_of(playbook, [*(firing.labels for firing in state.firing.values()), opening.labels])
    return Relative(state.incident, opening.title, services, opening.opened_at, state.phase is Phase.MONITORING)


def services_of(playbook: Playbook, labels: Iterable[Labels]) -> frozenset[str]:
    """The services that alerts with these labels are about."""
    each = tuple(labels)
    named = {one.get("service") for one in each}
    return frozenset(
        service.name
        for service in playbook.services
        if (any(service.owns(one) for one in each) if service.match else service.name in named)
    )


def _graph_of(playbook: Playbook) -> Graph:
    return _laid_out(tuple((service.name, service.depends_on) for service in playbook.services))


@lru_cache(maxsize=32)
def _laid_out(edges: tuple[tuple[str, tuple[str, ...]], ...]) -> Graph:
    return Graph(dict(edges))


def _needs(graph: Mapping[str, Sequence[str]], service: str) -> dict[str, int]:
    """Every service that this one needs, with how many steps away it is. A graph may have cycles."""
    distance = {service: 0}
    edge = [service]
    while edge:
        found = [needed for name in edge for needed in graph.get(name, ()) if needed not in distance]
        distance |= dict.fromkeys(found, distance[edge[0]] + 1)
        edge = list(dict.fromkeys(found))
    del distance[service]
    return distance
