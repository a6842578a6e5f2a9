"""An incident's severity changes, and with it everything that hangs on it."""

from typing import Literal

from tocsin_escalator.core.draft import Draft
from tocsin_escalator.core.escalation import begin
from tocsin_schemas import Actor
from tocsin_schemas.events import SeverityChanged

__all__ = ["change_severity"]


def change_severity(
    draft: Draft, after: str, why: Literal["alert", "classification", "person", "time"], because: str, by: Actor
) -> None:
    """Say so, and start what the new severity asks for where the incident is open."""
    draft.add(SeverityChanged(before=draft.state.severity, after=after, why=why, because=because, by=by))
    if draft.state.is_open:
        begin(draft, "severity_raised")
