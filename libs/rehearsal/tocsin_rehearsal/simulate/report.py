"""What is said of a seed that fails: how to see it again, and the smallest story that still breaks."""

from dataclasses import dataclass

from tocsin_rehearsal.simulate.plan import Plan, draw
from tocsin_rehearsal.simulate.run import perform
from tocsin_rehearsal.simulate.shrink import shrink
from tocsin_rehearsal.simulate.timeline import plan_lines, timeline

__all__ = ["Failure", "failure", "reproduction", "story"]


@dataclass(frozen=True, slots=True)
class Failure:
    """The smallest plan that still breaks what a plan broke, what that is in words, and its timeline."""

    plan: Plan
    broken: str
    lines: tuple[str, ...]


def reproduction(seed: int, profile: str) -> str:
    """The command that shows it again."""
    return f"tocsin simulate --seeds 1 --seed {seed} --profile {profile}"


def story(seed: int, profile: str, *, seconds: float = 30.0) -> list[str]:
    """The shrunken timeline of a seed that fails, shrunken for so many seconds at most; empty if it does not fail."""
    failed = failure(draw(seed, profile), seconds=seconds)
    return [] if failed is None else list(failed.lines)


def failure(plan: Plan, *, seconds: float = 30.0) -> Failure | None:
    """What is left of a plan that fails after so many seconds of shrinking; none if it does not fail."""
    outcome, _ = perform(plan)
    if outcome.holds:
        return None
    broken = outcome.violations[0].invariant

    def fails(candidate: Plan) -> bool:
        return any(violation.invariant == broken for violation in perform(candidate)[0].violations)

    small = shrink(plan, fails, seconds=seconds)
    _, course = perform(small)
    left, pieces = (len(each.steps) + len(each.upheavals) + len(each.hazards) for each in (small, plan))
    head = f"{left} of {pieces} pieces are enough for {broken}"
    words = next(str(each) for each in course.violations if each.invariant == broken)
    return Failure(small, words, (head, *plan_lines(course), *timeline(course)))
