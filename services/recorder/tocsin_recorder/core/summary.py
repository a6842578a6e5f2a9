"""What an incident adds up to: a fold over its log, for lists, the API and the page.

Every list in it is bounded, and counts go on where a list ends: an incident of a hundred thousand events has a
summary of a few kilobytes. Times come from the events; a clock that stepped back makes no negative duration.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, TypeVar

from tocsin_schemas import DeadlineKind, Impact

__all__ = [
    "KEPT",
    "Action",
    "ActionState",
    "Alert",
    "Deadline",
    "Linked",
    "Mute",
    "Origin",
    "Page",
    "Phase",
    "Reason",
    "Stage",
    "Stages",
    "StatusUpdate",
    "Summary",
    "WarRoom",
    "empty",
    "enter",
    "nobody_has_it",
    "put",
    "spent",
    "stages_at",
]

T = TypeVar("T")

KEPT = 100
"""How many alerts, pages, actions and so on are listed; those after them are counted."""


class Phase(StrEnum):
    """Where the incident is in its life, in the escalator's words."""

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
    def is_waiting(self) -> bool:
        """Nobody has answered."""
        return self in (Phase.TRIGGERED, Phase.REOPENED)

    @property
    def is_held(self) -> bool:
        """Somebody is on it."""
        return self in (Phase.ACKNOWLEDGED, Phase.INVESTIGATING, Phase.IDENTIFIED, Phase.MITIGATING)


class Stage(StrEnum):
    """What the time goes into."""

    DETECT = "detect"  # from the first bad sample until it was opened
    RESPOND = "respond"  # until somebody, or the automation, does something about it
    MITIGATE = "mitigate"  # until all alerts have cleared
    MONITOR = "monitor"  # until it is over


class ActionState(StrEnum):
    PROPOSED = "proposed"
    WAITING = "waiting_for_approval"
    APPROVED = "approved"
    RUNNING = "running"
    DONE = "done"
    HELPED = "helped"
    DID_NOT_HELP = "did_not_help"
    FAILED = "failed"
    UNKNOWN = "outcome_unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Alert:
    """One firing of one alert."""

    fingerprint: str
    episode: str
    rule: str
    severity: str
    summary: str
    starts_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was decided, and what became of it."""

    id: str
    target: str
    level: int
    round: int
    at: datetime
    delivered_at: datetime | None = None
    delivered_by: tuple[str, ...] = ()
    failed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """A step of a runbook, and how it went."""

    id: str
    runbook: str
    step: str
    state: ActionState
    at: datetime
    description: str = ""
    target: str = ""
    attempts: int = 0
    detail: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something that is still due."""

    id: str
    kind: DeadlineKind
    due_at: datetime
    level: int | None = None
    page: str | None = None  # the page that is repeated then


@dataclass(frozen=True, slots=True)
class Mute:
    """Why nobody is told of it for now."""

    why: Literal["silence", "inhibition", "wait", "merge", "correlation"]
    name: str
    explained_by: str | None = None

    @property
    def part_of(self) -> str | None:
        """The incident that people are told of instead, where it is a part of one."""
        return self.explained_by if self.why in ("merge", "correlation") else None


@dataclass(frozen=True, slots=True)
class Linked:
    """Another incident that it has to do with."""

    incident: str
    relation: Literal["absorbed", "absorbed_by", "split_from", "split_into", "related"]


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """What somebody said of how it stands."""

    text: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """The service where it is suspected to come from."""

    service: str
    because: str


