"""The one table of streams and consumers. Everything that exists in NATS is declared here and nowhere else.

Streams are never discarded from the old end (`discard: new`): a full stream refuses, it does not forget.
Consumers acknowledge explicitly and have no delivery limit and no back-off of the server's: a limit drops
silently, and a back-off shorter than the handler makes duplicates. The pump counts deliveries itself.
"""

from dataclasses import dataclass
from datetime import timedelta

from tocsin_schemas import Event, subjects
from tocsin_schemas import events as facts

__all__ = [
    "CONSUMERS",
    "STREAMS",
    "ConsumerSpec",
    "StreamSpec",
    "consumers_of",
]

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
ACK_WAIT = 6 * SECOND
"""How long a replica may be silent about a message before another one gets it. Renewed every third of it."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream of JetStream."""

    name: str
    subjects: tuple[str, ...]
    description: str
    max_age: timedelta = timedelta(0)  # for good
    in_memory: bool = False
    work_queue: bool = False
    atomic_batches: bool = False
    schedules: bool = False
    append_only: bool = False
    duplicate_window: timedelta = 10 * 60 * SECOND


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """One durable pull consumer, shared by all replicas of its service.

    `batch` inputs at most are handled together. With `workers` > 0 each input is handled by itself, that many at
    a time, so that a slow one delays no other. With `pinned` one replica at a time is given messages (ADR-42 of NATS),
    and another one when that has asked for none so long: where two would only get in each other's way.
    """

    name: str
    service: str
    stream: str
    filters: tuple[str, ...]
    description: str
    batch: int = 1
    workers: int = 0
    ack_wait: timedelta = ACK_WAIT
    max_failures: int = 8  # of its handler in one replica; then the message is parked
    pinned: timedelta | None = None
    unsettled: int = 1000  # messages at most that are handed out and not settled, put off ones included


STREAMS: tuple[StreamSpec, ...] = (
    StreamSpec(
        "METRICS",
        (subjects.METRICS,),
        "Pushed samples, in batches",
        max_age=timedelta(minutes=10),
        in_memory=True,
    ),
    StreamSpec(
        "ALERTS",
        (subjects.ALERTS,),
        "Alert events, sharded by rule",
        max_age=7 * DAY,
        atomic_batches=True,
    ),
    StreamSpec(
        "INCIDENTS",
        (subjects.INCIDENTS,),
        "The log: every fact about every incident, for good",
        atomic_batches=True,
        append_only=True,
    ),
    StreamSpec(
        "COMMANDS",
        (subjects.COMMANDS,),
        "What operators ask for, until it is done",
        max_age=30 * DAY,
        work_queue=True,
    ),
    StreamSpec(
        "TIMERS",
        (subjects.TIMERS_AT, subjects.TIMERS_DUE),
        "Alarm clocks, armed and due",
        max_age=400 * DAY,
        schedules=True,
    ),
    StreamSpec(
        "PLAYBOOKS",
        (subjects.PLAYBOOKS,),
        "Every text of every playbook, for good: incidents are pinned to one",
        append_only=True,
    ),
    StreamSpec(
        "ORDERS",
        (subjects.ORDERS,),
        "Silences and overrides of people's, for good: which were in force when, is part of the story",
        append_only=True,
    ),
    StreamSpec(
        "DEADLETTERS",
        (subjects.DEADLETTERS,),
        "What could not be handled, and why",
        max_age=90 * DAY,
    ),
)


def _facts(*events: type[Event]) -> tuple[str, ...]:
    """The subjects of these facts, of any incident. A service is shown only what it may act upon."""
    return tuple(f"tocsin.incidents.*.{event.OWNER}.{event.SLUG}" for event in events)


CONSUMERS: tuple[ConsumerSpec, ...] = (
    ConsumerSpec(
        "escalator-alerts",
        "escalator",
        "ALERTS",
        (subjects.ALERTS,),
        "Alerts to group into incidents",
        batch=256,
        pinned=5 * SECOND,  # alerts of one group come to all: two replicas would lose a race in every batch
    ),
    ConsumerSpec(
        "escalator-outcomes",
        "escalator",
        "INCIDENTS",
        _facts(
            facts.ActionProposed,
            facts.ActionOutcomeUnknown,
            facts.RunbookFinished,
            facts.NotificationFailed,
        ),
        "How mitigations and notifications went",
        batch=256,
    ),
    ConsumerSpec(
        "escalator-timers",
        "escalator",
        "TIMERS",
        ("tocsin.timers.due.escalator.*",),
        "Alarm clocks that ring",
        batch=256,
        unsettled=20_000,  # after an outage the less severe wait for the severe: all must be known
    ),
    ConsumerSpec(
        "escalator-commands",
        "escalator",
        "COMMANDS",
        ("tocsin.commands.escalator.*",),
        "What operators ask the escalator for",
        batch=64,
    ),
    ConsumerSpec(
        "remediator-incidents",
        "remediator",
        "INCIDENTS",
        _facts(
            facts.IncidentOpened,
            facts.SeverityChanged,
            facts.ImpactStated,
            facts.IncidentEscalated,
            facts.IncidentAcknowledged,
            facts.IncidentMonitoring,
            facts.IncidentResumed,
            facts.IncidentResolved,
            facts.IncidentReopened,
            facts.IncidentMuted,
            facts.IncidentUnmuted,
        ),
        "Incidents that may need a mitigation",
        workers=16,
    ),
    ConsumerSpec(
        "remediator-commands",
        "remediator",
        "COMMANDS",
        ("tocsin.commands.remediator.*",),
        "Approvals and vetoes",
        workers=16,
    ),
    ConsumerSpec(
        "notifier-incidents",
        "notifier",
        "INCIDENTS",
        _facts(
            facts.ResponderPaged,
            facts.IncidentOpened,
            facts.SeverityChanged,
            facts.DeadlineMissed,
            facts.IncidentEscalated,
            facts.IncidentAcknowledged,
            facts.NoteAdded,
            facts.IncidentMonitoring,
            facts.IncidentResumed,
            facts.IncidentResolved,
            facts.IncidentReopened,
            facts.IncidentClosed,
            facts.IncidentUnmuted,
            facts.ActionProposed,
            facts.ActionClaimed,
            facts.ActionSucceeded,
            facts.ActionFailed,
            facts.ActionOutcomeUnknown,
            facts.ActionRefused,
            facts.VerificationPassed,
            facts.VerificationFailed,
            facts.RunbookFinished,
            facts.AutomationStopped,
            facts.StatusUpdated,
            facts.RoleAssigned,
            facts.TargetNeared,
            facts.ResponderAnswered,
            facts.ResponderDeclined,
            facts.ResponderAdded,
            facts.WarRoomRequested,
        ),
        "What people must hear of",
        workers=256,  # what really limits is inside: so many at a time for each channel
    ),
)


def consumers_of(service: str) -> tuple[ConsumerSpec, ...]:
    """The consumers that this service's replicas share."""
    return tuple(spec for spec in CONSUMERS if spec.service == service)
