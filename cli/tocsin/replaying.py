"""What `tocsin replay` does: the inputs of a recording into virtual time, a sandbox, or the running Tocsin."""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import typer
from rich.console import Console

from tocsin.operator import NotReachableError, Operator, ProblemError
from tocsin.replay import ReplayOptions
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

__all__ = ["carry_out"]

_PROBLEMS = (
    PlaybookError, NotReachableError, ProblemError, ServerError, BusUnavailableError,
    OSError,  # a file that cannot be read
    ValueError,  # a recording that is refused or holds nothing to replay, a speed that is none
    ServiceDiedError,  # a bug of ours, in virtual time
)  # fmt: skip

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def carry_out(given: ReplayOptions) -> None:
    """Send them, compare, and print what differs. Raises typer.Exit with the command's status."""
    configure_logging("pretty", "error")
    try:
        _check_target(
            "live" if given.live else "sandbox" if given.sandbox else "virtual",
            {"--sandbox": given.sandbox, "--speed": given.speed, "--playbook": given.playbooks, "--yes": given.yes,
             "--with-playbooks": given.with_playbooks, "--same-ids": given.same_ids},
        )  # fmt: skip
        rate = parse_speed(given.speed or "1x")
        messages = read(given.file, despite_cut=given.despite_cut)
        recording = None if given.sandbox or given.live else Recording(list(messages))
        inputs = recording.inputs if recording is not None else inputs_of(messages)
        for reason in inputs.left_out:
            err.print(f"left out: {reason}", style="yellow", markup=False)
        if given.live and not given.with_playbooks:
            inputs = _without_playbooks(inputs)
        if given.dry_run:
            _print_plan(inputs, rate)
        elif recording is not None:
            differences = _in_virtual_time(recording, given.playbooks, given.tolerance, as_json=given.as_json)
            raise typer.Exit(1 if differences else 0)
        elif given.sandbox:
            differences = _in_sandbox(inputs, given.playbooks, rate, given.tolerance, as_json=given.as_json)
            raise typer.Exit(1 if differences else 0)
        else:
            me = Operator.here(given.data)
            _into_the_running(inputs, me, rate, same_ids=given.same_ids, yes=given.yes, as_json=given.as_json)
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
