"""What people ask for: a yes to an action, an action by hand, an end of all automation."""

from datetime import datetime, timedelta

from tocsin_playbook import Playbook, UnknownNameError
from tocsin_playbook.model import Step
from tocsin_remediator.core.actions import Mark, Result, Track, by_hand_id
from tocsin_remediator.core.approval import may_approve, waits_until
from tocsin_remediator.core.incident import Incident, Phase
from tocsin_remediator.core.runbook import find_step
from tocsin_remediator.core.steps import proposed, refused
from tocsin_schemas import Event
from tocsin_schemas.commands import ApproveAction, RunAction, StopAutomation
from tocsin_schemas.events import ActionApproved, AutomationStopped

__all__ = ["CommandError", "decide_approve", "decide_run", "decide_stop"]


class CommandError(ValueError):
    """A command cannot be carried out; `reason` says why, for the one who gave it."""

    def __init__(self, command: str, incident: str, reason: str) -> None:
        super().__init__(f"{command} for incident {incident}: {reason}")
        self.command, self.incident, self.reason = command, incident, reason


def decide_approve(incident: Incident, playbook: Playbook, command: ApproveAction, now: datetime) -> tuple[Event, ...]:
    """A person's yes. Raises CommandError where there is nothing to say yes to, or it is not theirs to say."""

    def no(reason: str) -> CommandError:
        return CommandError("ApproveAction", incident.id, reason)

    found = incident.find(command.action)
    if found is None:
        raise no(f"there is no action {command.action}")
    track, action = found
    if incident.stopped or incident.is_over or track.episode != incident.episode or track.finished is not None:
        raise no(f"the action {action.step} is not wanted any more")
    if action.refused is not None:
        raise no(f"the action {action.step} was refused: {action.refused}")
    if action.open_claim is not None or (action.result is not None and action.result.result is not Result.FAILED):
        raise no(f"the action {action.step} has begun")
    if command.by.kind != "person":
        raise no("only a person can approve an action")
    step = find_step(playbook.runbook(track.runbook), action.step)
    if step is None:
        raise no(f"the playbook has no step {action.step}")
    if action.needs_approval and now > waits_until(action, step):
        raise no("too late: it was to be approved sooner")
    if reason := may_approve(playbook, step, command.by.name, now):
        raise no(reason)
    return (ActionApproved(action=action.id, runbook=track.runbook, step=action.step, by=command.by),)


def decide_run(
    incident: Incident,
    playbook: Playbook,
    command: RunAction,
    command_id: str,
    asked_at: datetime,
    now: datetime,
    valid: timedelta,
) -> tuple[Event, ...]:
    """A step by hand: proposed and approved by the one who asks, or refused with the reason."""
    action = by_hand_id(command_id)
    track = Track(command.runbook, incident.episode, Mark("", now), by_hand=True)
    step = _step(playbook, command)
    reason = _why_not_by_hand(incident, step, now - asked_at > valid, command)
    if reason is not None or step is None:
        return (refused(action, track, command.step, reason or "there is no such step"),)
    not_theirs = may_approve(playbook, step, command.by.name, now)
    asks = not_theirs or ("more than one person must agree" if step.approval.count > 1 else "")
    wanted = proposed(action, track, step, asks)
    if not_theirs:
        return (wanted,)
    return (wanted, ActionApproved(action=action, runbook=track.runbook, step=step.name, by=command.by))


def _why_not_by_hand(incident: Incident, step: Step | None, is_old: bool, command: RunAction) -> str | None:
    if incident.stopped:
        return "a person stopped the automation"
    if not incident.is_open and incident.phase is not Phase.MONITORING:
        return f"the incident is {incident.phase}"
    if command.by.kind != "person":
        return "only a person can ask for an action by hand"
    if step is None:
        return f"the playbook has no step {command.step} in a runbook {command.runbook}"
    if step.manual is not None:
        return "this step is a person's own work"
    return "it was asked for too long ago" if is_old else None


def _step(playbook: Playbook, command: RunAction) -> Step | None:
    try:
        return find_step(playbook.runbook(command.runbook), command.step)
    except UnknownNameError:
        return None


def decide_stop(incident: Incident, command: StopAutomation) -> tuple[Event, ...]:
    """From here on nothing is done any more in this incident; saying it twice changes nothing."""
    if incident.phase is Phase.UNKNOWN:
        raise CommandError("StopAutomation", incident.id, "there is no such incident")
    return (AutomationStopped(by=command.by, because=command.because),)
