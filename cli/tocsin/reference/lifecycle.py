"""The incident's life: `docs/lifecycle.md`, from the table that the escalator decides by."""

from collections.abc import Sequence

from tocsin_escalator.core.incident import HELD, OVER, WAITING, Phase
from tocsin_escalator.core.lifecycle import TABLE, Answer, Input

__all__ = ["lifecycle_page"]

_INTRODUCTION = """# The life of an incident

*Made from the table that the escalator decides by (`services/escalator/tocsin_escalator/core/lifecycle.py`) by `make
docs`; do not edit.*

Every input is decided in every phase, and none is an error: what comes twice, late or in another order leads to the
same state. A command that cannot be is answered with the reason.

```mermaid
stateDiagram-v2
    [*] --> triggered: an alert fires
    triggered --> acknowledged: somebody is on it
    acknowledged --> triggered: their time is over, or they cannot go on
    acknowledged --> investigating: update
    investigating --> identified: update
    identified --> mitigating: update
    acknowledged --> monitoring: all alerts have cleared
    mitigating --> monitoring: all alerts have cleared
    triggered --> monitoring: all alerts have cleared
    monitoring --> triggered: an alert fires again, nobody is on it
    monitoring --> mitigating: an alert fires again, somebody is on it
    monitoring --> resolved: quiet for the watch time
    acknowledged --> resolved: resolve
    acknowledged --> false_alarm: resolve, there was nothing
    resolved --> reopened: an alert fires again, or a person says so
    false_alarm --> reopened: an alert fires again, or a person says so
    reopened --> acknowledged: somebody is on it
    resolved --> closed: the time for that is over
    closed --> [*]
```

An update says how far the work is, in any order; a re-fire goes back to where it was. A closed incident takes nothing:
the group's next incident is opened, and names it as the previous one.

"""


def lifecycle_page() -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION, "## Phases\n\n"]
    parts.append(_rows(("phase", "means"), [(_name(each), each.meaning) for each in Phase]))
    parts += ["\n## What is done\n\n", _rows(("answer", "means"), [(_name(each), each.meaning) for each in Answer])]
    families = [
        ("none", [Phase.NONE]),
        ("triggered, reopened", sorted(WAITING, key=_order)),
        ("acknowledged, investigating, identified, mitigating", sorted(HELD, key=_order)),
        ("monitoring", [Phase.MONITORING]),
        ("resolved, false alarm", sorted(OVER, key=_order)),
        ("closed", [Phase.CLOSED]),
    ]
    parts.append("\n## The table\n\nPhases in one column are answered alike.\n\n")
    rows = [
        (f"**{_name(given)}**: {given.meaning}", *(_cell(phases, given) for _, phases in families)) for given in Input
    ]
    parts.append(_rows(("input", *(name for name, _ in families)), rows))
    return "".join(parts)


def _cell(phases: Sequence[Phase], given: Input) -> str:
    answers = {TABLE[phase, given] for phase in phases}
    if len(answers) > 1:
        raise AssertionError(f"{given.name} is answered in different ways in one column")
    (answer,) = answers
    return "" if answer is Answer.NOTHING else _name(answer)


def _order(phase: Phase) -> int:
    return list(Phase).index(phase)


def _name(value: Phase | Answer | Input) -> str:
    return value.name.lower().replace("_", " ")


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
