"""`tocsin simulate`: many seeds; of one that fails how to see it again, and its shrunken story."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tocsin_rehearsal.simulate import (
    Failure,
    PlanFileError,
    Result,
    be_quiet,
    draw,
    failure,
    perform,
    plan_text,
    read_plan,
    reproduction,
    simulate_many,
)

__all__ = ["simulate_plans", "simulate_seeds"]

_TOLD = 3
"""Seeds that fail whose story is told; of the others the command is shown."""


def simulate_seeds(seeds: Sequence[int], profile: str, jobs: int, out: Console, save: Path | None = None) -> int:
    """Simulate these seeds. The answer is the exit status: 0 where every invariant holds in every one.

    `save`: where the shrunken plan of the first one that fails is written to.
    """
    be_quiet()
    began, done = time.monotonic(), []
    failed: list[Result] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task(f"profile {profile}", total=len(seeds))
        for result in simulate_many(seeds, profile, jobs):
            done.append(result)
            progress.advance(task)
            if result.broken:
                failed.append(result)
                _tell(result, profile, out, save if len(failed) == 1 else None, with_story=len(failed) <= _TOLD)
    seconds = time.monotonic() - began
    told = f"{sum(result.events for result in done)} events, {sum(result.pages for result in done)} pages"
    rate = f"{len(done) / max(seconds, 1e-9):.1f} a second"
    verdict = f"{len(failed)} failed" if failed else "every invariant holds"
    out.print(f"{len(done)} seeds of profile {profile} in {seconds:.1f} s ({rate}): {told}; {verdict}")
    return 1 if failed else 0


def simulate_plans(paths: Sequence[Path], out: Console) -> int:
    """Carry out the plans in these files. The answer is the exit status: 0 where every invariant holds in every one,
    2 where a file is no plan."""
    be_quiet()
    status = 0
    for path in paths:
        try:
            plan = read_plan(path)
        except (PlanFileError, OSError) as error:
            out.print(str(error), style="red", markup=False)
            return 2
        broken = perform(plan)[0].violations
        if not broken:
            out.print(f"{path}: every invariant holds", markup=False)
            continue
        status = 1
        out.print(f"{path} fails: {broken[0]}", style="red", markup=False)
        _print_story(failure(plan), out)
    return status


def _tell(result: Result, profile: str, out: Console, save: Path | None, *, with_story: bool) -> None:
    again = reproduction(result.seed, profile)
    out.print(f"seed {result.seed} fails: {result.broken[0]}", style="red", markup=False)
    out.print(f"again: {again}", markup=False)
    small = failure(draw(result.seed, profile)) if with_story else None
    if save is not None and small is not None:
        save.write_text(plan_text(small.plan, f"{small.broken}\nShrunken from seed {result.seed} of {profile}."))
        out.print(f"saved: tocsin simulate --plan {save}", markup=False)
    else:
        out.print(f"keep it: {again} --save tests/simulation/{profile}-{result.seed}.yaml", markup=False)
    _print_story(small, out)


def _print_story(small: Failure | None, out: Console) -> None:
    for line in small.lines if small is not None else ():
        out.print(f"  {line}", markup=False)
