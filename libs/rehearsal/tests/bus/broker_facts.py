"""What scripts and scenes write, and who reads it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tocsin_runtime.topology import STREAMS, ConsumerSpec, StreamSpec
from tocsin_schemas import Actor, Envelope, Event, TimerDue, caused_by, subjects
from tocsin_schemas.events import AutomationStopped, NoteAdded
from tocsin_schemas.ids import derive_id
from tocsin_schemas.moments import format_moment

__all__ = ["CONSUMERS", "PHASE", "Contents", "Names", "fact", "streams"]

PHASE = 1.2
"""Seconds."""

_WINDOW = 3.0
_ACK_WAIT = timedelta(seconds=2)
_ADA = Actor.person("ada", "cli")
_TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)

Contents = dict[str, list[tuple[int, str, str]]]
"""By stream: sequence, subject and name of each message, and the last sequence."""

CONSUMERS = (
    ConsumerSpec(
        "d-incidents",
        "detector",
        "INCIDENTS",
        (subjects.INCIDENTS,),
        "",
        workers=64,
        ack_wait=_ACK_WAIT,
        max_failures=50,
    ),
    ConsumerSpec(
        "d-commands", "detector", "COMMANDS", (subjects.COMMANDS,), "", workers=64, ack_wait=_ACK_WAIT, max_failures=50
    ),
    ConsumerSpec(
        "d-timers",
        "detector",
        "TIMERS",
        ("tocsin.timers.due.detector.*",),
        "",
        workers=64,
        ack_wait=_ACK_WAIT,
        max_failures=50,
    ),
    ConsumerSpec(
        "d-alerts", "detector", "ALERTS", (subjects.ALERTS,), "", batch=4, ack_wait=_ACK_WAIT, max_failures=50
    ),
)


def streams(scale: float) -> tuple[StreamSpec, ...]:
    """Those of the table, with a short window for duplicates."""
    return tuple(replace(spec, duplicate_window=timedelta(seconds=_WINDOW * scale)) for spec in STREAMS)


def fact(cause: str, incident: str = "", by: str = "escalator", text: str = "") -> Envelope[Event]:
    """Something that may be written anywhere."""
    data: Event = NoteAdded(text=text or cause, by=_ADA) if by == "escalator" else AutomationStopped(by=_ADA)
    return caused_by(cause, 0, by, incident, _TIME, data)


def _ring_id(incident: str, deadline: str, due: datetime) -> str:
    """As `Timers.arm` makes it."""
    cause = derive_id("timer", "detector", incident, deadline, format_moment(due))
    data = TimerDue(incident=incident, deadline=deadline, due_at=due)
    return caused_by(cause, 0, "detector", incident, due, data).id


class Names:
    """How histories call messages: by the same names in each world, where ids hold the moment of a clock, and whoever
    wins a race.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._arms = 0

    def fact(self, cause: str, incident: str = "", by: str = "escalator") -> Envelope[Event]:
        """As `fact`. What stands after a slash in the cause is no part of the name."""
        made = fact(cause, incident, by)
        self._names[made.id] = f"{cause.partition('/')[0]} {incident} {by}"
        return made

    def armed(self, incident: str, deadline: str, due: datetime) -> str:
        """A clock is armed: its ring has a name."""
        self._arms += 1
        name = self._names[_ring_id(incident, deadline, due)] = f"ring {self._arms}"
        return name

    def of(self, message: str) -> str:
        """The name of what has this id, the id itself where it has none."""
        return self._names.get(message, message)
