"""Coverage names what no test has reached of people, mutes and relations, and of the lifecycle table."""

from pathlib import Path

import pytest

from tocsin_escalator.core import lifecycle
from tocsin_escalator.core.incident import Phase
from tocsin_escalator.core.lifecycle import Input, answer
from tocsin_rehearsal.cases.loader import load_cases
from tocsin_rehearsal.perform.case import result_of
from tocsin_rehearsal.perform.cells import CELLS, by_input, watched_cells
from tocsin_rehearsal.perform.coverage import Coverage

PLAYBOOK = Path(__file__).parents[4] / "playbooks" / "reference" / "playbook.yaml"
TEST = f"""apiVersion: tocsin/v1
kind: PlaybookTest
playbook: {PLAYBOOK}
tests:
  - name: a test
    given: {{alerts: [{{labels: {{alertname: Errors, service: checkout, severity: P0}}}}]}}
    at: [{{at: 1m, do: {{ack: ada}}}}]
    expect: [{{by: 2m, incident: acknowledged}}]
"""


@pytest.fixture
def coverage(tmp_path: Path) -> Coverage:
    """Of one test: an alert by day, and an answer before the second way."""
    (tmp_path / "a.test.yaml").write_text(TEST)
    file = load_cases(tmp_path / "a.test.yaml")
    covered = Coverage(file.playbooks[0].playbook)
    assert result_of(file, file.cases[0], [covered]).passed
    return covered


def test_what_of_the_people_was_reached_and_what_was_not(coverage: Coverage) -> None:
    missing = {str(part) for part in coverage.missing}
    reached = {str(part) for part in coverage.parts} - missing
    assert {
        "on call: ada by chat after 0s", "on call: schedule primary, layer day", "on call: role incident commander",
        "communicate: war room",
    } <= reached  # fmt: skip
    assert {
        "on call: ada by mail after 2m", "on call: eve by mail after 0s", "on call: schedule primary, layer night",
        "on call: schedule primary, an override", "escalate: P0 at the last resort", "mute: silence upgrade",
        "mute: inhibition the network is the cause", "group: services that need each other",
        "classify: customer data is at risk, told at once",
    } <= missing  # fmt: skip


def test_which_cells_of_the_lifecycle_were_reached(coverage: Coverage) -> None:
    reached = CELLS - coverage.missing_cells
    assert reached == {
        (Phase.NONE, Input.ALERT_FIRED),
        (Phase.TRIGGERED, Input.ACKNOWLEDGE),
        (Phase.ACKNOWLEDGED, Input.ALERT_RENEWED),
    }


def test_cells_are_told_by_what_comes_in_the_order_of_the_table() -> None:
    cells = [(Phase.CLOSED, Input.RESOLVE), (Phase.MONITORING, Input.RESOLVE), (Phase.RESOLVED, Input.ALERT_FIRED)]
    assert list(by_input(cells)) == ["alert_fired in resolved", "resolve in monitoring, closed"]


def test_the_table_is_as_it_was_after_it_was_watched() -> None:
    table = lifecycle.TABLE
    with watched_cells() as asked:
        assert answer(Phase.TRIGGERED, Input.RESOLVE) is table[Phase.TRIGGERED, Input.RESOLVE]
    answer(Phase.MONITORING, Input.RESOLVE)
    assert asked == {(Phase.TRIGGERED, Input.RESOLVE)}
    assert lifecycle.TABLE is table
