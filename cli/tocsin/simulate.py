"""`tocsin simulate`: many seeds; of one that fails how to see it again, and its shrunken story."""

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tocsin_rehearsal.simulate import Result, be_quiet, reproduction, simulate_many, story

__all__ = ["simulate_seeds"]

_TOLD = 3
"""Seeds that fail whose story is told; of the others the command is shown."""


def simulate_seeds(seeds: Sequence[int], profile: str, jobs: int, out: Console) -> int:
    """Simulate these seeds. The answer is the exit status: 0 where every invariant holds in every one."""
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
                _tell(result, profile, out, with_story=len(failed) <= _TOLD)
    seconds = time.monotonic() - began
    told = f"{sum(result.events for result in done)} events, {sum(result.pages for result in done)} pages"
    rate = f"{len(done) / max(seconds, 1e-9):.1f} a second"
    verdict = f"{len(failed)} failed" if failed else "every invariant holds"
    out.print(f"{len(done)} seeds of profile {profile} in {seconds:.1f} s ({rate}): {told}; {verdict}")
    return 1 if failed else 0


def _tell(result: Result, profile: str, out: Console, *, with_story: bool) -> None:
    out.print(f"seed {result.seed} fails: {result.broken[0]}", style="red", markup=False)
    out.print(f"again: {reproduction(result.seed, profile)}", markup=False)
    if with_story:
        for line in story(result.seed, profile):
            out.print(f"  {line}", markup=False)
