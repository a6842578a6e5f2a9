"""Works on one incident until nothing is left to do: asks the core for the next move, and makes it.

Whatever is stopped here, by a crash or by a lost connection, is taken up again from the log when the message that led
here is delivered again. The memory of this process only ever makes it more careful.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from tocsin_playbook import Playbook
from tocsin_remediator.adapters.crash_points import crash_point
from tocsin_remediator.adapters.leases import Busy, Demand, Leases, LeasesUnavailableError, Limit, Over, Taken
from tocsin_remediator.core.actions import Action, Claim, Track
from tocsin_remediator.core.incident import Incident
from tocsin_remediator.core.moves import (
    Claiming,
    Ended,
    Execute,
    Here,
    Move,
    Nothing,
    Policy,
    Recover,
    Say,
    Trigger,
    Verify,
    Wait,
)
from tocsin_remediator.core.outcomes import Found, Verdict, outcome_span
from tocsin_remediator.core.plan import next_move, why_not_begin
from tocsin_remediator.core.steps import proposed
from tocsin_remediator.core.verification import Watch, is_settled
from tocsin_remediator.effects import Effects
from tocsin_runtime import Clock, Decider
from tocsin_schemas import Event, PlaybookRef
from tocsin_schemas.events import (
    ActionFailed,
    ActionOutcomeUnknown,
    ActionSucceeded,
    VerificationFailed,
    VerificationPassed,
)
from tocsin_schemas.ids import span_id, trace_id
from tocsin_schemas.text import clean_line

__all__ = ["Halt", "Mitigator", "TargetBudget"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TargetBudget:
    """How many actions one target may see, over all incidents."""

    actions: int = 3
    per: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Halt:
    """Where the work came to rest. `wait`: until when, if something is still to be done. `moved`: it did anything."""

    wait: Wait | None
    moved: bool


@dataclass
class _Memory:
    """What this process has claimed, begun and learnt. `begun` is never forgotten: what is in it is not done again."""

    begun: set[str] = field(default_factory=set)
    reports: dict[str, Ended] = field(default_factory=dict)
    first_seen: dict[str, float] = field(default_factory=dict)
    begin_before: dict[str, float] = field(default_factory=dict)
    demands: dict[str, Demand] = field(default_factory=dict)


class Mitigator:
    """Carries out what the core decides. One task at a time works on one incident (see handlers.py)."""

    def __init__(
        self,
        decider: Decider[Incident],
        playbook_of: Callable[[PlaybookRef], Playbook],
        policy: Policy,
        leases: Leases,
        effects: Effects,
        clock: Clock,
        replica: str,
        budget: TargetBudget,
    ) -> None:
        self._decider = decider
        self._playbook_of = playbook_of
        self._policy = policy
        self._leases = leases
        self._effects = effects
        self._clock = clock
        self._replica = replica
        self._budget = budget
        self._memory = _Memory()

    async def work(self, incident: str, trigger: Trigger) -> Halt:
        """Make one move after the other until there is none."""
        moved, said_before = False, ""
        while True:
            state = await self._load(incident)
            if state.playbook is None:
                return Halt(None, moved)
            move = self._next(state, trigger, self._clock.now())
            match move:
                case Nothing(reason, problems):
                    if problems:
                        log.warning("conditions cannot be asked", incident=incident, problems=problems)
                    log.debug("nothing to do", incident=incident, reason=reason)
                    return Halt(None, moved)
                case Wait():
                    return Halt(move, moved)
                case Say(cause):
                    # A cause leads to words once: saying the same for ever would help nobody.
                    if not await self._say(incident, trigger, move) and cause == said_before:
                        return Halt(None, moved)
                    said_before = cause
                case Claiming():
                    if (wait := await self._claim(incident, trigger, move)) is not None:
                        return Halt(wait, moved)
                case Execute():
                    await self._execute(incident, move)
                case Recover():
                    await self._recover(incident, move)
                case Verify():
                    await self._verify(incident, trigger, move)
            moved = True

    # --- what is known ------------------------------------------------------------------------------------------------

    async def _load(self, incident: str) -> Incident:
        known, _ = await self._decider.load(incident)
        self._watch_claims(known.state)
        return known.state

    def _watch_claims(self, state: Incident) -> None:
        now = self._clock.monotonic()
        for claim in _claims(state):
            if claim.outcome is None:
                self._memory.first_seen.setdefault(claim.execution, now)
            else:
                self._memory.first_seen.pop(claim.execution, None)

    def _next(self, state: Incident, trigger: Trigger, now: datetime) -> Move:
        return next_move(state, self._playbook(state), self._policy, self._here(state), trigger, now)

    def _playbook(self, state: Incident) -> Playbook:
        if state.playbook is None:
            raise LookupError(f"nothing is known about the incident {state.id}")
        return self._playbook_of(state.playbook)

    def _here(self, state: Incident) -> Here:
        memory, now = self._memory, self._clock.monotonic()
        open_claims = [claim.execution for claim in _claims(state) if claim.outcome is None]
        return Here(
            replica=self._replica,
            begun=frozenset(memory.begun.intersection(open_claims)),
            reports={each: memory.reports[each] for each in open_claims if each in memory.reports},
            watched={
                each: timedelta(seconds=now - memory.first_seen[each])
                for each in open_claims
                if each in memory.first_seen
            },
        )

    # --- words --------------------------------------------------------------------------------------------------------

    async def _say(self, incident: str, trigger: Trigger, move: Say) -> bool:
        """Append what follows from the move's cause, as the log stands then; whether anything was added."""

        def decide(state: Incident, now: datetime) -> tuple[Event, ...]:
            again = self._next(state, trigger, now)
            return again.events if isinstance(again, Say) and again.cause == move.cause else ()

        added = await self._append(incident, move.cause, decide)
        if any(isinstance(event, ActionSucceeded | ActionFailed | ActionOutcomeUnknown) for event in added):
            crash_point("after_outcome")
        for event in added:
            if isinstance(event, ActionSucceeded | ActionFailed | ActionOutcomeUnknown):
                await self._after_outcome(event.execution)
        return bool(added)

    async def _append(
        self, incident: str, cause: str, decide: Callable[[Incident, datetime], tuple[Event, ...]]
    ) -> tuple[Event, ...]:
        decided = await self._decider.one(incident, cause, decide)
        for envelope in decided.events:
            log.info("stated", incident=incident, what=type(envelope.data).__name__)
        return tuple(envelope.data for envelope in decided.events)

    async def _after_outcome(self, execution: str) -> None:
        self._memory.reports.pop(execution, None)
        self._memory.begin_before.pop(execution, None)
        if (demand := self._memory.demands.pop(execution, None)) is not None:
            await self._leases.release(demand)

    # --- the permission -----------------------------------------------------------------------------------------------

    async def _claim(self, incident: str, trigger: Trigger, move: Claiming) -> Wait | None:
        """Count it, then claim it: the claim holds only if nobody has written to the incident since it was read."""
        state = await self._load(incident)
        demand = self._demand(self._playbook(state), move)
        try:
            grant = await self._leases.take(demand)
        except LeasesUnavailableError as error:
            grant = Taken() if move.agreed else Over(f"the budget cannot be checked: {error}")
        match grant:
            case Busy(retry_in):
                return Wait(self._clock.now() + retry_in, "another action has the target")
            case Over(reason):
                await self._ask(incident, trigger, move, reason)
                return None
            case Taken():
                await self._append_claim(incident, trigger, move, demand)
                return None

    async def _append_claim(self, incident: str, trigger: Trigger, move: Claiming, demand: Demand) -> None:
        execution = move.event.execution

        def decide(state: Incident, now: datetime) -> tuple[Event, ...]:
            again = self._next(state, trigger, now)
            if not isinstance(again, Claiming) or again.event.execution != execution:
                return ()
            self._memory.begin_before[execution] = self._clock.monotonic() + self._policy.claim_valid.total_seconds()
            return (again.event,)

        crash_point("before_claim")
        self._memory.demands[execution] = demand
        decided = await self._decider.one(incident, move.cause, decide, guard="all")
        if decided.events:
            log.info("claimed", incident=incident, step=move.event.step, attempt=move.event.attempt)
            crash_point("after_claim")
        elif all(claim.execution != execution for claim in _claims(decided.state)):
            del self._memory.demands[execution]
            await self._leases.release(demand, unused=True)

    async def _ask(self, incident: str, trigger: Trigger, move: Claiming, reason: str) -> None:
        """Instead of claiming it, propose it to a person."""

        def decide(state: Incident, now: datetime) -> tuple[Event, ...]:
            again = self._next(state, trigger, now)
            if not isinstance(again, Claiming) or again.event.execution != move.event.execution or again.agreed:
                return ()
            return (proposed(move.action.id, move.track, move.step, reason),)

        await self._append(incident, move.cause, decide)

    def _demand(self, playbook: Playbook, move: Claiming) -> Demand:
        limits = [Limit("the target's budget", f"target:{move.target}", self._budget.actions, self._budget.per)]
        name = playbook.metadata.name
        if (budget := playbook.remediate.budget) is not None:
            limits.append(Limit("the playbook's budget", f"playbook:{name}", budget.actions, budget.per))
        return Demand(
            execution=move.event.execution,
            action=move.action.id,
            target=move.target,
            holds_for=outcome_span(move.step, self._policy.claim_valid),
            limits=tuple(limits),
            cooldown_key=f"{name}\n{move.track.runbook}\n{move.step.name}",
            cooldown=move.step.cooldown,
            agreed=move.agreed,
        )

    # --- effects ------------------------------------------------------------------------------------------------------

    async def _execute(self, incident: str, move: Execute) -> None:
        """The effect, if it is still wanted and still early enough. Its outcome is said by the next move."""
        execution = move.claim.execution
        if reason := await self._why_not_begin(incident, move.action, move.claim):
            verdict = Verdict(Found.NOT_CARRIED_OUT, f"not begun: {reason}")
        else:
            if execution in self._memory.begun:
                raise RuntimeError(f"the execution {execution} was begun before; it must not be begun again")
            self._memory.begun.add(execution)
            traceparent = f"00-{trace_id(incident)}-{span_id(move.claim.mark.id)}-01"
            verdict = await self._effects.carry_out(
                move.step, execution, traceparent, lambda: self._why_not_again(incident, move.action, move.claim)
            )
            crash_point("after_effect")
        self._memory.reports[execution] = _report(move.track, move.action, move.claim, verdict)

    async def _why_not_begin(self, incident: str, action: Action, claim: Claim) -> str | None:
        """Asked in the last moment. The time since the claim is measured by a clock that stands still for nobody:
        a process that was stopped and goes on hours later must not act on what it was allowed to do then.
        """
        reason = await self._why_not_again(incident, action, claim)
        if self._clock.monotonic() > self._memory.begin_before.get(claim.execution, float("-inf")):
            return "too late after the claim"
        return reason

    async def _why_not_again(self, incident: str, action: Action, claim: Claim) -> str | None:
        state = await self._load(incident)
        return why_not_begin(state, self._playbook(state), self._policy, action.id, claim.execution)

    async def _recover(self, incident: str, move: Recover) -> None:
        """Ask the target. The answer is said by the next move."""
        log.warning("a claim has no outcome", incident=incident, step=move.step.name, claimed_by=move.claim.claimed_by)
        verdict = await self._effects.find_out(move.step, move.claim.execution, move.claim.claimed_by)
        self._memory.reports[move.claim.execution] = _report(
            move.track, move.action, move.claim, verdict, found_by_probe=True
        )

    async def _verify(self, incident: str, trigger: Trigger, move: Verify) -> None:
        rule = move.step.verify
        if rule is None:
            raise TypeError(f"the step {move.step.name} has no verification")
        gone = self._clock.now() - move.success.mark.at
        within = min(max(rule.within - gone, timedelta()), rule.within)

        def still_asked(state: Incident, now: datetime) -> bool:
            again = self._next(state, trigger, now)
            return isinstance(again, Verify) and again.action.last == move.action.last

        async def is_over() -> bool:
            return not still_asked(await self._load(incident), self._clock.now())

        watch = await self._effects.watch(rule, within, is_over)
        if watch is None:
            return
        said = _verified(move, watch, helped=bool(is_settled(watch, rule, within)))
        await self._append(incident, move.action.last.id, lambda state, now: (said,) if still_asked(state, now) else ())
        crash_point("after_verification")


