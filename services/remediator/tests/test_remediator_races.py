"""Between the claim and the effect: whatever happens there, nothing is run that is not wanted any more."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

import pytest
from remediator_bench import RESOLVED, Bench, probe_of, runbook
from remediator_target import Target

from tocsin_remediator.adapters.http import HttpTarget
from tocsin_remediator.adapters.leases import ProcessLeases
from tocsin_remediator.core.incident import Incident
from tocsin_remediator.core.moves import Policy, Trigger
from tocsin_remediator.effects import Effects
from tocsin_remediator.handlers import IncidentFold
from tocsin_remediator.mitigation import Halt, Mitigator, TargetBudget
from tocsin_runtime import BusUnavailableError, Decided, Decider, SystemClock
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.bus.log import Append, IncidentLog
from tocsin_runtime.playbooks import Playbooks
from tocsin_schemas import Envelope, Event, RunbookOutcome
from tocsin_schemas.events import ActionClaimed

POLICY = Policy(claim_valid=timedelta(seconds=0.5))


class StoppableClock(SystemClock):
    """A clock whose process can be stopped: seconds pass, and it does not notice."""

    stopped_for = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.stopped_for


class Meddled(Decider[Incident]):
    """Something happens right after a claim is in the log."""

    after_claim: Callable[[], Any]

    async def one(
        self, incident: str, cause: str, decide: Any, *, guard: Literal["own", "all"] = "own"
    ) -> Decided[Incident]:
        decided = await super().one(incident, cause, decide, guard=guard)
        if guard == "all" and decided.events:
            await self.after_claim()
        return decided


class RacedLog(IncidentLog):
    """Somebody writes to the incident between a claim's being decided and its being appended."""

    before_claim: Callable[[], Any]

    async def append(self, appends: Sequence[Append]) -> list[tuple[Envelope[Event], ...]]:
        if any(isinstance(event.data, ActionClaimed) for append in appends for event in append.events):
            await self.before_claim()
        return await super().append(appends)


class Workshop:
    """A remediator's insides, put together so that a test can reach between them."""

    def __init__(self, bench: Bench, playbooks: Playbooks, clock: SystemClock | None = None) -> None:
        self.bench, self.clock = bench, clock or SystemClock()
        self.playbooks = playbooks
        self.leases: ProcessLeases = ProcessLeases(self.clock)
        self.replicas = 0

    def mitigator(self, decider: Decider[Incident] | None = None) -> Mitigator:
        self.replicas += 1
        return Mitigator(
            decider=decider or self.decider(Decider),
            playbook_of=self.playbooks.get,
            policy=POLICY,
            leases=self.leases,
            effects=Effects(HttpTarget(POLICY.allowed_hosts), self.clock),
            clock=self.clock,
            replica=f"replica-{self.replicas}",
            budget=TargetBudget(),
        )

    def decider(self, kind: Any) -> Any:
        return kind(log=self.bench.log, service="remediator", fold=IncidentFold(), clock=self.clock, reads="all")

    async def work(self, mitigator: Mitigator) -> Halt:
        events = await self.bench.log.load("inc1")
        return await mitigator.work("inc1", Trigger(events[0].id, events[0].time, may_start=True))


@pytest.fixture
async def workshop(bench: Bench) -> AsyncIterator[Workshop]:
    playbooks = Playbooks(partial(Follower, bench.connection, service="test"))
    await playbooks.start()
    try:
        yield Workshop(bench, playbooks)
    finally:
        await playbooks.stop()


async def prepared(workshop: Workshop, target: Target, *, extra: str = "", retry: str = "{attempts: 1}") -> None:
    text = runbook(target, extra=extra).replace("timeout: 1s", f"timeout: 1s\n          retry: {retry}")
    await workshop.bench.push(text)
    await workshop.playbooks.caught_up.wait()
    await workshop.bench.open()
    assert workshop.bench.ref is not None
    while workshop.playbooks.head("shop") != workshop.bench.ref:
        await workshop.clock.sleep(0.01)


async def resolve(workshop: Workshop) -> None:
    if "IncidentResolved" not in [type(event.data).__name__ for event in await workshop.bench.log.load("inc1")]:
        await workshop.bench.tell(RESOLVED)


async def test_an_incident_resolved_while_the_claim_is_on_its_way_is_not_claimed(workshop: Workshop) -> None:
    async with Target().serve() as target:
        await prepared(workshop, target)
        log = RacedLog(workshop.bench.connection)
        log.before_claim = lambda: resolve(workshop)
        decider = workshop.decider(Decider)
        decider.log = log
        await workshop.work(workshop.mitigator(decider))
        assert "ActionClaimed" not in await workshop.bench.names()
        assert (await workshop.bench.said())[-1].outcome is RunbookOutcome.STOPPED
        assert target.headers == []


