"""What comes next for an incident: the one function that decides what automation does.

`next_move` is asked again after everything that happens, by every replica, after every crash. It knows the incident's
log and what this process remembers, and nothing else. A move is either words for the log (`Say`), an effect
(`Execute`, `Recover`, `Verify`), the permission for one (`Claiming`), or patience (`Wait`, `Nothing`).

Every move names its cause: the event that it follows from. One cause leads to one decision, so a move that is made
twice is in the log once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin_playbook import Playbook
from tocsin_playbook.model import Runbook, Step
from tocsin_remediator.core import steps
from tocsin_remediator.core.actions import Action, Claim, Outcome, Result, Track, execution_id
from tocsin_remediator.core.approval import asks_for_approval, has_agreed, waits_until
from tocsin_remediator.core.budget import over_budget
from tocsin_remediator.core.incident import Incident, Phase, facts_of, why_not_wanted
from tocsin_remediator.core.moves import (
    Claiming,
    Execute,
    Here,
    Move,
    Nothing,
    Policy,
    Recover,
    Say,
    Trigger,
    Verify,
    Wait,
)
from tocsin_remediator.core.outcomes import outcome_span
from tocsin_remediator.core.runbook import choose, find_step, target_of
from tocsin_schemas import Event, RunbookOutcome
from tocsin_schemas.events import ActionClaimed, ActionSucceeded, RunbookStarted, VerificationFailed

__all__ = ["next_move", "why_not_begin"]

SOON = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Question:
    """What `next_move` was asked, handed down."""

    incident: Incident
    playbook: Playbook
    policy: Policy
    here: Here
    now: datetime

    def scene(self, track: Track, runbook: Runbook) -> steps.Scene:
        return steps.Scene(track, runbook, self.playbook, self.incident, self.now)


def next_move(
    incident: Incident, playbook: Playbook, policy: Policy, here: Here, trigger: Trigger, now: datetime
) -> Move:
    """The next thing to do about this incident. One thing at a time: two effects at once could not be told apart."""
    question = _Question(incident, playbook, policy, here, now)
    waits: list[Wait] = []
    for track in sorted(incident.tracks, key=lambda track: not track.by_hand):
        move = _of_track(question, track)
        if isinstance(move, Wait):
            waits.append(move)
        elif not isinstance(move, Nothing):
            return move
    if waits:
        return min(waits, key=lambda wait: wait.until)
    return _start(question, trigger)


# --- beginning -------------------------------------------------------------------------------------------------------


def _start(question: _Question, trigger: Trigger) -> Move:
    incident = question.incident
    if reason := _why_no_start(question, trigger):
        return Nothing(reason)
    choice = choose(question.playbook, incident.severity, incident.rules, facts_of(incident, question.now))
    if choice.runbook is None:
        return Nothing("no runbook fits", choice.problems)
    name = choice.runbook.name
    if any(
        track.runbook == name and track.episode == incident.episode and not track.by_hand for track in incident.tracks
    ):
        return Nothing(f"the runbook {name} has run in this episode", choice.problems)
    return Say(trigger.id, (RunbookStarted(runbook=name, severity=incident.severity, episode=incident.episode),))


def _why_no_start(question: _Question, trigger: Trigger) -> str | None:
    incident = question.incident
    if not trigger.may_start:
        return "nothing is left to do"
    if not question.policy.enabled:
        return "automation is switched off"
    if incident.stopped:
        return "a person stopped the automation"
    if not incident.is_open:
        return f"the incident is {incident.phase.said}"
    if incident.muted:
        return "the incident is muted"
    if question.playbook.severity(incident.severity).automation == "off":
        return f"automation is off at severity {incident.severity}"
    if question.now - trigger.at > question.policy.start_within:
        return "what would start it is too old"
    return None


# --- one track -------------------------------------------------------------------------------------------------------


def _of_track(question: _Question, track: Track) -> Move:
    action = track.current
    if action is not None and (claim := action.open_claim) is not None:
        return _of_open_claim(question, track, action, claim)
    if track.finished is not None:
        return Nothing("the runbook has ended")
    if reason := _why_stop(question.incident, question.playbook, question.policy, track):
        return _stop(track, action, reason)
    if track.by_hand and action is not None and action.refused is not None:
        return Nothing("it was refused")
    runbook = question.playbook.runbook(track.runbook)
    if action is None:
        return Say(track.began.id, steps.begin(question.scene(track, runbook)))
    return _of_action(question, track, runbook, action, _step(runbook, action))


def _step(runbook: Runbook, action: Action) -> Step:
    step = find_step(runbook, action.step)
    if step is None:  # an incident keeps its revision of the playbook, and what no step stands for is refused
        raise LookupError(f"the runbook {runbook.name} has no step {action.step}")
    return step


def _why_stop(incident: Incident, playbook: Playbook, policy: Policy, track: Track) -> str | None:
    """Why nothing further may be done on this track; none if it may."""
    if reason := why_not_wanted(incident, track):
        return reason
    if not policy.enabled:
        return "automation is switched off"
    if not track.by_hand and playbook.severity(incident.severity).automation == "off":
        return f"automation is off at severity {incident.severity}"
    return None


def why_not_begin(incident: Incident, playbook: Playbook, policy: Policy, action: str, execution: str) -> str | None:
    """Why what was claimed must not be begun after all, asked in the last moment before the effect."""
    found = incident.find(action)
    if found is None:
        return "the action is not in the log"
    track, known = found
    if known.open_claim is None or known.open_claim.execution != execution:
        return "the claim is not open any more"
    if incident.phase is Phase.MONITORING and not track.by_hand:
        return "the alerts are clear"
    return _why_stop(incident, playbook, policy, track)


def _stop(track: Track, action: Action | None, reason: str) -> Move:
    cause = action.last.id if action is not None else track.began.id
    if not track.by_hand:
        return Say(cause, (steps.finished(track, RunbookOutcome.STOPPED, reason),))
    if action is None or action.refused is not None or action.claims:
        return Nothing("done by hand, and over")
    return Say(cause, (steps.refused(action.id, track, action.step, reason),))


def _of_open_claim(question: _Question, track: Track, action: Action, claim: Claim) -> Move:
    """First of all, whatever else has happened since: an effect may be on its way."""
    here = question.here
    step = _step(question.playbook.runbook(track.runbook), action)
    if (report := here.reports.get(claim.execution)) is not None:
        return Say(claim.mark.id, (report,))
    if claim.claimed_by == here.replica and claim.execution not in here.begun:
        return Execute(track, action, claim, step)
    span = outcome_span(step, claim.abandon_at - claim.mark.at)
    # Only the time that this process has watched counts: whose wall clock is right, nobody knows.
    left = span - here.watched.get(claim.execution, timedelta())
    if left > timedelta():
        return Wait(question.now + left, f"{claim.claimed_by} may be executing it")
    return Recover(track, action, claim, step)


def _of_action(question: _Question, track: Track, runbook: Runbook, action: Action, step: Step) -> Move:
    if action.refused is not None:
        return _go_on(question, track, runbook, action, step, "on_failure")
    if action.verified is not None:
        return _go_on(question, track, runbook, action, step, "on_success" if action.verified else "on_failure")
    result = action.result
    if result is None:
        return _attempt(question, track, runbook, action, step, 1)
    match result.result:
        case Result.UNKNOWN if track.by_hand:
            return Nothing("nobody can say whether it was carried out")
        case Result.UNKNOWN:
            reason = f"nobody can say whether {step.name} was carried out: {result.detail}"
            return Say(action.last.id, (steps.finished(track, RunbookOutcome.ESCALATED, reason),))
        case Result.FAILED:
            return _attempt_again(question, track, runbook, action, step, result)
        case Result.SUCCEEDED:
            return _check(question, track, runbook, action, step, result)


def _check(question: _Question, track: Track, runbook: Runbook, action: Action, step: Step, success: Outcome) -> Move:
    if step.verify is None:
        return _go_on(question, track, runbook, action, step, "on_success")
    if step.verify.http is not None:
        return Verify(track, action, success, step)
    detail = "not verifiable: this version cannot ask PromQL after an action"
    said = VerificationFailed(action=action.id, runbook=track.runbook, step=action.step, detail=detail)
    return Say(action.last.id, (said,))


def _attempt_again(
    question: _Question, track: Track, runbook: Runbook, action: Action, step: Step, failure: Outcome
) -> Move:
    attempt = len(action.claims) + 1
    if attempt > step.retry.attempts:
        return _go_on(question, track, runbook, action, step, "on_failure")
    begins = failure.mark.at + step.retry.pause_before(attempt)
    if question.now < begins:
        return Wait(begins, f"before attempt {attempt}")
    return _attempt(question, track, runbook, action, step, attempt)


def _go_on(
    question: _Question, track: Track, runbook: Runbook, action: Action, step: Step, outcome: steps.OutcomeWay
) -> Move:
    if track.by_hand:
        return Nothing("done by hand, and over")
    return Say(action.last.id, steps.follow(question.scene(track, runbook), action, step, outcome))


# --- one attempt -----------------------------------------------------------------------------------------------------


def _attempt(question: _Question, track: Track, runbook: Runbook, action: Action, step: Step, attempt: int) -> Move:
    """Everything that must be true before an attempt is claimed."""
    if reason := _why_impossible(question.policy, step):
        return Say(action.last.id, (steps.refused(action.id, track, step.name, reason),))
    if (asks := _approval(question, track, runbook, action, step)) is not None:
        return asks
    if step.wait is not None or step.manual is not None:
        return _without_effect(question, track, action, step)
    if question.incident.phase is Phase.MONITORING and not track.by_hand:
        until = question.incident.watch_until or question.now
        return Wait(max(until, question.now) + SOON, "the alerts are clear; waiting whether they stay so")
    claimed = ActionClaimed(
        action=action.id,
        runbook=track.runbook,
        step=action.step,
        attempt=attempt,
        execution=execution_id(question.incident.id, action.id, attempt),
        claimed_by=question.here.replica,
        abandon_at=question.now + question.policy.claim_valid,
    )
    agreed = has_agreed(track, action, step)
    return Claiming(action.last.id, claimed, track, action, step, target_of(step), agreed)


def _why_impossible(policy: Policy, step: Step) -> str | None:
    if step.kubernetes is not None:
        return "actions on Kubernetes are not carried out by this version"
    return policy.allowed_hosts.refusal(step.http.url) if step.http is not None else None


def _approval(question: _Question, track: Track, runbook: Runbook, action: Action, step: Step) -> Move | None:
    """Ask, wait for an answer, or give up; none when nobody has to be asked any more."""
    if has_agreed(track, action, step):
        return None
    if not action.needs_approval:
        because = asks_for_approval(question.playbook, question.incident.severity, step)
        if because is None and step.http is not None:
            because = over_budget(question.incident.tracks, runbook, step, question.now)
        return Say(action.last.id, (steps.proposed(action.id, track, step, because),)) if because else None
    until = waits_until(action, step)
    if question.now < until:
        return Wait(until, "waiting for approval")
    reason = f"nobody approved it within {step.approval.within.total_seconds():g} s"
    events: tuple[Event, ...] = (steps.refused(action.id, track, step.name, reason),)
    if not track.by_hand:
        events = (*events, steps.finished(track, RunbookOutcome.ESCALATED, f"{step.name}: {reason}"))
    return Say(action.last.id, events)


def _without_effect(question: _Question, track: Track, action: Action, step: Step) -> Move:
    """Waiting, and what a person did: nothing that could happen twice, so no claim."""
    if step.wait is not None and question.now < action.last.at + step.wait:
        return Wait(action.last.at + step.wait, "the runbook waits")
    names = ", ".join(action.approved_by)
    done = ActionSucceeded(
        action=action.id,
        runbook=track.runbook,
        step=action.step,
        attempt=1,
        execution=execution_id(question.incident.id, action.id, 1),
        detail=f"done by {names}"[:1000] if step.manual is not None else "waited",
    )
    return Say(action.last.id, (done,))
