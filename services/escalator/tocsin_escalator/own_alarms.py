"""The escalator's own alarm: clocks did not ring. People hear of it as of any other alert; no silence mutes it."""

from datetime import timedelta
from typing import NamedTuple

from tocsin_escalator.core.incident import AlertKey, Deadline, IncidentState
from tocsin_escalator.handlers import OVERTAKEN_PAUSES, Afterwards, Handlers
from tocsin_escalator.search import W
from tocsin_schemas import Labels, caused_by
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import derive_id, fingerprint

__all__ = ["RULE", "Missed", "OwnAlarms"]

RULE = "TocsinClockDidNotRing"
_SOURCE = "tocsin"
_LABELS = Labels(alertname=RULE)
_FINGERPRINT = fingerprint(_LABELS)

_KEY = 0
_WAITED = len(OVERTAKEN_PAUSES) + 1
"""Our own word is not overtaken by anything."""

QUIET_AFTER = timedelta(minutes=10)
"""For how long no clock must have been missed before the alarm ends."""


class Missed(NamedTuple):
    """A deadline that the audit had to handle, and how late that was."""

    incident: str
    deadline: Deadline
    late: timedelta


class OwnAlarms:
    """Raised and ended by the audit; of several replicas any may do either."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    async def raise_for(self, missed: list[Missed]) -> None:
        """Clocks have been missed: say so, unless that stands already. Raises BusUnavailableError."""
        first = max(missed, key=lambda each: (each.late, each.deadline.id))
        if any(state.is_open and _key_of(state) for state in self._handlers.index.incidents()):
            return
        now = self._handlers.clock.now()
        cause = derive_id("own-alarm", first.incident, first.deadline.id, first.deadline.number)
        count = f"{len(missed)} deadlines were" if len(missed) > 1 else "A deadline was"
        alert = AlertFired(
            fingerprint=_FINGERPRINT,
            episode=cause,
            rule=RULE,
            labels=_LABELS,
            source=_SOURCE,
            summary=f"{count} found by the audit, {first.late.total_seconds():.0f} s late: clocks of NATS do not ring",
            starts_at=now,
        )
        await self._say(cause, alert)

    async def end_where_quiet(self) -> None:
        """No clock has been missed: the alarm ends once that has lasted. Raises BusUnavailableError."""
        handlers, now = self._handlers, self._handlers.clock.now()
        for state in list(handlers.index.incidents()):
            key = _key_of(state)
            since = state.severity_since
            if not state.is_open or key is None or since is None or now - since < QUIET_AFTER:
                continue
            alert = AlertResolved(
                fingerprint=key.fingerprint,
                episode=key.episode,
                rule=RULE,
                labels=_LABELS,
                source=_SOURCE,
                playbook=state.opening.playbook if state.opening is not None else None,
                ends_at=now,
            )
            await self._say(derive_id("own-alarm-over", state.incident, key.episode), alert)

    async def _say(self, cause: str, alert: AlertFired | AlertResolved) -> None:
        handlers, then = self._handlers, Afterwards()
        message = caused_by(cause, 0, "escalator", "", handlers.clock.now(), alert)

        async def decide(work: W, _: None) -> None:
            then.begin(_KEY)
            await handlers.alert(work, message, _KEY, _WAITED, then)

        await handlers.decider.many([None], decide)
        await handlers.alarms.set(alarm for alarms in then.alarms.values() for alarm in alarms)


def _key_of(state: IncidentState) -> AlertKey | None:
    """The alarm that fires in this incident; none where none does."""
    return next((key for key in state.firing if key.fingerprint == _FINGERPRINT), None)
