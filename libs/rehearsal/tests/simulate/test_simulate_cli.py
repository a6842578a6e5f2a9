"""`tocsin simulate`."""

import io

from planted_bugs import receipts_before_sending
from rich.console import Console

from tocsin.simulate import simulate_seeds


def told(seeds: range, profile: str) -> tuple[int, str]:
    said = io.StringIO()
    status = simulate_seeds(seeds, profile, 1, Console(file=said, width=200))
    return status, said.getvalue()


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
