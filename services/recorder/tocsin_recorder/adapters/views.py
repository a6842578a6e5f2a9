"""What the pages show: plain values, ready to be printed, made from incidents and entries."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from tocsin_recorder.core.impact import known_of
from tocsin_recorder.core.sentences import sentence
from tocsin_recorder.core.summary import Deadline, Mute, Summary, stages_at
from tocsin_recorder.core.timeline import Entry, read
from tocsin_recorder.core.words import clock, level_name, name_of, span
from tocsin_schemas import DeadlineKind, Role
from tocsin_schemas.moments import parse_moment

__all__ = ["Details", "Line", "Moment", "Row", "details", "first_sample", "lines", "nested", "row"]


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
    part_of: str | None = None  # the incident that people are told of instead
    is_below: bool = False  # whether that one stands above it in the list
    parts: int = 0  # how many stand below it


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
    incident: str = ""  # the incident that it leads to


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    items: tuple[Item, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """How it stands, as somebody said last."""

    text: str
    by: str
    at: Moment


@dataclass(frozen=True, slots=True)
class Details:
    """The page of one incident, without its timeline."""

    row: Row
    text: str
    update: Update | None
    mute: Mute | None
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
        part_of=summary.part_of,
    )


def nested(rows: Sequence[Row]) -> list[Row]:
    """The same rows, each part of another incident below that one, where that one is in the list."""
    listed = {row.id for row in rows}
    parts: dict[str, list[Row]] = {}
    for row in rows:
        if row.part_of in listed - {row.id}:
            parts.setdefault(row.part_of or "", []).append(replace(row, is_below=True))
    placed: list[Row] = []
    for row in rows:
        if row.part_of not in listed - {row.id}:
            placed += _with_parts(row, parts)
    found = {row.id for row in placed}
    return placed + [row for row in rows if row.id not in found]  # such as two that are each a part of the other


def _with_parts(row: Row, parts: dict[str, list[Row]]) -> list[Row]:
    below = [each for part in parts.get(row.id, ()) for each in _with_parts(part, parts)]
    return [replace(row, parts=len(below)), *below]


def details(incident: Incident, now: datetime, severities: Severities) -> Details:
    summary = incident.summary
    sections = (
        _deadlines(summary, now),
        _people(summary),
        _impact(summary),
        _related(summary),
        _actions(summary),
        _pages(summary),
        _alerts(summary),
    )
    said = summary.last_update
    return Details(
        row=row(incident, now, severities),
        text=summary.text,
        update=Update(said.text, said.by, _moment(said.at)) if said is not None else None,
        mute=summary.mute,
        labels=summary.labels,
        facts=_facts(summary),
        previous=summary.previous,
        figures=_figures(summary),
        sections=tuple(section for section in sections if section is not None),
        head_hash=incident.head.hash,
        entries=incident.head.seq,
    )


def _facts(summary: Summary) -> tuple[tuple[str, str], ...]:
    facts = []
    if summary.origin is not None:
        facts.append(("Suspected origin", f"{summary.origin.service}: {summary.origin.because}"))
    if summary.war_room is not None:
        facts.append(("War room", f"{summary.war_room.name} ({summary.war_room.channel})"))
    if summary.severity_held_by is not None:
        facts.append(("Severity", f"set by {summary.severity_held_by}"))
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
    DeadlineKind.MUTE: "Looked at again",
    DeadlineKind.ACKNOWLEDGE_SOON: "Warning, if nobody answers",
    DeadlineKind.RESOLVE_SOON: "Warning, if not resolved",
}


def _due(summary: Summary, deadline: Deadline) -> str:
    if deadline.kind is DeadlineKind.CONTACT:
        page = next((page for page in summary.pages if page.id == deadline.page), None)
        return f"{name_of(page.target) if page is not None else 'Who was paged'} is told another way"
    if deadline.kind is DeadlineKind.ESCALATE:
        return "Becomes more severe" if deadline.level is None else f"{level_name(deadline.level)} is told".capitalize()
    return _DUE[deadline.kind]


def _deadlines(summary: Summary, now: datetime) -> Section | None:
    items = tuple(
        Item(
            text=_due(summary, deadline),
            tag=f"in {span(deadline.due_at - now)}" if deadline.due_at > now else f"{span(now - deadline.due_at)} ago",
            tone="plain" if deadline.due_at > now else "warn",
            note=clock(deadline.due_at),
            due=_milliseconds(deadline.due_at),
        )
        for deadline in sorted(summary.deadlines, key=lambda deadline: deadline.due_at)
    )
    return Section("Due", items) if items else None


def _people(summary: Summary) -> Section | None:
    """Who has which role, who must still answer, who cannot take it."""
    held = dict(summary.roles)
    items = [Item(held[role], role.replace("_", " "), "plain") for role in Role if role in held]
    items += [Item(person, "must answer", "warn") for person in summary.waiting_for]
    items += [Item(person, "cannot take it", "plain") for person in summary.declined]
    return _section("People", items, len(items))


def _impact(summary: Summary) -> Section | None:
    known = known_of(summary.impact) if summary.impact is not None else ()
    items = [Item(each.name, each.value, "bad" if each.is_bad else "good") for each in known]
    return _section("Impact", items, len(items))


_RELATIONS = {
    "absorbed": "merged into this",
    "absorbed_by": "this was merged into it",
    "split_from": "this was split from it",
    "split_into": "was split from this",
    "related": "related",
}


def _related(summary: Summary) -> Section | None:
    items = [Item(link.incident, _RELATIONS[link.relation], "plain", incident=link.incident) for link in summary.links]
    return _section("Other incidents", items, summary.links_seen)


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
