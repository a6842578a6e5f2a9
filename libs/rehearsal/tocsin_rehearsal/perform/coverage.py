"""What of a playbook its tests have exercised, and what no test has ever reached."""

from collections.abc import Iterable, Iterator, Sequence, Set

from tocsin_playbook import Playbook
from tocsin_playbook.model import Runbook, Step
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.cases.paging import asks_for_approval
from tocsin_rehearsal.perform.cells import CELLS, Cell
from tocsin_rehearsal.perform.coverage_on_call import parts_on_call, reached_on_call
from tocsin_rehearsal.perform.part import Part
from tocsin_rehearsal.world import World
from tocsin_schemas import Envelope, Event, Payload
from tocsin_schemas.events import (
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionProposed,
    AlertFired,
    AlertGrouped,
    IncidentMuted,
    IncidentOpened,
    NoteAdded,
    ResponderPaged,
    SeverityChanged,
    VerificationFailed,
    VerificationPassed,
)

__all__ = ["Coverage", "Part"]

_AT_ONCE = "The next level was told at once: "


class Coverage:
    """Counts for one playbook, over all its tests."""

    def __init__(self, playbook: Playbook) -> None:
        self.playbook = playbook
        self._parts = list(dict.fromkeys(_parts(playbook)))
        self._reached: set[Part] = set()
        self._cells: set[Cell] = set()

    @property
    def parts(self) -> list[Part]:
        """Everything that can be reached, in the playbook's order."""
        return list(self._parts)

    @property
    def missing(self) -> list[Part]:
        """What no test has reached."""
        return [part for part in self._parts if part not in self._reached]

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return 1.0 if not self._parts else 1 - len(self.missing) / len(self._parts)

    @property
    def missing_cells(self) -> frozenset[Cell]:
        """The cells of the lifecycle table, of those in which something follows, that nothing has asked for."""
        return CELLS - self._cells

    def take(self, world: World, cells: Set[Cell] = frozenset()) -> None:
        """Count what this world has reached, and which cells of the lifecycle table."""
        self._cells |= cells
        log = world.log
        ours = {each.incident for each in log if self._is_ours(each)}
        self._reached.update(self._of_alerts(world.alerts))
        own = [each for each in log if each.incident in ours]
        self._reached.update(self._of_log(own))
        self._reached.update(reached_on_call(self.playbook, own, world.orders))
        self._reached.update(self._classified_at_once(own, world.alerts))
        for sent in world.messages:
            if sent.incident in ours and sent.notification in self.playbook.communicate.templates:
                self._reached.add(Part("communicate", f"template {sent.notification}"))

    def _is_ours(self, envelope: Envelope[Event]) -> bool:
        data = envelope.data
        return isinstance(data, IncidentOpened) and data.playbook.name == self.playbook.metadata.name

    def _of_alerts(self, alerts: Iterable[Envelope[Payload]]) -> Iterator[Part]:
        for envelope in alerts:
            data = envelope.data
            if isinstance(data, AlertFired) and data.playbook and data.playbook.name == self.playbook.metadata.name:
                yield Part("detect", f"rule {data.rule}")
                yield Part("detect", f"rule {data.rule} at {data.severity}")

    def _classified_at_once(
        self, log: Iterable[Envelope[Event]], alerts: Iterable[Envelope[Payload]]
    ) -> Iterator[Part]:
        """An incident opened with another severity than its alert's own: a condition said so."""
        own = {each.data.episode: each.data.severity for each in alerts if isinstance(each.data, AlertFired)}
        opened = {each.incident: each.data.severity for each in log if isinstance(each.data, IncidentOpened)}
        for envelope in log:
            data = envelope.data
            severity = opened.pop(envelope.incident, None) if isinstance(data, AlertGrouped) else None
            if isinstance(data, AlertGrouped) and severity not in (None, own.get(data.alert.episode)):
                asking = (each for each in self.playbook.classify if each.severity == severity)
                yield from (Part("classify", each.because) for each in asking)

    def _of_log(self, log: Sequence[Envelope[Event]]) -> Iterator[Part]:
        unverified = {(book.name, step.name) for book, step in _steps(self.playbook) if step.verify is None}
        for envelope in log:
            match envelope.data:
                case ResponderPaged(severity=severity, level=level) as paged if not asks_for_approval(paged):
                    yield Part("escalate", self._cell(severity, level))
                case SeverityChanged(why="classification", because=because):
                    yield Part("classify", because)
                case NoteAdded(text=text) if text.startswith(_AT_ONCE):
                    yield Part("classify", f"{text.removeprefix(_AT_ONCE)}, told at once")
                case IncidentMuted(why=why, name=name):
                    yield Part("mute", f"{why} {name}")
                    if why == "correlation":
                        yield Part("group", "services that need each other")
                case AlertGrouped(alert=alert) if alert.muted:
                    yield Part("mute", alert.muted.replace(": ", " ", 1))
                case SeverityChanged(why="time", after=after):
                    yield Part("escalate", f"raised to {after} by time")
                case ActionProposed(runbook=book, step=step):
                    yield Part("remediate", f"{book}/{step}")
                case ActionClaimed(runbook=book, step=step) if (book, step) in unverified:
                    yield Part("remediate", f"{book}/{step} on success")
                case VerificationPassed(runbook=book, step=step):
                    yield Part("remediate", f"{book}/{step} on success")
                case VerificationFailed(runbook=book, step=step) | ActionFailed(runbook=book, step=step):
                    yield Part("remediate", f"{book}/{step} on failure")
                case ActionOutcomeUnknown(runbook=book, step=step):
                    yield Part("remediate", f"{book}/{step} on failure")
                case _:
                    pass

    def _cell(self, severity: str, level: int) -> str:
        for escalation in self.playbook.escalate:
            if severity in escalation.severities and level < len(escalation.levels):
                return f"{severity} at {shown(escalation.levels[level].after)}"
            if severity in escalation.severities and level == len(escalation.levels):
                return f"{severity} at the last resort"
        return f"{severity} at level {level + 1}"


