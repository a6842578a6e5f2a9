"""Whatever happens in whatever order, to however many replicas: no attempt is executed twice, and none that is not
wanted. The machine plays the shell as mitigation.py is written, with crashes and stale plans between any two steps.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from remediator_world import ADA, SYSTEM, World, playbook

from tocsin_remediator.core.actions import Action, Claim, Result, Track
from tocsin_remediator.core.incident import Incident, Phase, evolve
from tocsin_remediator.core.moves import Claiming, Ended, Execute, Here, Move, Recover, Say, Verify
from tocsin_remediator.core.outcomes import Found, Verdict
from tocsin_remediator.core.plan import why_not_begin
from tocsin_remediator.mitigation import _report
from tocsin_schemas.events import (
    ActionApproved,
    AutomationStopped,
    IncidentAcknowledged,
    IncidentMonitoring,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    RunbookFinished,
    SeverityChanged,
    VerificationFailed,
    VerificationPassed,
)

PROBED = 'probe: {url: "http://127.0.0.1:1/e/{execution_id}"}'


def book(*, probed: bool) -> str:
    """Three steps that lead to each other, one of them with an undo, within a budget."""
    probe = f", {PROBED}" if probed else ""
    verify = 'verify: {http: {url: "http://127.0.0.1:1/health"}}'
    return f"""
    - name: book
      when: "true"
      budget: {{actions: 6, per: 1h}}
      steps:
        - name: one
          http: {{url: "http://127.0.0.1:1/a"{probe}}}
          retry: {{attempts: 2, wait: 1s}}
          {verify}
          undo: {{http: {{url: "http://127.0.0.1:1/b"}}}}
          on_failure: two
        - name: two
          http: {{url: "http://127.0.0.1:1/c"{probe}}}
          {verify}
          on_failure: three
        - name: three
          http: {{url: "http://127.0.0.1:1/d"}}
          approval: always
          on_failure: one
