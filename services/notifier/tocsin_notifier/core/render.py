"""What is said about an event: severity, what, since when; then what is done, by whom, and what to do next."""

from collections.abc import Mapping
from dataclasses import replace

from tocsin_notifier.core.buttons import buttons
from tocsin_notifier.core.incident import Incident
from tocsin_notifier.core.message import Message, ToDo, Tone
from tocsin_notifier.core.news import news
from tocsin_notifier.core.pages import approval, page, reminder, role, war_room, warning
from tocsin_notifier.core.plan import Notification
from tocsin_notifier.core.scene import Said, Scene, Telling
from tocsin_playbook.model.communicate import TemplateName
from tocsin_schemas.text import clean_line, clean_text

__all__ = ["bare", "render"]

_MAX_HEADLINE, _MAX_PARAGRAPH, _MAX_FIELD = 300, 2000, 500

_TO_SOME: Mapping[TemplateName, Telling] = {
    "page": page,
    "approval": approval,
    "reminder": reminder,
    "role": role,
    "warning": warning,
    "war_room": war_room,
}


def render(scene: Scene) -> Message:
    """The built-in message of a notification."""
    notification = scene.notification
    said = _TO_SOME.get(notification.kind, news)(scene)
    return Message(
        kind=notification.kind,
        notification=notification.id,
        incident=scene.incident.id,
        severity=scene.incident.severity,
        rank=scene.rank,
        tone=said.tone,
        headline=clean_line(said.headline, _MAX_HEADLINE),
        paragraphs=tuple(clean_text(text, _MAX_PARAGRAPH) for text in said.paragraphs if text),
        fields=tuple(replace(field, value=clean_line(field.value, _MAX_FIELD)) for field in said.fields if field.value),
        to_do=said.to_do,
        footer=clean_line(f"Incident {scene.incident.id} · {scene.playbook.metadata.name}"),
        links=scene.links if said.fields or said.to_do else (),  # a line of news needs none
        buttons=buttons(scene, said.tone),
        page=notification.page,
    )


def bare(incident: Incident, notification: Notification) -> Message:
    """What is sent when rendering fails: little, and needing nothing that could fail."""
    what = incident.summary or incident.title or "an incident"
    said = Said(Tone.ALARM, f"{incident.severity or 'Incident'}: {what}")
    return Message(
        kind=notification.kind,
        notification=notification.id,
        incident=incident.id,
        severity=incident.severity,
        rank=0,
        tone=said.tone,
        headline=clean_line(said.headline, _MAX_HEADLINE),
        to_do=ToDo("look at it", (f"tocsin show {incident.id}",)),
        footer=f"Incident {incident.id}",
        page=notification.page,
    )
