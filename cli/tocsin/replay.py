"""`tocsin replay`: what can be said on the command line. What carries it out is imported when it is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ReplayOptions", "replay"]


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What of, and where to."""

    file: Path
    sandbox: bool
    live: bool
    speed: str
    playbooks: list[Path]
    tolerance: float
    dry_run: bool
    yes: bool
    with_playbooks: bool
    same_ids: bool
    despite_cut: bool
    data: Path
    as_json: bool


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
    from tocsin.replaying import carry_out  # the services with all that they need: a second of every other command

    carry_out(
        ReplayOptions(
            file, sandbox, live, speed, playbook, tolerance, dry_run, yes, with_playbooks, same_ids, despite_cut, data,
            as_json,
        )
    )  # fmt: skip
