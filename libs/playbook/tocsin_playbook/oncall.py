"""Who is on call, and who a reference means: pure functions of a playbook and a moment.

A schedule is read from its top: an override in force wins, then the last layer that covers the
moment. Turns are counted on the wall clock of the schedule's zone, so a hand-over at 09:00 stays at
09:00 when the clocks change. A hand-over at a time that the clocks skip happens at the moment they
are put forward; one at a time that comes twice happens the first time, and only then.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin_playbook.model import (
    WEEKDAYS,
    AnyTarget,
    Contact,
    Layer,
    PersonRef,
    Playbook,
    Schedule,
    ScheduleRef,
    TeamRef,
)


def people_of(playbook: Playbook, target: AnyTarget, at: datetime) -> tuple[str, ...]:
    """The names of the people a reference means at a moment; nobody for a channel or a hole in a schedule."""
    if isinstance(target, PersonRef):
        return (playbook.person(target.name).name,)
    if isinstance(target, TeamRef):
        return tuple(dict.fromkeys(playbook.team(target.name).members))
    if isinstance(target, ScheduleRef):
        return on_call(playbook.schedule(target.name), at)
    return ()


def contacts_of(playbook: Playbook, person: str) -> tuple[Contact, ...]:
    """The ways to reach a person, in the order to try them."""
    return playbook.person(person).contacts


def on_call(schedule: Schedule, at: datetime) -> tuple[str, ...]:
    """Who is on call at a moment (with an offset). Empty when nobody is: a hole."""
    if at.tzinfo is None:
        raise ValueError("a moment without an offset from UTC")
    for override in reversed(schedule.overrides):
        if override.holds(at):
            return (override.person,)
    zone = ZoneInfo(schedule.time_zone)
    for layer in reversed(schedule.layers):
        if _covers(layer, zone, at):
            return (layer.people[_turn(layer, zone, at) % len(layer.people)],)
    return ()


def next_handover(layer: Layer, schedule: Schedule, after: datetime) -> datetime:
    """The first hand-over of a layer after a moment, in UTC; restrictions are not considered."""
    zone, number = ZoneInfo(schedule.time_zone), 0
    if after >= _handover(layer, zone, 0):
        number = _turn(layer, zone, after) + 1
    return _handover(layer, zone, number)


def weekly_hole(schedule: Schedule) -> tuple[int, int] | None:
    """The first minutes of the week (0 is Monday 00:00) that no layer covers: [from, to). None when all are."""
    if any(not layer.restrictions for layer in schedule.layers):
        return None
    monday = datetime(2024, 1, 1)  # noqa: DTZ001 - a wall clock without a zone; 2024 began on a Monday
    windows = [window for layer in schedule.layers for window in layer.restrictions]
    minutes = {window.begins.hour * 60 + window.begins.minute for window in windows}
    minutes |= {window.ends.hour * 60 + window.ends.minute for window in windows} | {0}
    edges = sorted(day * 1440 + minute for day in range(7) for minute in minutes)
    open_edges = [
        edge for edge in edges if not any(window.holds(monday + timedelta(minutes=edge)) for window in windows)
    ]
    if not open_edges:
        return None
    covered = (edge for edge in edges if edge > open_edges[0] and edge not in open_edges)
    return open_edges[0], next(covered, 7 * 1440)


def _covers(layer: Layer, zone: ZoneInfo, at: datetime) -> bool:
    local = at.astimezone(zone)
    if local.date() < layer.starts or (layer.until is not None and local.date() >= layer.until):
        return False
    return not layer.restrictions or any(window.holds(local) for window in layer.restrictions)


def _turn(layer: Layer, zone: ZoneInfo, at: datetime) -> int:
    """The number of the turn that a moment is in: 0 for the first, and for what precedes its hand-over."""
    local = at.astimezone(zone).replace(tzinfo=None)
    number = (local - _first_handover(layer)) // layer.turn
    # The wall clock can be an hour off around a change; the hand-overs themselves are moments.
    while _handover(layer, zone, number) > at:
        number -= 1
    while _handover(layer, zone, number + 1) <= at:
        number += 1
    return max(number, 0)


def _handover(layer: Layer, zone: ZoneInfo, number: int) -> datetime:
    """The moment at which a turn begins, in UTC."""
    local = _first_handover(layer) + layer.turn * number
    return local.replace(tzinfo=zone).astimezone(UTC)


def _first_handover(layer: Layer) -> datetime:
    """On the wall clock: on the day the layer starts, or on the hand-over's first weekday from then on."""
    ahead = 0
    if layer.handover.day is not None:
        ahead = (WEEKDAYS.index(layer.handover.day) - layer.starts.weekday()) % 7
    return datetime.combine(layer.starts + timedelta(days=ahead), layer.handover.at)
