"""Many seeds in several processes: each takes the next few when it is done with its last."""

import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from tocsin_rehearsal.simulate.run import simulate

__all__ = ["Result", "be_quiet", "simulate_many"]

_TOGETHER = 5


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a seed. `broken`: every violation in words, none if all holds."""

    seed: int
    broken: tuple[str, ...]
    events: int
    pages: int
    actions: int


def be_quiet() -> None:
    """Services say nothing: faults are what they are given, and words cost time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)


def simulate_many(seeds: Sequence[int], profile: str, jobs: int = 1) -> Iterator[Result]:
    """Results as they come, in any order. With one job in this process. Raises KeyError for an unknown profile."""
    work = [(seed, profile) for seed in seeds]
    if jobs <= 1:
        yield from map(_one, work)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, initializer=be_quiet) as pool:
        yield from pool.imap_unordered(_one, work, chunksize=_TOGETHER)


def _one(given: tuple[int, str]) -> Result:
    seed, profile = given
    outcome = simulate(seed, profile)
    return Result(seed, tuple(map(str, outcome.violations)), outcome.events, outcome.pages, outcome.actions)
