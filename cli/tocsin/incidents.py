"""Incidents on a terminal: the list, one with its timeline, and what came of a command."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from tocsin.operator import Operator, ProblemError
from tocsin_recorder.core.sentences import sentence
from tocsin_schemas import Envelope, Event

__all__ = ["answers", "table", "timeline"]

_PHASES = {
    "triggered": "bold red",
    "reopened": "bold red",
    "acknowledged": "yellow",
    "investigating": "yellow",
    "identified": "yellow",
    "mitigating": "yellow",
    "monitoring": "cyan",
    "resolved": "green",
    "false_alarm": "green",
}


def table(operator: Operator, out: Console, *, active: bool, as_json: bool) -> None:
    """The list, newest first."""
    document = operator.get("/api/v1/incidents", **({"active": "true"} if active else {}))
    if as_json:
        out.print_json(json.dumps(document))
        return
    rows: list[dict[str, Any]] = document["incidents"] if isinstance(document, dict) else []
    if not rows:
        out.print("no incidents" + (" that are not over" if active else ""))
        return
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("incident", "severity", "phase", "opened", "acknowledged by", "title"):
        shown.add_column(column)
    for row in rows:
        phase = str(row["phase"])
        shown.add_row(
            row["id"],
            row["severity"],
            f"[{_PHASES.get(phase, 'dim')}]{phase}[/]",
            _clock(row["opened_at"]),
            row["acknowledged_by"] or "",
            row["title"],
        )
    out.print(shown)


def timeline(operator: Operator, out: Console, prefix: str, *, as_json: bool) -> None:
    """One incident: what it is, and everything that happened."""
    incident = operator.get(f"/api/v1/incidents/{prefix}")
    if not isinstance(incident, dict):
        raise ProblemError("the answer is no incident")
    entries = _entries(operator, incident["id"])
    if as_json:
        out.print_json(json.dumps({**incident, "timeline": entries}))
        return
    out.print(f"[bold]{incident['severity']}[/bold] {incident['title']}", markup=True)
    out.print(f"{incident['id']}  {incident['phase']}  {operator.console_url}/incidents/{incident['id']}\n")
    start = datetime.fromisoformat(entries[0]["at"]) if entries else None
    for entry in entries:
        elapsed = (datetime.fromisoformat(entry["at"]) - start).total_seconds() if start else 0.0
        out.print(f"{elapsed:+10.1f} s  {entry['service']:<11} {entry['sentence']}", markup=False)


def answers(out: Console, events: Sequence[Envelope[Event]]) -> None:
    """What came of a command."""
    for event in events:
        out.print(sentence(event.data), markup=False)


def _entries(operator: Operator, incident: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = operator.get(f"/api/v1/incidents/{incident}/timeline", after=str(after), limit="1000")
        if not isinstance(page, dict):
            raise ProblemError("the answer is no timeline")
        entries += page["entries"]
        after = page["next_after"]
    return entries


def _clock(moment: str | None) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%d %b %H:%M:%S") if moment else ""