"""


Step = Callable[["Shells", Random, Found | str], None]


@dataclass
class Replica:
    """A process: what it remembers is gone when it crashes."""

    name: str
    begun: set[str] = field(default_factory=set)
    reports: dict[str, Ended] = field(default_factory=dict)
    seen_at: dict[str, float] = field(default_factory=dict)
    begin_before: dict[str, float] = field(default_factory=dict)
    plan: Move | None = None


class Shells(RuleBasedStateMachine):
    """Two replicas, one incident, one target."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.monotonic = 0.0
        self.replicas = [Replica("replica-0"), Replica("replica-1")]
        self.crashes = 0
        self.carried_out: Counter[str] = Counter()

    @initialize(probed=st.booleans(), severity=st.sampled_from(["P1", "P1", "P2"]), moves=st.integers(0, 4))
    def opened(self, probed: bool, severity: str, moves: int) -> None:
        self.world = World(playbook(book(probed=probed))).begin(severity)
        self.works(0, Found.CARRIED_OUT, False, moves)

    # --- the shell ----------------------------------------------------------------------------------------------------

    def here(self, replica: Replica) -> Here:
        for claim in self.claims():
            if claim.outcome is None:
                replica.seen_at.setdefault(claim.execution, self.monotonic)
        watched = {each: timedelta(seconds=self.monotonic - at) for each, at in replica.seen_at.items()}
        return Here(replica.name, frozenset(replica.begun), dict(replica.reports), watched)

    def look(self, replica: Replica) -> Move:
        return self.world.next(self.here(replica))

    def causes(self) -> set[str]:
        return {event.cause for event in self.world.log if event.data.OWNER == "remediator"}

    def claims(self) -> list[Claim]:
        return [claim for _, action in self.actions() for claim in action.claims]

    def actions(self) -> list[tuple[Track, Action]]:
        return [(track, action) for track in self.world.state.tracks for action in track.actions]

    @rule(which=st.integers(0, 1))
    def plans(self, which: int) -> None:
        """It reads the log and decides; what it does about it comes later."""
        replica = self.replicas[which]
        replica.plan = self.look(replica)

    @rule(
        which=st.integers(0, 1),
        reply=st.sampled_from([*Found, "crash before", "crash after"]),
        arrives=st.booleans(),
        helped=st.booleans(),
        lost=st.booleans(),
    )
    def acts(self, which: int, reply: Found | str, arrives: bool, helped: bool, lost: bool) -> None:
        """It does what it planned, if the log still says so."""
        replica = self.replicas[which]
        planned, replica.plan = replica.plan, None
        match planned:
            case Say(cause):
                again = self.look(replica)
                if cause not in self.causes() and isinstance(again, Say) and again.cause == cause:
                    self.world.make(again)
            case Claiming(cause, event):
                again = self.look(replica)
                same = isinstance(again, Claiming) and again.event.execution == event.execution
                if cause not in self.causes() and same:
                    replica.begin_before[event.execution] = self.monotonic + 5
                    self.world.make(again)
                    if lost:
                        self.crash(which)
            case Execute() as move:
                self.execute(which, move, reply, arrives)
            case Recover() as move:
                done = bool(self.carried_out[move.claim.execution])
                probed = move.step.http is not None and move.step.http.probe is not None
                found = (Found.CARRIED_OUT if done else Found.NOT_CARRIED_OUT) if probed else Found.CANNOT_SAY
                replica.reports[move.claim.execution] = _report(
                    move.track, move.action, move.claim, Verdict(found, "x"), found_by_probe=True
                )
            case Verify() as move:
                self.verify(replica, move, helped)

    @rule(
        which=st.integers(0, 1),
        reply=st.sampled_from(list(Found)),
        helped=st.booleans(),
        moves=st.integers(1, 12),
    )
    def works(self, which: int, reply: Found, helped: bool, moves: int) -> None:
        """Several moves without anything in between, as it mostly is."""
        for _ in range(moves):
            self.plans(which)
            self.acts(which, reply, helped, helped, lost=False)

    def execute(self, which: int, move: Execute, reply: Found | str, arrives: bool) -> None:
        replica, execution = self.replicas[which], move.claim.execution
        if execution in replica.begun:
            return None  # the shell works on an incident in one task at a time: this plan is from before
        late = self.monotonic > replica.begin_before.get(execution, -1.0)
        state = self.world.state
        if late or why_not_begin(state, self.world.playbook, self.world.policy, move.action.id, execution):
            verdict = Verdict(Found.NOT_CARRIED_OUT, "not begun")
        elif reply == "crash before":
            return self.crash(which)
        else:
            replica.begun.add(execution)
            done = arrives if reply in (Found.CANNOT_SAY, "crash after") else reply is Found.CARRIED_OUT
            if done:
                self.effect(move.claim, state)
            if not isinstance(reply, Found):
                return self.crash(which)
            verdict = Verdict(reply, "x")
        replica.reports[execution] = _report(move.track, move.action, move.claim, verdict)
        return None

    def effect(self, claim: Claim, state: Incident) -> None:
        """The target carries it out. What must be true at this moment is asserted here."""
        self.carried_out[claim.execution] += 1
        assert self.carried_out[claim.execution] == 1, "executed twice"
        assert not state.stopped, "executed after automation was stopped"
        assert state.phase.is_waiting or state.phase.is_held, f"executed although {state.phase}"
        assert any(claim.execution == each.execution for each in self.claims()), "executed without a claim"

    def verify(self, replica: Replica, move: Verify, helped: bool) -> None:
        again = self.look(replica)
        cause = move.action.last.id
        if cause in self.causes() or not isinstance(again, Verify) or again.action.last != move.action.last:
            return
        model = VerificationPassed if helped else VerificationFailed
        self.world.tell(model(action=move.action.id, runbook=move.track.runbook, step=move.action.step), cause)

    @rule(which=st.integers(0, 1))
    def crash(self, which: int) -> None:
        self.crashes += 1
        self.replicas[which] = Replica(f"replica-{which}-{self.crashes}")

    # --- the world ----------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 2, 2, 6, 30, 1200]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        self.monotonic += seconds

    @rule(hours=st.sampled_from([-1, 1]))
    def the_wall_clock_steps(self, hours: int) -> None:
        self.world.pass_time(3600 * hours)

    @precondition(lambda self: self.claims() and not self.world.state.is_over)
    @rule()
    def resolved(self) -> None:
        self.world.tell(IncidentResolved(by=ADA))

    @precondition(lambda self: self.world.state.is_over)
    @rule()
    def reopened(self) -> None:
        self.world.tell(IncidentReopened(by=SYSTEM))

    @precondition(lambda self: self.claims() and self.world.state.is_open)
    @rule()
    def cleared(self) -> None:
        self.world.tell(IncidentMonitoring(watch_until=self.world.now))

    @precondition(lambda self: self.world.state.phase is Phase.MONITORING)
    @rule()
    def resumed(self) -> None:
        self.world.tell(IncidentResumed(rule="r"))

    @precondition(lambda self: self.world.state.is_open)
    @rule()
    def acknowledged(self) -> None:
        self.world.tell(IncidentAcknowledged(by=ADA))

    @rule(after=st.sampled_from(["P0", "P1", "P1", "P2", "P3"]))
    def severity_changed(self, after: str) -> None:
        self.world.tell(SeverityChanged(before=self.world.state.severity, after=after, why="person", by=ADA))

    @precondition(lambda self: len(self.claims()) >= 2)
    @rule()
    def stopped(self) -> None:
        self.world.tell(AutomationStopped(by=ADA))

    @precondition(lambda self: any(action.needs_approval for _, action in self.actions()))
    @rule()
    def approved(self) -> None:
        track, action = next((track, action) for track, action in reversed(self.actions()) if action.needs_approval)
        if action.open_claim is None and action.refused is None and track.finished is None:
            self.world.tell(ActionApproved(action=action.id, runbook=track.runbook, step=action.step, by=ADA))

    # --- what must always hold ----------------------------------------------------------------------------------------

    @invariant()
    def no_attempt_is_claimed_twice(self) -> None:
        claims = Counter((action.id, claim.attempt) for _, action in self.actions() for claim in action.claims)
        assert max(claims.values(), default=0) <= 1
        executions = Counter(claim.execution for claim in self.claims())
        assert max(executions.values(), default=0) <= 1

    @invariant()
    def what_is_unknown_is_never_tried_again(self) -> None:
        for _, action in self.actions():
            results = [claim.outcome.result for claim in action.claims if claim.outcome is not None]
            assert Result.UNKNOWN not in results[:-1]
            assert Result.SUCCEEDED not in results[:-1]
            assert len(action.claims) <= 2

    @invariant()
    def at_most_one_claim_is_open(self) -> None:
        assert sum(claim.outcome is None for claim in self.claims()) <= 1

    @invariant()
    def a_known_outcome_is_true(self) -> None:
        for claim in self.claims():
            if claim.outcome is not None and claim.outcome.result is Result.SUCCEEDED:
                assert self.carried_out[claim.execution] == 1
            if claim.outcome is not None and claim.outcome.result is Result.FAILED:
                assert self.carried_out[claim.execution] == 0

    @invariant()
    def a_runbook_runs_once_in_an_episode_and_ends_once(self) -> None:
        runs = Counter(track.episode for track in self.world.state.tracks)
        assert max(runs.values(), default=0) <= 1
        ends = Counter(event.data.episode for event in self.world.log if isinstance(event.data, RunbookFinished))
        assert max(ends.values(), default=0) <= 1

    @invariant()
    def the_state_is_the_fold_of_the_log(self) -> None:
        state = Incident("inc")
        for event in self.world.log:
            state = evolve(state, event)
        assert state == self.world.state


