"""Messages about an incident's course, to everybody who hears of it. One function an event."""

from collections.abc import Callable, Mapping
from typing import Any

from tocsin_notifier.core.message import Field, ToDo, Tone
from tocsin_notifier.core.scene import Said, Scene
from tocsin_notifier.core.words import is_done, listed, name_of, plainly, span
from tocsin_schemas import DeadlineKind, Event
from tocsin_schemas.events import (
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionProposed,
    ActionRefused,
    ActionSucceeded,
    AutomationStopped,
    DeadlineMissed,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentOpened,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    IncidentUnmuted,
    NoteAdded,
    ResponderAdded,
    ResponderAnswered,
    ResponderDeclined,
    RunbookFinished,
    SeverityChanged,
    StatusUpdated,
    VerificationFailed,
    VerificationPassed,
)

__all__ = ["news"]

_ESCALATED: Mapping[str, str] = {
    "unacknowledged": "nobody has acknowledged it",
    "unresolved": "it is not resolved yet",
    "page_failed": "the one before could not be reached",
    "automation_failed": "automation could not mend it",
    "outcome_unknown": "nobody can say what an action did",
    "command": "by hand",
    "declined": "whoever was told cannot take it",
    "no_update": "nobody has written how it stands",
    "at_once": "what is at risk cannot wait",
}
_OUTCOMES: Mapping[str, str] = {
    "mitigated": "has mitigated it",
    "exhausted": "has no step left, and it is not mended",
    "escalated": "asks for a person",
    "stopped": "was stopped",
}


def news(scene: Scene) -> Said:
    """What is said of the notification's event."""
    event = scene.notification.event.data
    return _SAID[type(event)](scene, event)


# --- its life --------------------------------------------------------------------------------------------------------


def _opened(scene: Scene, _: IncidentOpened) -> Said:
    return Said(Tone.ALARM, scene.headed(), (), scene.facts, scene.to_do)


def _severity_changed(scene: Scene, event: SeverityChanged) -> Said:
    by = f" by {name_of(event.by.name, scene.playbook)}" if event.by.kind == "person" else ""
    because = f"Because: {event.because}" if event.because else ""
    return Said(Tone.ALARM, f"{event.before} is now {event.after}{by}: {scene.what}", (because,))


def _acknowledged(scene: Scene, event: IncidentAcknowledged) -> Said:
    until = f"Paging resumes at {scene.at(event.until)} if nothing has happened." if event.until else ""
    return Said(Tone.NEWS, scene.about(f"{name_of(event.by.name, scene.playbook)} is on it"), (until,))


def _escalated(scene: Scene, event: IncidentEscalated) -> Said:
    told = ", ".join(scene.target(target) for target in event.targets[:5]) or "nobody"
    why = _ESCALATED.get(event.reason, event.reason)
    return Said(Tone.ALARM, scene.about(f"escalated to level {event.level + 1} ({told}), {why}"))


def _deadline_missed(scene: Scene, event: DeadlineMissed) -> Said:
    """A target that was missed; or an update that is due, which is then told as it stands."""
    if event.kind is DeadlineKind.UPDATE:
        return Said(Tone.NEWS, scene.about(f"still open after {scene.lasted}"), (), (*scene.facts, _next_update(scene)))
    late = "not resolved in time" if event.kind is DeadlineKind.RESOLVE else "nobody acknowledged in time"
    return Said(Tone.ALARM, scene.about(late), (), (Field("Who", scene.who),))


def _answered(scene: Scene, event: ResponderAnswered) -> Said:
    waiting = listed([name_of(person, scene.playbook) for person in event.waiting_for])
    still = f"Still waiting for {waiting}." if waiting else ""
    return Said(Tone.NEWS, scene.about(f"{name_of(event.person, scene.playbook)} has answered"), (still,))


def _declined(scene: Scene, event: ResponderDeclined) -> Said:
    because = f"Because: {event.because}" if event.because else ""
    return Said(Tone.ALARM, scene.about(f"{name_of(event.person, scene.playbook)} cannot take it"), (because,))


def _added(scene: Scene, event: ResponderAdded) -> Said:
    people = listed([name_of(person, scene.playbook) for person in event.people]) or "nobody"
    because = f"Because: {event.because}" if event.because else ""
    by = name_of(event.by.name, scene.playbook)
    return Said(Tone.NEWS, scene.about(f"{by} asked for {scene.target(event.target)} ({people})"), (because,))


def _updated(scene: Scene, event: StatusUpdated) -> Said:
    """How it stands, in the words of whoever wrote it."""
    status = f"{event.status}, " if event.status is not None else ""
    fields = (Field("Who", scene.who), _next_update(scene))
    return Said(
        Tone.NEWS, scene.about(f"{status}update by {name_of(event.by.name, scene.playbook)}"), (event.text,), fields
    )