def _parts(playbook: Playbook) -> Iterator[Part]:
    for rule in playbook.detect.rules:
        yield Part("detect", f"rule {rule.name}")
        for rung in rule.ladder:
            yield Part("detect", f"rule {rule.name} at {rung.severity}")
    if playbook.group.correlate_within is not None and playbook.services:
        yield Part("group", "services that need each other")
    for one in playbook.classify:
        yield Part("classify", one.because)
        if one.at_once:
            yield Part("classify", f"{one.because}, told at once")
    for silence in playbook.silences:
        yield Part("mute", f"silence {silence.name}")
    for inhibition in playbook.inhibit:
        if inhibition.name is not None:
            yield Part("mute", f"inhibition {inhibition.name}")
    for escalation in playbook.escalate:
        for severity in escalation.severities:
            for level in escalation.levels:
                yield Part("escalate", f"{severity} at {shown(level.after)}")
            if escalation.last_resort:
                yield Part("escalate", f"{severity} at the last resort")
        if escalation.raise_severity is not None:
            yield Part("escalate", f"raised to {escalation.raise_severity.to} by time")
    yield from parts_on_call(playbook)
    for runbook, step in _steps(playbook):
        yield Part("remediate", f"{runbook.name}/{step.name}")
        yield Part("remediate", f"{runbook.name}/{step.name} on success")
        yield Part("remediate", f"{runbook.name}/{step.name} on failure")
    for name in playbook.communicate.templates:
        yield Part("communicate", f"template {name}")


def _steps(playbook: Playbook) -> Iterator[tuple[Runbook, Step]]:
    for runbook in playbook.remediate.runbooks:
        for step in runbook.steps:
            yield runbook, step
