"""What somebody who is signed in can ask for on an incident's page: what would make sense where it stands.

Only an offer: whether it may be is decided where it is carried out.
"""

from tocsin_recorder.core.summary import Phase, Summary
from tocsin_schemas import Role

__all__ = ["offers"]


def offers(summary: Summary, person: str) -> tuple[str, ...]:
    """The commands, by their slugs, in the order in which they are shown."""
    if summary.phase is Phase.CLOSED:
        return ()
    if not summary.active:
        return "reopen", "update", "add_note"
    is_theirs = not summary.phase.is_waiting and summary.acknowledged_by == person
    leads = (Role.COMMANDER.value, person) in summary.roles
    return (
        *(() if is_theirs else ("acknowledge",)),
        *(() if is_theirs and leads else ("take_over",)),
        "update",
        "add_note",
        "escalate",
        "decline",
        "set_severity",
        "resolve",
    )
