"""Standing orders: the silences and overrides that people have asked for, laid over a playbook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic_core import PydanticCustomError

from tocsin_playbook.model import Override, Playbook, Schedule, Silence
from tocsin_playbook.model.references import Matcher, parse_matcher
from tocsin_schemas import Event
from tocsin_schemas.events import OverrideLifted, OverrideSet, SilenceLifted, SilenceSet

__all__ = ["NO_ORDERS", "StandingOrders", "under_orders"]


@dataclass(frozen=True, slots=True)
class StandingOrders:
    """The silences and overrides that nobody has lifted, in the order in which they were set."""

    silences: tuple[SilenceSet, ...] = ()
    overrides: tuple[OverrideSet, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.silences or self.overrides)

    def after(self, event: Event) -> StandingOrders:
        """With what this event says. What is known already changes nothing."""
        match event:
            case SilenceSet() if self.silence(event.silence) is None:
                return replace(self, silences=(*self.silences, event))
            case SilenceLifted():
                return replace(self, silences=tuple(each for each in self.silences if each.silence != event.silence))
            case OverrideSet() if self.override(event.override) is None:
                return replace(self, overrides=(*self.overrides, event))
            case OverrideLifted():
                return replace(
                    self, overrides=tuple(each for each in self.overrides if each.override != event.override)
                )
            case _:
                return self

    def at(self, moment: datetime) -> StandingOrders:
        """Without what is over at this moment; what is still to begin stays."""
        silences = tuple(each for each in self.silences if each.ends_at > moment)
        overrides = tuple(each for each in self.overrides if each.ends_at > moment)
        if len(silences) == len(self.silences) and len(overrides) == len(self.overrides):
            return self
        return StandingOrders(silences, overrides)

    def silence(self, name: str) -> SilenceSet | None:
        """The silence of this id."""
        return next((each for each in self.silences if each.silence == name), None)

    def override(self, name: str) -> OverrideSet | None:
        """The override of this id."""
        return next((each for each in self.overrides if each.override == name), None)


NO_ORDERS = StandingOrders()


def under_orders(playbook: Playbook, orders: StandingOrders) -> Playbook:
    """The playbook with these silences, and with these overrides where it has the schedule and the person.

    The same object where they change nothing in it. A silence with a matcher that cannot be read mutes nothing.
    """
    changed: dict[str, object] = {}
    if silences := tuple(_silences(orders)):
        changed["silences"] = (*playbook.silences, *silences)
    if orders.overrides:
        schedules = tuple(_overridden(each, playbook, orders) for each in playbook.oncall.schedules)
        if any(new is not old for new, old in zip(schedules, playbook.oncall.schedules, strict=True)):
            changed["oncall"] = playbook.oncall.model_copy(update={"schedules": schedules})
    return playbook.model_copy(update=changed) if changed else playbook


def _silences(orders: StandingOrders) -> Iterator[Silence]:
    for each in orders.silences:
        if (match := _matchers(each)) is not None:
            # As it was decided: what a playbook's author may write is narrower than what people may ask for.
            yield Silence.model_construct(
                name=each.silence, match=match, because=each.because, begins=each.begins_at, until=each.ends_at
            )


def _matchers(silence: SilenceSet) -> tuple[Matcher, ...] | None:
    try:
        return tuple(parse_matcher(text) for text in silence.match)
    except PydanticCustomError:
        return None


def _overridden(schedule: Schedule, playbook: Playbook, orders: StandingOrders) -> Schedule:
    people = {person.name for person in playbook.oncall.people}
    overrides = tuple(
        Override.model_construct(
            person=each.person, begins=each.begins_at, until=each.ends_at, because=each.because or None
        )
        for each in orders.overrides
        if each.schedule == schedule.name and each.person in people
    )
    if not overrides:
        return schedule
    return schedule.model_copy(update={"overrides": (*schedule.overrides, *overrides)})
