"""`tocsin silence`: let alerts page nobody for a while; and what standing orders have in common at the terminal."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from pydantic_core import PydanticCustomError
from rich.table import Table

from tocsin.operator import Operator, ProblemError
from tocsin.terminal import HERE, Folder, Json, guarded, out
from tocsin_playbook.model.durations import parse_duration
from tocsin_playbook.model.scalars import parse_moment
from tocsin_recorder.core.order_sentences import order_sentence
from tocsin_schemas.commands import LiftSilence, Silence

__all__ = ["Begins", "Lasting", "Until", "commands", "moment", "stretch"]

commands = typer.Typer(help="Alerts that page nobody for a while.", no_args_is_help=True)

Begins = Annotated[str, typer.Option("--from", help="When it begins, like 2026-03-29T09:00+02:00; default now.")]
Until = Annotated[str, typer.Option("--until", help="When it ends.")]
Lasting = Annotated[str, typer.Option("--for", help="How long it lasts instead, such as 2h.")]

_STATES = {"active": "bold", "pending": "cyan"}


@commands.command("add")
def add(
    match: Annotated[
        list[str], typer.Argument(help='Matchers such as service="shop" or pod=~"web-.*"; all must hold.')
    ],
    because: Annotated[str, typer.Option(help="Why nobody needs to hear of them.")],
    begins: Begins = "",
    until: Until = "",
    lasting: Lasting = "",
    data: Folder = HERE,
) -> None:
    """Let alerts that match page nobody for a while. They are still recorded; Tocsin's own are never muted."""

    def go() -> None:
        begins_at, ends_at = stretch(begins, until, lasting)
        me = Operator.here(data)
        command = Silence(match=tuple(match), begins_at=begins_at, until=ends_at, because=because, by=me.actor)
        out.print(order_sentence(me.order(command)), markup=False)

    guarded(go)


@commands.command("lift")
def lift(
    silence: Annotated[str, typer.Argument(help="The silence's id, as `list` shows it.")],
    because: Annotated[str, typer.Option(help="Why.")] = "",
    data: Folder = HERE,
) -> None:
    """End a silence before its time: what it muted, and still fires, pages people at once."""

    def go() -> None:
        me = Operator.here(data)
        out.print(order_sentence(me.order(LiftSilence(silence=silence, because=because, by=me.actor))), markup=False)

    guarded(go)


@commands.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Also those that are over or were lifted.")] = False,
    data: Folder = HERE,
    as_json: Json = False,
) -> None:
    """The silences that people have set and that are in force or still to begin, the one set last first.

    Those of a playbook are in the playbook.
    """

    def go() -> None:
        document = Operator.here(data).get("/api/v1/silences", **({"all": "true"} if every else {}))
        if as_json:
            out.print_json(json.dumps(document))
            return
        rows: list[dict[str, Any]] = document["silences"] if isinstance(document, dict) else []
        if not rows:
            out.print("no silences" if every else "no silences in force or to come")
            return
        out.print(_table(rows))

    guarded(go)


def _table(rows: list[dict[str, Any]]) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("silence", "state", "alerts", "from", "until", "by", "because"):
        shown.add_column(column)
    for row in rows:
        state = row["state"]
        shown.add_row(
            row["id"],
            f"[{_STATES.get(state, 'dim')}]{state}[/]",
            _plain(", ".join(row["match"])),
            _clock(row["begins_at"]),
            _clock(row["lifted_at"] or row["ends_at"]),
            _plain(row["by"]),
            _plain(row["because"]),
        )
    return shown


# --- what all orders share --------------------------------------------------------------------------------------------


def stretch(begins: str, until: str, lasting: str) -> tuple[datetime | None, datetime]:
    """From when (none: at once) until when. Raises ProblemError with the name of the option that is wrong."""
    begins_at = moment("--from", begins) if begins else None
    if bool(until) == bool(lasting):
        raise ProblemError("give one of --until and --for")
    if until:
        return begins_at, moment("--until", until)
    return begins_at, (begins_at or datetime.now(UTC)) + _span("--for", lasting)


def moment(option: str, text: str) -> datetime:
    """A moment with its offset. Raises ProblemError."""
    try:
        return parse_moment(text)
    except PydanticCustomError as error:
        raise _wrong(option, error) from None


def _span(option: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except PydanticCustomError as error:
        raise _wrong(option, error) from None


def _wrong(option: str, error: PydanticCustomError) -> ProblemError:
    context = error.context or {}
    return ProblemError(f"{option}: {context['problem']}; expected {context['expected']}")


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def _clock(at: str) -> str:
    return datetime.fromisoformat(at).astimezone().strftime("%d %b %H:%M")