@dataclass(frozen=True, slots=True)
class WarRoom:
    """The place of its own that was asked for."""

    channel: str
    name: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Which playbook, and which text of it, it was opened under."""

    name: str
    revision: str


@dataclass(frozen=True, slots=True)
class Stages:
    """How long each stage took so far, up to the last change of stage."""

    detect: timedelta = timedelta()
    respond: timedelta = timedelta()
    mitigate: timedelta = timedelta()
    monitor: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Summary:
    """One incident."""

    incident: str
    title: str = ""
    text: str = ""
    severity: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    playbook: Reason | None = None
    previous: str | None = None

    phase: Phase = Phase.TRIGGERED
    stage: Stage | None = None  # none before it was opened and after it is over
    stage_since: datetime | None = None
    stages: Stages = Stages()
    reopened: int = 0
    work: Phase = Phase.ACKNOWLEDGED  # how far the work was when somebody was last on it
    false_alarm: bool = False
    mute: Mute | None = None
    links: tuple[Linked, ...] = ()
    links_seen: int = 0

    started_at: datetime | None = None
    opened_at: datetime | None = None
    acknowledged_at: datetime | None = None  # the first time
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    updated_at: datetime | None = None

    acknowledged_by: str | None = None  # who is on it now
    acknowledged_until: datetime | None = None
    roles: tuple[tuple[str, str], ...] = ()
    waiting_for: tuple[str, ...] = ()  # who must still answer, where each must
    declined: tuple[str, ...] = ()  # who cannot take it
    severity_held_by: str | None = None  # who has set it: only people change it then
    impact: Impact | None = None
    origin: Origin | None = None
    war_room: WarRoom | None = None
    last_update: StatusUpdate | None = None
    level: int | None = None  # the highest level that was told

    alerts: tuple[Alert, ...] = ()
    alerts_seen: int = 0
    alerts_firing: int = 0
    pages: tuple[Page, ...] = ()
    pages_sent: int = 0
    paged: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    actions_seen: int = 0
    delivered: int = 0
    undelivered: int = 0
    deadlines: tuple[Deadline, ...] = ()
    missed: int = 0
    notes: int = 0
    updates: int = 0
    automation_stopped_by: str | None = None
    status_page: str | None = None
    review_due_at: datetime | None = None
    entries: int = 0

    @property
    def active(self) -> bool:
        """Whether it is not over."""
        return self.phase not in (Phase.RESOLVED, Phase.FALSE_ALARM, Phase.CLOSED)

    @property
    def part_of(self) -> str | None:
        """The incident that people are told of instead of this one."""
        return self.mute.part_of if self.mute is not None else None

    @property
    def time_to_acknowledge(self) -> timedelta | None:
        return _between(self.opened_at, self.acknowledged_at)

    @property
    def time_to_mitigate(self) -> timedelta | None:
        return _between(self.opened_at, self.mitigated_at)

    @property
    def time_to_resolve(self) -> timedelta | None:
        return _between(self.opened_at, self.resolved_at)


def empty(incident: str) -> Summary:
    """An incident of which nothing is known."""
    return Summary(incident)


def nobody_has_it(summary: Summary) -> Phase:
    """The phase of an incident that nobody is on any more."""
    return Phase.REOPENED if summary.reopened else Phase.TRIGGERED


def stages_at(summary: Summary, now: datetime) -> Stages:
    """How long each stage has taken by `now`, the running one included."""
    if summary.stage is None or summary.stage_since is None:
        return summary.stages
    return spent(summary.stages, summary.stage, summary.stage_since, now)


def enter(summary: Summary, stage: Stage | None, at: datetime) -> Summary:
    """The running stage ends and another one begins (none: it is over)."""
    if summary.stage is stage:
        return summary
    stages = summary.stages
    if summary.stage is not None and summary.stage_since is not None:
        stages = spent(stages, summary.stage, summary.stage_since, at)
    return replace(summary, stage=stage, stage_since=None if stage is None else at, stages=stages)


def spent(stages: Stages, stage: Stage, since: datetime, until: datetime) -> Stages:
    """The stages with the time from `since` to `until` added to one."""
    took = {name: getattr(stages, name) for name in Stages.__slots__}
    took[stage.value] += max(until - since, timedelta())
    return Stages(**took)


def _between(begin: datetime | None, end: datetime | None) -> timedelta | None:
    return None if begin is None or end is None else max(end - begin, timedelta())


# --- lists that end --------------------------------------------------------------------------------------------------


def put(items: tuple[T, ...], item: T, is_it: Callable[[T], bool]) -> tuple[T, ...]:
    """The list with `item` in the place of the one that it replaces, or at the end as long as there is room."""
    if any(is_it(other) for other in items):
        return tuple(item if is_it(other) else other for other in items)
    return (*items, item) if len(items) < KEPT else items
