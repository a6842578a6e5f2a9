"""`tocsin oncall`: who is on call, as a table and as a calendar, what another calendar says of it, and overrides."""

import asyncio
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from textwrap import indent
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from tocsin.oncall_shown import Shown
from tocsin.oncall_swap import Turns, swapped
from tocsin.operator import NotReachableError, Operator, ProblemError
from tocsin.standing import Begins, Lasting, Until, moment, stretch
from tocsin.terminal import HERE, Folder, guarded
from tocsin_playbook import Playbook, PlaybookError, load
from tocsin_playbook.model import Schedule
from tocsin_playbook.standing_orders import NO_ORDERS, StandingOrders, under_orders
from tocsin_recorder.core.order_sentences import order_sentence
from tocsin_runtime import BusUnavailableError
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import Playbooks
from tocsin_schemas.commands import LiftOverride, OverrideOnCall
from tocsin_schemas.events import OverrideSet

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
        when = _moment(at)
        force = _in_force(Operator.here(data)) if playbook is None else _InForce((_read(playbook),))
        playbooks = force.playbooks
        shown = [
            Shown(each, own, when, force.overrides_of(own)) for each in playbooks for own in _schedules(each, schedule)
        ]
        if schedule and not shown:
            raise ProblemError(f"there is no schedule {schedule!r}; {_defined(playbooks)}")
    except (ProblemError, NotReachableError, BusUnavailableError, PlaybookError, TimeoutError, OSError) as error:
        _fail(error)
    if as_json:
        document = {"at": when.isoformat(), "schedules": [each.as_json() for each in shown]}
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


@commands.command("override")
def override(
    schedule: Annotated[str, typer.Argument(help="The name of a schedule.")],
    person: Annotated[str, typer.Argument(help="Who is on call instead.")],
    begins: Begins = "",
    until: Until = "",
    lasting: Lasting = "",
    because: Annotated[str, typer.Option(help="Why.")] = "",
    data: Folder = HERE,
) -> None:
    """Let somebody else be on call for a while, in every playbook in force that has this schedule and this person."""

    def go() -> None:
        begins_at, ends_at = stretch(begins, until, lasting)
        me = Operator.here(data)
        command = OverrideOnCall(
            schedule=schedule, person=person, begins_at=begins_at, until=ends_at, because=because, by=me.actor
        )
        out.print(order_sentence(me.order(command)), markup=False)

    guarded(go)


@commands.command("swap")
def swap(
    schedule: Annotated[str, typer.Argument(help="The name of a schedule.")],
    person: Annotated[str, typer.Argument(help="Whose turn it is.")],
    other: Annotated[str, typer.Argument(help="Who takes it, and gives their next turn in return.")],
    at: Annotated[str, typer.Option(help="A moment of that turn, like 2026-03-29T09:00+02:00; default now.")] = "",
    because: Annotated[str, typer.Option(help="Why.")] = "",
    data: Folder = HERE,
) -> None:
    """Let two people swap turns: the one that the first has at that time, and the next one that the second has."""

    def go() -> None:
        when = _moment(at)
        me = Operator.here(data)
        playbook, own = _having(_in_force(me).playbooks, schedule)
        exchanged = swapped(Turns(own, playbook.business_hours.holidays), person, other, when, datetime.now(UTC))
        first, second = (
            OverrideOnCall(
                schedule=schedule,
                person=turn.person,
                begins_at=turn.since,
                until=turn.until,
                because=because or f"{person} and {other} have swapped",
                by=me.actor,
            )
            for turn in exchanged
        )
        given = me.order(first)
        try:
            returned = me.order(second)
        except ProblemError as error:
            if isinstance(given, OverrideSet):
                me.order(LiftOverride(override=given.override, because="the swap cannot be", by=me.actor))
            raise ProblemError(f"nothing is swapped: {error}") from None
        for each in (given, returned):
            out.print(order_sentence(each), markup=False)

    guarded(go)


@commands.command("lift")
def lift(
    override: Annotated[str, typer.Argument(help="The override's id, as `show` shows it.")],
    because: Annotated[str, typer.Option(help="Why.")] = "",
    data: Folder = HERE,
) -> None:
    """End an override before its time. Of a swap, each of the two is lifted by itself."""

    def go() -> None:
        me = Operator.here(data)
        out.print(order_sentence(me.order(LiftOverride(override=override, because=because, by=me.actor))), markup=False)

    guarded(go)


def _having(playbooks: Sequence[Playbook], name: str) -> tuple[Playbook, Schedule]:
    for playbook in playbooks:
        for schedule in _schedules(playbook, name):
            return playbook, schedule
    raise ProblemError(f"there is no schedule {name!r}; {_defined(playbooks)}")


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
    return moment("--at", text) if text else datetime.now(UTC)


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


@dataclass(frozen=True, slots=True)
class _InForce:
    """The playbooks in force, with the standing orders over them."""

    playbooks: Sequence[Playbook]
    orders: StandingOrders = NO_ORDERS

    def overrides_of(self, schedule: Schedule) -> Sequence[OverrideSet]:
        """The standing overrides of a schedule."""
        return [each for each in self.orders.overrides if each.schedule == schedule.name]


def _in_force(operator: Operator) -> _InForce:
    return asyncio.run(_published(operator))


async def _published(operator: Operator) -> _InForce:
    async with operator.connected() as connection:
        known = Playbooks(partial(Follower, connection, service="oncall"))
        orders = Orders(partial(Follower, connection, service="oncall"))
        for each in (known, orders):
            await each.start()
        try:
            async with asyncio.timeout(2 * _ANSWER_WITHIN):
                await known.caught_up.wait()
                await orders.caught_up.wait()
            standing = orders.standing
            return _InForce([under_orders(known.get(ref), standing) for ref in known.heads().values()], standing)
        finally:
            await orders.stop()
            await known.stop()


def _fail(error: Exception) -> NoReturn:
    err.print(str(error) or "NATS does not answer", style="red", markup=False)
    raise typer.Exit(1)