async def test_an_incident_resolved_right_after_the_claim_is_not_acted_upon(workshop: Workshop) -> None:
    async with Target().serve() as target:
        await prepared(workshop, target)
        decider = workshop.decider(Meddled)
        decider.after_claim = lambda: resolve(workshop)
        await workshop.work(workshop.mitigator(decider))
        said = await workshop.bench.said()
        assert [type(event).__name__ for event in said][-3:] == ["ActionClaimed", "ActionFailed", "RunbookFinished"]
        assert said[-2].reason == "not begun: the incident is resolved"
        assert target.headers == []


async def test_a_process_that_was_stopped_after_its_claim_does_not_act_when_it_goes_on(workshop: Workshop) -> None:
    clock = StoppableClock()
    workshop.clock, workshop.leases = clock, ProcessLeases(clock)
    async with Target().serve() as target:
        await prepared(workshop, target)
        decider = workshop.decider(Meddled)

        async def stop_and_go_on() -> None:
            clock.stopped_for += 18

        decider.after_claim = stop_and_go_on
        await workshop.work(workshop.mitigator(decider))
        said = await workshop.bench.said()
        failed = [event for event in said if type(event).__name__ == "ActionFailed"]
        assert {event.reason for event in failed} == {"not begun: too late after the claim"}
        assert target.headers == []


async def test_a_claim_whose_answer_was_lost_is_found_in_the_log_and_executed_once(workshop: Workshop) -> None:
    async with Target().serve() as target:
        await prepared(workshop, target)
        decider = workshop.decider(Meddled)

        async def lose_the_answer() -> None:
            decider.after_claim = nothing
            raise BusUnavailableError("the answer was lost")

        decider.after_claim = lose_the_answer
        mitigator = workshop.mitigator(decider)
        with pytest.raises(BusUnavailableError):
            await workshop.work(mitigator)
        assert target.headers == []
        await workshop.work(mitigator)
        assert (await workshop.bench.said())[-1].outcome is RunbookOutcome.MITIGATED
        assert target.actions == ["/clear"]


async def test_a_claim_of_another_replica_is_never_executed_and_waited_for(workshop: Workshop) -> None:
    async with Target().serve() as target:
        await prepared(workshop, target)
        decider = workshop.decider(Meddled)

        async def die() -> None:
            raise BusUnavailableError("gone")

        decider.after_claim = die
        with pytest.raises(BusUnavailableError):
            await workshop.work(workshop.mitigator(decider))
        halt = await workshop.work(workshop.mitigator())
        assert halt.wait is not None
        assert halt.wait.reason == "replica-1 may be executing it"
        assert target.headers == []


async def test_an_outcome_that_could_not_be_written_is_written_later_and_nothing_is_repeated(
    workshop: Workshop,
) -> None:
    async with Target().serve() as target:
        await prepared(workshop, target)
        decider = workshop.decider(LosesOutcomes)
        mitigator = workshop.mitigator(decider)
        with pytest.raises(BusUnavailableError):
            await workshop.work(mitigator)
        assert target.actions == ["/clear"]
        assert (await workshop.bench.names())[-1] == "ActionClaimed"
        await workshop.work(mitigator)
        assert (await workshop.bench.said())[-1].outcome is RunbookOutcome.MITIGATED
        assert target.actions == ["/clear"]


class LosesOutcomes(Decider[Incident]):
    """The log cannot be reached when the first outcome is to be written."""

    claims = 0
    lost = 0

    async def one(
        self, incident: str, cause: str, decide: Any, *, guard: Literal["own", "all"] = "own"
    ) -> Decided[Incident]:
        if self.claims and not self.lost:
            self.lost += 1
            raise BusUnavailableError("down")
        self.claims += guard == "all"
        return await super().one(incident, cause, decide, guard=guard)


# --- the answer is lost ----------------------------------------------------------------------------------------------


async def test_an_action_whose_answer_is_lost_is_not_repeated_and_calls_a_person(workshop: Workshop) -> None:
    async with Target(on={"/clear": "cut"}).serve() as target:
        await prepared(workshop, target)
        await workshop.work(workshop.mitigator())
        said = await workshop.bench.said()
        assert [type(event).__name__ for event in said][-2:] == ["ActionOutcomeUnknown", "RunbookFinished"]
        assert said[-1].outcome is RunbookOutcome.ESCALATED
        assert target.actions == ["/clear"]


async def test_an_action_whose_answer_is_lost_is_asked_about_and_found_done(workshop: Workshop) -> None:
    async with Target(on={"/clear": "cut"}, remembers=True).serve() as target:
        await prepared(workshop, target, extra=probe_of(target))
        await workshop.work(workshop.mitigator())
        assert (await workshop.bench.said())[-1].outcome is RunbookOutcome.MITIGATED
        assert target.actions == ["/clear"]


async def test_an_action_that_the_target_never_saw_is_asked_about_and_the_next_step_comes(workshop: Workshop) -> None:
    async with Target(on={"/clear": "cut unseen"}, remembers=True).serve() as target:
        await prepared(workshop, target, extra=probe_of(target))
        await workshop.work(workshop.mitigator())
        said = await workshop.bench.said()
        assert said[-1].outcome is RunbookOutcome.MITIGATED
        assert target.actions == ["/failover"]


