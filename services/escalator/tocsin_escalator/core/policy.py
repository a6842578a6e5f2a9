"""Whom a step of the escalation means at a moment."""

from datetime import datetime

from tocsin_escalator.core.classify import incident_facts
from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.rulebook import Rulebook, Step
from tocsin_playbook.expressions import ConditionEvaluationError
from tocsin_playbook.model import AnyTarget, ChannelRef, PersonRef, Playbook, UnknownNameError
from tocsin_playbook.oncall import people_of

__all__ = ["applies", "names_of", "targets_of"]


def targets_of(step: Step, rulebook: Rulebook, now: datetime) -> tuple[str, ...]:
    """`person:NAME` and `channel:CHANNEL:ADDRESS`, each once: teams and schedules resolved at this moment."""
    names = (name for target in step.targets for name in names_of(target, rulebook.playbook, now))
    return tuple(dict.fromkeys(names))


def names_of(target: AnyTarget, playbook: Playbook, now: datetime) -> tuple[str, ...]:
    """Whom a reference means, in the same form; nobody where there is nobody."""
    if isinstance(target, ChannelRef):
        return (_channel(target, playbook),)
    if isinstance(target, PersonRef):
        return (str(target),)  # one the playbook does not define too: that the page fails is recorded and leads on
    try:
        return tuple(f"person:{name}" for name in people_of(playbook, target, now))
    except UnknownNameError:
        return ()  # a team or schedule that is not there is one with nobody in it


def _channel(target: ChannelRef, playbook: Playbook) -> str:
    if target.address is not None:
        return str(target)
    try:
        address = playbook.channel(target.name).address
    except UnknownNameError:
        address = None
    return f"{target}:{address}" if address else str(target)


def applies(step: Step, state: IncidentState, now: datetime) -> bool:
    """Whether a step's own condition holds; a condition that cannot be evaluated does not."""
    if step.when is None:
        return True
    try:
        return step.when.evaluate(incident_facts(state, now))
    except ConditionEvaluationError:
        return False
