"""The example's own tests, as `tocsin test examples/storefront --coverage` performs them."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tocsin_rehearsal.cases.loader import load_cases
from tocsin_rehearsal.cases.results import Result
from tocsin_rehearsal.perform.case import result_of
from tocsin_rehearsal.perform.coverage import Coverage

STOREFRONT = Path(__file__).resolve().parent.parent / "examples" / "storefront"


@pytest.fixture(autouse=True)
def quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def perform(folder: Path, *coverage: Coverage) -> Iterator[Result]:
    """Every test in `tests`, one after the other."""
    for path in sorted((folder / "tests").glob("*.yaml")):
        file = load_cases(path)
        yield from (result_of(file, case, coverage) for case in file.cases)


def test_the_storefronts_tests_pass_and_reach_every_part_of_its_playbook() -> None:
    playbook = load_cases(STOREFRONT / "tests" / "paging.yaml").playbooks[0].playbook
    coverage = Coverage(playbook)

    results = list(perform(STOREFRONT, coverage))

    assert [result.shown for result in results if not result.passed] == []
    assert coverage.missing == []


@pytest.mark.parametrize(
    ("written", "mistaken"),
    [
        ("above: 25%, for: 2s", "above: 25%, for: 20s"),
        ("by: [service]", "by: [alertname]"),
        ("== 'exposed'", "== 'public'"),
        ('{after: 15s, notify: ["person:grace"]}', '{after: 15s, notify: ["person:ada"]}'),
        ("          on_failure: escalate", "          on_failure: stop"),
        ("budget: {actions: 4, per: 10m}", "budget: {actions: 40, per: 10m}"),
    ],
    ids=str.strip,
)
def test_a_mistake_in_the_playbook_breaks_a_test(tmp_path: Path, written: str, mistaken: str) -> None:
    text = (STOREFRONT / "playbook.yaml").read_text()
    assert text.count(written) == 1
    (tmp_path / "playbook.yaml").write_text(text.replace(written, mistaken))
    shutil.copytree(STOREFRONT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("*.py", "__pycache__"))

    assert any(not result.passed for result in perform(tmp_path))
