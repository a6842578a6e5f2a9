"""An event as it is compared: what it says without ids, and its moments relative to its incident's beginning."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tocsin_rehearsal.recording.receipts import told_of
from tocsin_schemas import Envelope, Event

__all__ = ["Fact", "facts_of", "shown", "shown_time"]

_NAMES = frozenset(
    {"deadline", "page", "notification", "action", "execution", "episode", "previous", "claimed_by", "reference"}
)
"""Fields that name something, or somebody outside who took it: they follow from ids, and are not compared."""

_MEASURED = frozenset({"detail"})
"""Text about what was seen outside, with how long it took."""

_COMPARED_ALL_THE_SAME = frozenset({("StatusPagePublished", "page")})
_WHOLE = frozenset({"labels", "annotations"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of one service in one incident, at its `place` among that service's (from 1).

    `values` are what it says, by dotted name, as JSON has it; `times` when it was said (`time`) and the moments that
    it names, since the incident's beginning.
    """

    type: str
    place: int
    values: Mapping[str, Any]
    times: Mapping[str, timedelta]

    @property
    def at(self) -> timedelta:
        return self.times["time"]

    @property
    def content(self) -> str:
        """The same for two events that say the same, whenever they do."""
        return self.type + json.dumps(self.values, sort_keys=True)

    @property
    def summary(self) -> str:
        """What it says, on one line."""
        parts = [f"{name} {shown(value)}" for name, value in self.values.items() if value not in ("", [], {})]
        return ", ".join(parts)[:200]


def facts_of(incident: Sequence[Envelope[Event]]) -> dict[str, list[Fact]]:
    """The facts of one incident's events, by service, in their order."""
    about = told_of(incident)
    found: dict[str, list[Fact]] = {}
    for event in incident:
        facts = found.setdefault(event.data.OWNER, [])
        facts.append(_fact(event, len(facts) + 1, incident[0].time, about.get(event.id)))
    return found


def shown(value: Any) -> str:
    """A value of JSON as text."""
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def shown_time(after: timedelta | None) -> str:
    """A time since the incident's beginning as text."""
    return "nothing" if after is None else f"{after.total_seconds():+.1f} s"


def _fact(event: Envelope[Event], place: int, start: datetime, about: Envelope[Event] | None) -> Fact:
    kind, moments = type(event.data).__name__, dict(_moments(event.data))
    document = event.data.model_dump(mode="json", exclude_none=True)
    values: dict[str, Any] = {} if about is None else {"about": type(about.data).__name__}
    values.update(_flat(kind, document, moments))
    times = {"time": event.time, **moments}
    return Fact(kind, place, values, {name: moment - start for name, moment in times.items()})


def _flat(
    kind: str, document: Mapping[str, Any], moments: Mapping[str, datetime], prefix: str = ""
) -> Iterable[tuple[str, Any]]:
    for name, value in document.items():
        path = prefix + name
        if path in moments or name in _MEASURED:
            continue
        if name in _NAMES and (kind, name) not in _COMPARED_ALL_THE_SAME:
            continue
        if isinstance(value, Mapping) and name not in _WHOLE:
            yield from _flat(kind, value, moments, f"{path}.")
        else:
            yield path, value


def _moments(data: Any, prefix: str = "") -> Iterable[tuple[str, datetime]]:
    """`Any`: an event, or a part of one."""
    for name in type(data).model_fields:
        value = getattr(data, name)
        if isinstance(value, datetime):
            yield prefix + name, value
        elif hasattr(type(value), "model_fields"):
            yield from _moments(value, f"{prefix}{name}.")
