"""How many simulations a second one core gives: each an hour of incident with faults, of every profile in turn.

Processor time is what counts: it is what a hundred thousand seeds cost. Each round takes seeds of its own, so nothing
is measured twice over, and every simulation must hold or say why not; what fails is counted, not hidden.
"""

import time

from bench.figures import Figure, spread_of
from tocsin_rehearsal.simulate import PROFILES, be_quiet, simulate

ROUNDS = 5
SEEDS = 5
"""Of each profile in each round."""


def measure() -> list[Figure]:
    be_quiet()
    simulate(0, "calm")
    spent: dict[str, list[float]] = {profile: [] for profile in PROFILES}
    failed = 0
    for number in range(ROUNDS):
        for profile in PROFILES:
            began = time.process_time()
            outcomes = [simulate(seed, profile) for seed in range(number * SEEDS, (number + 1) * SEEDS)]
            spent[profile].append(time.process_time() - began)
            failed += sum(not outcome.holds for outcome in outcomes)
    rounds = [sum(times[number] for times in spent.values()) for number in range(ROUNDS)]
    return [
        spread_of(
            f"seeds a CPU second, {len(PROFILES)} profiles in equal parts",
            [SEEDS * len(PROFILES) / each for each in rounds],
            "/s",
            target=100.0,
            side="at least",
        ),
        *(
            spread_of(f"CPU milliseconds of a seed: {profile}", [1000 * each / SEEDS for each in times], "ms")
            for profile, times in spent.items()
        ),
        spread_of("seeds that did not hold", [float(failed)], "seeds"),
    ]