TestShells = Shells.TestCase
TestShells.settings = settings(
    max_examples=100, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


# --- long walks ------------------------------------------------------------------------------------------------------
# Hypothesis finds short stories; what needs a long one is found by walking. A failing seed is a story to repeat.

SEEDS = range(300)
STEPS = 200


def walk(seed: int) -> Shells:
    """One incident's life with two replicas, mostly at work, sometimes struck by the world."""
    chance = Random(seed)
    shells = Shells()
    shells.opened(probed=chance.random() < 0.5, severity=chance.choice(["P1", "P1", "P2"]), moves=0)
    replies = [*Found, Found.CARRIED_OUT, Found.NOT_CARRIED_OUT, "crash before", "crash after"]
    for _ in range(STEPS):
        step = chance.choices(WALK, weights=[weight for weight, _ in WALK])[0][1]
        step(shells, chance, chance.choice(replies))
        for holds in INVARIANTS:
            getattr(shells, holds)()
    return shells


def _act(shells: Shells, chance: Random, reply: Found | str) -> None:
    shells.acts(chance.randrange(2), reply, chance.random() < 0.5, chance.random() < 0.4, chance.random() < 0.1)


def _work(shells: Shells, chance: Random, _: Found | str) -> None:
    shells.works(chance.randrange(2), chance.choice(list(Found)), chance.random() < 0.4, chance.randint(1, 6))


def _if(holds: Callable[[Shells], object], does: Callable[[Shells], None]) -> Step:
    return lambda shells, _, __: does(shells) if holds(shells) else None


WALK: list[tuple[float, Step]] = [
    (15, lambda shells, chance, _: shells.plans(chance.randrange(2))),
    (15, _act),
    (15, _work),
    (6, lambda shells, chance, _: shells.time_passes(chance.choice([0.5, 1, 2, 5, 15]))),
    (0.5, lambda shells, _, __: shells.time_passes(1200)),
    (1, lambda shells, chance, _: shells.the_wall_clock_steps(chance.choice([-1, 1]))),
    (1.5, lambda shells, chance, _: shells.crash(chance.randrange(2))),
    (6, _if(lambda shells: any(action.needs_approval for _, action in shells.actions()), Shells.approved)),
    (1.5, _if(lambda shells: not shells.world.state.is_over, Shells.resolved)),
    (3, _if(lambda shells: shells.world.state.is_over, Shells.reopened)),
    (1, _if(lambda shells: shells.world.state.is_open, Shells.cleared)),
    (4, _if(lambda shells: shells.world.state.phase is Phase.MONITORING, Shells.resumed)),
    (1, _if(lambda shells: shells.world.state.is_open, Shells.acknowledged)),
    (1, lambda shells, chance, _: shells.severity_changed(chance.choice(["P0", "P1", "P1", "P2", "P3"]))),
    (0.1, lambda shells, _, __: shells.stopped()),
]
INVARIANTS = (
    "no_attempt_is_claimed_twice",
    "what_is_unknown_is_never_tried_again",
    "at_most_one_claim_is_open",
    "a_known_outcome_is_true",
    "a_runbook_runs_once_in_an_episode_and_ends_once",
)


def test_no_walk_breaks_a_promise_and_together_they_see_everything() -> None:
    said: Counter[str] = Counter()
    for seed in SEEDS:
        try:
            shells = walk(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        shells.the_state_is_the_fold_of_the_log()
        said.update(shells.world.said)
    seen = {name: said[name] for name in EVERYTHING}
    assert min(seen.values()) >= 20, f"the walks hardly see what they are to test: {seen}"


EVERYTHING = (
    "RunbookStarted", "ActionProposed", "ActionClaimed", "ActionSucceeded", "ActionFailed", "ActionOutcomeUnknown",
    "ActionRefused", "VerificationPassed", "VerificationFailed", "RunbookFinished", "AutomationStopped",
)  # fmt: skip
