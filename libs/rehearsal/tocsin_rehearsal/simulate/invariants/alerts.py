"""From alerts to incidents."""

from tocsin_escalator.core.incident import Phase
from tocsin_rehearsal.outside.senders import ForeignAlert
from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant
from tocsin_schemas import Labels
from tocsin_schemas.commands import Split
from tocsin_schemas.events import (
    AlertCleared,
    AlertFired,
    AlertGrouped,
    AlertMoved,
    IncidentMuted,
    IncidentOpened,
    NoteAdded,
    ResponderPaged,
)
from tocsin_schemas.ids import fingerprint

__all__ = ["NoAlertLost", "NoAnswerBeforeDurability", "OneIncident"]


class NoAnswerBeforeDurability(Invariant):
    """2: whoever is answered 200 finds the alert in the stream: it fires there, or did since it began."""

    numbers = "2"

    def on_taken(self, alert: ForeignAlert, has_ended: bool) -> None:
        if has_ended:
            return
        began = (alert.starts_at - self.world.start).total_seconds()
        words = self.history.words[fingerprint(Labels(alert.labels))]
        fires_since = any(at >= began - 0.001 and isinstance(word.data, AlertFired) for at, word in words)
        before = [word for at, word in words if at < began]
        if not fires_since and not (before and isinstance(before[-1].data, AlertFired)):
            self.fails(f"a detector answered 200 to {alert.labels}, which is not in the stream")


class NoAlertLost(Invariant):
    """1: every alert in the stream is part of an incident, and every incident told somebody or says why it did not."""

    numbers = "1, 3"

    def at_end(self) -> None:
        known = {
            (data.alert.fingerprint, data.alert.episode)
            if isinstance(data, AlertGrouped)
            else (data.fingerprint, data.episode)
            for data in (happened.data for happened in self.history.events)
            if isinstance(data, AlertGrouped | AlertCleared)
        }
        for words in self.history.words.values():
            for _, word in words:
                alert = word.data
                if isinstance(alert, AlertFired) and (alert.fingerprint, alert.episode) not in known:
                    self.fails(f"no incident has the alert {dict(alert.labels)}, episode {alert.episode[:8]}")
        for life in self.history.incidents.values():
            said = (ResponderPaged, NoteAdded, IncidentMuted)  # somebody was told, or why nobody was
            if not any(isinstance(happened.data, said) for happened in life.events):
                self.fails("nobody was ever told, and nothing says why", life.id)


class OneIncident(Invariant):
    """12: one firing of one alert is in one incident, and a group has one incident at a time."""

    numbers = "12"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._of_alert: dict[tuple[str, str], str] = {}
        self._of_group: dict[str, str] = {}
        self._halves: dict[tuple[str, str, str], str] = {}
        """Alerts that are split off, by where they go, of which the log has one half so far: that they are there, or
        that they are not where they were any more. Both follow from one command; which comes first is left open."""

    def on_event(self, happened: Happened) -> None:
        match happened.data:
            case AlertGrouped(alert=alert):
                first = self._of_alert.setdefault((alert.fingerprint, alert.episode), happened.incident)
                if first != happened.incident and self._is_asked_for(happened, first):
                    self._half(alert.fingerprint, alert.episode, to=happened.incident, said_in=happened.incident)
                elif first != happened.incident:
                    self.fails(f"the alert {dict(alert.labels)} is in {first} already", happened.incident)
            case AlertMoved(fingerprint=name, episode=episode, to=to):
                self._half(name, episode, to=to, said_in=happened.incident)
            case IncidentOpened(group_key=group):
                before = self.history.incidents.get(self._of_group.get(group, ""))
                if before is not None and before.state.is_open:
                    self.fails(
                        f"its group's incident {before.id} is still {before.state.phase.value}", happened.incident
                    )
                if happened.before.phase is not Phase.NONE:
                    self.fails("opened twice", happened.incident)
                self._of_group[group] = happened.incident
            case _:
                pass

    def _is_asked_for(self, happened: Happened, first: str) -> bool:
        """Whether somebody has asked for alerts of the first incident to be one of their own."""
        return any(
            asked.id == happened.envelope.cause and isinstance(asked.command, Split) and asked.command.incident == first
            for asked in self.course.stage.asked
        )

    def _half(self, name: str, episode: str, *, to: str, said_in: str) -> None:
        if self._halves.pop((name, episode, to), said_in) == said_in:
            self._halves[name, episode, to] = said_in
        else:
            self._of_alert[name, episode] = to

    def at_end(self) -> None:
        for (_, _, to), said_in in self._halves.items():
            missing = "still has it where it was" if said_in == to else f"is not in {to}"
            self.fails(f"an alert that was split off {missing}", said_in)
