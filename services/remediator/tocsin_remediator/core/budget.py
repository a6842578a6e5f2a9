"""How often automation may act: the budgets of the playbook, counted in the incident's own log.

The budgets over all incidents (per target, and `remediate.budget`) are counted outside the log (adapters/leases.py).
"""

from datetime import datetime, timedelta

from tocsin_playbook.model import Budget, Runbook, Step
from tocsin_remediator.core.actions import Claim, Track

__all__ = ["over_budget"]


def over_budget(tracks: tuple[Track, ...], runbook: Runbook, step: Step, now: datetime) -> str | None:
    """Why a further attempt would be one too many; none if it is not. Repetitions count."""
    if runbook.budget is not None:
        claims = [claim for track in tracks if track.runbook == runbook.name for claim in _claims(track)]
        if _is_full(runbook.budget, claims, now):
            return f"the runbook's budget of {_words(runbook.budget)} is used up"
    if step.budget is not None:
        claims = [claim for track in tracks if track.runbook == runbook.name for claim in _claims(track, step.name)]
        if _is_full(step.budget, claims, now):
            return f"the step's budget of {_words(step.budget)} is used up"
    return None


def _claims(track: Track, step: str | None = None) -> list[Claim]:
    return [claim for action in track.actions if step in (None, action.step) for claim in action.claims]


def _is_full(budget: Budget, claims: list[Claim], now: datetime) -> bool:
    return sum(now - claim.mark.at < budget.per for claim in claims) >= budget.actions


def _words(budget: Budget) -> str:
    return f"{budget.actions} actions in {_span(budget.per)}"


def _span(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
