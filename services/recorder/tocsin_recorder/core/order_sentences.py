"""Standing orders as sentences: silences and overrides that are set, lifted or refused."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tocsin_recorder.core.words import also, who
from tocsin_schemas import Event
from tocsin_schemas.events import OrderRejected, OverrideLifted, OverrideSet, SilenceLifted, SilenceSet
from tocsin_schemas.text import clean_line

__all__ = ["ORDERS", "order_sentence"]

_LONGEST = 400


def order_sentence(event: Event) -> str:
    """What was ordered, on one line."""
    return clean_line(ORDERS[type(event)](event), _LONGEST)


def _silenced(event: SilenceSet) -> str:
    alerts = ", ".join(event.match)
    return f"{who(event.by)} silenced {alerts} {_from_to(event)}{also(event.because)} (silence {event.silence})"


def _overridden(event: OverrideSet) -> str:
    told = f"{who(event.by)} put {event.person} on call for {event.schedule} {_from_to(event)}"
    return f"{told}{also(event.because)} (override {event.override})"


def _rejected(event: OrderRejected) -> str:
    return f"{event.command} asked for by {event.by.name} was not carried out: {event.reason}"


def _from_to(event: SilenceSet | OverrideSet) -> str:
    return f"from {_moment(event.begins_at)} to {_moment(event.ends_at)}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


# `Any`: each sentence takes the event of its own row; a type that says so cannot be written for a mapping.
ORDERS: Mapping[type[Event], Callable[[Any], str]] = {
    SilenceSet: _silenced,
    SilenceLifted: lambda event: f"{who(event.by)} lifted the silence {event.silence}{also(event.because)}",
    OverrideSet: _overridden,
    OverrideLifted: lambda event: f"{who(event.by)} lifted the override {event.override}{also(event.because)}",
    OrderRejected: _rejected,
}
