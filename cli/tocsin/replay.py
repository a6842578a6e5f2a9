"""`tocsin replay`: the inputs of a recording, into the running Tocsin or into a sandbox."""

import asyncio
import json
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tocsin.operator import NotReachableError, Operator, ProblemError
from tocsin_playbook import PlaybookError
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
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_runtime.logs import configure_logging
from tocsin_testkit.processes import ServerError

__all__ = ["replay"]

_PROBLEMS = (
    PlaybookError, NotReachableError, ProblemError, ServerError, BusUnavailableError,
    OSError,  # a file that cannot be read
    ValueError,  # a recording that is refused (RecordingError), a speed that is none
)  # fmt: skip

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def replay(
    file: Annotated[Path, typer.Argument(help="A recording of `tocsin record`.", exists=True, dir_okay=False)],
    speed: Annotated[str, typer.Option(help="1x as it was, 60x, or max.")] = "1x",
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Into a Tocsin of its own; no page, no action.")] = False,
    playbook: Annotated[
        list[Path], typer.Option("--playbook", "-p", exists=True, dir_okay=False, help="In a sandbox: under this one.")
    ] = [],  # noqa: B006  # typer reads the default, nobody changes it
    tolerance: Annotated[float, typer.Option(min=0, help="Seconds by which times may differ.")] = 2.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be sent.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, post these alerts to a running system.")] = False,
    with_playbooks: Annotated[
        bool, typer.Option("--with-playbooks", help="Put the recorded playbooks in force in the running system too.")
    ] = False,
    same_ids: Annotated[
        bool, typer.Option("--same-ids", help="Keep all ids: what the system knows is not taken again.")
    ] = False,
    despite_cut: Annotated[bool, typer.Option("--despite-cut", help="Use a file whose last line is cut.")] = False,
    data: Annotated[Path, typer.Option("--data", envvar="TOCSIN_DATA", help="Folder of an embedded Tocsin.")] = Path(
        ".tocsin"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False,
) -> None:
    """Send the alerts and commands of a recording again, and in a sandbox compare the decisions with the recorded.

    Exit status 1 if they differ. A running system takes them as new: people may be paged.
    """
    configure_logging("pretty", "error")
    try:
        rate = parse_speed(speed)
        inputs = inputs_of(read(file, despite_cut=despite_cut))
        for reason in inputs.left_out:
            err.print(f"left out: {reason}", style="yellow", markup=False)
        if dry_run:
            _print_plan(inputs if sandbox or with_playbooks else _without_playbooks(inputs), rate)
        elif sandbox:
            differences = _in_sandbox(inputs, playbook, rate, tolerance, as_json=as_json)
            raise typer.Exit(1 if differences else 0)
        else:
            given = inputs if with_playbooks else _without_playbooks(inputs)
            _into_the_running(given, Operator.here(data), rate, same_ids=same_ids, yes=yes, as_json=as_json)
    except _PROBLEMS as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None


def _without_playbooks(inputs: Inputs) -> Inputs:
    """Without playbooks: those of a running system stay in force."""
    messages = tuple(given for given in inputs.messages if given.stream != "PLAYBOOKS")
    return replace(inputs, playbooks=(), messages=messages)


def _print_plan(inputs: Inputs, speed: float) -> None:
    first = inputs.messages[0] if inputs.messages else None
    for given in (*inputs.playbooks, *inputs.messages):
        out.print(describe(given, first or given, speed), markup=False)
    out.print(f"{inputs.alerts} alerts and {inputs.commands} commands would be sent")


# --- into a running system --------------------------------------------------------------------------------------------


def _into_the_running(inputs: Inputs, me: Operator, speed: float, *, same_ids: bool, yes: bool, as_json: bool) -> None:
    if not yes:
        raise ProblemError(
            f"this posts {inputs.alerts} alerts and {inputs.commands} commands to {me.address.url}: people may be "
            "paged, and actions run. Say --yes if that is meant, or rehearse it with --sandbox"
        )
    sent = asyncio.run(_send(inputs, me, speed, same_ids=same_ids))
    if as_json:
        out.print_json(json.dumps(asdict(sent)))
        return
    _print_sent(sent)


async def _send(inputs: Inputs, me: Operator, speed: float, *, same_ids: bool) -> Replayed:
    connection = Connection(me.address, "operator")
    try:
        await asyncio.wait_for(connection.open(), 5)
        return await replay_inputs(inputs, connection, speed=speed, run=None if same_ids else new_run(connection))
    except TimeoutError:
        raise NotReachableError("NATS does not answer") from None
    finally:
        await connection.close()


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
        shown = [{**asdict(each), "at": each.at.total_seconds()} for each in done.differences]
        out.print_json(json.dumps({"replayed": asdict(done.replayed), "differences": shown}))
        return done.differences
    _print_sent(done.replayed)
    if done.begun_before:
        err.print(f"not compared: {done.begun_before} incidents that began before the recording", style="yellow")
    for difference in done.differences:
        out.print(str(difference), markup=False)
    if done.differences:
        out.print(f"{len(done.differences)} differences in {done.compared} recorded events", style="red")
    else:
        out.print(f"{done.compared} events were decided as recorded (actions are not carried out, and not compared)")
    return done.differences
