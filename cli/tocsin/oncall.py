"""`tocsin oncall`: who is on call, as a table and as a calendar, and what another calendar says about it."""

import asyncio
import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from textwrap import indent
from typing import Annotated, NoReturn

import typer
from pydantic_core import PydanticCustomError
from rich.console import Console

from tocsin.oncall_shown import Shown
from tocsin.operator import NotReachableError, Operator, ProblemError
from tocsin_playbook import Playbook, PlaybookError, load
from tocsin_playbook.model import Schedule
from tocsin_playbook.model.scalars import parse_moment
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.playbooks import Playbooks

__all__ = ["commands"]

commands = typer.Typer(help="Who is on call, and when.", no_args_is_help=True)
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

_ANSWER_WITHIN = 5.0

PlaybookFile = Annotated[Path, typer.Argument(help="A playbook.", exists=True, dir_okay=False)]


@commands.command("show")
def show(
    playbook: Annotated[
        Path | None,
        typer.Argument(help="A playbook; without it, those in force.", exists=True, dir_okay=False),
    ] = None,
    at: Annotated[str, typer.Option(help="When: a moment like 2026-03-29T09:00+02:00; default now.")] = "",
    schedule: Annotated[str, typer.Option(help="Only this schedule.")] = "",
    data: Annotated[Path, typer.Option("--data", envvar="TOCSIN_DATA", help="Folder of an embedded Tocsin.")] = Path(
        ".tocsin"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
) -> None:
    """Who is on call, since when and until when, and who is next."""
    try:
        moment = _moment(at)
        playbooks = _in_force(Operator.here(data)) if playbook is None else (_read(playbook),)
        shown = [Shown(each, own, moment) for each in playbooks for own in _schedules(each, schedule)]
        if schedule and not shown:
            raise ProblemError(f"there is no schedule {schedule!r}; {_defined(playbooks)}")
    except (ProblemError, NotReachableError, BusUnavailableError, PlaybookError, TimeoutError, OSError) as error:
        _fail(error)
    if as_json:
        document = {"at": moment.isoformat(), "schedules": [each.as_json() for each in shown]}
        out.print(json.dumps(document, indent=2, ensure_ascii=False), markup=False)
        return
    if not shown:
        out.print("no schedules")
    for number, each in enumerate(shown):
        each.print(out, apart=number > 0, named=len(playbooks) > 1)


@commands.command("export")
def export(
    playbook: PlaybookFile,
    schedule: Annotated[str, typer.Argument(help="The name of a schedule.")],
    days: Annotated[int, typer.Option(min=1, max=1100, help="How many days from now.")] = 90,
    output: Annotated[Path | None, typer.Option(help="Write here instead of to the terminal.", dir_okay=False)] = None,
) -> None:
    """A schedule as an iCalendar file: one event for each turn, the one under way from its beginning."""
    from tocsin_playbook.calendars import write_calendar

    try:
        read = _read(playbook)
        now = datetime.now(UTC).replace(microsecond=0)
        calendar = write_calendar(read, _schedule(read, schedule), now, now + timedelta(days=days), stamp=now)
        if output is not None:
            output.write_bytes(calendar)
    except (ProblemError, PlaybookError, OSError) as error:
        _fail(error)
    if output is None:
        typer.echo(calendar, nl=False)
    else:
        out.print(f"{calendar.count(b'BEGIN:VEVENT')} turns in {output}", markup=False)


@commands.command("import")
def import_(
    calendar: Annotated[Path, typer.Argument(help="An iCalendar file (.ics).", exists=True, dir_okay=False)],
    playbook: PlaybookFile,
    schedule: Annotated[str, typer.Option(help="The schedule that the turns are for.")],
    days: Annotated[int, typer.Option(min=1, max=1100, help="How many days from now.")] = 366,
    write: Annotated[bool, typer.Option("--write", help="Write them into the playbook instead.")] = False,
) -> None:
    """What a calendar of PagerDuty, Opsgenie, Google and others says, as overrides of a schedule.

    An event is about the person whom its attendee or its title names. Nothing is changed without --write.
    """
    from tocsin_playbook.calendars import CalendarError, read_overrides
    from tocsin_playbook.overriding import NotWritableError, add_overrides, overrides_as_yaml

    try:
        text = playbook.read_bytes()
        read = load(text, source=str(playbook)).playbook
        own = _schedule(read, schedule)
        now = datetime.now(UTC)
        imported = read_overrides(calendar.read_bytes(), read, own, now, now + timedelta(days=days))
        if write:
            _replace(playbook, add_overrides(text.decode(), schedule, imported.overrides))
    except CalendarError as error:
        _fail(ProblemError(f"{calendar}: {error}"))
    except NotWritableError as error:
        _fail(ProblemError(f"{playbook}: cannot add the overrides: {error}; without --write they are printed"))
    except (ProblemError, PlaybookError, OSError) as error:
        _fail(error)
    found, left_out = len(imported.overrides), imported.left_out
    if imported.overrides and not write:
        out.print("overrides:\n" + indent(overrides_as_yaml(imported.overrides, own), "  "), markup=False, end="")
    err.print(
        f"{found} override{'' if found == 1 else 's'} for {schedule}"
        + (f", written to {playbook}" if write and found else "")
        + (
            f"; {left_out} event{'' if left_out == 1 else 's'} cancelled or not in these {days} days"
            if left_out
            else ""
        ),
        markup=False,
    )


def _schedules(playbook: Playbook, name: str) -> Sequence[Schedule]:
    return [each for each in playbook.oncall.schedules if name in ("", each.name)]


def _schedule(playbook: Playbook, name: str) -> Schedule:
    for schedule in _schedules(playbook, name):
        return schedule
    raise ProblemError(f"there is no schedule {name!r}; {_defined((playbook,))}")


def _defined(playbooks: Sequence[Playbook]) -> str:
    names = sorted({schedule.name for playbook in playbooks for schedule in playbook.oncall.schedules})
    return f"there are {', '.join(names)}" if names else "none is defined"


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        return parse_moment(text)
    except PydanticCustomError as error:
        context = error.context or {}
        raise ProblemError(f"--at: {context['problem']}; expected {context['expected']}") from None


def _read(file: Path) -> Playbook:
    """A playbook that is well formed; whether its names exist is `lint`'s business. Raises PlaybookError, OSError."""
    return load(file.read_bytes(), source=str(file)).playbook


def _replace(file: Path, text: str) -> None:
    """The whole new text or the whole old one, whatever happens meanwhile."""
    target = file.resolve()
    with NamedTemporaryFile("wb", dir=target.parent, prefix=f".{target.name}.", delete=False) as new:
        made = Path(new.name)
        try:
            new.write(text.encode())
            new.flush()
            os.fsync(new.fileno())
            shutil.copymode(target, made)
            made.replace(target)
        except OSError:
            made.unlink(missing_ok=True)
            raise


def _in_force(operator: Operator) -> Sequence[Playbook]:
    return asyncio.run(_published(operator))


async def _published(operator: Operator) -> Sequence[Playbook]:
    connection = Connection(operator.address, "operator")
    await asyncio.wait_for(connection.open(), _ANSWER_WITHIN)
    try:
        known = Playbooks(partial(Follower, connection, service="oncall"))
        await known.start()
        try:
            await asyncio.wait_for(known.caught_up.wait(), 2 * _ANSWER_WITHIN)
            return [known.get(ref) for ref in known.heads().values()]
        finally:
            await known.stop()
    finally:
        await connection.close()


def _fail(error: Exception) -> NoReturn:
    err.print(str(error) or "NATS does not answer", style="red", markup=False)
    raise typer.Exit(1)
