"""Who is told to act: pages, which ask a person to take an incident on, and requests to approve an action."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tocsin_recorder.core.words import name_of
from tocsin_rehearsal.cases.seen import Moment
from tocsin_schemas import Envelope, Event
from tocsin_schemas.events import ActionProposed, NotificationDelivered, NotificationFailed, ResponderPaged

__all__ = ["Paging", "asks_for_approval"]

_PAGED = {"decided": "is to be paged", "delivered": "is paged", "failed": "could not be paged"}
_ASKED = {"decided": "is to be asked", "delivered": "is asked", "failed": "could not be asked"}


def asks_for_approval(paged: ResponderPaged) -> bool:
    """Whether it asks to approve an action, rather than to take the incident on."""
    return paged.reason == "automation_needs_you"


class Paging:
    """Goes through a log, and tells of each page and request what became of it."""

    def __init__(self) -> None:
        self._proposed: dict[str, ActionProposed] = {}
        """By the id of the event: what is asked follows from it."""
        self._paged: dict[str, tuple[ResponderPaged, ActionProposed | None]] = {}

    def moments(self, envelope: Envelope[Event], at: timedelta) -> Iterator[Moment]:
        """What this event says of pages and requests."""
        event = envelope.data
        match event:
            case ActionProposed():
                self._proposed[envelope.id] = event
            case ResponderPaged(page=page):
                self._paged[page] = event, self._proposed.get(envelope.cause)
                yield self._told(page, "decided", None, envelope.incident, at)
            case NotificationDelivered(page=str(page), channel=channel) if page in self._paged:
                yield self._told(page, "delivered", channel, envelope.incident, at)
            case NotificationFailed(page=str(page), channel=channel) if page in self._paged:
                yield self._told(page, "failed", channel, envelope.incident, at)

    def _told(self, page: str, outcome: str, channel: str | None, incident: str, at: timedelta) -> Moment:
        paged, proposed = self._paged[page]
        fields = {
            "outcome": outcome,
            "target": paged.target,
            "channel": channel,
            "severity": paged.severity,
            "incident": incident,
        }
        who, by = name_of(paged.target), f" by {channel}" if channel else ""
        if not asks_for_approval(paged):
            level = paged.level + 1
            known = {**fields, "level": level, "way": (paged.way or 0) + 1}
            return Moment(at, "page", f"{who} {_PAGED[outcome]}{by} (level {level})", known)
        runbook, step = (proposed.runbook, proposed.step) if proposed is not None else (None, None)
        said = f"{who} {_ASKED[outcome]} to approve {step or 'an action'}{by}"
        return Moment(at, "approval", said, {**fields, "runbook": runbook, "step": step})
