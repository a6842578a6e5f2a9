"""The smallest plan that still breaks the same invariant: what is not needed for it is left out, piece by piece."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tocsin_rehearsal.simulate.plan import Plan
from tocsin_rehearsal.simulate.playbook import Shape

__all__ = ["shrink"]


def shrink(plan: Plan, fails: Callable[[Plan], bool], *, seconds: float = 30.0) -> Plan:
    """A plan of which no piece can be left out, or the smallest found in so many seconds of real time.

    `fails` says whether a plan still breaks what the first one breaks.
    """
    ends = time.monotonic() + seconds
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(plan):
            if time.monotonic() > ends:
                return plan
            if fails(candidate):
                plan, smaller = candidate, True
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans with less in them: halves first, then single pieces, then what is simpler."""
    for name in ("upheavals", "steps", "hazards"):
        pieces = getattr(plan, name)
        size = len(pieces)
        while size:
            for start in range(0, len(pieces), size):
                yield replace(plan, **{name: pieces[:start] + pieces[start + size :]})
            size //= 2
    if plan.replicas > 1 and not any(_needs(upheaval, plan.replicas) for upheaval in plan.upheavals):
        yield replace(plan, replicas=plan.replicas - 1)
    if plan.shape != Shape():
        yield replace(plan, shape=Shape())


def _needs(upheaval: object, replicas: int) -> bool:
    return str(getattr(upheaval, "replica", "")).endswith(f"-{replicas}")
