"""How far the values of rules went: what there is to say where an alert did not fire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tocsin_playbook.model.detect import Rule, Rung
from tocsin_rehearsal.cases.model.times import shown

__all__ = ["Peak", "told_of_peaks"]

_MOST_RULES = 3


@dataclass(frozen=True, slots=True)
class Peak:
    """A rule's values: each that lay further towards its thresholds than all before, and when."""

    rule: Rule
    records: tuple[tuple[timedelta, float], ...]

    def told(self, until: timedelta, severity: str | None = None) -> str:
        """`CheckoutErrors was 0.67 at most (at 4m15s); P2 needs above 1 for 30s`: up to a time, and of this severity,
        else of the mildest."""
        rung = next((each for each in self.rule.ladder if each.severity == severity), self.rule.ladder[-1])
        past = [record for record in self.records if record[0] <= until]
        if not past:
            return f"{self.rule.name} had no value; {_needs(rung)}"
        at, value = past[-1]
        bound = "most" if rung.above is not None else "least"
        return f"{self.rule.name} was {value:.4g} at {bound} (at {shown(at)}); {_needs(rung)}"


def told_of_peaks(peaks: Sequence[Peak], until: timedelta, name: str | None = None, severity: str | None = None) -> str:
    """Of the rule of this name, or of all; nothing where none is known."""
    meant = [peak for peak in peaks if name in (None, peak.rule.name)]
    told = [peak.told(until, severity) for peak in meant[:_MOST_RULES]]
    return ". ".join([*told, f"{len(meant) - len(told)} more rules" if len(meant) > len(told) else ""]).removesuffix(
        ". "
    )


def _needs(rung: Rung) -> str:
    side = "above" if rung.above is not None else "below"
    lasting = f" for {shown(rung.lasting)}" if rung.lasting else ""
    return f"{rung.severity} needs {side} {rung.threshold:.4g}{lasting}"