def _noted(scene: Scene, event: NoteAdded) -> Said:
    return Said(Tone.NEWS, scene.about(f"update by {name_of(event.by.name, scene.playbook)}"), (event.text,))


def _monitoring(scene: Scene, event: IncidentMonitoring) -> Said:
    until = f"If they stay so until {scene.at(event.watch_until)}, it counts as resolved."
    return Said(Tone.GOOD, scene.about("all alerts are quiet"), (until,))


def _resumed(scene: Scene, event: IncidentResumed) -> Said:
    return Said(Tone.ALARM, scene.about(f"not over, {event.rule} fires again"), (), scene.facts)


def _resolved(scene: Scene, event: IncidentResolved) -> Said:
    incident = scene.incident
    done = [plainly(action, scene.playbook) for action in incident.actions.values() if is_done(action)]
    responded = incident.commander or incident.acknowledged_by
    fields = (
        Field("Incident", incident.title if incident.title != scene.what else ""),
        Field("From", scene.at(scene.began)),
        Field("To", scene.at(scene.notification.event.time)),
        Field("Resolved by", name_of(event.by.name, scene.playbook) if event.by.kind == "person" else ""),
        Field("Responded", name_of(responded, scene.playbook) if responded else "nobody had to"),
        *(Field("Tried", sentence) for sentence in done[-5:]),
    )
    how = "false alarm, over" if event.false_alarm else "resolved"
    return Said(Tone.GOOD, scene.about(f"{how} after {scene.lasted}"), (event.notes,), fields)


def _reopened(scene: Scene, event: IncidentReopened) -> Said:
    return Said(Tone.ALARM, scene.headed("again"), (event.because,), scene.facts, scene.to_do)


def _unmuted(scene: Scene, event: IncidentUnmuted) -> Said:
    return Said(Tone.ALARM, scene.headed(), (event.because,), scene.facts, scene.to_do)


def _closed(scene: Scene, _: IncidentClosed) -> Said:
    return Said(Tone.GOOD, scene.about("closed"))


# --- what is done about it --------------------------------------------------------------------------------------------

_ActionEvent = (
    ActionClaimed | ActionSucceeded | ActionFailed | ActionOutcomeUnknown | ActionRefused
    | VerificationPassed | VerificationFailed
)  # fmt: skip


def _moved(scene: Scene, event: _ActionEvent) -> Said:
    action = scene.incident.actions[event.action]
    tone = Tone.ALARM if isinstance(event, ActionOutcomeUnknown) else Tone.NEWS
    return Said(tone, f"{scene.incident.severity} · {plainly(action, scene.playbook)}", (_step(event),))


def _proposed(scene: Scene, event: ActionProposed) -> Said:
    action = scene.incident.actions[event.action]
    to_do = ToDo("let it run, if it is right", (f"tocsin approve {scene.incident.id} {action.id}",))
    return Said(
        Tone.ALARM, f"{scene.incident.severity} · {plainly(action, scene.playbook)}", (_step(event),), (), to_do
    )


def _runbook_finished(scene: Scene, event: RunbookFinished) -> Said:
    reason = f": {event.reason}" if event.reason else ""
    return Said(Tone.NEWS, f"{scene.incident.severity} · runbook {event.runbook} {_OUTCOMES[event.outcome]}{reason}")


def _stopped(scene: Scene, event: AutomationStopped) -> Said:
    because = f"Because: {event.because}" if event.because else ""
    who = name_of(event.by.name, scene.playbook)
    return Said(Tone.NEWS, scene.about(f"{who} stopped all automation"), (because,))


def _step(event: _ActionEvent | ActionProposed) -> str:
    return f"Runbook {event.runbook}, step {event.step}"


def _next_update(scene: Scene) -> Field:
    due = scene.next_update
    return Field("Next update", f"{scene.at(due)}, in {span(due - scene.now)}" if due else "")


# Any: each row takes the event of its own type.
_SAID: Mapping[type[Event], Callable[[Scene, Any], Said]] = {
    IncidentOpened: _opened,
    SeverityChanged: _severity_changed,
    IncidentAcknowledged: _acknowledged,
    IncidentEscalated: _escalated,
    DeadlineMissed: _deadline_missed,
    NoteAdded: _noted,
    StatusUpdated: _updated,
    ResponderAnswered: _answered,
    ResponderDeclined: _declined,
    ResponderAdded: _added,
    IncidentMonitoring: _monitoring,
    IncidentResumed: _resumed,
    IncidentResolved: _resolved,
    IncidentReopened: _reopened,
    IncidentClosed: _closed,
    IncidentUnmuted: _unmuted,
    ActionProposed: _proposed,
    ActionClaimed: _moved,
    ActionSucceeded: _moved,
    ActionFailed: _moved,
    ActionOutcomeUnknown: _moved,
    ActionRefused: _moved,
    VerificationPassed: _moved,
    VerificationFailed: _moved,
    RunbookFinished: _runbook_finished,
    AutomationStopped: _stopped,
}
