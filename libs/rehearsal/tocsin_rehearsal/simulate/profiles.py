"""Profiles: which kinds of trouble a simulation may have. Each seed has some of them, at rates of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["PROFILES", "SERVICES", "Profile", "Trouble"]


class Trouble(StrEnum):
    """A kind of fault. Of a profile's kinds each seed enables a random part (a swarm)."""

    LATENCY = "latency"  # messages travel for a while
    LOST = "lost"  # requests, or their answers, get lost, or come late
    SETTLEMENTS = "settlements"  # acknowledgements get lost, or come late
    RINGS = "rings"  # alarm clocks ring late, twice or never
    SILENCE = "silence"  # consumers get nothing although there is something
    CUT = "cut"  # a replica is parted from the broker
    KILL = "kill"  # a replica is killed at a moment
    OUTAGE = "outage"  # the escalator is away while deadlines pass
    CRASH = "crash"  # a replica is killed at a random await
    BROKER = "broker"  # the broker is killed, and started again
    FULL = "full"  # a stream takes nothing
    TARGETS = "targets"  # what actions are done to answers badly
    RECEIVERS = "receivers"  # channels answer badly
    REDIS = "redis"  # it is gone, emptied or slow
    SOURCES = "sources"  # what is scraped does not answer
    CLOCKS = "clocks"  # the wall clock of a computer is set


SERVICES = ("detector", "escalator", "remediator", "notifier")
"""Those of which a plan says how many replicas there are."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a simulation of this name may have."""

    name: str
    troubles: frozenset[Trouble] = frozenset()
    alerts: tuple[int, int] = (1, 4)
    """At least and at most so many alerts."""
    services: tuple[int, int] = (1, 3)
    """Of so many services; each is a group of its own."""
    commands: tuple[int, int] = (0, 6)
    severities: tuple[int, int, int] = (5, 3, 1)
    """How many of them are critical, major and minor, in proportion."""
    spans: tuple[float, ...] = (2.0, 30.0, 200.0, 900.0)
    """For about how many seconds alerts last."""
    shares: tuple[float, ...] = (0.2, 0.4, 0.7)
    """Of the kinds of trouble a seed enables about one of these shares."""
    aims: tuple[str, ...] = SERVICES
    """Services whose replicas are killed and cut off."""
    people: float = 0.4
    """How probable it is that people do more than answer: decline, ask for others, merge incidents, take them apart."""
    records: bool = False
    """Whether a recorder takes part: its database takes time."""


def _all(*profiles: Profile) -> Mapping[str, Profile]:
    return {profile.name: profile for profile in profiles}


_T = Trouble
_OUTSIDE = frozenset({_T.TARGETS, _T.RECEIVERS, _T.REDIS, _T.SOURCES})
PROFILES: Mapping[str, Profile] = _all(
    Profile("calm"),
    Profile("storm", frozenset({_T.LATENCY, _T.RECEIVERS}), alerts=(25, 60), services=(1, 6)),
    Profile("partition", frozenset({_T.LATENCY, _T.LOST, _T.CUT, _T.SILENCE})),
    Profile("crash", frozenset({_T.LATENCY, _T.KILL, _T.CRASH, _T.RINGS})),
    Profile(
        "catch-up",
        frozenset({_T.OUTAGE}),
        alerts=(2, 8),
        commands=(0, 4),
        severities=(5, 3, 1),
        spans=(200.0, 900.0, 1500.0),
        aims=("escalator",),
    ),
    Profile(
        "actions",
        frozenset({_T.LATENCY, _T.TARGETS, _T.REDIS, _T.KILL, _T.CRASH, _T.LOST}),
        alerts=(3, 6),
        services=(3, 6),
        commands=(0, 3),
        severities=(6, 2, 0),
        spans=(200.0, 900.0),
        shares=(0.4, 0.7),
        aims=("remediator",),
    ),
    Profile("broker", frozenset({_T.LATENCY, _T.SETTLEMENTS, _T.RINGS, _T.BROKER, _T.FULL, _T.SILENCE})),
    Profile("outside", _OUTSIDE),
    Profile("receivers", frozenset({_T.RECEIVERS}), alerts=(6, 14), services=(3, 6), shares=(1.0,)),
    Profile("notifier", frozenset({_T.CRASH, _T.KILL, _T.LATENCY}), alerts=(3, 6), aims=("notifier",)),
    Profile("clocks", frozenset({_T.CLOCKS, _T.KILL})),
    Profile(
        "recorder",
        frozenset({_T.LATENCY, _T.LOST, _T.SILENCE, _T.CUT, _T.KILL, _T.CRASH, _T.BROKER}),
        alerts=(2, 6),
        aims=("recorder",),
        records=True,
    ),
    Profile(
        "people",
        frozenset({_T.LATENCY, _T.LOST, _T.KILL, _T.CRASH, _T.RINGS, _T.CUT, _T.OUTAGE, _T.FULL}),
        alerts=(2, 8),
        services=(2, 4),
        spans=(30.0, 200.0, 900.0),
        shares=(0.1, 0.2, 0.4),
        aims=("escalator",),
        people=1.0,
    ),
    Profile("everything", frozenset(Trouble)),
)
"""By name."""