def _claims(state: Incident) -> list[Claim]:
    return [claim for track in state.tracks for action in track.actions for claim in action.claims]


def _report(track: Track, action: Action, claim: Claim, verdict: Verdict, *, found_by_probe: bool = False) -> Ended:
    """The event that says what is known."""
    reason = clean_line(verdict.reason, 900)
    match verdict.found:
        case Found.CARRIED_OUT:
            return ActionSucceeded(
                action=action.id,
                runbook=track.runbook,
                step=action.step,
                attempt=claim.attempt,
                execution=claim.execution,
                detail=reason,
                found_by_probe=found_by_probe,
            )
        case Found.NOT_CARRIED_OUT:
            model: type[ActionFailed] | type[ActionOutcomeUnknown] = ActionFailed
        case Found.CANNOT_SAY:
            model = ActionOutcomeUnknown
    return model(
        action=action.id,
        runbook=track.runbook,
        step=action.step,
        attempt=claim.attempt,
        execution=claim.execution,
        reason=reason,
    )


def _verified(move: Verify, watch: Watch, *, helped: bool) -> Event:
    action, runbook, step = move.action.id, move.track.runbook, move.action.step
    took = f"{watch.at.total_seconds():.1f} s"
    if helped:
        detail = f"{watch.in_a_row} good answers in a row after {took}"
        return VerificationPassed(action=action, runbook=runbook, step=step, detail=detail)
    detail = clean_line(f"not seen within {took}; last: {watch.last_problem}", 900)
    return VerificationFailed(action=action, runbook=runbook, step=step, detail=detail)
