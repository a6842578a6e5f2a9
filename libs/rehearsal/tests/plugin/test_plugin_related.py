"""What people say of incidents, alone and together, is decided again from a recording: commands are built again from
their answers, also those about two incidents.
"""

from pathlib import Path

import pytest

from tocsin_rehearsal.cases.loader import TestFile, load_cases
from tocsin_rehearsal.cases.model import Case
from tocsin_rehearsal.deciding import fold_and_decide
from tocsin_rehearsal.perform.case import perform
from tocsin_rehearsal.recorded import Recording, recorded_from
from tocsin_rehearsal.staging import quiet
from tocsin_schemas.commands import (
    AddResponder,
    Decline,
    Link,
    Merge,
    ReleaseSeverity,
    Split,
    StateImpact,
    TakeOver,
    Update,
)

FOLDER = Path(__file__).parents[4] / "playbooks" / "reference"
NIGHTS = [
    (file, case)
    for name in ("grouping", "matrix", "on-call")
    for file in [load_cases(FOLDER / f"{name}.test.yaml")]
    for case in file.cases
]
LOST = "was rejected, and is lost"


def recorded(file: TestFile, case: Case) -> Recording:
    with quiet():
        world = perform(file, case).world
        night = Recording(recorded_from(world))
        world.close()
    return night


@pytest.mark.parametrize(("file", "case"), NIGHTS, ids=lambda each: getattr(each, "name", ""))
def test_what_was_decided_is_decided_again(file: TestFile, case: Case) -> None:
    night = recorded(file, case)
    decided = fold_and_decide(night)
    assert [str(difference) for difference in decided.differences] == []
    rejected = sum(LOST in reason for reason in night.inputs.left_out)
    assert len(decided.undecided) == rejected


def test_these_nights_have_what_people_say() -> None:
    asked = {type(given.envelope.data) for night in NIGHTS for given in recorded(*night).inputs.messages}
    assert asked >= {
        AddResponder, Decline, Link, Merge, ReleaseSeverity, Split, StateImpact, TakeOver, Update,
    }  # fmt: skip
