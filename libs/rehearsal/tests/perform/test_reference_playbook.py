"""The reference playbook's own tests: each holds, and together they reach everything that the escalator can do."""

from functools import cache
from pathlib import Path

import pytest

from tocsin_escalator.core.incident import Phase
from tocsin_escalator.core.lifecycle import TABLE, Answer, Input
from tocsin_rehearsal.cases.loader import load_cases
from tocsin_rehearsal.cases.results import Result
from tocsin_rehearsal.perform.case import result_of
from tocsin_rehearsal.perform.cells import CELLS, Cell, by_input
from tocsin_rehearsal.perform.coverage import Coverage
from tocsin_rehearsal.simulate import be_quiet

FOLDER = Path(__file__).parents[4] / "playbooks" / "reference"
FILES = sorted(FOLDER.rglob("*.test.yaml"))

NOT_BY_A_TEST: frozenset[Cell] = frozenset(
    [
        # A command about an incident that nobody knows is parked before the table is asked.
        *((Phase.NONE, given) for given in Input if TABLE[Phase.NONE, given] is Answer.REJECT),
        # The end of an alert overtakes its beginning when a replica dies in between: the simulator's crashes do that.
        *((phase, Input.ALERT_ENDED_FIRST) for phase in Phase if (phase, Input.ALERT_ENDED_FIRST) in CELLS),
        # While an incident is watched nothing fires in it that could end.
        (Phase.MONITORING, Input.ALERT_ENDED),
    ]
)
"""What only faults can lead to, or nothing. The escalator's own tests ask for these as well."""


@cache
def performed() -> tuple[tuple[Result, ...], Coverage]:
    """Every test, once."""
    be_quiet()
    coverage = Coverage(load_cases(FILES[0]).playbooks[0].playbook)
    results: list[Result] = []
    for path in FILES:
        file = load_cases(path)
        results += (result_of(file, case, [coverage]) for case in file.cases)
    return tuple(results), coverage


@pytest.mark.timeout(300)
def test_every_test_of_the_reference_playbook_holds() -> None:
    results, _ = performed()
    assert len(results) > len(FILES)
    broken = [f"{result.file}:{result.line} {result.name}\n{result.error or result.shown}" for result in results]
    assert all(result.passed for result in results), "\n".join(
        text for text, result in zip(broken, results, strict=True) if not result.passed
    )


@pytest.mark.timeout(300)
def test_they_exercise_every_part_of_the_playbook() -> None:
    """The escalation matrix with its last resort, on-call, classification, grouping, mutes and roles."""
    _, coverage = performed()
    assert not coverage.missing, "never exercised: " + "; ".join(map(str, coverage.missing))


@pytest.mark.timeout(300)
def test_they_reach_every_cell_of_the_lifecycle_that_a_test_can() -> None:
    _, coverage = performed()
    missing = coverage.missing_cells - NOT_BY_A_TEST
    assert not missing, "never reached: " + "; ".join(by_input(missing))
    assert not NOT_BY_A_TEST - coverage.missing_cells, "these can be reached after all"
