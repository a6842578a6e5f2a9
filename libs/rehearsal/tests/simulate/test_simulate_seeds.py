"""Seeds: the same one is the same, and all of them hold. What failed once is kept as a plan: see the plan files."""

import os

import pytest

from tocsin_rehearsal.simulate import PROFILES, be_quiet, draw, simulate, simulate_many

_SEEDS = {
    "calm": 20,
    "storm": 6,
    "partition": 45,
    "crash": 40,
    "catch-up": 20,
    "actions": 20,
    "broker": 40,
    "outside": 32,
    "receivers": 10,
    "notifier": 20,
    "clocks": 40,
    "recorder": 10,
    "people": 32,
    "everything": 125,
}
"""By profile: as many as `make test` has the time for."""


@pytest.fixture(autouse=True)
def quiet() -> None:
    be_quiet()


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_the_same_seed_gives_the_same_log(profile: str) -> None:
    assert simulate(3, profile) == simulate(3, profile)


def test_another_seed_gives_another_log() -> None:
    assert len({simulate(seed, "calm").digest for seed in range(4)}) == 4


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_plan_has_nothing_but_its_profiles_troubles(profile: str) -> None:
    for seed in range(100):
        plan = draw(seed, profile)
        assert {upheaval.trouble for upheaval in plan.upheavals} <= PROFILES[profile].troubles
        assert all(plan.begins <= each.at and each.at + each.lasts <= plan.ends + 1e-6 for each in plan.upheavals)
        assert plan.is_calm or PROFILES[profile].troubles


@pytest.mark.parametrize("profile", sorted(_SEEDS))
def test_every_invariant_holds(profile: str) -> None:
    failed = {
        result.seed: result.broken[0] for result in simulate_many(range(_SEEDS[profile]), profile) if result.broken
    }
    assert failed == {}


@pytest.mark.long
@pytest.mark.timeout(0)
def test_a_hundred_thousand_seeds_hold() -> None:
    count = int(os.environ.get("TOCSIN_SEEDS", "100000"))
    seeds, jobs = range(1_000_000, 1_000_000 + count), os.cpu_count() or 1
    failed = {result.seed: result.broken[0] for result in simulate_many(seeds, "everything", jobs) if result.broken}
    assert failed == {}
