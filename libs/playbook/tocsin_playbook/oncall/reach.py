"""Who a reference of the playbook means, and how they are reached."""

from __future__ import annotations

from datetime import datetime

from tocsin_playbook.model import AnyTarget, Contact, PersonRef, Playbook, ScheduleRef, TeamRef
from tocsin_playbook.oncall.point import on_call


def people_of(playbook: Playbook, target: AnyTarget, at: datetime) -> tuple[str, ...]:
    """The names of the people a reference means at a moment; nobody for a channel or a hole in a schedule."""
    if isinstance(target, PersonRef):
        return (playbook.person(target.name).name,)
    if isinstance(target, TeamRef):
        return tuple(dict.fromkeys(playbook.team(target.name).members))
    if isinstance(target, ScheduleRef):
        return on_call(playbook.schedule(target.name), at, holidays=playbook.business_hours.holidays)
    return ()


def contacts_of(playbook: Playbook, person: str) -> tuple[Contact, ...]:
    """The ways to reach a person, in the order to try them."""
    return playbook.person(person).contacts
