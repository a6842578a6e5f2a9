"""What is done to other systems."""

from collections import Counter, defaultdict

from tocsin_escalator.core.incident import HELD, WAITING
from tocsin_rehearsal.outside.web import Call
from tocsin_rehearsal.simulate.history import Happened
from tocsin_rehearsal.simulate.invariants.course import Course, Invariant
from tocsin_rehearsal.simulate.profiles import Trouble
from tocsin_schemas.events import (
    ActionApproved,
    ActionClaimed,
    ActionFailed,
    ActionOutcomeUnknown,
    ActionProposed,
    ActionSucceeded,
    IncidentEscalated,
    ResponderPaged,
)

__all__ = [
    "AtMostOnce",
    "BudgetKept",
    "IntentFirst",
    "OneOutcome",
    "StillWanted",
    "TruthfulOutcome",
    "UnknownIsTold",
]

_HONOURS_KEYS = "/failover"
_ON_ITS_WAY = 3.0
"""Seconds that a request may have been on its way after it was asked for the last time whether it is wanted."""

_Ended = ActionSucceeded | ActionFailed | ActionOutcomeUnknown


class Claims(Invariant):
    """What has been claimed, by execution."""

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self.claims: dict[str, Happened] = {}

    def on_event(self, happened: Happened) -> None:
        if isinstance(happened.data, ActionClaimed):
            self.on_claim(happened, happened.data)
            self.claims.setdefault(happened.data.execution, happened)

    def on_claim(self, happened: Happened, claim: ActionClaimed) -> None:
        """Before it is noted."""


class IntentFirst(Claims):
    """5: before an effect its claim is in the log."""

    numbers = "5"

    def on_effect(self, call: Call) -> None:
        if call.execution not in self.claims:
            self.fails(f"{call.method} {call.url} was done without a claim")


class AtMostOnce(Claims):
    """4: each attempt is claimed once, and one action has its effect once: only what had none is tried again."""

    numbers = "4"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._effects: Counter[str] = Counter()
        self._attempts: set[tuple[str, int]] = set()

    def on_claim(self, happened: Happened, claim: ActionClaimed) -> None:
        if (claim.action, claim.attempt) in self._attempts:
            self.fails(f"attempt {claim.attempt} of {claim.step} is claimed twice", happened.incident)
        self._attempts.add((claim.action, claim.attempt))

    def on_effect(self, call: Call) -> None:
        claim = self.claims.get(call.execution)
        if call.url.endswith(_HONOURS_KEYS):
            return
        action = claim.data.action if claim is not None and isinstance(claim.data, ActionClaimed) else call.execution
        self._effects[action] += 1
        if self._effects[action] > 1:
            self.fails(f"{call.url} was done {self._effects[action]} times", claim.incident if claim else "")


class TruthfulOutcome(Invariant):
    """5: what the log says of an effect is what the target knows of it."""

    numbers = "5"

    def on_event(self, happened: Happened) -> None:
        data = happened.data
        if isinstance(data, ActionSucceeded) and not self.world.web.done[data.execution]:
            self.fails(f"{data.step} is said to have succeeded, and the target has never done it", happened.incident)
        if isinstance(data, ActionFailed) and self.world.web.done[data.execution]:
            self.fails(f"{data.step} is said to have failed ({data.reason}), and the target did it", happened.incident)


class OneOutcome(Claims):
    """5: every claim has one outcome in the end."""

    numbers = "5"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._ended: Counter[str] = Counter()

    def on_event(self, happened: Happened) -> None:
        super().on_event(happened)
        if isinstance(happened.data, _Ended):
            self._ended[happened.data.execution] += 1
            if self._ended[happened.data.execution] > 1:
                self.fails(f"{happened.data.step} has a second outcome", happened.incident)

    def at_end(self) -> None:
        for execution, claim in self.claims.items():
            if not self._ended[execution]:
                self.fails("a claim never got an outcome", claim.incident)


class UnknownIsTold(Invariant):
    """5: an effect of which nobody knows is told to a person within a minute, unless the incident is over."""

    numbers = "5"

    def at_end(self) -> None:
        for happened in self.history.events:
            if isinstance(happened.data, ActionOutcomeUnknown):
                self._check(happened)

    def _check(self, unknown: Happened) -> None:
        by = max(unknown.at, self.course.healed_at) + 60.0
        told = self.history.by_cause.get(unknown.envelope.id, ())
        if any(isinstance(each.data, IncidentEscalated | ResponderPaged) and each.at <= by for each in told):
            return
        after = [each for each in self.history.incidents[unknown.incident].events if each.at <= by]
        if not unknown.after.is_open or any(not each.after.is_open for each in after if each.at >= unknown.at):
            return
        self.fails("nobody was told that an outcome is unknown", unknown.incident)


class StillWanted(Claims):
    """6: nothing is done in an incident that is over, quiet or stopped, nor without the approval it needs."""

    numbers = "6"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._needs: set[str] = set()

    def on_event(self, happened: Happened) -> None:
        super().on_event(happened)
        if isinstance(happened.data, ActionProposed) and happened.data.needs_approval:
            self._needs.add(happened.data.action)
        elif isinstance(happened.data, ActionApproved):
            self._needs.discard(happened.data.action)

    def on_claim(self, happened: Happened, claim: ActionClaimed) -> None:
        if claim.action in self._needs:
            self.fails(f"{claim.step} is claimed and nobody has approved it", happened.incident)

    def on_effect(self, call: Call) -> None:
        claim = self.claims.get(call.execution)
        if claim is None:
            return
        life = self.history.incidents[claim.incident]
        latest = self.course.now - (0.0 if self.plan.is_calm else _ON_ITS_WAY)
        if life.state.phase not in WAITING | HELD and life.phase_since < latest:
            self.fails(f"{call.url} was done in an incident that is {life.state.phase.value}", claim.incident)
        if life.stopped_at is not None and life.stopped_at < latest:
            self.fails(f"{call.url} was done after automation was stopped", claim.incident)


class BudgetKept(Claims):
    """6, 16: no target sees more actions than it may, and without Redis none that nobody has agreed to."""

    numbers = "6, 16"
    most, window = 3, 600.0
    taking = 12.0
    """Seconds between counting and claiming: as long as the log may take."""

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._approved: set[str] = set()
        self._counted: defaultdict[str, list[float]] = defaultdict(list)

    def on_event(self, happened: Happened) -> None:
        super().on_event(happened)
        if isinstance(happened.data, ActionApproved):
            self._approved.add(happened.data.action)

    def on_claim(self, happened: Happened, claim: ActionClaimed) -> None:
        stage = self.course.stage
        if claim.action in self._approved:
            return
        away = stage.redis_away_since
        if away is not None and happened.at - away > self.taking:
            self.fails(f"{claim.step} is claimed although nobody can count without Redis", happened.incident)

    def on_effect(self, call: Call) -> None:
        claim = self.claims.get(call.execution)
        if claim is None or not isinstance(claim.data, ActionClaimed) or self.plan.has(Trouble.REDIS):
            return
        if claim.data.action in self._approved:
            return
        counted = self._counted[call.url]
        counted.append(call.at)
        if sum(call.at - at < self.window - self.taking for at in counted) > self.most:
            self.fails(f"{call.url} was done more than {self.most} times in ten minutes", claim.incident)
