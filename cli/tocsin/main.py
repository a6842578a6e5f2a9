"""The commands of `tocsin`. Each is a few lines: what it does lives in the module it calls."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tocsin.access_tokens import commands as token_commands
from tocsin.incident_commands import commands as incident_commands
from tocsin.interrupted import ends_quietly
from tocsin.oncall import commands as oncall_commands
from tocsin.operator import Operator
from tocsin.record import record
from tocsin.replay import replay
from tocsin.services import SERVICES, build_of, settings_of
from tocsin.standing import commands as silence_commands
from tocsin.terminal import HERE, Folder, fail, guarded, out
from tocsin_runtime import run as run_service
from tocsin_runtime.settings import describe

__all__ = ["app", "out"]

app = typer.Typer(
    name="tocsin",
    help="Incident response you can test.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
playbook_commands = typer.Typer(help="Playbooks in force.", no_args_is_help=True)
app.add_typer(playbook_commands, name="playbook")
app.add_typer(oncall_commands, name="oncall")
app.add_typer(silence_commands, name="silence")
app.add_typer(token_commands, name="tokens")
app.add_typer(incident_commands)


# --- running ----------------------------------------------------------------------------------------------------------


@app.command()
def up(
    data: Folder = HERE,
    playbook: Annotated[
        list[Path], typer.Option("--playbook", "-p", exists=True, help="A playbook, or a folder of them.")
    ] = [],  # noqa: B006  # typer reads the default, nobody changes it
    any_port: Annotated[bool, typer.Option("--any-port", help="Take free ports instead of the usual ones.")] = False,
    redis_url: Annotated[str, typer.Option(help="Use this Redis instead of starting Valkey.")] = "",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "warning",
    log_format: Annotated[str, typer.Option(help="pretty or json.")] = "pretty",
) -> None:
    """Start everything: NATS, Valkey and the five services, in one process. Ctrl-C stops what was started."""
    from tocsin.up import AlreadyRunningError, UpOptions
    from tocsin.up import up as start

    options = UpOptions(
        folder=data,
        playbooks=tuple(playbook),
        any_port=any_port,
        redis_url=redis_url or None,
        log_format=log_format,
        log_level=log_level,
    )
    try:
        raise typer.Exit(start(options, out))
    except (AlreadyRunningError, OSError) as error:
        fail(str(error))


@app.command()
def run(service: Annotated[str, typer.Argument(help=", ".join(SERVICES))]) -> None:
    """Run one service against a given NATS; its settings come from the environment (`tocsin settings`)."""
    _check_service(service)
    raise typer.Exit(run_service(settings_of(service), build_of(service)))


@app.command()
def settings(service: Annotated[str, typer.Argument(help="One service; all without it.")] = "") -> None:
    """Every setting: its variable, its default, what it means."""
    if service:
        _check_service(service)
    for name in (service,) if service else SERVICES:
        out.print(f"[bold]{name}[/bold]")
        for variable, default, meaning in describe(settings_of(name)):
            out.print(f"  {variable:<44} {meaning}" + (f" (default {default})" if default else ""), markup=False)


@app.command("nats-config")
def nats_config() -> None:
    """The users and permissions for a nats-server of your own, with new passwords. Keep the output private."""
    import json
    import secrets

    from tocsin_runtime.identities import IDENTITIES, users

    block = {"authorization": {"users": users({name: secrets.token_urlsafe(24) for name in IDENTITIES})}}
    out.print_json(json.dumps(block))


# --- playbooks --------------------------------------------------------------------------------------------------------


@app.command()
def lint(files: Annotated[list[Path], typer.Argument(help="Playbooks.", exists=True, dir_okay=False)]) -> None:
    """Check playbooks: `file:line:column: what is wrong; what was expected`. Exit status 1 if there is an error."""
    from tocsin.linting import lint_files

    raise typer.Exit(lint_files(files, out))


@app.command("test")
def run_tests(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files of tests, or folders with some; default: here.", exists=True)
    ] = None,
    chosen: Annotated[str, typer.Option("-k", help="Only tests with this text in their name.")] = "",
    watching: Annotated[bool, typer.Option("--watch", help="Again whenever a file changes, until Ctrl-C.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here, for CI.")] = None,
    coverage: Annotated[bool, typer.Option(help="List what of the playbooks no test has reached.")] = False,
    recording: Annotated[
        Path | None, typer.Option("--from", help="Make a test of this recorded incident.", exists=True, dir_okay=False)
    ] = None,
    to: Annotated[Path | None, typer.Option("--write", help="With --from: the file of the new test.")] = None,
) -> None:
    """Perform a playbook's tests in virtual time. Exit status 1 if one fails, 2 if one cannot be read."""
    if (recording is None) != (to is None):
        fail("--from and --write go together")
    with ends_quietly():
        from tocsin.testing import TestOptions, test, watch, write_test

        options = TestOptions(tuple(paths or [Path()]), chosen, junit, coverage)
        if recording is not None and to is not None:
            status = write_test(recording, to, out)
        else:
            status = watch(options, out) if watching else test(options, out)
    raise typer.Exit(status)


