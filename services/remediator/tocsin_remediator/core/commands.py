"""What people ask for: a yes to an action, an action by hand, an end of all automation; or why it cannot be."""

from datetime import datetime, timedelta

from tocsin_playbook import Playbook, UnknownNameError
from tocsin_playbook.access import refusal
from tocsin_playbook.model import Step
from tocsin_remediator.core.actions import Mark, Result, Track, by_hand_id
from tocsin_remediator.core.approval import may_approve, waits_until
from tocsin_remediator.core.incident import Incident, Phase, why_not_wanted
from tocsin_remediator.core.runbook import find_step
from tocsin_remediator.core.steps import proposed, refused
from tocsin_schemas import Event
from tocsin_schemas.commands import ApproveAction, RunAction, StopAutomation
from tocsin_schemas.events import ActionApproved, AutomationStopped, RequestRefused
from tocsin_schemas.text import clean_line

__all__ = ["CommandError", "Request", "decide_approve", "decide_request", "decide_run", "decide_stop"]

Request = ApproveAction | RunAction | StopAutomation


class CommandError(ValueError):
    """A command cannot be carried out; `reason` says why, for the one who gave it."""

    def __init__(self, command: str, incident: str, reason: str) -> None:
        super().__init__(f"{command} for incident {incident}: {reason}")
        self.command, self.incident, self.reason = command, incident, reason


def decide_request(
    incident: Incident,
    playbook: Playbook,
    command: Request,
    command_id: str,
    asked_at: datetime,
    now: datetime,
    valid: timedelta,
) -> tuple[Event, ...]:
    """What comes of a command, or its refusal with the reason. `valid`: how long it may be on its way."""
    try:
        match command:
            case ApproveAction():
                return decide_approve(incident, playbook, command, now)
            case RunAction():
                return decide_run(incident, playbook, command, command_id, asked_at, now, valid)
            case StopAutomation():
                return decide_stop(incident, playbook, command, now)
    except CommandError as error:
        return (RequestRefused(command=error.command, reason=clean_line(error.reason), by=command.by),)


def decide_approve(incident: Incident, playbook: Playbook, command: ApproveAction, now: datetime) -> tuple[Event, ...]:
    """A person's yes. Raises CommandError where there is nothing to say yes to, or it is not theirs to say."""

    def no(reason: str) -> CommandError:
        return CommandError("ApproveAction", incident.id, reason)

    found = incident.find(command.action)
    if found is None:
        raise no(f"there is no action {command.action}")
    track, action = found
    if reason := why_not_wanted(incident, track):
        raise no(f"the action {action.step} is not wanted any more: {reason}")
    if action.refused is not None:
        raise no(f"the action {action.step} was refused: {action.refused}")
    if action.open_claim is not None or (action.result is not None and action.result.result is not Result.FAILED):
        raise no(f"the action {action.step} has begun")
    step = find_step(playbook.runbook(track.runbook), action.step)
    if step is None:
        raise no(f"the playbook has no step {action.step}")
    if reason := _may_not(incident, playbook, command, now):
        raise no(reason)
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
    """A step by hand: proposed and approved by the one who asks, or refused with the reason. Raises CommandError where
    it is not theirs to ask for."""
    if reason := _may_not(incident, playbook, command, now):
        raise CommandError("RunAction", incident.id, reason)
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
        return f"the incident is {incident.phase.said}"
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


def decide_stop(incident: Incident, playbook: Playbook, command: StopAutomation, now: datetime) -> tuple[Event, ...]:
    """From here on nothing is done any more in this incident; saying it twice changes nothing."""
    if reason := _may_not(incident, playbook, command, now):
        raise CommandError("StopAutomation", incident.id, reason)
    return (AutomationStopped(by=command.by, because=command.because),)


def _may_not(incident: Incident, playbook: Playbook, command: Request, now: datetime) -> str | None:
    return refusal((playbook,), command.by, command, now, roles=incident.roles)
