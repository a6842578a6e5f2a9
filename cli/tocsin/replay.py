"""`tocsin replay`: the inputs of a recording, into virtual time, into a sandbox, or into the running Tocsin."""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tocsin.operator import NotReachableError, Operator, ProblemError
from tocsin_playbook import PlaybookError
from tocsin_rehearsal.cases.model.times import shown
from tocsin_rehearsal.recorded import Recording
from tocsin_rehearsal.recording import (
    Difference,
    Inputs,
    Replayed,
    describe,
    inputs_of,
    new_run,
    parse_speed,
    read,
)
from tocsin_rehearsal.recording import replay as replay_inputs
from tocsin_rehearsal.world import ServiceDiedError
from tocsin_runtime import BusUnavailableError
from tocsin_runtime.logs import configure_logging
from tocsin_testkit.processes import ServerError

__all__ = ["replay"]

_PROBLEMS = (
    PlaybookError, NotReachableError, ProblemError, ServerError, BusUnavailableError,
    OSError,  # a file that cannot be read
    ValueError,  # a recording that is refused or holds nothing to replay, a speed that is none
    ServiceDiedError,  # a bug of ours, in virtual time
)  # fmt: skip

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def replay(
    file: Annotated[Path, typer.Argument(help="A recording of `tocsin record`.", exists=True, dir_okay=False)],
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Into a Tocsin of its own, in real time; no page, no action.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="Into the running Tocsin: people may be paged.")] = False,
    speed: Annotated[str, typer.Option(help="With --sandbox or --live: 1x as it was (the default), 60x, or max.")] = "",
    playbook: Annotated[
        list[Path],
        typer.Option("--playbook", "-p", exists=True, dir_okay=False, help="Under this one, not the recorded one."),
    ] = [],  # noqa: B006  # typer reads the default, nobody changes it
    tolerance: Annotated[float, typer.Option(min=0, help="Seconds by which times may differ.")] = 2.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be sent.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --live: yes, post these alerts.")] = False,
    with_playbooks: Annotated[
        bool, typer.Option("--with-playbooks", help="With --live: put the recorded playbooks in force too.")
    ] = False,
    same_ids: Annotated[
        bool, typer.Option("--same-ids", help="With --live: keep all ids; what is known is not taken again.")
    ] = False,
    despite_cut: Annotated[bool, typer.Option("--despite-cut", help="Use a file whose last line is cut.")] = False,
    data: Annotated[Path, typer.Option("--data", envvar="TOCSIN_DATA", help="Folder of an embedded Tocsin.")] = Path(
        ".tocsin"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
) -> None:
    """Send the alerts and commands of a recording again, and compare the decisions with the recorded, event by event.

    In virtual time, unless --sandbox or --live says otherwise: nothing has to run, nothing leaves, and hours take
    milliseconds; targets answer as they did. Exit status 1 if decisions differ. A running system takes everything as
    new, and nothing is compared.
    """
    configure_logging("pretty", "error")
    try:
        _check_target(
            "live" if live else "sandbox" if sandbox else "virtual",
            {"--sandbox": sandbox, "--speed": speed, "--playbook": playbook, "--yes": yes,
             "--with-playbooks": with_playbooks, "--same-ids": same_ids},
        )  # fmt: skip
        rate = parse_speed(speed or "1x")
        messages = read(file, despite_cut=despite_cut)
        recording = None if sandbox or live else Recording(list(messages))
        inputs = recording.inputs if recording is not None else inputs_of(messages)
        for reason in inputs.left_out:
            err.print(f"left out: {reason}", style="yellow", markup=False)
        if live and not with_playbooks:
            inputs = _without_playbooks(inputs)
        if dry_run:
            _print_plan(inputs, rate)
        elif recording is not None:
            differences = _in_virtual_time(recording, playbook, tolerance, as_json=as_json)
            raise typer.Exit(1 if differences else 0)
        elif sandbox:
            differences = _in_sandbox(inputs, playbook, rate, tolerance, as_json=as_json)
            raise typer.Exit(1 if differences else 0)
        else:
            _into_the_running(inputs, Operator.here(data), rate, same_ids=same_ids, yes=yes, as_json=as_json)
    except _PROBLEMS as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None


_GOES_WITH = {
    "--sandbox": ("sandbox",),
    "--speed": ("sandbox", "live"),
    "--playbook": ("virtual", "sandbox"),
    "--yes": ("live",),
    "--with-playbooks": ("live",),
    "--same-ids": ("live",),
}
_TARGETS = {
    "virtual": "in virtual time",
    "sandbox": "in a sandbox (--sandbox)",
    "live": "in the running Tocsin (--live)",
}


