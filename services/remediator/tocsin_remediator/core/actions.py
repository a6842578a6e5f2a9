"""What has been done about an incident so far, as its log tells it: tracks of actions, claims and their outcomes.

A *track* is one run of a runbook, or one action that a person asked for by hand. Its *actions* are steps of the
runbook; an action's *claims* are its attempts. A claim without an outcome is open: somebody may be executing it now.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tocsin_schemas import Envelope, Event, RunbookOutcome
from tocsin_schemas.events import (
    ActionApproved,
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionProposed,
    ActionRefused,
    ActionSucceeded,
    RunbookFinished,
    RunbookStarted,
    VerificationFailed,
    VerificationPassed,
)
from tocsin_schemas.ids import derive_id

__all__ = [
    "Action",
    "Claim",
    "Mark",
    "Outcome",
    "Result",
    "Track",
    "action_id",
    "by_hand_id",
    "evolve_tracks",
    "execution_id",
]


@dataclass(frozen=True, slots=True)
class Mark:
    """An event of the log: what follows from it names its id as the cause."""

    id: str
    at: datetime


class Result(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended."""

    result: Result
    mark: Mark
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The permission to execute one attempt, given once and for good to one replica."""

    attempt: int
    execution: str
    claimed_by: str
    abandon_at: datetime
    mark: Mark
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One step of one runbook in one incident, and all that became of it."""

    id: str
    step: str
    proposed: Mark
    last: Mark
    needs_approval: bool = False
    because: str = ""
    approved_by: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    refused: str | None = None
    verified: bool | None = None

    @property
    def open_claim(self) -> Claim | None:
        """The claim whose outcome is not in the log."""
        return self.claims[-1] if self.claims and self.claims[-1].outcome is None else None

    @property
    def result(self) -> Outcome | None:
        """The outcome of the last attempt."""
        return self.claims[-1].outcome if self.claims else None


@dataclass(frozen=True, slots=True)
class Track:
    """One run of a runbook, or one action by hand, in one episode of the incident."""

    runbook: str
    episode: int
    began: Mark
    by_hand: bool = False
    actions: tuple[Action, ...] = ()
    finished: RunbookOutcome | None = None

    @property
    def current(self) -> Action | None:
        return self.actions[-1] if self.actions else None

    def visits(self, step: str) -> int:
        """How often this run has come to the step."""
        return sum(action.step == step for action in self.actions)


# --- ids -------------------------------------------------------------------------------------------------------------


def action_id(track: Track, step: str, visit: int) -> str:
    """The id of the `visit`-th (from 0) action for this step in this run of the runbook."""
    return derive_id("action", track.began.id, track.runbook, step, visit)


def by_hand_id(command: str) -> str:
    """The id of the action that this RunAction command asks for."""
    return derive_id("action", "by hand", command)


def execution_id(incident: str, action: str, attempt: int) -> str:
    """The Idempotency-Key of one attempt: the same for it for ever, and no other's."""
    return derive_id("execution", incident, action, attempt)


# --- the fold --------------------------------------------------------------------------------------------------------


def evolve_tracks(tracks: tuple[Track, ...], event: Envelope[Event], episode: int) -> tuple[Track, ...]:
    """The tracks after this event of ours. What fits nowhere is passed over: a fold never fails."""
    data, mark = event.data, Mark(event.id, event.time)
    match data:
        case RunbookStarted():
            return (*tracks, Track(data.runbook, data.episode, mark))
        case RunbookFinished():
            return _finish(tracks, data)
        case ActionProposed():
            return _propose(tracks, data, event.cause, mark, episode)
        case ActionApproved():
            return _change(tracks, data.action, mark, lambda action: _approve(action, data.by.name))
        case ActionClaimed():
            claim = Claim(data.attempt, data.execution, data.claimed_by, data.abandon_at, mark)
            return _change(tracks, data.action, mark, lambda action: replace(action, claims=(*action.claims, claim)))
        case ActionSucceeded():
            found = Outcome(Result.SUCCEEDED, mark, data.detail)
            return _change(tracks, data.action, mark, lambda action: _conclude(action, data.execution, found))
        case ActionFailed():
            failed = Outcome(Result.FAILED, mark, data.reason)
            return _change(tracks, data.action, mark, lambda action: _conclude(action, data.execution, failed))
        case ActionOutcomeUnknown():
            unknown = Outcome(Result.UNKNOWN, mark, data.reason)
            return _change(tracks, data.action, mark, lambda action: _conclude(action, data.execution, unknown))
        case ActionRefused():
            return _refuse(tracks, data, event.cause, mark, episode)
        case VerificationPassed():
            return _change(tracks, data.action, mark, lambda action: replace(action, verified=True))
        case VerificationFailed():
            return _change(tracks, data.action, mark, lambda action: replace(action, verified=False))
        case _:
            return tracks


