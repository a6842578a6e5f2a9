"""Times of day in sentences, told as a test tells its times: counted from its start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tocsin_recorder.core.words import clock
from tocsin_rehearsal.cases.model.times import shown
from tocsin_schemas import Event

__all__ = ["since_start"]


def since_start(said: str, event: Event, start: datetime) -> str:
    """What is said of an event, `watching until 09:18:15 UTC`, as `watching until 18m15s`."""
    if " UTC" not in said:
        return said
    for moment in _moments(event):
        said = said.replace(clock(moment), shown(moment - start))
    return said


def _moments(event: Event) -> Iterator[datetime]:
    values = (getattr(event, name) for name in type(event).model_fields)
    return (value for value in values if isinstance(value, datetime))
