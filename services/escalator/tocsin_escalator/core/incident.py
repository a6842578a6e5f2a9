"""What the escalator knows of one incident: the state that its own events fold into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal, NamedTuple

from tocsin_schemas import DeadlineKind, Labels, PlaybookRef, Role

__all__ = [
    "NOTHING_TOLD",
    "Acknowledgement",
    "AlertKey",
    "Deadline",
    "Firing",
    "IncidentState",
    "Mute",
    "Opening",
    "Page",
    "Phase",
    "Place",
    "empty",
]


class Phase(Enum):
    """Where an incident is in its life. `lifecycle` says what may happen in which."""

    NONE = "none"  # nothing is known: its log is empty
    TRIGGERED = "triggered"  # alerts fire and nobody has answered
    ACKNOWLEDGED = "acknowledged"  # alerts fire and somebody is on it
    MONITORING = "monitoring"  # all alerts have cleared; it is watched
    RESOLVED = "resolved"  # over; a re-fire soon after reopens it
    CLOSED = "closed"  # over for good


class AlertKey(NamedTuple):
    """One firing of one alert."""

    fingerprint: str
    episode: str


class Place(NamedTuple):
    """A place in the escalation plan: rounds first, levels within a round."""

    round: int
    level: int


NOTHING_TOLD = Place(0, -1)


@dataclass(frozen=True, slots=True)
class Opening:
    """What was said when the incident was opened; it never changes."""

    group_key: str
    number: int
    title: str
    labels: Labels
    playbook: PlaybookRef
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fires: `severity` is the highest it has had in this incident, a name of the ladder."""

    rule: str
    severity: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Mute:
    """Why nobody is told. `until`: when that may be over; none for as long as `explained_by` has the other alert."""

    why: Literal["silence", "inhibition", "wait"]
    name: str
    because: str = field(default="", compare=False)
    until: datetime | None = None
    explained_by: str | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something that is due and has neither happened nor been missed.

    `place`: the place in the plan that is told then, for a deadline of the escalation; none for any other. `number`:
    how many deadlines the incident has been set, with this one; one that is moved is set again.
    """

    id: str
    kind: DeadlineKind
    due_at: datetime
    round: int = 0
    place: Place | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was decided: whom, at which place of the plan, and when."""

    target: str
    place: Place
    at: datetime


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody is on it; with `until`, only for so long."""

    by: str
    until: datetime | None

    def holds(self, at: datetime) -> bool:
        return self.until is None or at < self.until


class IncidentState(NamedTuple):
    """One incident. Mappings are never changed in place: a new state shares what has not changed.

    A named tuple, because a state is made for every event and `_replace` is five times as fast as for a dataclass.
    """

    incident: str
    phase: Phase
    opening: Opening | None
    severity: str
    severity_since: datetime | None
    severity_is_a_persons: bool
    firing: Mapping[AlertKey, Firing]
    ended: frozenset[AlertKey]
    deadlines: Mapping[str, Deadline]
    reached: Place  # everything in the plan up to here has been told, or passed over
    pages: Mapping[str, Page]  # by id, since it was opened or reopened
    pages_decided: int  # in its whole life
    deadlines_set: int  # in its whole life
    acknowledged: Acknowledgement | None
    acknowledge_missed: bool
    automation_told: bool  # people were told that automation failed, since it was opened or reopened
    reopened: int
    resolved_at: datetime | None
    roles: Mapping[Role, str]
    muted: Mute | None
    mutes: int  # how often it was muted, in its whole life

    @property
    def is_open(self) -> bool:
        return self.phase in _OPEN

    def knows(self, alert: AlertKey) -> bool:
        """Whether this firing of this alert is, or was, part of the incident."""
        return alert in self.firing or alert in self.ended

    def is_held(self, at: datetime) -> bool:
        """Whether somebody is on it at this moment."""
        return self.acknowledged is not None and self.acknowledged.holds(at)

    @property
    def escalation(self) -> Deadline | None:
        """The one open deadline at which the next place of the plan is told."""
        for deadline in self.deadlines.values():
            if deadline.place is not None:
                return deadline
        return None


_OPEN = frozenset({Phase.TRIGGERED, Phase.ACKNOWLEDGED, Phase.MONITORING})


def empty(incident: str) -> IncidentState:
    """An incident of which nothing is known."""
    return IncidentState(
        incident=incident,
        phase=Phase.NONE,
        opening=None,
        severity="",
        severity_since=None,
        severity_is_a_persons=False,
        firing={},
        ended=frozenset(),
        deadlines={},
        reached=NOTHING_TOLD,
        pages={},
        pages_decided=0,
        deadlines_set=0,
        acknowledged=None,
        acknowledge_missed=False,
        automation_told=False,
        reopened=0,
        resolved_at=None,
        roles={},
        muted=None,
        mutes=0,
    )
