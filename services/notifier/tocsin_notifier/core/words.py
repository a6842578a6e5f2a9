"""Times, lengths and states in words, for somebody who has just been woken."""

from datetime import datetime, timedelta, tzinfo

from tocsin_notifier.core.incident import Action, ActionState, Incident, Phase
from tocsin_playbook import Playbook, UnknownNameError
from tocsin_schemas import Impact

__all__ = ["clock", "does", "impact_of", "is_done", "listed", "name_of", "plainly", "span", "status_of"]

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def clock(at: datetime, zone: tzinfo, now: datetime) -> str:
    """`03:12 UTC`; with the date where it is not today's."""
    local = at.astimezone(zone)
    name = local.tzname() or "UTC"
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M} {name}"
    return f"{local.day} {local:%b %H:%M} {name}"


def span(length: timedelta) -> str:
    """`45 s`, `12 min`, `2 h 5 min`, `3 d 4 h`."""
    length = max(length, timedelta())
    if length < _MINUTE:
        return f"{length.seconds} s"
    if length < _HOUR:
        return f"{length // _MINUTE} min"
    if length < _DAY:
        hours, minutes = length // _HOUR, length % _HOUR // _MINUTE
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = length // _DAY, length % _DAY // _HOUR
    return f"{days} d {hours} h" if hours else f"{days} d"


def listed(items: list[str], most: int = 5) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def name_of(person: str, playbook: Playbook) -> str:
    """What other people call somebody."""
    try:
        return playbook.person(person).full_name or person
    except UnknownNameError:
        return person


def status_of(incident: Incident) -> str:
    """The word for where an incident is, as status pages have it."""
    if incident.phase is Phase.FALSE_ALARM:
        return "false alarm"
    if incident.phase.is_over:
        return "resolved"
    if incident.phase is Phase.MONITORING:
        return "monitoring"
    if incident.phase in (Phase.INVESTIGATING, Phase.IDENTIFIED, Phase.MITIGATING):
        return incident.phase.value
    return "mitigating" if any(is_done(action) for action in incident.actions.values()) else "investigating"


def impact_of(impact: Impact | None) -> str:
    """What is known of what it does to people; empty where nobody has said anything."""
    if impact is None:
        return ""
    users = f"{impact.users_affected * 100:.3g} % of users affected" if impact.users_affected is not None else ""
    flags = ((getattr(impact, name), words) for name, words in _IMPACT.items())
    said = (users, *(words[not flag] for flag, words in flags if flag is not None))
    return ", ".join(part for part in said if part)


_IMPACT = {
    "data_loss": ("data is lost", "no data is lost"),
    "data_at_risk": ("customer data is at risk", "customer data is safe"),
    "security": ("security is concerned", "security is not concerned"),
    "compliance": ("compliance is concerned", "compliance is not concerned"),
    "workaround": ("there is a workaround", "there is no workaround"),
    "recent_deployment": ("something was deployed shortly before", "nothing was deployed shortly before"),
}


def is_done(action: Action) -> bool:
    """Whether something is being done by it, or has been."""
    return action.state not in (ActionState.NEXT, ActionState.PROPOSED, ActionState.APPROVED, ActionState.REFUSED)


def does(action: Action, playbook: Playbook) -> str:
    """What an action does, in the playbook's words, else its step's name."""
    try:
        step = playbook.runbook(action.runbook).step(action.step)
    except UnknownNameError:
        step = None
    text = (step.does if step is not None else None) or action.description or action.step
    return " ".join(text.split())


def plainly(action: Action, playbook: Playbook) -> str:
    """How far an action is, as a sentence: what it does, and what came of it."""
    what, detail = does(action, playbook), f" ({action.detail})" if action.detail else ""
    match action.state:
        case ActionState.NEXT:
            return f"About to run: {what}"
        case ActionState.PROPOSED:
            return f"Waiting for approval: {what}{detail}"
        case ActionState.APPROVED:
            return f"Approved: {what}"
        case ActionState.RUNNING:
            return f"Running: {what}"
        case ActionState.VERIFYING:
            return f"Carried out: {what}{detail}"
        case ActionState.HELPED:
            return f"Helped: {what}{detail}"
        case ActionState.DID_NOT_HELP:
            return f"Did not help: {what}{detail}"
        case ActionState.FAILED:
            return f"Failed: {what}{detail}"
        case ActionState.UNKNOWN:
            return f"Outcome unknown, look before you repeat it: {what}{detail}"
        case ActionState.REFUSED:
            return f"Not run: {what}{detail}"
