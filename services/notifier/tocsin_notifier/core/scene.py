"""What a message is made from: the incident, the event, the reader and the moment; and the lines all messages share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from tocsin_notifier.core.incident import Incident
from tocsin_notifier.core.message import Field, Link, ToDo, Tone
from tocsin_notifier.core.plan import Notification
from tocsin_notifier.core.words import clock, impact_of, listed, name_of, plainly, span, status_of
from tocsin_playbook import Playbook, UnknownNameError
from tocsin_schemas import DeadlineKind

__all__ = ["Said", "Scene", "Telling"]

_MAX_LINKS = 5
_SOON = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Said:
    """The part of a message that depends on its kind."""

    tone: Tone
    headline: str
    paragraphs: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    to_do: ToDo | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One message in the making. `now` is when it is written; the incident is as the log stands then."""

    incident: Incident
    notification: Notification
    playbook: Playbook
    now: datetime
    console_url: str = ""

    # --- the reader -------------------------------------------------------------------------------------------------

    @property
    def zone(self) -> tzinfo:
        """The reader's own time zone, where the playbook has it."""
        try:
            zone = self.playbook.person(self.notification.recipient.person).time_zone
        except UnknownNameError:
            zone = None
        return ZoneInfo(zone) if zone else UTC

    def at(self, moment: datetime) -> str:
        return clock(moment, self.zone, self.now)

    def by(self, moment: datetime) -> str:
        """A time that is due: by the clock, or the seconds that are left where they count."""
        left = moment - self.now
        return f"within {span(left)}" if left < _SOON else f"by {self.at(moment)}"

    # --- the incident -----------------------------------------------------------------------------------------------

    @property
    def rank(self) -> int:
        try:
            return self.playbook.rank(self.incident.severity)
        except UnknownNameError:
            return 0

    @property
    def what(self) -> str:
        return self.incident.summary or self.incident.title

    @property
    def began(self) -> datetime:
        return self.incident.started_at or self.incident.opened_at or self.now

    @property
    def lasted(self) -> str:
        return span((self.incident.resolved_at or self.now) - self.began)

    def headed(self, words: str = "") -> str:
        """`P0 31 % of checkouts fail, since 03:12 UTC`: the first line of what somebody is woken by."""
        start = " · ".join(part for part in (self.incident.severity, words) if part)
        return f"{start}: {self.what}, since {self.at(self.began)}"

    def about(self, words: str) -> str:
        """`P0 · resolved after 12 min: 31 % of checkouts fail`: the first line of what follows."""
        return f"{self.incident.severity} · {words}: {self.what}"

    # --- the lines that most messages have ----------------------------------------------------------------------------

    @property
    def facts(self) -> tuple[Field, ...]:
        """What it is, how bad, what is done, by whom."""
        incident = self.incident
        return (
            Field("Incident", incident.title if incident.title != self.what else ""),
            Field("Impact", self._impact()),
            Field("Known impact", impact_of(incident.impact)),
            Field("Suspected origin", incident.origin),
            Field("Since", f"{self.at(self.began)}, {span(self.now - self.began)} ago"),
            Field("Firing", self._firing()),
            Field("Status", status_of(incident)),
            Field("Being done", self.being_done),
            Field("Who", self.who),
            Field("War room", incident.war_room),
        )

    @property
    def being_done(self) -> str:
        """The last action, or that there is none."""
        action = next(reversed(list(self.incident.actions.values())), None)
        return plainly(action, self.playbook) if action else "nothing by automation yet"

    @property
    def who(self) -> str:
        """Who has it, or who has been told so far."""
        incident = self.incident
        if incident.acknowledged_by:
            when = f" at {self.at(incident.acknowledged_at)}" if incident.acknowledged_at else ""
            has_it = f"{name_of(incident.acknowledged_by, self.playbook)} acknowledged{when}"
        else:
            told = listed([self.target(target) for target in incident.paged])
            has_it = "nobody has acknowledged yet" + (f"; paged: {told}" if told else "")
        leads = f"; {name_of(incident.commander, self.playbook)} is incident commander" if incident.commander else ""
        return has_it + leads

    def target(self, target: str) -> str:
        """`person:ada` and `channel:slack:#incidents` as people say it."""
        kind, _, rest = target.partition(":")
        return name_of(rest, self.playbook) if kind == "person" else rest.partition(":")[2] or rest

    @property
    def to_do(self) -> ToDo:
        """How to answer, and what happens otherwise."""
        if not self.incident.phase.is_waiting:
            return self.look
        due = self.next_level
        otherwise = f"If nobody does {self.by(due)}, the next level is told." if due else ""
        return ToDo("acknowledge it", (f"tocsin ack {self.incident.id}",), otherwise)

    @property
    def look(self) -> ToDo:
        return ToDo("look at it", (f"tocsin show {self.incident.id}",))

    @property
    def next_level(self) -> datetime | None:
        """When somebody else is told, if nobody answers."""
        return min(
            (
                d.due_at
                for d in self.incident.deadlines.values()
                if d.kind is DeadlineKind.ESCALATE and d.due_at > self.now
            ),
            default=None,
        )

    @property
    def next_update(self) -> datetime | None:
        """When the next status update is due."""
        return min(
            (
                d.due_at
                for d in self.incident.deadlines.values()
                if d.kind is DeadlineKind.UPDATE and d.due_at > self.now
            ),
            default=None,
        )

    @property
    def links(self) -> tuple[Link, ...]:
        own = (Link("Console", f"{self.console_url.rstrip('/')}/incidents/{self.incident.id}"),)
        others = tuple(Link(title, url) for title, url in self.playbook.metadata.links.items())
        return ((own if self.console_url else ()) + others)[:_MAX_LINKS]

    def _impact(self) -> str:
        try:
            return self.playbook.severity(self.incident.severity).description or ""
        except UnknownNameError:
            return ""

    def _firing(self) -> str:
        rules = list(dict.fromkeys(alert.rule for alert in self.incident.alerts.values()))
        count = len(self.incident.alerts)
        return f"{count} {'alert' if count == 1 else 'alerts'}: {listed(rules)}" if rules else ""


Telling = Callable[[Scene], Said]
