"""From step to step: the facts that are stated when a runbook begins, goes on and ends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tocsin_playbook import Playbook
from tocsin_playbook.model import Runbook, Step
from tocsin_remediator.core.actions import Action, Result, Track, action_id
from tocsin_remediator.core.approval import asks_for_approval
from tocsin_remediator.core.incident import Incident, facts_of
from tocsin_remediator.core.runbook import UNDO, Way, description_of, holds, target_of, undo_of, way_on
from tocsin_schemas import Event, RunbookOutcome
from tocsin_schemas.events import ActionProposed, ActionRefused, RunbookFinished
from tocsin_schemas.text import clean_line

__all__ = ["OutcomeWay", "Scene", "begin", "finished", "follow", "proposed", "refused"]

OutcomeWay = Literal["on_success", "on_failure"]


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a runbook stands."""

    track: Track
    runbook: Runbook
    playbook: Playbook
    incident: Incident
    now: datetime


def begin(scene: Scene) -> tuple[Event, ...]:
    """The runbook's first step that is not passed over."""
    return _enter(scene, scene.runbook.steps[0], None)


def follow(scene: Scene, action: Action, step: Step, outcome: OutcomeWay) -> tuple[Event, ...]:
    """What follows a step's outcome: it is taken back, another step comes, or the runbook ends."""
    if outcome == "on_failure" and _was_carried_out(action) and (undo := undo_of(step)) is not None:
        return _enter(scene, undo, action)
    later = _undone_later(scene.track, step) if outcome == "on_success" else ()
    return (*later, *_enter(scene, way_on(scene.runbook, step, outcome), action))


def _was_carried_out(action: Action) -> bool:
    return action.result is not None and action.result.result is Result.SUCCEEDED


def _undone_later(track: Track, step: Step) -> tuple[Event, ...]:
    """What this version does not do is said when it becomes known, not when it is missed."""
    if step.undo is None or step.undo.on != "resolved":
        return ()
    name = step.name + UNDO
    reason = "after the incident nothing is taken back by this version: a person must"
    return (refused(action_id(track, name, track.visits(name)), track, name, reason),)


def _enter(scene: Scene, way: Way, after: Action | None) -> tuple[Event, ...]:
    """Follow `way` past the steps whose condition does not hold, to a proposal or to the end."""
    track, incident = scene.track, scene.incident
    events: list[Event] = []
    passed: set[str] = set()
    while not isinstance(way, str):
        identity = action_id(track, way.name, track.visits(way.name))
        does, problem = holds(way.when, facts_of(incident, scene.now))
        if does:
            because = asks_for_approval(scene.playbook, incident.severity, way) or ""
            return (*events, proposed(identity, track, way, because))
        if way.name in passed:
            return (*events, finished(track, RunbookOutcome.ESCALATED, "no step's condition holds"))
        passed.add(way.name)
        events.append(refused(identity, track, way.name, f"passed over: {problem or 'its condition does not hold'}"))
        way = way_on(scene.runbook, way, "on_skip")
    return (*events, _ended(track, way, after))


def _ended(track: Track, way: Literal["stop", "escalate"], after: Action | None) -> RunbookFinished:
    name = after.step if after is not None else track.runbook
    if way == "escalate":
        return finished(track, RunbookOutcome.ESCALATED, f"after {name} the runbook asks for a person")
    if after is None or not _helped(after):
        return finished(track, RunbookOutcome.EXHAUSTED, f"no step is left after {name}")
    if after.verified:
        return finished(track, RunbookOutcome.MITIGATED, f"{name} was carried out and verified")
    return finished(track, RunbookOutcome.MITIGATED, f"{name} was carried out; the runbook asks for no verification")


def _helped(action: Action) -> bool:
    if action.step.endswith(UNDO) or action.verified is False:
        return False
    return bool(action.verified) or _was_carried_out(action)


# --- words -----------------------------------------------------------------------------------------------------------


def proposed(action: str, track: Track, step: Step, because: str) -> ActionProposed:
    """The runbook wants this; with `because`, only if a person agrees."""
    return ActionProposed(
        action=action,
        runbook=track.runbook,
        step=step.name,
        description=description_of(step),
        target=target_of(step),
        needs_approval=bool(because),
        because=clean_line(because, 500),
    )


def refused(action: str, track: Track, step: str, reason: str) -> ActionRefused:
    """This action is not run."""
    return ActionRefused(action=action, runbook=track.runbook, step=step, reason=clean_line(reason, 1000))


def finished(track: Track, outcome: RunbookOutcome, reason: str) -> RunbookFinished:
    """The runbook does nothing more in this episode."""
    return RunbookFinished(
        runbook=track.runbook, outcome=outcome, reason=clean_line(reason, 1000), episode=track.episode
    )
