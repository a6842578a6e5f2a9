"""Somebody answers: is on it, cannot take it, asks for more people, says how it stands."""

from datetime import timedelta
from typing import Literal

from tocsin_escalator.core.deadlines import set_next_update, set_next_way
from tocsin_escalator.core.draft import Draft
from tocsin_escalator.core.escalation import anchor_of, escalate_next, set_next
from tocsin_escalator.core.incident import NOTHING_TOLD, Place
from tocsin_escalator.core.paging import page, unanswered
from tocsin_playbook.model import ChannelRef, UnknownNameError, parse_target
from tocsin_playbook.oncall import people_of
from tocsin_schemas import Actor, DeadlineKind, Role
from tocsin_schemas.events import (
    IncidentAcknowledged,
    NoteAdded,
    ResponderAdded,
    ResponderAnswered,
    ResponderDeclined,
    RoleAssigned,
    StatusUpdated,
)
from tocsin_schemas.moments import LATEST
from tocsin_schemas.text import clean_line

__all__ = ["acknowledge", "add_responder", "decline", "take_over", "update"]


def acknowledge(draft: Draft, by: Actor, lasting: timedelta | None = None) -> None:
    """Somebody is on it: paging stops, for `lasting` or as long as the severity says. Where each of several people must
    answer, it goes on until the last of them has.
    """
    waiting_for = unanswered(draft.state) - {by.name}
    if waiting_for and draft.state.is_waiting:
        draft.add(ResponderAnswered(person=by.name, waiting_for=tuple(sorted(waiting_for))[:512], by=by))
        return
    promised = draft.rulebook.playbook.severity(draft.state.severity)
    lasting = lasting if lasting is not None else promised.acknowledged_for
    _hold(draft, by, lasting)


def take_over(draft: Draft, by: Actor) -> None:
    """Somebody is on it, and leads."""
    acknowledge(draft, by)
    if draft.state.roles.get(Role.COMMANDER) != by.name:
        draft.add(RoleAssigned(role=Role.COMMANDER, person=by.name, by=by))


def decline(draft: Draft, because: str, by: Actor) -> None:
    """Somebody cannot take it: the next level is told at once, unless somebody else is on it."""
    held, declined = draft.state.acknowledged, draft.state.declined
    had_it = held is not None and held.by == by.name
    draft.add(ResponderDeclined(person=by.name, because=because, by=by))
    if not draft.state.is_waiting or draft.state.muted is not None or (by.name in declined and not had_it):
        return
    unwilling = {f"person:{name}" for name in draft.state.declined}
    others = any(entry.target not in unwilling for entry in draft.state.pages.values())
    if not escalate_next(draft, "declined", page_reason="declined", by=by, once_more=had_it and others, anew=had_it):
        text = f"{by.name} cannot take it, and no further level is left to tell"
        draft.add(NoteAdded(text=text, by=by))


def add_responder(draft: Draft, target: str, because: str, by: Actor) -> str | None:
    """Tell more people now; the answer is why that cannot be, in one sentence."""
    try:
        wanted = parse_target(target)
    except ValueError:
        return f"{target} is no person, team or schedule; expected person:<name>, team:<name> or schedule:<name>"
    if isinstance(wanted, ChannelRef):
        return f"{target} is a place; expected person:<name>, team:<name> or schedule:<name>"
    try:
        people = people_of(draft.rulebook.playbook, wanted, draft.now)
    except UnknownNameError as error:
        return str(error)
    if not people:
        return f"{target} is nobody at the moment"
    draft.add(ResponderAdded(target=clean_line(target), people=people[:512], because=because, by=by))
    place = draft.state.reached if draft.state.reached != NOTHING_TOLD else Place(0, 0)
    page(draft, place, [f"person:{name}" for name in people], "added", summary=_asked(draft, because))
    return None


def update(
    draft: Draft, text: str, status: Literal["investigating", "identified", "mitigating"] | None, by: Actor
) -> None:
    """Somebody says how it stands. Who says how far the work is, is on it; an acknowledgement for a time begins
    anew."""
    if status is not None and draft.state.is_waiting:
        acknowledge(draft, by)
    draft.add(StatusUpdated(text=text, status=status, by=by))
    held = draft.state.acknowledged
    if held is not None and held.holds(draft.now) and held.lasting is not None and held.since != draft.now:
        ways = [each for each in draft.state.deadlines.values() if each.kind is DeadlineKind.CONTACT]
        _hold(draft, Actor(kind="person", name=held.by), held.lasting)
        answered = {f"person:{held.by}", f"person:{by.name}"}
        for each in ways:  # to go on with it answers for nobody else who has been told since
            if each.page is not None and draft.state.pages[each.page].target not in answered:
                set_next_way(draft, each.page, each.round, each.due_at)
    if draft.state.muted is None:
        set_next_update(draft, 0)


def _hold(draft: Draft, by: Actor, lasting: timedelta | None) -> None:
    anchor = anchor_of(draft)  # before the acknowledgement voids the deadline it is read from
    until = min(draft.now + lasting, LATEST) if lasting is not None else None
    draft.add(IncidentAcknowledged(by=by, until=until))
    set_next(draft, anchor)


def _asked(draft: Draft, because: str) -> str:
    title = draft.state.opening.title if draft.state.opening is not None else ""
    return f"{title}: {because}" if because else title
