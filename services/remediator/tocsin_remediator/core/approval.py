"""Whether a person must agree to an action, who, and whether they have."""

from datetime import datetime

from tocsin_playbook import Playbook, people_of
from tocsin_playbook.model import ChannelRef, Step
from tocsin_remediator.core.actions import Action, Track

__all__ = ["asks_for_approval", "has_agreed", "is_approved", "may_approve", "waits_until"]


def asks_for_approval(playbook: Playbook, severity: str, step: Step) -> str | None:
    """Why a person must agree before the step runs; none if nobody must."""
    if step.manual is not None:
        return "a person does this, and approves when it is done"
    if step.wait is not None:
        return None
    if step.approval.needed == "always":
        return "the playbook asks for approval of this step"
    if step.approval.needed == "by_severity" and playbook.severity(severity).automation == "approve":
        return f"automation asks first at severity {severity}"
    return None


def is_approved(action: Action, step: Step) -> bool:
    """Whether enough different people have agreed."""
    return len(action.approved_by) >= step.approval.count


def may_approve(playbook: Playbook, step: Step, person: str, now: datetime) -> str | None:
    """Why this person's word does not count; none if it does. With a channel among those asked, anybody's does."""
    asked = step.approval.by
    if not asked or any(isinstance(target, ChannelRef) for target in asked):
        return None
    people = {name for target in asked for name in people_of(playbook, target, now)}
    if person in people:
        return None
    return f"{person} is not among those who are asked: {', '.join(map(str, asked))}"


def waits_until(action: Action, step: Step) -> datetime:
    """Until when people may agree."""
    return action.proposed.at + step.approval.within


def has_agreed(track: Track, action: Action, step: Step) -> bool:
    """Whether the action was asked of people and they agreed: then budgets have been overruled by a person."""
    return (track.by_hand or action.needs_approval) and is_approved(action, step)
