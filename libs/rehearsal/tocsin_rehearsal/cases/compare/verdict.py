"""What became of one thing that was expected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tocsin_rehearsal.cases.seen import Moment

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that was expected, and whether it was so.

    `place` is where it stands within its test, such as `("expect", 2, "pages", 0)`; `at` when it was decided: the
    moment that met or broke it, else the end of its time. `seen` says what there was instead, `because` why, where
    that is known.
    """

    place: Place
    at: timedelta
    when: str
    text: str
    is_met: bool
    moment: Moment | None = None
    seen: str = ""
    because: str = ""

    @property
    def said(self) -> str:
        """What there was instead, and why."""
        return f"{self.seen}: {self.because}" if self.because else self.seen


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was expected and was not so."""

    place: Place
    at: timedelta
    expected: str
    seen: str

    def __str__(self) -> str:
        return f"expected {self.expected}; seen: {self.seen}"


def difference_of(verdict: Verdict) -> Difference:
    """What a verdict that is not met amounts to."""
    return Difference(verdict.place, verdict.at, f"{verdict.when}: {verdict.text}", verdict.said)