def _check_target(target: str, given: Mapping[str, object]) -> None:
    """An option that would do nothing is an error."""
    if given["--sandbox"] and target == "live":
        raise ProblemError("choose one of --sandbox and --live")
    for option, value in given.items():
        if value and target not in _GOES_WITH[option]:
            where = " or ".join(_TARGETS[each] for each in _GOES_WITH[option])
            raise ProblemError(f"{option} means something only {where}; this is {_TARGETS[target]}")


def _without_playbooks(inputs: Inputs) -> Inputs:
    """Without playbooks: those of a running system stay in force."""
    messages = tuple(given for given in inputs.messages if given.stream != "PLAYBOOKS")
    return replace(inputs, playbooks=(), messages=messages)


def _print_plan(inputs: Inputs, speed: float) -> None:
    first = inputs.messages[0] if inputs.messages else None
    for given in (*inputs.playbooks, *inputs.messages):
        out.print(describe(given, first or given, speed), markup=False)
    out.print(f"{inputs.alerts} alerts and {inputs.commands} commands would be sent")


# --- into virtual time ------------------------------------------------------------------------------------------------


def _in_virtual_time(
    recording: Recording, playbooks: list[Path], tolerance: float, *, as_json: bool
) -> list[Difference]:
    from tocsin.virtual import live_through

    done = live_through(recording, playbooks, timedelta(seconds=tolerance))
    if as_json:
        _print_json(done.differences, {"alerts": done.alerts, "commands": done.commands, "not_sent": done.not_sent})
        return done.differences
    lasted = shown(timedelta(seconds=round(done.lasted.total_seconds())))
    out.print(f"{done.alerts} alerts and {done.commands} commands in {lasted} of virtual time")
    for reason in done.not_sent:
        err.print(f"not sent: {reason}", style="yellow", markup=False)
    _print_differences(done.differences, done.compared, done.begun_before)
    return done.differences


# --- into a running system --------------------------------------------------------------------------------------------


def _into_the_running(inputs: Inputs, me: Operator, speed: float, *, same_ids: bool, yes: bool, as_json: bool) -> None:
    if not yes:
        raise ProblemError(
            f"this posts {inputs.alerts} alerts and {inputs.commands} commands to {me.address.url}: people may be "
            "paged, and actions run. Say --yes if that is meant, or rehearse it without --live"
        )
    sent = asyncio.run(_send(inputs, me, speed, same_ids=same_ids))
    if as_json:
        out.print_json(json.dumps(asdict(sent)))
        return
    _print_sent(sent)


async def _send(inputs: Inputs, me: Operator, speed: float, *, same_ids: bool) -> Replayed:
    async with me.connected() as connection:
        return await replay_inputs(inputs, connection, speed=speed, run=None if same_ids else new_run(connection))


def _print_sent(sent: Replayed) -> None:
    known = f", {sent.duplicates} were known already" if sent.duplicates else ""
    out.print(f"{sent.alerts} alerts, {sent.commands} commands, {sent.playbooks} playbooks sent{known}")
    for reason in sent.not_sent:
        err.print(f"not sent: {reason}", style="yellow", markup=False)


# --- into a sandbox ---------------------------------------------------------------------------------------------------


def _in_sandbox(
    inputs: Inputs, playbooks: list[Path], speed: float, tolerance: float, *, as_json: bool
) -> list[Difference]:
    from tocsin.sandbox import SandboxError, rehearse, with_playbooks

    if speed != 1:
        err.print("deadlines are not sped up: at another speed than 1x times are not compared", style="yellow")
    try:
        given = with_playbooks(inputs, playbooks) if playbooks else inputs
        # Pages go to the terminal; a machine that reads our answer must not find them in it.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            done = rehearse(given, speed=speed, tolerance=timedelta(seconds=tolerance) if speed == 1 else None)
    except SandboxError as error:
        raise ProblemError(str(error)) from None
    if as_json:
        _print_json(done.differences, asdict(done.replayed))
        return done.differences
    _print_sent(done.replayed)
    _print_differences(
        done.differences, done.compared, done.begun_before, " (actions are not carried out, and not compared)"
    )
    return done.differences


# --- what differs -----------------------------------------------------------------------------------------------------


def _print_json(differences: list[Difference], replayed: dict[str, object]) -> None:
    told = [{**asdict(each), "at": each.at.total_seconds()} for each in differences]
    out.print_json(json.dumps({"replayed": replayed, "differences": told}))


def _print_differences(differences: list[Difference], compared: int, begun_before: int, but: str = "") -> None:
    if begun_before:
        err.print(f"not compared: {begun_before} incidents that began before the recording", style="yellow")
    for difference in differences:
        out.print(str(difference), markup=False)
    if differences:
        count = "1 difference" if len(differences) == 1 else f"{len(differences)} differences"
        out.print(f"{count} in {compared} recorded events", style="red")
    else:
        out.print(f"{compared} events were decided as recorded{but}")
