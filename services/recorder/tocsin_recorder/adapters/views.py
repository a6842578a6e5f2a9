"""What the pages show: plain values, ready to be printed, made from incidents and entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin_recorder.adapters.looks import (
    ACTIONS,
    LOOKS,
    Segment,
    headline,
    moment,
    offset,
    segments,
    tampered,
)
from tocsin_recorder.adapters.queries import Incident
from tocsin_recorder.adapters.severities import Severities
from tocsin_recorder.core.sentences import clock, level_name, name_of, sentence, span
from tocsin_recorder.core.summary import Deadline, Summary, stages_at
from tocsin_recorder.core.timeline import Entry, read
from tocsin_schemas import DeadlineKind
from tocsin_schemas.moments import parse_moment

__all__ = ["Details", "Line", "Moment", "Row", "details", "first_sample", "lines", "row"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, for people and for machines."""

    text: str
    iso: str
    time: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """An incident in a list, and at the top of its page."""

    id: str
    title: str
    severity: str
    rank: str
    headline: str
    tone: str
    active: bool
    opened: Moment | None
    ago: str
    lasted: str
    since: int  # milliseconds of the epoch, for a clock that runs; 0 for none
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list beside the timeline."""

    text: str
    tag: str
    tone: str
    note: str = ""
    due: int = 0  # milliseconds of the epoch, for a clock that runs down


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    items: tuple[Item, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Details:
    """The page of one incident, without its timeline."""

    row: Row
    text: str
    labels: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    previous: str | None
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    head_hash: str
    entries: int


@dataclass(frozen=True, slots=True)
class Line:
    """An entry on the timeline."""

    seq: int
    sign: str
    tone: str
    quiet: bool
    offset: str
    at: Moment
    sentence: str
    text: str  # more than one line, where there is more
    service: str
    hash: str


# --- incidents -------------------------------------------------------------------------------------------------------


def row(incident: Incident, now: datetime, severities: Severities) -> Row:
    summary = incident.summary
    words, tone = headline(summary)
    opened, ended = summary.opened_at, summary.resolved_at or summary.closed_at
    lasted = span((ended if ended and not summary.active else now) - opened) if opened else ""
    return Row(
        id=summary.incident,
        title=summary.title or "(no title)",
        severity=summary.severity or "?",
        rank=severities.rank(summary),
        headline=words,
        tone=tone,
        active=summary.active,
        opened=_moment(opened) if opened else None,
        ago=span(now - opened) if opened else "",
        lasted=lasted,
        since=_milliseconds(opened) if opened and summary.active else 0,
        segments=segments(stages_at(summary, now), summary.stage),
    )


def details(incident: Incident, now: datetime, severities: Severities) -> Details:
    summary = incident.summary
    sections = (_deadlines(summary, now), _actions(summary), _pages(summary), _alerts(summary))
    return Details(
        row=row(incident, now, severities),
        text=summary.text,
        labels=summary.labels,
        facts=_facts(summary),
        previous=summary.previous,
        figures=_figures(summary),
        sections=tuple(section for section in sections if section is not None),
        head_hash=incident.head.hash,
        entries=incident.head.seq,
    )


def _facts(summary: Summary) -> tuple[tuple[str, str], ...]:
    facts = [(name.replace("_", " ").capitalize(), person) for name, person in summary.roles]
    if summary.playbook is not None:
        facts.append(("Playbook", f"{summary.playbook.name} {summary.playbook.revision}"))
    if summary.status_page is not None:
        facts.append(("Status page", summary.status_page))
    if summary.automation_stopped_by is not None:
        facts.append(("Automation", f"stopped by {summary.automation_stopped_by}"))
    if summary.reopened:
        facts.append(("Reopened", "once" if summary.reopened == 1 else f"{summary.reopened} times"))
    if summary.review_due_at is not None:
        facts.append(("Review due", f"{summary.review_due_at:%Y-%m-%d}"))
    return tuple(facts)


def _figures(summary: Summary) -> tuple[Figure, ...]:
    def took(duration: timedelta | None) -> str:
        return "-" if duration is None else span(duration)

    return (
        Figure("To acknowledge", took(summary.time_to_acknowledge)),
        Figure("To mitigate", took(summary.time_to_mitigate)),
        Figure("To resolve", took(summary.time_to_resolve)),
        Figure("Pages sent", str(summary.pages_sent), _told(summary.paged)),
    )


def _told(targets: Sequence[str]) -> str:
    if not targets:
        return ""
    return f"to {name_of(targets[0])}" if len(targets) == 1 else f"to {len(targets)}"


# --- beside the timeline ---------------------------------------------------------------------------------------------

_DUE = {
    DeadlineKind.ACKNOWLEDGE: "Somebody should answer",
    DeadlineKind.RESOLVE: "Should be resolved",
    DeadlineKind.UPDATE: "Status update",
    DeadlineKind.WATCH: "Resolved, if quiet",
    DeadlineKind.CLOSE: "Closed, if quiet",
}


def _due(deadline: Deadline) -> str:
    if deadline.kind is DeadlineKind.ESCALATE:
        return "Becomes more severe" if deadline.level is None else f"{level_name(deadline.level)} is told".capitalize()
    return _DUE[deadline.kind]


def _deadlines(summary: Summary, now: datetime) -> Section | None:
    items = tuple(
        Item(
            text=_due(deadline),
            tag=f"in {span(deadline.due_at - now)}" if deadline.due_at > now else f"{span(now - deadline.due_at)} ago",
            tone="plain" if deadline.due_at > now else "warn",
            note=clock(deadline.due_at),
            due=_milliseconds(deadline.due_at),
        )
        for deadline in sorted(summary.deadlines, key=lambda deadline: deadline.due_at)
    )
    return Section("Due", items) if items else None


def _actions(summary: Summary) -> Section | None:
    items = []
    for action in summary.actions:
        word, tone = ACTIONS[action.state]
        tries = f"attempt {action.attempts}" if action.attempts > 1 else ""
        notes = (action.description, action.target, tries, action.detail)
        items.append(Item(action.step, word, tone, " · ".join(note for note in notes if note)))
    return _section("Actions", items, summary.actions_seen)


def _pages(summary: Summary) -> Section | None:
    items = []
    for page in summary.pages:
        if page.delivered_at is not None:
            tag, tone = f"delivered by {', '.join(page.delivered_by)}", "good"
        elif page.failed_by:
            tag, tone = f"{', '.join(page.failed_by)} failed", "bad"
        else:
            tag, tone = "on its way", "plain"
        after = f", after {span(page.delivered_at - page.at)}" if page.delivered_at else ""
        items.append(Item(name_of(page.target), tag, tone, f"{level_name(page.level)} at {clock(page.at)}{after}"))
    return _section("Pages", items, summary.pages_sent)


def _alerts(summary: Summary) -> Section | None:
    items = [
        Item(
            alert.rule,
            "firing" if alert.ends_at is None else "cleared",
            "bad" if alert.ends_at is None else "good",
            " · ".join(part for part in (alert.severity, alert.summary) if part),
        )
        for alert in summary.alerts
    ]
    return _section("Alerts", items, summary.alerts_seen)


def _section(name: str, items: Sequence[Item], seen: int) -> Section | None:
    return Section(name, tuple(items), max(seen - len(items), 0)) if items else None


# --- the timeline ----------------------------------------------------------------------------------------------------


def lines(entries: Sequence[Entry], origin: datetime | None) -> list[Line]:
    """Entries as they are shown. One that cannot be read is shown as that."""
    return [_line(entry, origin) for entry in entries]


def first_sample(summary: Summary) -> tuple[str, Moment] | None:
    """When the first alert's condition first held: that is before there was an incident, so no entry says it."""
    if summary.started_at is None or summary.opened_at is None:
        return None
    return offset(summary.started_at, summary.opened_at), _moment(summary.started_at)


def _line(entry: Entry, origin: datetime | None) -> Line:
    event = read(entry)
    look = LOOKS[type(event.data)] if event else tampered()
    try:
        at = parse_moment(entry.at)
    except ValueError:
        at = None
    whole = str(getattr(event.data, "text", "") or getattr(event.data, "notes", "")) if event else ""
    return Line(
        seq=entry.seq,
        sign=look.sign,
        tone=look.tone,
        quiet=look.quiet,
        offset=offset(at, origin) if at and origin else "?",
        at=_moment(at) if at else Moment(entry.at, ""),
        sentence=sentence(event.data if event else None),
        text=whole if len(whole.strip().splitlines()) > 1 else "",
        service=entry.service,
        hash=entry.hash,
    )


def _moment(at: datetime) -> Moment:
    return Moment(moment(at), at.isoformat(), clock(at))


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
