"""Messages to whoever must act: a page, a request to approve, a reminder, a role, a warning, a room."""

from collections.abc import Mapping

from tocsin_notifier.core.incident import ActionState
from tocsin_notifier.core.message import Field, ToDo, Tone
from tocsin_notifier.core.scene import Said, Scene
from tocsin_notifier.core.words import does, name_of, span
from tocsin_schemas.events import ResponderPaged, RoleAssigned, TargetNeared, WarRoomRequested

__all__ = ["approval", "page", "reminder", "role", "war_room", "warning"]

_WHY: Mapping[str, str] = {
    "opened": "you are the first to be told",
    "escalated": "it has been escalated to you",
    "reopened": "it is back after it had been resolved",
    "severity_raised": "its severity was raised",
    "automation_needs_you": "automation needs you",
    "page_failed": "the one before you could not be reached",
    "command": "somebody escalated it to you by hand",
    "unanswered": "you have not answered yet",
    "added": "somebody asked for you",
    "declined": "the one before you cannot take it",
}


def page(scene: Scene) -> Said:
    """Somebody is woken: all they need to begin."""
    return Said(Tone.ALARM, scene.headed(), (_addressed(scene),), scene.facts, scene.to_do)


def approval(scene: Scene) -> Said:
    """Automation has stopped until somebody answers."""
    data = scene.notification.event.data
    asked = data.summary if isinstance(data, ResponderPaged) else ""
    waiting = [action for action in scene.incident.actions.values() if action.state is ActionState.PROPOSED]
    asks = tuple(Field("Waits for you", f"{does(action, scene.playbook)} ({action.step})") for action in waiting[-3:])
    reasons = tuple(Field("Because", action.detail) for action in waiting[-3:])
    commands = tuple(f"tocsin approve {scene.incident.id} {action.id}" for action in waiting[-3:])
    return Said(
        Tone.ALARM,
        scene.headed("needs your approval"),
        (_addressed(scene), asked),
        (*asks, *reasons, *scene.facts),
        ToDo("let it run, if it is right", commands) if commands else scene.look,
    )


def reminder(scene: Scene) -> Said:
    """A status update is due."""
    name = name_of(scene.notification.recipient.person, scene.playbook)
    who = f"{name}: " if scene.notification.recipient.person else ""
    last = scene.incident.notes[-1] if scene.incident.notes else None
    ago = f"The last one was {span(scene.now - last.at)} ago." if last else "There has been none yet."
    return Said(
        Tone.NEWS,
        scene.about("a status update is due"),
        (f"{who}people wait to hear how it stands. {ago}",),
        (),
        ToDo("write one line", (f'tocsin update {scene.incident.id} "..."',)),
    )


def role(scene: Scene) -> Said:
    """Somebody has a part in the incident from now on."""
    data = scene.notification.event.data
    if not isinstance(data, RoleAssigned):
        raise TypeError(f"{type(data).__name__} gives nobody a role")
    by = f"{name_of(data.by.name, scene.playbook)} gave it to you." if data.by.kind == "person" else ""
    said = scene.about(f"you are {data.role.value.replace('_', ' ')}")
    return Said(Tone.NEWS, said, (by,), scene.facts, scene.look)


def warning(scene: Scene) -> Said:
    """A target comes near."""
    data = scene.notification.event.data
    if not isinstance(data, TargetNeared):
        raise TypeError(f"{type(data).__name__} is about no target")
    left = f"within {span(data.due_at - scene.now)}"
    if data.target == "acknowledge":
        said = f"Somebody should have acknowledged by {scene.at(data.due_at)}, and nobody has."
        return Said(Tone.ALARM, scene.about(f"acknowledge {left}"), (said,), scene.facts, scene.to_do)
    said = f"It should be resolved by {scene.at(data.due_at)}."
    return Said(Tone.ALARM, scene.about(f"resolve {left}"), (said,), scene.facts, scene.look)


def war_room(scene: Scene) -> Said:
    """The incident is talked about in a place of its own."""
    data = scene.notification.event.data
    if not isinstance(data, WarRoomRequested):
        raise TypeError(f"{type(data).__name__} asks for no room")
    invited = "You are invited. " if scene.notification.recipient.person else ""
    words = f"{invited}It is talked about in {data.name} ({data.channel})."
    return Said(Tone.NEWS, scene.about(f"war room {data.name}"), (words,))


def _addressed(scene: Scene) -> str:
    """Whom the page is for, and why them."""
    data = scene.notification.event.data
    if not isinstance(data, ResponderPaged):
        return ""
    why = _WHY.get(data.reason, "it has come to you")
    if data.reason == "command" and scene.incident.escalated_by:
        why = f"{name_of(scene.incident.escalated_by, scene.playbook)} escalated it to you"
    if data.reason == "added" and scene.incident.asked_by:
        why = f"{name_of(scene.incident.asked_by, scene.playbook)} asked for you"
    if data.reason == "declined" and scene.incident.declined:
        why = f"{name_of(scene.incident.declined[-1], scene.playbook)} cannot take it"
    person = scene.notification.recipient.person
    whom = f"{name_of(person, scene.playbook)}, this page is for you" if person else "This page is for this channel"
    again = f", round {data.round + 1}" if data.round else ""
    each = " Everybody who is told so must answer." if data.each else ""
    return f"{whom}: {why} (level {data.level + 1}{again}).{each}"
