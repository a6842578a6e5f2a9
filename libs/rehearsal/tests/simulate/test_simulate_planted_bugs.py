"""Each planted bug is found within a few seeds of one profile, counted from 0, and without it that seed holds.

What found which is printed in the end of the run (conftest.py at the root).
"""

from collections.abc import Callable

import pytest
from planted_bugs import BUGS, Bug

from tocsin_rehearsal.simulate import be_quiet, simulate
from tocsin_rehearsal.simulate.invariants import Violation

_BUDGET = 60
"""Seeds of a profile that a bug may take."""

_SLIPS = ("TypeError(", "AttributeError(", "NameError(", "ImportError(")
"""What breaks where a patch no longer fits the code that it patches: that would be no bug found."""


def test_there_are_enough_planted_bugs() -> None:
    assert len(BUGS) >= 15
    assert len({bug.name for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, record_property: Callable[[str, object], None]) -> None:
    be_quiet()
    seed, broken = first_that_breaks(bug)
    assert not any(slip in violation.text for violation in broken for slip in _SLIPS), "the patch no longer fits"
    assert simulate(seed, bug.profile).holds
    record_property("planted bug", [bug.name, bug.profile, seed + 1, broken[0].invariant, broken[0].numbers])


def first_that_breaks(bug: Bug) -> tuple[int, tuple[Violation, ...]]:
    for seed in range(_BUDGET):
        with bug.plant():
            broken = simulate(seed, bug.profile).violations
        if broken:
            return seed, broken
    return pytest.fail(f"not found in {_BUDGET} seeds of {bug.profile}")
