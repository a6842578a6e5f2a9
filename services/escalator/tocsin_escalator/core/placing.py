"""Which of a group's incidents an alert belongs to.

A group has its incidents one after another, numbered from 0. One firing of an alert belongs to one incident for
ever: a message that comes late, or a renewal of an alert whose incident a person has resolved, opens no other.
"""

from datetime import datetime, timedelta

from tocsin_escalator.core.incident import OVER, IncidentState, Phase
from tocsin_escalator.core.rulebook import Rulebook

__all__ = ["LOOK_BACK", "began_before", "is_over"]

LOOK_BACK = 16
"""How many earlier incidents of its group are asked whether they know an alert."""

_SKEW = timedelta(minutes=1)
"""By how much two computers' clocks may differ."""


def is_over(state: IncidentState, rulebook: Rulebook, now: datetime) -> bool:
    """Whether the incident takes no more alerts: it is closed, or a re-fire now would come too late to reopen it."""
    if state.phase in OVER and state.resolved_at is not None:
        return now >= state.resolved_at + rulebook.playbook.group.reopen_within
    return state.phase is Phase.CLOSED


def began_before(state: IncidentState, moment: datetime) -> bool:
    """Whether the incident was certainly opened before this moment, so that no earlier one can know of it."""
    return state.opening is not None and state.opening.opened_at < moment - _SKEW
