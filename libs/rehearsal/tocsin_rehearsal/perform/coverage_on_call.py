"""What of a playbook's people its tests have exercised: the ways of each, layers of schedules, roles, the room."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from tocsin_playbook import Playbook
from tocsin_playbook.model import Person, Schedule, ScheduleRef, UnknownNameError
from tocsin_playbook.oncall import on_call, steps_for
from tocsin_playbook.roles import role_called
from tocsin_playbook.standing_orders import NO_ORDERS, under_orders
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.perform.part import Part
from tocsin_schemas import Actor, Envelope, Event
from tocsin_schemas.events import ResponderPaged, RoleAssigned, WarRoomRequested

__all__ = ["parts_on_call", "reached_on_call"]

_ESCALATOR = Actor.system("escalator")


def parts_on_call(playbook: Playbook) -> Iterator[Part]:
    """Everything that can be reached."""
    severities = [severity.name for severity in playbook.severities]
    for person in playbook.oncall.people:
        for severity in severities:
            yield from (_way(person, severity, number) for number in range(len(steps_for(person, severity))))
    for schedule in playbook.oncall.schedules:
        yield from (_layer(schedule, number) for number in range(len(schedule.layers)))
        if schedule.overrides:
            yield _override(schedule)
    for role in playbook.oncall.roles:
        if role.held_by is not None:
            yield Part("on call", f"role {role.name}")
    if playbook.communicate.war_room is not None:
        yield Part("communicate", "war room")


def reached_on_call(
    playbook: Playbook, log: Iterable[Envelope[Event]], orders: Sequence[Envelope[Event]]
) -> Iterator[Part]:
    """What this log has reached. A schedule counts where one of its people was told as the level of a plan says."""
    for envelope in log:
        data = envelope.data
        if isinstance(data, ResponderPaged):
            yield from _paged(_at(playbook, orders, envelope.time), data, envelope.time)
        elif isinstance(data, RoleAssigned) and data.by == _ESCALATOR:
            names = (role.name for role in playbook.oncall.roles)
            yield from (Part("on call", f"role {name}") for name in names if role_called(name) is data.role)
        elif isinstance(data, WarRoomRequested):
            yield Part("communicate", "war room")


def _at(playbook: Playbook, orders: Sequence[Envelope[Event]], now: datetime) -> Playbook:
    """With the standing orders of that moment over it."""
    standing = NO_ORDERS
    for order in orders:
        if order.time <= now:
            standing = standing.after(order.data)
    return under_orders(playbook, standing)


def _paged(playbook: Playbook, paged: ResponderPaged, now: datetime) -> Iterator[Part]:
    kind, _, name = paged.target.partition(":")
    if kind != "person":
        return
    try:
        person = playbook.person(name)
    except UnknownNameError:
        return
    yield _way(person, paged.severity, paged.way or 0)
    for policy in playbook.escalate:
        if paged.severity in policy.severities and paged.level < len(policy.levels):
            for target in policy.levels[paged.level].notify:
                if isinstance(target, ScheduleRef):
                    yield from _of_schedule(playbook, target.name, name, now)


def _of_schedule(playbook: Playbook, schedule: str, person: str, now: datetime) -> Iterator[Part]:
    """Why this person is on call by this schedule at this moment."""
    own = next((each for each in playbook.oncall.schedules if each.name == schedule), None)
    holidays = playbook.business_hours.holidays
    if own is None or person not in on_call(own, now, holidays=holidays):
        return
    if any(override.holds(now) for override in own.overrides):
        yield _override(own)
        return
    for number in reversed(range(len(own.layers))):
        if on_call(_with_layer(own, number), now, holidays=holidays):
            yield _layer(own, number)
            return


def _with_layer(schedule: Schedule, number: int) -> Schedule:
    """The schedule with only this layer."""
    return schedule.model_copy(update={"layers": (schedule.layers[number],)})


def _way(person: Person, severity: str, number: int) -> Part:
    steps = steps_for(person, severity)
    if number >= len(steps):
        return Part("on call", f"{person.name}: way {number + 1} at {severity}")
    step = steps[number]
    return Part("on call", f"{person.name} by {step.contact.called} after {shown(step.after)}")


def _layer(schedule: Schedule, number: int) -> Part:
    name = schedule.layers[number].name
    return Part("on call", f"schedule {schedule.name}, layer {name or number + 1}")


def _override(schedule: Schedule) -> Part:
    return Part("on call", f"schedule {schedule.name}, an override")
