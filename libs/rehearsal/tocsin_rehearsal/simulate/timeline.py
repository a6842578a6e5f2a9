"""A simulation as people read it: what was done to it, what it did, and where it broke."""

from collections.abc import Iterator

from tocsin_rehearsal.simulate.invariants import Course
from tocsin_schemas import Event

__all__ = ["plan_lines", "timeline"]

_TELLING = (
    "rule", "severity", "level", "round", "target", "step", "attempt", "outcome", "reason", "channel", "recipient",
    "kind", "due_at", "after", "because", "command", "detail",
)  # fmt: skip
_MOST = 300
"""Lines; what is left out is counted."""


def timeline(course: Course) -> list[str]:
    """Line by line, in order of time. Events of other incidents than those that broke are left out."""
    broken = {violation.incident for violation in course.violations if violation.incident}
    found = sorted(_lines(course, broken), key=lambda line: line[0])
    lines = [f"{_clock(at)}  {text}" for at, text in found]
    if len(lines) > _MOST:
        lines = [*lines[:_MOST], f"… and {len(lines) - _MOST} more"]
    return lines


def plan_lines(course: Course) -> list[str]:
    """What holds all the time: how many replicas, and the chances of faults."""
    plan = course.plan
    replicas = "one replica" if plan.replicas == 1 else f"{plan.replicas} replicas"
    lines = [f"{replicas} of each service"]
    if plan.hazards:
        span = f"from {_clock(plan.begins)} to {_clock(plan.ends)}"
        lines += [f"{hazard}, {span}" for hazard in plan.hazards]
    return lines


def _lines(course: Course, broken: set[str]) -> Iterator[tuple[float, str]]:
    plan = course.plan
    for step in plan.steps:
        yield step.at, f"+ {step}"
    for upheaval in plan.upheavals:
        yield upheaval.at, f"! {upheaval}"
    for happened in course.history.events:
        if not broken or happened.incident in broken:
            yield happened.at, f"  {happened.incident}  {_words(happened.data)}"
    for call in course.world.calls:
        if call.kind == "action":
            done = "" if call.done else ", not done"
            yield call.at, f"  > {call.method} {call.url}: {call.status or 'no answer'}{done}"
    for sent in course.world.messages:
        if not broken or sent.incident in broken:
            yield sent.at.total_seconds(), f"  < {sent.notification} to {sent.address} by {sent.channel}"
    for violation in course.violations:
        yield violation.at, f"X {violation}"


def _words(event: Event) -> str:
    told = [(name, getattr(event, name)) for name in _TELLING if getattr(event, name, None) not in (None, "")]
    return " ".join([type(event).__name__, *(f"{name}={_short(value)}" for name, value in told)])


def _short(value: object) -> str:
    text = str(getattr(value, "value", value))
    return text if len(text) <= 60 else text[:59] + "…"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60.0)
    return f"{int(minutes):02d}:{rest:06.3f}"
