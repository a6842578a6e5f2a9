"""What a message about an open incident lets its reader ask for with one press."""

from collections.abc import Iterator

from tocsin_notifier.core.incident import ActionState, Phase
from tocsin_notifier.core.message import Button, Tone
from tocsin_notifier.core.scene import Scene
from tocsin_notifier.core.words import does
from tocsin_schemas.commands import Acknowledge, ApproveAction, Decline, Escalate
from tocsin_schemas.text import clean_line

__all__ = ["buttons"]

_MOST_APPROVALS = 3  # as many as the message names
_WORDS, _SURE = 60, 280


def buttons(scene: Scene, tone: Tone) -> tuple[Button, ...]:
    """Those that make sense as the incident stands. News asks nobody to act, and what is over needs nothing."""
    incident, kind = scene.incident, scene.notification.kind
    if incident.phase is Phase.UNKNOWN or incident.phase.is_over or tone is not Tone.ALARM:
        return ()
    found = list(_approvals(scene)) if kind == "approval" else []
    if incident.phase.is_waiting or kind == "page":
        found.append(Button("Acknowledge", Acknowledge.SLUG))
    found.append(Button("Can't take it", Decline.SLUG))
    found.append(Button("Escalate", Escalate.SLUG, sure="The next level is told now."))
    return tuple(found)


def _approvals(scene: Scene) -> Iterator[Button]:
    waiting = [action for action in scene.incident.actions.values() if action.state is ActionState.PROPOSED]
    for action in waiting[-_MOST_APPROVALS:]:
        what = clean_line(does(action, scene.playbook), _SURE)
        yield Button(clean_line(f"Approve {action.step}", _WORDS), ApproveAction.SLUG, action.id, f"It runs: {what}")
