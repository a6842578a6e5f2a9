"""The systems that are acted upon, as effects see them."""

from datetime import timedelta
from typing import Protocol

from tocsin_playbook.model import HttpAction, HttpCheck, OutcomeProbe
from tocsin_remediator.core.outcomes import Reply

__all__ = ["Target"]


class Target(Protocol):
    """Where requests go. None of these raises: whatever goes wrong is an answer too."""

    async def act(self, action: HttpAction, execution: str, traceparent: str, timeout: timedelta) -> Reply:
        """Send the action once, under its execution's key."""
        ...

    async def ask(self, probe: OutcomeProbe, execution: str) -> Reply:
        """Ask the target what it knows of an execution."""
        ...

    async def look(self, check: HttpCheck, timeout: timedelta) -> str | None:
        """What is wrong there; none if all is as the playbook expects."""
        ...
