"""What the events about whom is told, and of who answers, mean for the summary."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tocsin_recorder.core.deadlines import without_next_level
from tocsin_recorder.core.summary import KEPT, Deadline, Page, Summary, nobody_has_it, put
from tocsin_schemas import Event
from tocsin_schemas.events import (
    IncidentEscalated,
    NotificationDelivered,
    NotificationFailed,
    ResponderAnswered,
    ResponderDeclined,
    ResponderPaged,
)

__all__ = ["PAGING"]


def _escalated(summary: Summary, event: IncidentEscalated, at: datetime) -> Summary:
    lapsed = (
        event.reason == "unacknowledged"
        and summary.phase.is_held
        and summary.acknowledged_until is not None
        and at >= summary.acknowledged_until
    )
    if lapsed:
        summary = replace(summary, phase=nobody_has_it(summary), acknowledged_by=None, acknowledged_until=None)
    level = max(event.level, summary.level if summary.level is not None else 0)
    return replace(summary, level=level, deadlines=without_next_level(summary.deadlines))


def _paged(summary: Summary, event: ResponderPaged, at: datetime) -> Summary:
    page = Page(event.page, event.target, event.level, event.round, at)
    people = summary.paged
    if event.target not in people and len(people) < KEPT:
        people = (*people, event.target)
    waiting, person = summary.waiting_for, event.target.removeprefix("person:")
    must = event.each and summary.phase.is_waiting and person != event.target
    if must and person not in waiting and len(waiting) < KEPT:
        waiting = (*waiting, person)
    return replace(
        summary,
        waiting_for=waiting,
        deadlines=tuple(due for due in summary.deadlines if due.page is None or due.page != event.repeats),
        pages=put(summary.pages, page, lambda p: p.id == page.id),
        pages_sent=summary.pages_sent + 1,
        paged=people,
        level=max(event.level, summary.level if summary.level is not None else 0),
    )


def _answered(summary: Summary, event: ResponderAnswered, at: datetime) -> Summary:
    waiting = event.waiting_for[:KEPT]
    return replace(summary, waiting_for=waiting, deadlines=_without_pages_to(summary, event.person))


def _declined(summary: Summary, event: ResponderDeclined, at: datetime) -> Summary:
    had_it = summary.acknowledged_by == event.person
    declined = tuple(dict.fromkeys((*summary.declined, event.person)))[:KEPT]
    return replace(
        summary,
        phase=nobody_has_it(summary) if had_it and summary.phase.is_held else summary.phase,
        acknowledged_by=None if had_it else summary.acknowledged_by,
        acknowledged_until=None if had_it else summary.acknowledged_until,
        waiting_for=tuple(person for person in summary.waiting_for if person != event.person),
        declined=declined,
        deadlines=_without_pages_to(summary, event.person),
    )


def _without_pages_to(summary: Summary, person: str) -> tuple[Deadline, ...]:
    """Whoever has answered is told in no further way."""
    theirs = {page.id for page in summary.pages if page.target == f"person:{person}"}
    return tuple(deadline for deadline in summary.deadlines if deadline.page not in theirs)


def _delivered(summary: Summary, event: NotificationDelivered, at: datetime) -> Summary:
    def arrived(page: Page) -> Page:
        by = page.delivered_by if event.channel in page.delivered_by else (*page.delivered_by, event.channel)[:KEPT]
        return replace(page, delivered_at=page.delivered_at or at, delivered_by=by)

    return replace(summary, pages=_change(summary.pages, event.page, arrived), delivered=summary.delivered + 1)


def _undelivered(summary: Summary, event: NotificationFailed, at: datetime) -> Summary:
    def refused(page: Page) -> Page:
        by = page.failed_by if event.channel in page.failed_by else (*page.failed_by, event.channel)[:KEPT]
        return replace(page, failed_by=by)

    return replace(summary, pages=_change(summary.pages, event.page, refused), undelivered=summary.undelivered + 1)


def _change(pages: tuple[Page, ...], name: str | None, change: Callable[[Page], Page]) -> tuple[Page, ...]:
    return pages if name is None else tuple(change(page) if page.id == name else page for page in pages)


# `Any`: each meaning takes the event of its own row; a type that says so cannot be written for a mapping.
PAGING: Mapping[type[Event], Callable[[Summary, Any, datetime], Summary]] = {
    IncidentEscalated: _escalated,
    ResponderPaged: _paged,
    ResponderAnswered: _answered,
    ResponderDeclined: _declined,
    NotificationDelivered: _delivered,
    NotificationFailed: _undelivered,
}
