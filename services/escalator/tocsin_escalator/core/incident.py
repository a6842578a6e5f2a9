"""What the escalator knows of one incident: the state that its own events fold into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal, NamedTuple

from tocsin_schemas import DeadlineKind, Impact, Labels, PlaybookRef, Role

__all__ = [
    "HELD",
    "NOTHING_TOLD",
    "OPEN",
    "OVER",
    "PART_OF_ANOTHER",
    "WAITING",
    "Acknowledgement",
    "AlertKey",
    "Deadline",
    "Firing",
    "IncidentState",
    "Moved",
    "Mute",
    "Opening",
    "Page",
    "Phase",
    "Place",
    "empty",
]


class Phase(Enum):
    """Where an incident is in its life. `lifecycle` says what may happen in which."""

    NONE = "none"
    TRIGGERED = "triggered"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MITIGATING = "mitigating"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    FALSE_ALARM = "false_alarm"
    CLOSED = "closed"

    @property
    def meaning(self) -> str:
        """In words."""
        return _MEANINGS[self]


_MEANINGS: Mapping[Phase, str] = {
    Phase.NONE: "nothing is known: its log is empty",
    Phase.TRIGGERED: "alerts fire and nobody has answered",
    Phase.REOPENED: "the same, after it had been over",
    Phase.ACKNOWLEDGED: "alerts fire and somebody is on it",
    Phase.INVESTIGATING: "somebody is on it and looks for the cause",
    Phase.IDENTIFIED: "somebody is on it and knows the cause",
    Phase.MITIGATING: "somebody is on it and does something about it",
    Phase.MONITORING: "all alerts have cleared; it is watched",
    Phase.RESOLVED: "over; a re-fire soon after reopens it",
    Phase.FALSE_ALARM: "over, and there was nothing; a re-fire soon after reopens it",
    Phase.CLOSED: "over for good",
}

WAITING = frozenset({Phase.TRIGGERED, Phase.REOPENED})
"""Nobody has answered."""
HELD = frozenset({Phase.ACKNOWLEDGED, Phase.INVESTIGATING, Phase.IDENTIFIED, Phase.MITIGATING})
"""Somebody is on it."""
OPEN = WAITING | HELD | {Phase.MONITORING}
OVER = frozenset({Phase.RESOLVED, Phase.FALSE_ALARM})
"""Over, but a re-fire soon after reopens it."""


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
    day_number: int = 1


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fires: `severity` is the highest it has had in this incident, a name of the ladder."""

    rule: str
    severity: str
    labels: Labels


class Moved(NamedTuple):
    """An alert that was split off: where it is now, and as it fired when it went, if it did."""

    to: str
    firing: Firing | None


@dataclass(frozen=True, slots=True)
class Mute:
    """Why nobody is told. `until`: when that may be over; none for as long as `explained_by` has the other alert."""

    why: Literal["silence", "inhibition", "wait", "merge", "correlation"]
    name: str
    because: str = field(default="", compare=False)
    until: datetime | None = None
    explained_by: str | None = None


PART_OF_ANOTHER = frozenset({"merge", "correlation"})
"""Why nobody is told of an incident whose people are told of another that it is a part of."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something that is due and has neither happened nor been missed.

    `place`: the place in the plan that is told then, for a deadline of the escalation; none for any other. `number`:
    how many deadlines the incident has been set, with this one; one that is moved is set again. `page`: the page that
    is repeated then, in the way `round`.
    """

    id: str
    kind: DeadlineKind
    due_at: datetime
    round: int = 0
    place: Place | None = None
    number: int = 0
    page: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was decided: whom, at which place of the plan, and when; whether each who is paged so must answer."""

    target: str
    place: Place
    at: datetime
    each: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody is on it; with `until`, only for so long. `paused`: the deadline of the escalation that it paused."""

    by: str
    until: datetime | None
    since: datetime
    paused: Deadline | None = None

    @property
    def lasting(self) -> timedelta | None:
        """For how long; none for as long as the incident lasts."""
        return None if self.until is None else self.until - self.since

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
    work: Phase  # how far the work was when somebody was last on it
    answered: frozenset[str]  # names of people, since it was opened or reopened
    declined: frozenset[str]
    acknowledge_missed: bool
    automation_told: bool  # people were told that automation failed, since it was opened or reopened
    told_at_once: bool  # the next level was told because of what is at risk, since it was opened or reopened
    reopened: int
    resolved_at: datetime | None
    roles: Mapping[Role, str]
    impact: Impact | None
    impact_by_people: frozenset[str]  # what of it a person has said, by name: no alert unsays it
    moved: Mapping[AlertKey, Moved]  # alerts that were split off
    has_room: bool
    origin: str  # the service where it is suspected to come from
    parts: frozenset[str]  # the incidents that are, or were, a part of this one
    muted: Mute | None
    mutes: int  # how often it was muted, in its whole life

    @property
    def is_open(self) -> bool:
        return self.phase in OPEN

    @property
    def is_waiting(self) -> bool:
        """Whether alerts fire and nobody has answered."""
        return self.phase in WAITING

    @property
    def part_of(self) -> str | None:
        """The incident that people are told of instead; none if this one stands for itself."""
        return self.muted.explained_by if self.muted is not None and self.muted.why in PART_OF_ANOTHER else None

    def knows(self, alert: AlertKey) -> bool:
        """Whether this firing of this alert is, or was, part of the incident."""
        return alert in self.firing or alert in self.ended or alert in self.moved

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


_NOTHING: Mapping[Any, Any] = {}  # shared by all: nobody changes a mapping of a state
_NOBODY: frozenset[Any] = frozenset()


def empty(incident: str) -> IncidentState:
    """An incident of which nothing is known."""
    return IncidentState(
        incident=incident,
        phase=Phase.NONE,
        opening=None,
        severity="",
        severity_since=None,
        severity_is_a_persons=False,
        firing=_NOTHING,
        ended=_NOBODY,
        deadlines=_NOTHING,
        reached=NOTHING_TOLD,
        pages=_NOTHING,
        pages_decided=0,
        deadlines_set=0,
        acknowledged=None,
        work=Phase.ACKNOWLEDGED,
        answered=_NOBODY,
        declined=_NOBODY,
        acknowledge_missed=False,
        automation_told=False,
        told_at_once=False,
        reopened=0,
        resolved_at=None,
        roles=_NOTHING,
        impact=None,
        impact_by_people=frozenset(),
        moved=_NOTHING,
        has_room=False,
        origin="",
        parts=_NOBODY,
        muted=None,
        mutes=0,
    )
