"""What the detector makes of what it scrapes."""

from collections.abc import Sequence

from tocsin_rehearsal.simulate.invariants.course import Course, Invariant
from tocsin_rehearsal.simulate.profiles import Trouble
from tocsin_rehearsal.simulate.steps import Shows
from tocsin_rehearsal.simulate.upheavals import Sourceless
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.events import AlertFired, AlertResolved

__all__ = ["FiresWhenDue", "SilenceIsTold"]

_RULE, _SOURCE_DOWN = "Failures", "TocsinSourceDown"
_ABOVE = {"critical": 50, "major": 10}
_LOWEST = min(_ABOVE.values())
_FOR, _EVERY, _SLACK = 30.0, 15.0, 1.0
"""Of the simulations' playbook, in seconds: how long a value must last, and how often it is looked at."""


class Detection(Invariant):
    """What is said of a rule, and when that was decided in seconds since the start."""

    def words_of(self, rule: str) -> list[tuple[float, Envelope[Payload]]]:
        said = (word for words in self.history.words.values() for _, word in words)
        told = [((word.time - self.world.start).total_seconds(), word) for word in said]
        return sorted((each for each in told if getattr(each[1].data, "rule", "") == rule), key=lambda each: each[0])


class FiresWhenDue(Detection):
    """19: a threshold fires when it has been passed for as long as the rule says, neither before nor late, and the
    alert ends when the value is seen to be low; that a source is silent ends nothing."""

    numbers = "19"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._shown: Sequence[Shows] = [step for step in self.plan.steps if isinstance(step, Shows)]

    def at_end(self) -> None:
        if not self.plan.shape.is_scraped or not self._shown:
            return
        words = self.words_of(_RULE)
        if not self.plan.has(Trouble.CLOCKS):
            for at, word in words:
                self._check(at, word)
        if words and isinstance(words[-1][1].data, AlertFired) and self._value(self.course.now) <= _LOWEST:
            self.fails(f"{_RULE} still fires in the end")
        if self.plan.is_calm:
            self._check_in_time(words)

    def _check(self, at: float, word: Envelope[Payload]) -> None:
        data = word.data
        if isinstance(data, AlertFired):
            least = min(self._value(at), self._value(at - _FOR))
            if least <= _ABOVE.get(data.severity or "", 0):
                self.fails(
                    f"{_RULE} fires as {data.severity} at {at:.1f} s, and {_FOR:g} s before the value was {least}"
                )
        elif isinstance(data, AlertResolved) and self._value(at) > _LOWEST:
            self.fails(f"{_RULE} ends at {at:.1f} s ({data.reason}), and the value is {self._value(at)}")

    def _check_in_time(self, words: Sequence[tuple[float, Envelope[Payload]]]) -> None:
        ends = [*(step.at for step in self._shown[1:]), self.course.now]
        for step, until in zip(self._shown, ends, strict=True):
            fires = step.value > _LOWEST
            by = step.at + _EVERY + _SLACK + (_FOR if fires else 0.0)
            said = [word for at, word in words if at <= by]
            if by < until and fires is not bool(said and isinstance(said[-1].data, AlertFired)):
                self.fails(f"{_RULE} {'does not fire' if fires else 'fires'} at {by:.1f} s with {step.value}")

    def _value(self, at: float) -> int:
        return next((step.value for step in reversed(self._shown) if step.at <= at), 0)


class SilenceIsTold(Detection):
    """19: a source that does not answer becomes an alert of its own."""

    numbers = "19"
    within = 90.0
    """Seconds: the detector's patience, and some."""

    def at_end(self) -> None:
        silent = [each for each in self.plan.upheavals if isinstance(each, Sourceless) and each.lasts > self.within]
        if not self.plan.shape.is_scraped or self.plan.hazards or self.plan.has(*set(Trouble) - {Trouble.SOURCES}):
            return
        fired = [at for at, word in self.words_of(_SOURCE_DOWN) if isinstance(word.data, AlertFired)]
        for each in silent:
            if not any(each.at <= at <= each.at + self.within for at in fired):
                self.fails(f"nobody was told that a source was silent from {each.at:.1f} s on")
