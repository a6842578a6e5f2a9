"""What is said of a seed that fails: how to see it again, and the smallest story that still breaks."""

from tocsin_rehearsal.simulate.plan import Plan, draw
from tocsin_rehearsal.simulate.run import perform
from tocsin_rehearsal.simulate.shrink import shrink
from tocsin_rehearsal.simulate.timeline import plan_lines, timeline

__all__ = ["reproduction", "story"]


def reproduction(seed: int, profile: str) -> str:
    """The command that shows it again."""
    return f"tocsin simulate --seeds 1 --seed {seed} --profile {profile}"


def story(seed: int, profile: str, *, seconds: float = 30.0) -> list[str]:
    """The shrunken timeline of a seed that fails, shrunken for so many seconds at most; empty if it does not fail."""
    plan = draw(seed, profile)
    outcome, _ = perform(plan)
    if outcome.holds:
        return []
    broken = outcome.violations[0].invariant

    def fails(candidate: Plan) -> bool:
        return any(violation.invariant == broken for violation in perform(candidate)[0].violations)

    small = shrink(plan, fails, seconds=seconds)
    _, course = perform(small)
    pieces = len(plan.steps) + len(plan.upheavals) + len(plan.hazards)
    left = len(small.steps) + len(small.upheavals) + len(small.hazards)
    head = f"{left} of {pieces} pieces are enough for {broken}"
    return [head, *plan_lines(course), *timeline(course)]
