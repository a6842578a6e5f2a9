"""Who is told, and when the next is: beginning, going on, going on at once.

The escalation has one open deadline: the next place of the plan. Its time says how the plan's times are counted
(`anchor_of`), so that an escalation that was paused goes on with the pauses the plan has between its levels.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal

from tocsin_escalator.core.deadlines import (
    miss,
    set_acknowledge_again,
    set_deadline,
    set_place,
    set_targets,
)
from tocsin_escalator.core.draft import SYSTEM, Draft
from tocsin_escalator.core.incident import Deadline, Phase, Place
from tocsin_escalator.core.paging import PageReason, page, page_person, tell_in_further_ways
from tocsin_escalator.core.policy import applies, targets_of
from tocsin_escalator.core.roles import assign_roles, request_room
from tocsin_escalator.core.rulebook import Plan, Step
from tocsin_schemas import Actor, DeadlineKind
from tocsin_schemas.events import IncidentEscalated, NoteAdded
from tocsin_schemas.text import clean_line

__all__ = ["anchor_of", "ask", "begin", "escalate_due", "escalate_next", "has_moved_on", "resume", "set_next"]

EscalationReason = Literal[
    "unacknowledged",
    "unresolved",
    "page_failed",
    "automation_failed",
    "outcome_unknown",
    "command",
    "declined",
    "no_update",
    "at_once",
]


def begin(draft: Draft, reason: PageReason) -> None:
    """Start what the severity asks for, counted from now: targets, the levels due at once, the next one.

    Who was paged already since the incident was opened is not paged again for a change of severity. Of a muted incident
    nobody is told, and nothing is promised to anybody.
    """
    if draft.state.muted is not None:
        return
    set_targets(draft)
    if draft.state.phase is Phase.MONITORING:
        return  # quiet: nobody is paged; if an alert fires again the escalation starts then
    plan = _plan(draft)
    if plan is None:
        _note(draft, "the playbook has no escalation policy: nobody is paged")
        return
    _set_raise(draft, plan, draft.now)
    told = {page.target for page in draft.state.pages.values()}
    at_once = tuple(step for step in plan.steps if not step.after)
    _tell(draft, plan, [step for step in at_once if applies(step, draft.state, draft.now)], reason, but_not=told)
    if reason == "severity_raised":
        tell_in_further_ways(draft, told)
    assign_roles(draft)
    request_room(draft)
    set_next(draft, draft.now, behind=at_once[-1].place if at_once else draft.state.reached)


def resume(draft: Draft) -> None:
    """Go on after a watch that was broken off: nobody is paged for it, the next level comes when it would have."""
    state, plan = draft.state, _plan(draft)
    if state.muted is not None:
        return
    if state.is_waiting:
        set_acknowledge_again(draft)
    if plan is None or state.severity_since is None:
        return
    _set_raise(draft, plan, state.severity_since)
    set_next(draft, state.severity_since)


def escalate_due(draft: Draft, deadline: Deadline, place: Place) -> None:
    """The deadline of the next place is due. If several are overdue by now, only the latest is told."""
    plan, now = _plan(draft), draft.now
    if plan is None:
        miss(draft, deadline)
        return
    held = draft.state.is_held(now)
    anchor = deadline.due_at - plan.at(place).after
    due = [
        step
        for step in plan.after(draft.state.reached)
        if anchor + step.after <= now and (step.until_resolved or not held)
    ]
    if not due and not held:
        due = [plan.at(place)]
    latest = [step for step in due if step.after == due[-1].after]
    applying = [step for step in latest if applies(step, draft.state, now)]
    reason: EscalationReason = "unresolved" if held else "unacknowledged"
    _tell(draft, plan, applying, "escalated", escalation=reason, but_not=_told_since(draft, deadline.due_at))
    set_next(draft, anchor, behind=latest[-1].place if latest else place)
    if draft.state.deadlines.get(deadline.id) == deadline:
        miss(draft, deadline)  # nothing follows from it any more


def escalate_next(
    draft: Draft,
    reason: EscalationReason,
    *,
    page_reason: PageReason = "escalated",
    by: Actor = SYSTEM,
    once_more: bool = False,
    anew: bool = False,
    due_at: datetime | None = None,
) -> bool:
    """Tell the next level now; the answer is whether there was one.

    `once_more`: where the plan is used up, tell the level that was reached again. `anew`: what follows comes after this
    level by the plan's pauses. `due_at`: because of a deadline; who has been paged since it passed is not paged for it
    too.
    """
    plan = _plan(draft)
    if plan is None:
        return False
    anchor = anchor_of(draft)
    applying = [step for step in plan.after(draft.state.reached) if applies(step, draft.state, draft.now)]
    news = (step for step in applying if not _has_been_told(draft, step))
    step = next(news, applying[0] if applying else plan.once_more(draft.state.reached) if once_more else None)
    if step is None:
        return False
    told = _told_since(draft, due_at) if due_at is not None else ()
    _tell(draft, plan, [step], page_reason, escalation=reason, by=by, but_not=told)
    set_next(draft, draft.now - step.after if anew else anchor)
    return True


def _has_been_told(draft: Draft, step: Step) -> bool:
    """Whether everybody of this step knows already, as after the severity has risen: to tell them tells nobody."""
    told = {page.target for page in draft.state.pages.values()}
    return not step.place.round and told.issuperset(targets_of(step, draft.rulebook, draft.now) or ("",))


def has_moved_on(draft: Draft, place: Place) -> bool:
    """Whether a later step than the one at this place has been told."""
    plan, reached = _plan(draft), draft.state.reached
    following = plan.after(place) if plan is not None else ()
    return following[0].place <= reached if following else place < reached


def ask(draft: Draft, summary: str) -> None:
    """Page whoever has the incident because automation needs a person; the escalation stays where it is."""
    state, plan = draft.state, _plan(draft)
    if plan is None:
        return
    people = {person.name for person in draft.rulebook.playbook.oncall.people}
    step = plan.upto(state.reached)
    if state.acknowledged is not None and state.is_held(draft.now) and state.acknowledged.by in people:
        page_person(draft, step.place, state.acknowledged.by, "automation_needs_you", summary)
        return
    for asked in (step, *plan.after(step.place)):
        if targets := targets_of(asked, draft.rulebook, draft.now):
            page(draft, asked.place, targets, "automation_needs_you", summary=summary)
            return


# --- how --------------------------------------------------------------------------------------------------------------


def set_next(draft: Draft, anchor: datetime, *, behind: Place | None = None) -> None:
    """Set the deadline of the next place of the plan, whose times are counted from `anchor`.

    While somebody is on it only levels that last until the resolution are next, or what follows when their time
    is over.
    """
    state, plan = draft.state, _plan(draft)
    if plan is None or state.phase is Phase.MONITORING or state.muted is not None:
        return
    steps = plan.after(state.reached if behind is None else max(state.reached, behind))
    if not state.is_held(draft.now):
        candidates = [(max(anchor + step.after, draft.now), step.place) for step in steps[:1]]
    else:
        lasting = [step for step in steps if step.until_resolved][:1]
        candidates = [(max(anchor + step.after, draft.now), step.place) for step in lasting]
        if state.acknowledged is not None and state.acknowledged.until is not None:
            following = steps[0] if steps else plan.once_more(state.reached)
            candidates.append((state.acknowledged.until, following.place))
    if candidates:
        due_at, place = min(candidates)
        set_place(draft, place, due_at)


def _tell(
    draft: Draft,
    plan: Plan,
    steps: Sequence[Step],
    reason: PageReason,
    *,
    escalation: EscalationReason | None = None,
    by: Actor = SYSTEM,
    but_not: Collection[str] = (),
) -> None:
    """Tell these steps. If nobody answers to them (a hole in a schedule, or they have all said that they cannot take
    it) the next one is told at once; if nobody is left at all, those who cannot are asked once more.
    """
    declined = {f"person:{name}" for name in draft.state.declined}
    pending, unwilling = tuple(steps), tuple(steps)
    while pending:
        everybody = [(step, targets_of(step, draft.rulebook, draft.now)) for step in pending]
        named = [(step, [target for target in targets if target not in declined]) for step, targets in everybody]
        last_of = {target: step for step, targets in named for target in targets}
        for step, targets in named:
            if escalation is not None:
                _escalated(draft, step, targets, escalation, by)
            own = [target for target in targets if last_of[target] is step and target not in but_not]
            page(draft, step.place, own, reason, each=step.each)
        if last_of:
            return
        following = (step for step in plan.after(pending[-1].place) if applies(step, draft.state, draft.now))
        pending = tuple(islice(following, 1))
    if steps and escalation != "declined":
        again = [target for step in unwilling for target in targets_of(step, draft.rulebook, draft.now)]
        if again:
            _note(
                draft, "everybody at the levels that are left has said that they cannot take it: they are asked again"
            )
            page(draft, steps[-1].place, tuple(dict.fromkeys(again)), reason)
        else:
            _note(draft, "nobody is on call at any level that is left: nobody was paged")
    elif steps:
        _note(draft, "everybody at the levels that are left has said that they cannot take it: nobody was paged")


def _escalated(draft: Draft, step: Step, targets: Sequence[str], reason: EscalationReason, by: Actor) -> None:
    place = step.place
    named = tuple(clean_line(target) for target in targets[:256])
    draft.add(IncidentEscalated(level=place.level, round=place.round, reason=reason, targets=named, by=by))


def _told_since(draft: Draft, moment: datetime) -> set[str]:
    """After an outage several deadlines are overdue at once; together they page each person once."""
    return {page.target for page in draft.state.pages.values() if page.at >= moment}


def _set_raise(draft: Draft, plan: Plan, since: datetime) -> None:
    if plan.raise_after is not None:
        set_deadline(draft, DeadlineKind.ESCALATE, max(since + plan.raise_after, draft.now))


def anchor_of(draft: Draft) -> datetime:
    """From when the plan's times are counted: so that the open deadline's place is due when it is. While somebody is on
    it, as before they were: the open deadline says when their time is over.
    """
    state, plan = draft.state, _plan(draft)
    held = state.acknowledged if state.is_held(draft.now) else None
    deadline = held.paused if held is not None else state.escalation
    if plan is not None and deadline is not None and deadline.place is not None:
        return deadline.due_at - plan.at(deadline.place).after
    return draft.state.severity_since or draft.now


def _plan(draft: Draft) -> Plan | None:
    return draft.rulebook.plan(draft.state.severity)


def _note(draft: Draft, text: str) -> None:
    draft.add(NoteAdded(text=text, by=SYSTEM))