@app.command()
def simulate(
    seeds: Annotated[int | None, typer.Option(min=1, help="How many; 100, or 1 where --seed is given.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The first one; default 0.")] = None,
    profile: Annotated[str, typer.Option(help="What goes wrong: everything, or one kind of trouble.")] = "everything",
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; one for each core.")] = None,
    plans: Annotated[
        list[Path] | None, typer.Option("--plan", help="Instead of seeds: a plan that was saved.", exists=True)
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the first plan that fails here, shrunken.", dir_okay=False)
    ] = None,
) -> None:
    """Hours of incidents with faults of all kinds, by seed. Exit status 1 if an invariant breaks, 2 if a plan cannot be
    read."""
    from tocsin.simulate import simulate_plans, simulate_seeds
    from tocsin_rehearsal.simulate.profiles import PROFILES

    if plans and (seeds is not None or seed is not None or save is not None):
        fail("--plan goes without seeds, and is saved already")
    if plans:
        raise typer.Exit(simulate_plans(plans, out))
    if save is not None and not save.parent.is_dir():
        fail(f"there is no folder {save.parent} to save to")
    if profile not in PROFILES:
        fail(f"there is no profile {profile}; there are {', '.join(PROFILES)}")
    count = seeds or (100 if seed is None else 1)
    chosen = range(seed or 0, (seed or 0) + count)
    raise typer.Exit(simulate_seeds(chosen, profile, min(jobs or os.cpu_count() or 1, count), out, save))


app.command()(record)
app.command()(replay)


@playbook_commands.command("push")
def push(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)], data: Folder = HERE) -> None:
    """Put a playbook in force. New incidents use it; running ones keep the revision they were opened under."""
    from tocsin.linting import push_file

    guarded(lambda: push_file(file, Operator.here(data), out))


# --- the demonstration ------------------------------------------------------------------------------------------------


@app.command()
def demo(
    runbook: Annotated[bool, typer.Option(help="Without it the incident escalates instead.")] = True,
    keep: Annotated[
        bool | None,
        typer.Option(help="Leave everything running at the end until Enter; the default at a terminal."),
    ] = None,
) -> None:
    """A real incident from beginning to end: a shop breaks, somebody is paged, the runbook mends it."""
    from tocsin.demo.run import demonstrate

    at_a_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    raise typer.Exit(demonstrate(out, with_runbook=runbook, keep=at_a_terminal if keep is None else keep))


# --- how --------------------------------------------------------------------------------------------------------------


def _check_service(service: str) -> None:
    if service not in SERVICES:
        fail(f"there is no service {service!r}; there are {', '.join(SERVICES)}")
