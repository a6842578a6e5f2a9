"""Who is on call at one moment."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from tocsin_playbook.model import Layer, Schedule
from tocsin_playbook.oncall.rotation import Rotation


def on_call(schedule: Schedule, at: datetime, *, holidays: Collection[date]) -> tuple[str, ...]:
    """Who is on call at a moment (with an offset). Empty when nobody is: a hole.

    `holidays` are those of the playbook's business hours. Raises ValueError for a moment without an offset.
    """
    if at.tzinfo is None:
        raise ValueError("a moment without an offset from UTC")
    for override in reversed(schedule.overrides):
        if override.holds(at):
            return (override.person,)
    for layer in reversed(schedule.layers):
        rotation = Rotation.of(layer, schedule, holidays)
        if rotation.covers(at):
            return (rotation.person(at),)
    return ()


def next_handover(layer: Layer, schedule: Schedule, after: datetime) -> datetime:
    """The first hand-over of a layer after a moment, in UTC; restrictions are not considered."""
    rotation = Rotation.of(layer, schedule, ())
    first = rotation.handover(0)
    return first if after < first else rotation.handover(rotation.turn(after) + 1)