async def test_a_target_that_honours_the_key_is_sent_the_same_execution_again(workshop: Workshop) -> None:
    async with Target(on={"/clear": 503}, remembers=False).serve() as target:
        await prepared(workshop, target, extra=", idempotency: key", retry="{attempts: 3, wait: 10ms}")
        await workshop.work(workshop.mitigator())
        keys = [headers["idempotency-key"] for headers in target.headers]
        assert len(keys) == 3
        assert len(set(keys)) == 1
        assert (await workshop.bench.names())[-2:] == ["ActionOutcomeUnknown", "RunbookFinished"]


async def test_an_action_that_the_target_refuses_has_failed_and_the_next_step_comes(workshop: Workshop) -> None:
    async with Target(on={"/clear": "refuse"}).serve() as target:
        await prepared(workshop, target)
        await workshop.work(workshop.mitigator())
        said = await workshop.bench.said()
        failed = next(event for event in said if type(event).__name__ == "ActionFailed")
        assert failed.reason == "the target refused it: status 403, expected 200 or 201 or 202 or 204"
        assert target.actions == ["/failover"]


async def test_an_answer_that_comes_too_late_is_a_lost_one(workshop: Workshop) -> None:
    async with Target(on={"/clear": "hang"}).serve() as target:
        await prepared(workshop, target)
        begun = datetime.now(UTC)
        await workshop.work(workshop.mitigator())
        assert datetime.now(UTC) - begun < timedelta(seconds=5)
        assert "ActionOutcomeUnknown" in await workshop.bench.names()


async def nothing() -> None:
    """Nothing happens."""


# --- a claim without an outcome --------------------------------------------------------------------------------------


async def dead_claimant(workshop: Workshop) -> StoppableClock:
    """A replica claims and is gone; the answer is a clock that can be moved to when it should have answered."""
    clock = StoppableClock()
    workshop.clock, workshop.leases = clock, ProcessLeases(clock)
    decider = workshop.decider(Meddled)

    async def die() -> None:
        raise BusUnavailableError("gone")

    decider.after_claim = die
    with pytest.raises(BusUnavailableError):
        await workshop.work(workshop.mitigator(decider))
    return clock


async def test_a_claim_without_an_outcome_is_unknown_once_its_time_is_over(workshop: Workshop) -> None:
    async with Target().serve() as target:
        await prepared(workshop, target)
        clock = await dead_claimant(workshop)
        other = workshop.mitigator()
        assert (await workshop.work(other)).wait is not None
        clock.stopped_for += 3.4  # 0.5 s to begin, 1 s timeout, 2 s grace
        assert (await workshop.work(other)).wait is not None
        clock.stopped_for += 0.2
        assert (await workshop.work(other)).wait is None
        said = await workshop.bench.said()
        assert said[-2].reason == "replica-1 never said, and the step has no probe to ask the target"
        assert said[-1].outcome is RunbookOutcome.ESCALATED
        assert target.headers == []


async def test_a_target_that_cannot_say_leaves_the_outcome_unknown(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_remediator.effects._BETWEEN_ASKS", timedelta(milliseconds=10))
    async with Target(remembers=True).serve() as target:
        await prepared(workshop, target, extra=probe_of(target))
        clock = await dead_claimant(workshop)
        other = workshop.mitigator()
        await workshop.work(other)
        clock.stopped_for += 60
    await workshop.work(other)  # nobody listens any more
    said = await workshop.bench.said()
    assert said[-2].reason == "asked the target, but no connection: refused, or TLS failed"
    assert said[-1].outcome is RunbookOutcome.ESCALATED


async def test_a_target_that_knows_of_it_ends_the_doubt(workshop: Workshop) -> None:
    async with Target(remembers=True).serve() as target:
        await prepared(workshop, target, extra=probe_of(target))
        clock = await dead_claimant(workshop)
        claim = next(
            event.data for event in await workshop.bench.log.load("inc1") if event.data.SLUG == "action_claimed"
        )
        target.executions[claim.execution] += 1  # type: ignore[attr-defined]  # it is the claim
        other = workshop.mitigator()
        await workshop.work(other)
        clock.stopped_for += 60
        await workshop.work(other)
        said = await workshop.bench.said()
        assert said[3].found_by_probe
        assert said[-1].outcome is RunbookOutcome.MITIGATED
        assert target.actions == []


async def test_what_is_sent_again_is_not_once_the_incident_is_over(workshop: Workshop) -> None:
    async def resolve_meanwhile(target: Target) -> None:
        await resolve(workshop)

    async with Target(on={"/clear": 503}, meanwhile=resolve_meanwhile).serve() as target:
        await prepared(workshop, target, extra=", idempotency: key", retry="{attempts: 3, wait: 10ms}")
        await workshop.work(workshop.mitigator())
        unknown = next(event for event in await workshop.bench.said() if type(event).__name__ == "ActionOutcomeUnknown")
        assert unknown.reason.endswith("not sent again: the incident is resolved")
        assert len(target.headers) == 1
