"""Profiles: which kinds of trouble a simulation may have. Each seed has some of them, at rates of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["PROFILES", "Profile", "Trouble"]


class Trouble(StrEnum):
    """A kind of fault. Of a profile's kinds each seed enables a random part (a swarm)."""

    LATENCY = "latency"  # messages travel for a while
    LOST = "lost"  # requests, or their answers, get lost, or come late
    SETTLEMENTS = "settlements"  # acknowledgements get lost, or come late
    RINGS = "rings"  # alarm clocks ring late, twice or never
    SILENCE = "silence"  # consumers get nothing although there is something
    CUT = "cut"  # a replica is parted from the broker
    KILL = "kill"  # a replica is killed at a moment
    CRASH = "crash"  # a replica is killed at a random await
    BROKER = "broker"  # the broker is killed, and started again
    FULL = "full"  # a stream takes nothing
    TARGETS = "targets"  # what actions are done to answers badly
    RECEIVERS = "receivers"  # channels answer badly
    REDIS = "redis"  # it is gone, emptied or slow
    SOURCES = "sources"  # what is scraped does not answer
    CLOCKS = "clocks"  # the wall clock of a computer is set


@dataclass(frozen=True, slots=True)
class Profile:
    """What a simulation of this name may have."""

    name: str
    troubles: frozenset[Trouble] = frozenset()
    alerts: tuple[int, int] = (1, 4)
    """At least and at most so many alerts."""
    commands: tuple[int, int] = (0, 6)


def _all(*profiles: Profile) -> Mapping[str, Profile]:
    return {profile.name: profile for profile in profiles}


_T = Trouble
_OUTSIDE = frozenset({_T.TARGETS, _T.RECEIVERS, _T.REDIS, _T.SOURCES})
PROFILES: Mapping[str, Profile] = _all(
    Profile("calm"),
    Profile("storm", frozenset({_T.LATENCY, _T.RECEIVERS}), alerts=(25, 60)),
    Profile("partition", frozenset({_T.LATENCY, _T.LOST, _T.CUT, _T.SILENCE})),
    Profile("crash", frozenset({_T.LATENCY, _T.KILL, _T.CRASH, _T.RINGS})),
    Profile("broker", frozenset({_T.LATENCY, _T.SETTLEMENTS, _T.RINGS, _T.BROKER, _T.FULL, _T.SILENCE})),
    Profile("outside", _OUTSIDE),
    Profile("clocks", frozenset({_T.CLOCKS, _T.KILL})),
    Profile("everything", frozenset(Trouble)),
)
"""By name."""
