"""`tocsin simulate`."""

import io
from pathlib import Path

import pytest
from planted_bugs import receipts_before_sending
from rich.console import Console
from typer.testing import CliRunner

from tocsin.main import app
from tocsin.simulate import simulate_plans, simulate_seeds
from tocsin_rehearsal.simulate import read_plan

_HOLDS = Path(__file__).parents[4] / "tests" / "simulation" / "clock-set-back.yaml"


def told(seeds: range, profile: str, save: Path | None = None) -> tuple[int, str]:
    said = io.StringIO()
    status = simulate_seeds(seeds, profile, 1, Console(file=said, width=200), save)
    return status, said.getvalue()


def told_of(*paths: Path) -> tuple[int, str]:
    said = io.StringIO()
    return simulate_plans(paths, Console(file=said, width=200)), said.getvalue()


def test_seeds_that_hold_are_counted() -> None:
    status, said = told(range(2), "calm")
    assert status == 0
    assert "2 seeds of profile calm" in said
    assert "every invariant holds" in said


def test_of_a_seed_that_fails_the_command_and_the_story_are_shown() -> None:
    with receipts_before_sending():
        status, said = told(range(1), "everything")
    assert status == 1
    assert "again: tocsin simulate --seeds 1 --seed 0 --profile everything" in said
    assert "are enough for ReceiptIsTrue" in said
    assert "1 failed" in said
    assert "keep it: tocsin simulate --seeds 1 --seed 0 --profile everything --save tests/simulation/" in said


def test_the_shrunken_plan_of_the_first_seed_that_fails_is_saved_and_can_be_carried_out(tmp_path: Path) -> None:
    file = tmp_path / "kept.yaml"
    with receipts_before_sending():
        status, said = told(range(1), "everything", file)
        assert status == 1
        assert f"saved: tocsin simulate --plan {file}" in said
        assert "Shrunken from seed 0 of everything." in file.read_text()
        assert read_plan(file).seed == 0
        status, said = told_of(file)
    assert status == 1
    assert f"{file} fails: ReceiptIsTrue" in said
    assert told_of(file) == (0, f"{file}: every invariant holds\n")


def test_a_file_that_is_no_plan_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("seed: 1\n")
    status, said = told_of(_HOLDS, file)
    assert status == 2
    assert f"{file}:1:1: profile: it is missing" in said
    assert told_of(tmp_path / "none.yaml")[0] == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--plan", str(_HOLDS), "--seeds", "3"], "--plan goes without seeds"),
        (["--save", "/no/such/folder/plan.yaml"], "there is no folder /no/such/folder"),
        (["--profile", "storms"], "there is no profile storms"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["simulate", *asked])
    assert result.exit_code == 1
    assert said in result.output


def test_a_plan_is_carried_out_by_its_option() -> None:
    result = CliRunner().invoke(app, ["simulate", "--plan", str(_HOLDS)])
    assert result.exit_code == 0
    assert "every invariant holds" in result.output
