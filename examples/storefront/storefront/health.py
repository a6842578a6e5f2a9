"""Whether the shop is well, judged by evidence that is seconds old: its checkouts, its provider, its memory."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from storefront.gateway import ProviderName
from storefront.settings import MEBIBYTE, Clock

TOLERATED = 0.05
"""The share of bad checkouts or probes that still counts as healthy."""


@dataclass(frozen=True, slots=True)
class Check:
    ok: bool
    says: str


@dataclass(slots=True)
class Attempt:
    """One checkout, from its start to its end."""

    started: float
    finished: float | None = None
    failed: bool = False


@dataclass(slots=True)
class Checkouts:
    """The checkouts of the last few seconds, rehearsed ones too. One that hangs is bad as soon as it is slow."""

    window: timedelta
    slow: timedelta
    clock: Clock
    _attempts: deque[Attempt] = field(default_factory=deque)

    def start(self) -> Attempt:
        attempt = Attempt(self.clock())
        self._forget_before(attempt.started - self.window.total_seconds())
        self._attempts.append(attempt)
        return attempt

    def finish(self, attempt: Attempt, *, failed: bool) -> None:
        attempt.finished = self.clock()
        attempt.failed = failed

    def check(self) -> Check:
        now = self.clock()
        since = now - self.window.total_seconds()
        recent = [a for a in self._attempts if a.started >= since or a.finished is None]
        decided = [a for a in recent if a.finished is not None or self._is_slow(a, now)]
        bad = sum(a.failed or self._is_slow(a, now) for a in decided)
        seconds, slow = self.window.total_seconds(), self.slow.total_seconds()
        says = (
            f"{bad} of {len(decided)} checkouts and rehearsals of the last {seconds:g} s failed or took over {slow:g} s"
        )
        return Check(bad <= TOLERATED * len(decided), says)

    def _forget_before(self, since: float) -> None:
        while self._attempts and self._attempts[0].started < since and self._attempts[0].finished is not None:
            self._attempts.popleft()

    def _is_slow(self, attempt: Attempt, now: float) -> bool:
        until = now if attempt.finished is None else attempt.finished
        return until - attempt.started > self.slow.total_seconds()


@dataclass(slots=True)
class Probes:
    """What asking the active provider gave, lately; answers of a provider that is no longer active do not count."""

    window: timedelta
    clock: Clock
    _answers: deque[tuple[float, ProviderName, bool]] = field(default_factory=deque)

    def record(self, provider: ProviderName, ok: bool) -> None:
        self._answers.append((self.clock(), provider, ok))
        self._forget_old()

    def check(self, active: ProviderName) -> Check:
        self._forget_old()
        answers = [ok for _, provider, ok in self._answers if provider is active]
        if not answers:
            return Check(False, f"provider {active} has not been asked yet")
        bad = answers.count(False)
        says = f"provider {active} failed {bad} of {len(answers)} recent probes"
        return Check(bad <= TOLERATED * len(answers), says)

    def _forget_old(self) -> None:
        since = self.clock() - self.window.total_seconds()
        while self._answers and self._answers[0][0] < since:
            self._answers.popleft()


@dataclass(frozen=True, slots=True)
class Memory:
    """Growth since the start, against what the process may grow by."""

    resident: Callable[[], int]
    at_start: int
    headroom: int

    def check(self) -> Check:
        grown = self.resident() - self.at_start
        allowed = self.headroom / MEBIBYTE
        says = f"grew by {grown / MEBIBYTE:.0f} MiB since the start, may grow by {allowed:.0f} MiB"
        return Check(grown <= self.headroom, says)
