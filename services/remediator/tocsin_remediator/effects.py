"""Effects and what is learnt from them: an action is carried out, asked about, and watched.

Which reply means what is decided in `core/outcomes.py` and `core/verification.py`; here it is only done.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from tocsin_playbook.model import HttpAction, HttpCheck, OutcomeProbe, Step
from tocsin_playbook.model import Verify as VerifyRule
from tocsin_remediator.adapters.target import Target
from tocsin_remediator.core.outcomes import (
    Found,
    Verdict,
    judge,
    judge_probe,
    sends_allowed,
    settle_time,
)
from tocsin_remediator.core.verification import Watch, is_settled, looked
from tocsin_runtime import Clock

__all__ = ["Effects"]

_LOOK_TIMEOUT = timedelta(seconds=5)
_ASKED_AT_MOST = 3
_BETWEEN_ASKS = timedelta(seconds=1)

WhyNot = Callable[[], Awaitable[str | None]]
"""Asked in the last moment: why the effect must not be begun; none if it may."""


class Effects:
    """What the remediator does to other systems."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self._target = target
        self._clock = clock

    async def carry_out(self, step: Step, execution: str, traceparent: str, why_not: WhyNot) -> Verdict:
        """Send the action; once, unless its answer is lost and the target honours the key. Then what is known."""
        action = _action(step)
        verdict = Verdict(Found.CANNOT_SAY, "not sent")
        for number in range(1, sends_allowed(step) + 1):
            if number > 1:
                await self._sleep(step.retry.pause_before(number))
                if reason := await why_not():
                    return Verdict(Found.CANNOT_SAY, f"{verdict.reason}; not sent again: {reason}")
            reply = await self._target.act(action, execution, traceparent, step.timeout)
            verdict = judge(action, reply, sent_before=number > 1)
            if verdict.found is not Found.CANNOT_SAY:
                return verdict
            if action.probe is not None:
                asked = await self._ask_until_settled(action.probe, execution, settle_time(step))
                if asked.found is not Found.CANNOT_SAY:
                    return asked
        return verdict

    async def find_out(self, step: Step, execution: str, claimed_by: str) -> Verdict:
        """What became of somebody else's claim, long enough after it that nothing is on its way any more."""
        probe = _action(step).probe
        if probe is None:
            return Verdict(Found.CANNOT_SAY, f"{claimed_by} never said, and the step has no probe to ask the target")
        verdict = Verdict(Found.CANNOT_SAY, "not asked")
        for number in range(_ASKED_AT_MOST):
            if number:
                await self._sleep(_BETWEEN_ASKS)
            verdict = judge_probe(probe, await self._target.ask(probe, execution))
            if verdict.found is not Found.CANNOT_SAY:
                break
        return verdict

    async def _ask_until_settled(self, probe: OutcomeProbe, execution: str, settle: timedelta) -> Verdict:
        """A target that does not know of it yet may still be at it: a no counts only when it has had its time."""
        ends = self._clock.monotonic() + settle.total_seconds()
        while True:
            verdict = judge_probe(probe, await self._target.ask(probe, execution))
            left = ends - self._clock.monotonic()
            if verdict.found is Found.CARRIED_OUT or left <= 0:
                return verdict
            await self._clock.sleep(min(left, max(settle.total_seconds() / 4, 0.05)))

    async def watch(self, rule: VerifyRule, within: timedelta, is_over: Callable[[], Awaitable[bool]]) -> Watch | None:
        """Look until the action is seen to have helped, or has had its time; none if nobody wants to know any more.

        `within` is what is left of the playbook's time.
        """
        check = _check(rule)
        began, watch = self._clock.monotonic(), Watch()
        while not await is_over():
            problem = await self._target.look(check, _LOOK_TIMEOUT)
            watch = looked(watch, problem, timedelta(seconds=self._clock.monotonic() - began))
            if is_settled(watch, rule, within) is not None:
                return watch
            left = within - watch.at
            await self._sleep(rule.every if watch.in_a_row or left <= timedelta() else min(rule.every, left))
        return None

    async def _sleep(self, span: timedelta) -> None:
        await self._clock.sleep(span.total_seconds())


def _action(step: Step) -> HttpAction:
    if step.http is None:
        raise TypeError(f"the step {step.name} is no request; it must not have been claimed")
    return step.http


def _check(rule: VerifyRule) -> HttpCheck:
    if rule.http is None:
        raise TypeError("only verifications by a request can be watched")
    return rule.http
