"""A measured figure beside its target."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is what was measured; `target` what it should be at most or at least."""

    name: str
    value: float
    unit: str
    target: float | None = None
    side: Literal["at most", "at least"] = "at most"
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.side == "at most" else self.value >= self.target

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "met": self.is_met}

    def __str__(self) -> str:
        spread = f" ({self.low:,.4g} to {self.high:,.4g})" if self.low is not None and self.high is not None else ""
        aim = (
            f"   {self.side} {self.target:,.4g}: {'met' if self.is_met else 'MISSED'}"
            if self.target is not None
            else ""
        )
        return f"{self.name:<58} {self.value:>10,.4g} {self.unit}{spread}{aim}{'   ' + self.note if self.note else ''}"


def spread_of(name: str, runs: Sequence[float], unit: str, **more: object) -> Figure:
    """The median of several runs with the least and the greatest."""
    return Figure(name, median(runs), unit, low=min(runs), high=max(runs), **more)  # type: ignore[arg-type]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
