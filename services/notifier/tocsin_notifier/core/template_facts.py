"""What a playbook's templates may speak of: plain texts, numbers and lists, all of them bounded.

Enough for the usual announcements: severity, status, impact, incident commander, thread, what has been done, next
update; and at the end duration, summary, cause.
"""

from tocsin_notifier.core.incident import Place
from tocsin_notifier.core.scene import Scene
from tocsin_notifier.core.words import impact_of, name_of, plainly, status_of
from tocsin_playbook import UnknownNameError
from tocsin_schemas.events import ResponderPaged

__all__ = ["template_facts"]

_MOST = 20


def template_facts(scene: Scene) -> dict[str, object]:
    """The variables of a template: `incident`, `event`, `recipient`, `playbook`."""
    return {
        "incident": _incident(scene),
        "event": _event(scene),
        "recipient": name_of(scene.notification.recipient.person, scene.playbook) or scene.notification.recipient.name,
        "playbook": {
            "name": scene.playbook.metadata.name,
            "description": scene.playbook.metadata.description or "",
            "links": dict(list(scene.playbook.metadata.links.items())[:_MOST]),
        },
    }


def _incident(scene: Scene) -> dict[str, object]:
    incident, playbook = scene.incident, scene.playbook
    try:
        impact = playbook.severity(incident.severity).description or ""
    except UnknownNameError:
        impact = ""
    alerts = list(incident.alerts.values())[:_MOST]
    return {
        "id": incident.id,
        "title": incident.title,
        "summary": incident.summary or incident.title,
        "severity": incident.severity,
        "status": status_of(incident),
        "impact": impact,
        "labels": dict(incident.labels),
        "started": scene.at(scene.began),
        "ended": scene.at(incident.resolved_at) if incident.resolved_at else "",
        "duration": scene.lasted,
        "alerts": [{"rule": alert.rule, "summary": alert.summary, "since": scene.at(alert.since)} for alert in alerts],
        "known_impact": impact_of(incident.impact),
        "origin": incident.origin,
        "war_room": incident.war_room,
        "acknowledged_by": name_of(incident.acknowledged_by, playbook) if incident.acknowledged_by else "",
        "commander": name_of(incident.commander, playbook) if incident.commander else "",
        "roles": {role.value: name_of(person, playbook) for role, person in incident.roles.items()},
        "responders": [scene.target(target) for target in list(incident.paged)[:_MOST]],
        "who": scene.who,
        "thread": _thread(scene),
        "actions": [plainly(action, playbook) for action in list(incident.actions.values())[-_MOST:]],
        "being_done": scene.being_done,
        "notes": [
            {"text": note.text, "by": name_of(note.by, playbook), "at": scene.at(note.at)} for note in incident.notes
        ],
        "resolution": incident.resolution,
        "next_level": scene.at(scene.next_level) if scene.next_level else "",
        "next_update": scene.at(scene.next_update) if scene.next_update else "",
        "link": next((link.url for link in scene.links if link.title == "Console"), ""),
    }


def _event(scene: Scene) -> dict[str, object]:
    """The event itself: its own fields that are text, by name, besides `kind` and `at`."""
    event = scene.notification.event
    fields = {name: value for name, value in event.data.model_dump(mode="json").items() if isinstance(value, str | int)}
    by = getattr(event.data, "by", None)
    level = {"level": event.data.level + 1} if isinstance(event.data, ResponderPaged) else {}
    return {
        **fields,
        **level,
        "kind": scene.notification.kind,
        "at": scene.at(event.time),
        "by": name_of(by.name, scene.playbook) if by is not None else "",
    }


def _thread(scene: Scene) -> str:
    """Where the incident is talked about: the first place that was told of it."""
    place: Place | None = next(iter(scene.incident.threads), None)
    return place.address if place else ""
