"""What a simulation has seen: every message in its order, and what the escalator's core makes of it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tocsin_escalator.core.fold import apply
from tocsin_escalator.core.incident import IncidentState, Phase, empty
from tocsin_rehearsal.bus.streams import Stored
from tocsin_schemas import Envelope, Event, Payload
from tocsin_schemas.events import AlertFired, AlertResolved, AutomationStopped

__all__ = ["Happened", "History", "Life"]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the log: when it was stored (seconds since the start), and the incident's state before and after."""

    at: float
    envelope: Envelope[Event]
    before: IncidentState
    after: IncidentState

    @property
    def data(self) -> Event:
        return self.envelope.data

    @property
    def incident(self) -> str:
        return self.envelope.incident


@dataclass(slots=True)
class Life:
    """One incident: its events, its state, and since when it has been in its phase."""

    id: str
    events: list[Happened]
    state: IncidentState
    phase_since: float = 0.0
    phase_before: Phase = Phase.NONE
    stopped_at: float | None = None
    resolved_at: float | None = None


class History:
    """Fed by the streams as they are written."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self.incidents: dict[str, Life] = {}
        self.events: list[Happened] = []
        self.by_id: dict[str, Happened] = {}
        self.by_cause: dict[str, list[Happened]] = defaultdict(list)
        self.words: dict[str, list[tuple[float, Envelope[Payload]]]] = defaultdict(list)
        """What was said of each alert, by its fingerprint."""
        self.on_event: list[Callable[[Happened], None]] = []

    def stored(self, stored: Stored) -> bool:
        """A message of the log."""
        envelope = cast(Envelope[Event], stored.envelope)
        life = self.incidents.get(envelope.incident)
        if life is None:
            life = self.incidents[envelope.incident] = Life(envelope.incident, [], empty(envelope.incident))
        now, before = self._time(), life.state
        after = before
        if envelope.data.OWNER == "escalator":
            after = life.state = apply(before, envelope.data, envelope.time)
            if after.phase is not before.phase:
                life.phase_since, life.phase_before = now, before.phase
                life.resolved_at = now if after.phase is Phase.RESOLVED else life.resolved_at
                life.resolved_at = None if after.phase is Phase.TRIGGERED else life.resolved_at
        elif isinstance(envelope.data, AutomationStopped) and life.stopped_at is None:
            life.stopped_at = now
        happened = Happened(now, envelope, before, after)
        life.events.append(happened)
        self.events.append(happened)
        self.by_id[envelope.id] = happened
        self.by_cause[envelope.cause].append(happened)
        for call in self.on_event:
            call(happened)
        return True

    def told(self, stored: Stored) -> bool:
        """A message about an alert."""
        data = stored.envelope.data
        if isinstance(data, AlertFired | AlertResolved):
            self.words[data.fingerprint].append((self._time(), stored.envelope))
        return True

    def open_incidents(self) -> list[Life]:
        """Those that are not over, in the order in which they were opened."""
        over = (Phase.NONE, Phase.RESOLVED, Phase.CLOSED)
        return [life for life in self.incidents.values() if life.state.phase not in over]
