"""An incident's severity changes, and with it everything that hangs on it."""

from typing import Literal

from tocsin_escalator.core.classify import Verdict, classify_again
from tocsin_escalator.core.draft import SYSTEM, Draft
from tocsin_escalator.core.escalation import begin, escalate_next
from tocsin_schemas import Actor, Impact
from tocsin_schemas.events import ImpactStated, NoteAdded, SeverityChanged, SeverityReleased

__all__ = ["change_severity", "raise_by", "release", "state_impact", "tell_at_once"]


def change_severity(
    draft: Draft,
    after: str,
    why: Literal["alert", "classification", "person", "time", "merge", "released"],
    because: str,
    by: Actor,
) -> None:
    """Say so, and start what the new severity asks for where the incident is open."""
    draft.add(SeverityChanged(before=draft.state.severity, after=after, why=why, because=because, by=by))
    if draft.state.is_open:
        begin(draft, "severity_raised")


def raise_by(draft: Draft, verdict: Verdict) -> bool:
    """Raise it where this asks for more; whether it did. Nothing but a person lowers one, or changes a person's."""
    risen = not draft.state.severity_is_a_persons and draft.rulebook.is_more_severe(
        verdict.severity, draft.state.severity
    )
    if risen:
        change_severity(draft, verdict.severity, verdict.why, verdict.because, SYSTEM)
    tell_at_once(draft, verdict)
    return risen


def tell_at_once(draft: Draft, verdict: Verdict) -> None:
    """Where security or data is at risk the next level is told too, once; whatever the severity, and who is on it."""
    if not verdict.at_once or draft.state.told_at_once or draft.state.muted is not None:
        return
    if not draft.state.is_open or not escalate_next(draft, "at_once"):
        return
    draft.add(NoteAdded(text=f"The next level was told at once: {verdict.at_once}", by=SYSTEM))


def release(draft: Draft, by: Actor) -> None:
    """A person's severity is held no longer: it becomes what the alerts and the conditions ask for, higher or lower."""
    draft.add(SeverityReleased(by=by))
    verdict = classify_again(draft.state, draft.rulebook, draft.now)
    if verdict is not None and verdict.severity != draft.state.severity:
        because = verdict.because or "as its alerts say"
        change_severity(draft, verdict.severity, "released", because, by)
    if verdict is not None:
        tell_at_once(draft, verdict)


def state_impact(draft: Draft, impact: Impact, by: Actor) -> None:
    """Say what it does to people, and ask the playbook's conditions again."""
    draft.add(ImpactStated(impact=impact, by=by))
    verdict = classify_again(draft.state, draft.rulebook, draft.now)
    if verdict is not None and draft.state.is_open:
        raise_by(draft, verdict)
