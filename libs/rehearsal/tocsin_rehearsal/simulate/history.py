"""What a simulation has seen: every message in its order, and what the escalator's core makes of it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tocsin_escalator.core.fold import apply
from tocsin_escalator.core.incident import OVER, WAITING, IncidentState, Phase, empty
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
                life.resolved_at = now if after.phase in OVER else life.resolved_at
                life.resolved_at = None if after.phase in WAITING else life.resolved_at
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

    def state_before(self, incident: str, decided: Happened) -> IncidentState:
        """How an incident stood when this was decided, in this incident or another. What is decided together stands in
        the log by incident, so that what followed from the same cause says more than the place."""
        with_it = next((each for each in self.by_cause[decided.envelope.cause] if each.incident == incident), None)
        if with_it is not None:
            return with_it.before
        life = self.incidents.get(incident)
        events = life.events if life is not None else []
        before = [each for each in events if each.envelope.sequence < decided.envelope.sequence]
        return before[-1].after if before else empty(incident)

    def open_incidents(self) -> list[Life]:
        """Those that are not over, in the order in which they were opened."""
        return [life for life in self.incidents.values() if life.state.is_open]

    def over_incidents(self) -> list[Life]:
        """Those that are over, but not for good."""
        return [life for life in self.incidents.values() if life.state.phase in OVER]
