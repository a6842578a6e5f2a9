"""`tocsin record`: a stretch of the streams, or one incident, as a file."""

import asyncio
import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tocsin.operator import NotReachableError, Operator, ProblemError
from tocsin_playbook.model.durations import parse_duration
from tocsin_rehearsal.recording import RECORDED_STREAMS, Stretch
from tocsin_rehearsal.recording import record as record_streams
from tocsin_runtime import BusUnavailableError
from tocsin_schemas.moments import parse_moment

__all__ = ["record"]

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def record(
    file: Annotated[Path, typer.Argument(help="Where to: a name that ends in .jsonl, or .jsonl.gz to compress.")],
    since: Annotated[str, typer.Option(help="From when: 2026-03-01T12:00:00Z, or how long ago: 2h.")] = "",
    until: Annotated[str, typer.Option(help="Until when; likewise.")] = "",
    incident: Annotated[str, typer.Option(help="Only this incident (or the beginning of its id).")] = "",
    stream: Annotated[list[str], typer.Option(help=f"Only these: {', '.join(RECORDED_STREAMS)}.")] = [],  # noqa: B006
    follow: Annotated[bool, typer.Option("--follow", help="Go on as messages come, until Ctrl-C.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    data: Annotated[Path, typer.Option("--data", envvar="TOCSIN_DATA", help="Folder of an embedded Tocsin.")] = Path(
        ".tocsin"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
) -> None:
    """Record a stretch of the streams, or one incident with its alerts and its playbook. Nothing is changed."""
    try:
        if file.exists() and not force:
            raise ProblemError(f"{file} exists; --force replaces it")
        begin, end = _moment("--since", since), _moment("--until", until)
        me = Operator.here(data)
        if me.identity not in ("operator", "admin"):
            raise ProblemError(f"the identity {me.identity} may not record: that asks for an admin")
        name = me.incident(incident) if incident and len(incident) < 12 else incident or None
        recorded = asyncio.run(
            _record(me, tuple(stream) or RECORDED_STREAMS, begin, end, name, follow=follow, file=file)
        )
    except (ProblemError, NotReachableError, BusUnavailableError, OSError, ValueError) as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None
    if as_json:
        out.print_json(json.dumps({"file": str(file), "messages": dict(recorded.messages)}))
        return
    each = ", ".join(f"{name} {count}" for name, count in sorted(recorded.messages.items()))
    out.print(f"{recorded.total} messages in {file}" + (f": {each}" if each else ""), markup=False)


def _moment(option: str, text: str) -> datetime | None:
    """A moment, or how long ago."""
    if not text:
        return None
    try:
        return parse_moment(text) if ":" in text else datetime.now(UTC) - parse_duration(text)
    except ValueError:
        raise ProblemError(
            f"{option}: {text!r} is neither a moment (2026-03-01T12:00:00Z) nor a duration (2h)"
        ) from None


async def _record(
    me: Operator,
    streams: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    incident: str | None,
    *,
    follow: bool,
    file: Path,
) -> Stretch:
    async with me.connected() as connection:
        stop = asyncio.Event()
        if follow:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop.set)
        return await record_streams(
            connection, streams, since=since, until=until, incident=incident, follow=follow, stop=stop, out=file
        )
