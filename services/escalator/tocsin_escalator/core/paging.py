"""Pages: who is told, in which of their ways, and who must still answer."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Literal

from tocsin_escalator.core.deadlines import miss, set_next_way
from tocsin_escalator.core.draft import SYSTEM, Draft
from tocsin_escalator.core.incident import Deadline, IncidentState, Place
from tocsin_playbook.model import UnknownNameError
from tocsin_playbook.oncall import NotificationStep, steps_for
from tocsin_schemas.events import NoteAdded, ResponderPaged
from tocsin_schemas.ids import derive_id
from tocsin_schemas.text import clean_line

__all__ = ["PageReason", "page", "page_person", "repeat", "tell_in_further_ways", "unanswered"]

MAX_PAGES = 400
"""Pages that one decision makes at most: its events go into the log in one batch, which the server bounds."""

PageReason = Literal[
    "opened",
    "escalated",
    "reopened",
    "severity_raised",
    "automation_needs_you",
    "page_failed",
    "command",
    "unanswered",
    "added",
    "declined",
]

_PERSON = "person:"
_LATE = timedelta(seconds=5)
"""A deadline that rings later than this rings after an outage."""


def page(
    draft: Draft,
    place: Place,
    targets: Sequence[str],
    reason: PageReason,
    *,
    summary: str = "",
    each: bool = False,
) -> None:
    """Tell these people and places now. People are told in their next way later, as their own rules say."""
    room = MAX_PAGES - sum(isinstance(event, ResponderPaged) for event in draft.events)
    for target in targets[:room]:
        name = _page(draft, place, target, reason, summary, each=each)
        ways = _ways(draft, target)
        if len(ways) > 1:
            set_next_way(draft, name, 1, draft.now + ways[1].after)
    if len(targets) > room:
        text = f"{len(targets) - room} of {len(targets)} people were not paged: at most {MAX_PAGES} are"
        draft.add(NoteAdded(text=text, by=SYSTEM))


def page_person(draft: Draft, place: Place, person: str, reason: PageReason, summary: str = "") -> None:
    """Tell one person."""
    page(draft, place, (_PERSON + person,), reason, summary=summary)


def repeat(draft: Draft, deadline: Deadline) -> None:
    """Who was paged has not answered: tell them in their next way, and set the one after it.

    After an outage they are told once: in the latest way that is due, or not at all where another page has come since.
    """
    first = draft.state.pages.get(deadline.page or "")
    ways = _ways(draft, first.target) if first is not None else ()
    if first is None or deadline.page is None or deadline.round >= len(ways):
        miss(draft, deadline)  # their rules, or the severity, are others by now
        return
    since = (each.at for each in draft.state.pages.values() if each.target == first.target)
    if draft.now - deadline.due_at > _LATE and any(at >= deadline.due_at for at in since):
        miss(draft, deadline)  # the other page has its own ways
        return
    way = max(
        (number for number, step in enumerate(ways) if first.at + step.after <= draft.now), default=deadline.round
    )
    way = max(way, deadline.round)
    _page(draft, first.place, first.target, "unanswered", "", each=first.each, way=way, repeats=deadline.page)
    following = way + 1
    if following < len(ways):
        set_next_way(draft, deadline.page, following, max(first.at + ways[following].after, draft.now))


def tell_in_further_ways(draft: Draft, targets: Collection[str]) -> None:
    """Who was told already, and has no further way before them, has those of the severity that it is now; once somebody
    has answered, the pages of before are done with.
    """
    state = draft.state
    if not state.is_waiting or state.answered:
        return
    waiting = (state.pages.get(each.page) for each in state.deadlines.values() if each.page is not None)
    going_on = {each.target for each in waiting if each is not None}
    last = {each.target: name for name, each in state.pages.items() if each.target in targets}
    for target, name in last.items():
        ways = _ways(draft, target)
        person = target.removeprefix(_PERSON)
        if len(ways) > 1 and target not in going_on and person not in state.declined:
            set_next_way(draft, name, 1, max(state.pages[name].at + ways[1].after, draft.now))


def unanswered(state: IncidentState) -> frozenset[str]:
    """The names of those of whom each must answer and has not; who has said that they cannot is not waited for."""
    asked = {entry.target for entry in state.pages.values() if entry.each}
    people = {target.removeprefix(_PERSON) for target in asked if target.startswith(_PERSON)}
    return frozenset(people) - state.answered - state.declined


def _page(
    draft: Draft,
    place: Place,
    target: str,
    reason: PageReason,
    summary: str,
    *,
    each: bool,
    way: int | None = None,
    repeats: str | None = None,
) -> str:
    state = draft.state
    name = derive_id("page", state.incident, state.pages_decided)
    draft.add(
        ResponderPaged(
            page=name,
            target=clean_line(target),
            level=max(place.level, 0),
            round=place.round,
            severity=state.severity,
            reason=reason,
            summary=clean_line(summary or (state.opening.title if state.opening else "")),
            way=way,
            repeats=repeats,
            each=each or None,
        )
    )
    return name


def _ways(draft: Draft, target: str) -> tuple[NotificationStep, ...]:
    """The ways of this person, in order of time; none of a place, or of somebody whom the playbook does not know."""
    if not target.startswith(_PERSON):
        return ()
    try:
        person = draft.rulebook.playbook.person(target.removeprefix(_PERSON))
    except UnknownNameError:
        return ()
    return steps_for(person, draft.state.severity)