def _finish(tracks: tuple[Track, ...], data: RunbookFinished) -> tuple[Track, ...]:
    for index in range(len(tracks) - 1, -1, -1):
        track = tracks[index]
        if track.runbook == data.runbook and not track.by_hand and track.finished is None:
            return (*tracks[:index], replace(track, finished=data.outcome), *tracks[index + 1 :])
    return tracks


def _propose(
    tracks: tuple[Track, ...], data: ActionProposed, cause: str, mark: Mark, episode: int
) -> tuple[Track, ...]:
    if any(action.id == data.action for track in tracks for action in track.actions):
        return _change(tracks, data.action, mark, lambda action: _ask_again(action, data, mark))
    action = Action(data.action, data.step, mark, mark, data.needs_approval, data.because)
    return _add(tracks, action, data.runbook, cause, episode)


def _refuse(tracks: tuple[Track, ...], data: ActionRefused, cause: str, mark: Mark, episode: int) -> tuple[Track, ...]:
    """Refuse an action that was proposed, or one that never was: a step passed over, a wish that cannot be."""
    if any(action.id == data.action for track in tracks for action in track.actions):
        return _change(tracks, data.action, mark, lambda action: replace(action, refused=data.reason))
    return _add(tracks, Action(data.action, data.step, mark, mark, refused=data.reason), data.runbook, cause, episode)


def _add(tracks: tuple[Track, ...], action: Action, runbook: str, cause: str, episode: int) -> tuple[Track, ...]:
    if action.id == by_hand_id(cause):
        return (*tracks, Track(runbook, episode, action.proposed, by_hand=True, actions=(action,)))
    for index in range(len(tracks) - 1, -1, -1):
        track = tracks[index]
        if track.runbook == runbook and not track.by_hand and track.finished is None:
            return (*tracks[:index], replace(track, actions=(*track.actions, action)), *tracks[index + 1 :])
    return tracks


def _ask_again(action: Action, data: ActionProposed, mark: Mark) -> Action:
    return replace(action, proposed=mark, needs_approval=data.needs_approval, because=data.because)


def _approve(action: Action, name: str) -> Action:
    return replace(action, approved_by=tuple(dict.fromkeys((*action.approved_by, name))))


def _conclude(action: Action, execution: str, outcome: Outcome) -> Action:
    """The first outcome of an attempt stands. Steps that have no effect (wait, manual) succeed without a claim."""
    for index, claim in enumerate(action.claims):
        if claim.execution == execution:
            concluded = claim if claim.outcome else replace(claim, outcome=outcome)
            return replace(action, claims=(*action.claims[:index], concluded, *action.claims[index + 1 :]))
    unclaimed = Claim(len(action.claims) + 1, execution, "", outcome.mark.at, outcome.mark, outcome)
    return replace(action, claims=(*action.claims, unclaimed))


def _change(
    tracks: tuple[Track, ...], action_id: str, mark: Mark, change: Callable[[Action], Action]
) -> tuple[Track, ...]:
    for index, track in enumerate(tracks):
        for place, action in enumerate(track.actions):
            if action.id == action_id:
                changed = replace(change(action), last=mark)
                actions = (*track.actions[:place], changed, *track.actions[place + 1 :])
                return (*tracks[:index], replace(track, actions=actions), *tracks[index + 1 :])
    return tracks
