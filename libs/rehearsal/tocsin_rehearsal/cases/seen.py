"""What a world has done, on one timeline: plain data that expectations are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import Literal

from tocsin_rehearsal.cases.peaks import Peak

Kind = Literal["alert", "incident", "page", "approval", "message", "action", "deadline", "event"]

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened `at` so long after the start. `text` says it on one line; `fields` depend on the kind:

    alert     alert (its id), state (firing, ended), name, severity, source, labels
    incident  incident (its id), phase, severity, title, labels, roles, impact, part_of (an id), origin, war_room: as it
              stands from then on
    page      outcome (decided, delivered, failed), target, channel, level and way (from 1), severity, incident
    approval  outcome (decided, delivered, failed), target, channel, runbook, step, severity, incident
    message   channel, to, person, about, text, incident
    action    outcome, runbook, step, incident
    deadline  deadline (its id), state (open, over), kind, due (timedelta since the start), level (from 1), incident
    event     type, and everything the event says, by its names
    """

    at: timedelta
    kind: Kind
    text: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that happened, in order, in a test that ran until `until`; of rules, how far their values went."""

    moments: tuple[Moment, ...]
    until: timedelta
    peaks: tuple[Peak, ...] = ()

    def of(self, kind: Kind, begin: timedelta = timedelta(), end: timedelta | None = None) -> list[Moment]:
        """What happened of a kind, from `begin` up to and including `end`."""
        last = self.until if end is None else end
        return [moment for moment in self.moments if moment.kind == kind and begin <= moment.at <= last]

    def at(self, time: timedelta) -> State:
        """How everything stood at a time, after all that happened by then."""
        state = State()
        for moment in self.moments:
            if moment.at <= time:
                state.take(moment)
        return state

    def states(self, begin: timedelta, end: timedelta) -> Iterator[tuple[timedelta, State]]:
        """How everything stood at `begin`, and after each later moment up to `end` at which something changed.

        The state is the same object each time, and changes with the next step.
        """
        state = State()
        changes = [moment for moment in self.moments if moment.kind in _STATEFUL and moment.at <= end]
        for moment in changes:
            if moment.at <= begin:
                state.take(moment)
        yield begin, state
        later = (moment for moment in changes if moment.at > begin)
        for time, together in groupby(later, key=lambda moment: moment.at):
            for moment in together:
                state.take(moment)
            yield time, state

    def labels_of(self, incident: object) -> Mapping[str, str]:
        """The labels of an incident by its id; none of one that is not known."""
        for moment in self.moments:
            if moment.kind == "incident" and moment.fields["incident"] == incident:
                return labels_in(moment.fields)
        return {}


_STATEFUL = ("alert", "incident", "deadline")


@dataclass(slots=True)
class State:
    """What is so at a time: incidents by id, firing alerts by id, open deadlines by incident and id."""

    incidents: dict[object, Fields] = field(default_factory=dict)
    alerts: dict[object, Fields] = field(default_factory=dict)
    deadlines: dict[object, Fields] = field(default_factory=dict)

    def take(self, moment: Moment) -> None:
        """Go on by one moment."""
        fields = moment.fields
        match moment.kind:
            case "incident":
                self.incidents[fields["incident"]] = fields
            case "alert":
                _keep(self.alerts, fields["alert"], fields, is_there=fields["state"] == "firing")
            case "deadline":
                key = (fields["incident"], fields["deadline"])
                _keep(self.deadlines, key, fields, is_there=fields["state"] == "open")
            case _:
                pass


def _keep(kept: dict[object, Fields], key: object, fields: Fields, *, is_there: bool) -> None:
    if is_there:
        kept[key] = fields
    else:
        kept.pop(key, None)


def seen_of(moments: Iterable[Moment], until: timedelta) -> Seen:
    """Moments in the order of their times; those of one time stay in the order given."""
    return Seen(tuple(sorted(moments, key=lambda moment: moment.at)), until)


def labels_in(fields: Fields) -> Mapping[str, str]:
    """The labels among the fields of a moment."""
    labels = fields.get("labels")
    return labels if isinstance(labels, Mapping) else {}
