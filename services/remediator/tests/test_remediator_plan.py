"""What comes next: every move, and every branch that leads to it. Given these facts, then this move."""

from datetime import timedelta

import pytest
from remediator_world import ADA, HERE, SYSTEM, T0, World, grouped, playbook, step

from tocsin_remediator.core.moves import Claiming, Execute, Here, Nothing, Policy, Recover, Say, Verify, Wait
from tocsin_remediator.core.plan import why_not_begin
from tocsin_remediator.core.reach import AllowedHosts
from tocsin_schemas import Impact, RunbookOutcome
from tocsin_schemas.events import (
    ActionApproved,
    ActionFailed,
    ActionProposed,
    ActionRefused,
    AutomationStopped,
    ImpactStated,
    IncidentMonitoring,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    RunbookFinished,
    SeverityChanged,
)

RESOLVED = IncidentResolved(by=ADA)
STOPPED = AutomationStopped(by=ADA)


def one_step(text: str, **more: str) -> World:
    return World(playbook(step(text, **more))).begin()


HTTP = 'http: {url: "http://127.0.0.1:1/x"}'


# --- beginning -------------------------------------------------------------------------------------------------------


def test_an_opened_incident_starts_the_runbook_that_fits() -> None:
    world = World().begin()
    move = world.next()
    assert isinstance(move, Say)
    assert move.cause == world.trigger.id
    assert [type(event).__name__ for event in world.make(move)] == ["RunbookStarted"]
    assert world.last.runbook == "failing"


def test_an_incident_that_no_runbook_fits_is_left_alone() -> None:
    assert World().begin(service="search").next() == Nothing("no runbook fits")


def test_a_condition_that_cannot_be_asked_starts_nothing_and_is_reported() -> None:
    move = World().begin(team="x").next()
    assert isinstance(move, Nothing)
    assert "there is no label 'service'" in move.problems[0]


def test_a_message_that_may_not_start_anything_starts_nothing() -> None:
    assert isinstance(World().begin().next(may_start=False), Nothing)


def test_a_message_of_yesterday_starts_nothing() -> None:
    world = World().begin().pass_time(24 * 3600)
    assert world.next() == Nothing("what would start it is too old")


@pytest.mark.parametrize("event", [RESOLVED, STOPPED, IncidentMonitoring(watch_until=T0)])
def test_nothing_starts_once_the_incident_is_over_watched_or_stopped(event: IncidentResolved) -> None:
    world = World().begin()
    world.tell(event)
    assert isinstance(world.next(), Nothing)


def test_nothing_starts_at_a_severity_whose_automation_is_off() -> None:
    assert isinstance(World().begin("P3").next(), Nothing)


def test_a_raised_severity_starts_what_was_off_before() -> None:
    world = World().begin("P3")
    world.tell(SeverityChanged(before="P3", after="P0", why="person", by=ADA))
    assert isinstance(world.next(), Say)


BY_IMPACT = """
    - name: book
      when: "incident.users_affected > 0.1 && !incident.data_at_risk"
      steps:
        - {name: only, wait: 1s}
"""


def test_a_runbook_for_an_impact_starts_when_somebody_states_it_and_on_no_guess() -> None:
    world = World(playbook(BY_IMPACT)).begin()
    assert isinstance(world.next(), Nothing)
    world.tell(ImpactStated(impact=Impact(users_affected=0.3), by=ADA))
    assert isinstance(world.next(), Nothing), "nobody has said whether data is at risk"
    world.tell(ImpactStated(impact=Impact(users_affected=0.3, data_at_risk=False), by=ADA))
    world.until_it_rests()
    assert world.said[0] == "RunbookStarted"


def test_nothing_starts_while_automation_is_switched_off() -> None:
    world = World(policy=Policy(enabled=False)).begin()
    assert world.next() == Nothing("automation is switched off")


def test_a_runbook_runs_once_in_an_episode_and_again_in_the_next() -> None:
    world = one_step(HTTP)
    world.claim()
    world.ended("succeeded")
    assert isinstance(world.until_it_rests(), Nothing)
    assert world.last.outcome is RunbookOutcome.MITIGATED
    world.tell(RESOLVED)
    world.tell(IncidentReopened(by=SYSTEM))
    world.until_it_rests()
    assert [event for event in world.said if event == "RunbookStarted"] == ["RunbookStarted"] * 2
    assert world.log[-2].data.episode == 1  # type: ignore[attr-defined]  # it is the RunbookStarted


def test_a_runbook_that_a_rule_names_comes_before_one_whose_condition_holds() -> None:
    books = (
        step(HTTP)
        + """
    - {name: named, steps: [{name: a, wait: 1s}]}
"""
    )
    rules = """
detect: {absent: [{name: NoOrders, expr: "orders", for: 1m, severity: P1, runbook: named}]}
"""
    world = World(playbook(books, rest=rules)).begin()
    world.tell(grouped("NoOrders"))
    move = world.next()
    assert isinstance(move, Say)
    assert move.events[0].runbook == "named"  # type: ignore[attr-defined]  # it is a RunbookStarted


def test_a_condition_that_does_not_compile_counts_as_not_holding() -> None:
    move = World(playbook(step(HTTP).replace('"true"', '"nonsense ("'))).begin().next()
    assert isinstance(move, Nothing)
    assert "does not parse" in move.problems[0]


def test_a_runbook_for_other_severities_does_not_fit() -> None:
    book = step(HTTP).replace('when: "true"', 'when: "true"\n      severities: [P0]')
    assert isinstance(World(playbook(book)).begin("P1").next(), Nothing)


# --- proposing and approving -----------------------------------------------------------------------------------------


def test_the_first_step_is_proposed_and_then_claimed() -> None:
    world = World().begin()
    move = world.until_it_rests()
    assert isinstance(move, Claiming)
    assert world.last.target == "POST http://127.0.0.1:1/clear"
    assert not world.last.needs_approval
    assert move.event.abandon_at == T0 + timedelta(seconds=5)
    assert move.cause == world.log[-1].id


def test_a_step_whose_condition_does_not_hold_is_passed_over_and_says_so() -> None:
    world = one_step(f"{HTTP}, when: \"incident.severity == 'P0'\"", more="        - {name: two, wait: 1s}")
    world.waits()
    assert world.said == ["RunbookStarted", "ActionRefused", "ActionProposed"]
    assert "passed over" in world.log[-2].data.reason  # type: ignore[attr-defined]  # it is the refusal
    assert world.last.step == "two"


def test_steps_that_pass_each_other_over_for_ever_end_with_a_person() -> None:
    world = one_step(f'{HTTP}, when: "false", on_skip: only')
    assert isinstance(world.until_it_rests(), Nothing)
    assert world.last.outcome is RunbookOutcome.ESCALATED


def test_at_a_severity_that_asks_nothing_is_claimed_before_a_person_agrees() -> None:
    world = World().begin("P2")
    wait = world.waits()
    assert world.last.needs_approval
    assert world.last.because == "automation asks first at severity P2"
    assert wait.until == T0 + timedelta(minutes=15)
    world.tell(ActionApproved(action=world.last.action, runbook="failing", step="clear-cache", by=ADA))
    move = world.until_it_rests()
    assert isinstance(move, Claiming)
    assert move.agreed


def test_two_different_people_are_two_approvals_and_one_person_twice_is_one() -> None:
    world = one_step(f"{HTTP}, approval: {{needed: always, count: 2}}")
    world.waits()
    approved = {"action": world.last.action, "runbook": "book", "step": "only"}
    world.tell(ActionApproved(**approved, by=ADA))
    world.tell(ActionApproved(**approved, by=ADA))
    world.waits()
    world.tell(ActionApproved(**approved, by=ADA.model_copy(update={"name": "grace"})))
    assert isinstance(world.until_it_rests(), Claiming)


def test_what_nobody_approves_in_time_is_refused_and_a_person_is_called() -> None:
    world = one_step(f"{HTTP}, approval: {{needed: always, within: 1m}}")
    world.waits()
    world.pass_time(60).until_it_rests()
    assert world.said[-2:] == ["ActionRefused", "RunbookFinished"]
    assert world.last.outcome is RunbookOutcome.ESCALATED


def test_a_severity_that_begins_to_ask_stops_an_action_that_was_proposed_without_asking() -> None:
    world = World().begin("P1")
    assert isinstance(world.until_it_rests(), Claiming)
    world.tell(SeverityChanged(before="P1", after="P2", why="person", by=ADA))
    world.waits()
    assert world.last.needs_approval
    assert world.said.count("ActionProposed") == 2


def test_a_severity_at_which_automation_is_off_ends_the_runbook() -> None:
    world = World().begin("P1")
    world.until_it_rests()
    world.tell(SeverityChanged(before="P1", after="P3", why="person", by=ADA))
    assert isinstance(world.until_it_rests(), Nothing)
    assert world.last.outcome is RunbookOutcome.STOPPED


def test_never_asking_overrules_the_severity() -> None:
    world = World(playbook(step(f"{HTTP}, approval: never"))).begin("P2")
    assert isinstance(world.until_it_rests(), Claiming)


# --- what is not run -------------------------------------------------------------------------------------------------


def test_an_address_that_is_not_allowed_is_refused_before_any_claim() -> None:
    world = one_step('http: {url: "http://169.254.169.254/latest"}', more="        - {name: two, wait: 1s}")
    assert isinstance(world.until_it_rests(), Nothing)
    assert world.said == ["RunbookStarted", "ActionProposed", "ActionRefused", "RunbookFinished"]
    assert "169.254.169.254:80 is not on the list" in world.log[-2].data.reason  # type: ignore[attr-defined]  # its own
    assert world.last.outcome is RunbookOutcome.ESCALATED


def test_what_is_refused_goes_on_as_a_failure_does() -> None:
    world = one_step(
        "kubernetes: {action: rollout_restart, namespace: a, deployment: b}, on_failure: two",
        more=f"        - {{name: two, {HTTP}}}",
    )
    move = world.until_it_rests()
    assert isinstance(move, Claiming)
    assert move.event.step == "two"
    assert "Kubernetes" in world.log[-2].data.reason  # type: ignore[attr-defined]  # it is the refusal


def test_a_budget_that_is_used_up_asks_a_person() -> None:
    book = step(f"{HTTP}, retry: {{attempts: 3, wait: 0s}}").rstrip() + "\n      budget: {actions: 2, per: 10m}\n"
    world = World(playbook(book)).begin()
    for _ in range(2):
        world.claim()
        world.ended("failed")
    world.waits()
    assert world.last.needs_approval
    assert "the runbook's budget of 2 actions in 600 s" in world.last.because
    world.tell(ActionApproved(action=world.last.action, runbook="book", step="only", by=ADA))
    assert isinstance(world.until_it_rests(), Claiming)


def test_a_steps_own_budget_that_is_used_up_asks_a_person() -> None:
    world = one_step(f"{HTTP}, budget: {{actions: 1, per: 1m}}, on_failure: only")
    world.claim()
    world.ended("failed")
    world.waits()
    assert world.last.because == "the step's budget of 1 actions in 60 s is used up"


def test_a_budget_counts_only_its_window() -> None:
    world = one_step(f"{HTTP}, budget: {{actions: 1, per: 1m}}, on_failure: only")
    world.claim()
    world.ended("failed")
    world.pass_time(61)
    assert isinstance(world.until_it_rests(), Claiming)


def test_automation_that_is_switched_off_stops_what_has_begun() -> None:
    world = World().begin()
    world.until_it_rests()
    world.policy = Policy(enabled=False)
    world.until_it_rests()
    assert world.last.outcome is RunbookOutcome.STOPPED


def test_nothing_is_claimed_while_all_alerts_are_clear_and_it_goes_on_when_one_fires_again() -> None:
    world = World().begin()
    world.until_it_rests()
    world.tell(IncidentMonitoring(watch_until=T0 + timedelta(seconds=4)))
    assert world.waits().until == T0 + timedelta(seconds=5)
    world.tell(IncidentResumed(rule="r"))
    assert isinstance(world.until_it_rests(), Claiming)


@pytest.mark.parametrize("event", [RESOLVED, STOPPED])
def test_a_runbook_ends_with_the_incident_or_with_a_persons_word(event: IncidentResolved) -> None:
    world = World().begin()
    world.until_it_rests()
    world.tell(event)
    assert isinstance(world.until_it_rests(), Nothing)
    assert world.last.outcome is RunbookOutcome.STOPPED
    assert "ActionClaimed" not in world.said


# --- executing, and what became of it --------------------------------------------------------------------------------


def test_who_claimed_executes() -> None:
    world = World().begin()
    claimed = world.claim()
    move = world.next()
    assert isinstance(move, Execute)
    assert move.claim.execution == claimed.event.execution


def test_nobody_else_executes_what_one_has_claimed() -> None:
    world = World().begin()
    world.claim()
    assert isinstance(world.next(Here("replica-b")), Wait)
    world.pass_time(3600)
    assert isinstance(world.next(Here("replica-b")), Wait), "its own clock may be wrong; it has watched no time at all"


def test_what_was_begun_is_not_begun_again_by_the_same_process() -> None:
    world = World().begin()
    execution = world.claim().event.execution
    assert isinstance(world.next(Here("replica-a", begun=frozenset({execution}))), Wait)


def test_a_claim_is_looked_into_after_its_claimant_has_had_all_its_time() -> None:
    world = World().begin()
    execution = world.claim().event.execution
    # 5 s to begin, 2 s timeout, 2 s grace
    just_before = Here("replica-b", watched={execution: timedelta(seconds=8.9)})
    assert isinstance(world.next(just_before), Wait)
    assert isinstance(world.next(Here("replica-b", watched={execution: timedelta(seconds=9)})), Recover)


def test_an_outcome_that_this_process_knows_is_said_even_when_the_incident_is_over() -> None:
    world = World().begin()
    claimed = world.claim().event
    world.tell(RESOLVED)
    report = ActionFailed(
        action=claimed.action,
        runbook="failing",
        step="clear-cache",
        attempt=1,
        execution=claimed.execution,
        reason="x",
    )
    here = Here("replica-a", begun=frozenset({claimed.execution}), reports={claimed.execution: report})
    move = world.next(here)
    assert isinstance(move, Say)
    assert move.events == (report,)
    world.make(move)
    world.until_it_rests()
    assert world.last.outcome is RunbookOutcome.STOPPED


def test_the_first_outcome_of_an_attempt_stands() -> None:
    world = one_step(HTTP)
    claimed = world.claim()
    world.ended("unknown")
    late = ActionFailed(
        action=claimed.event.action,
        runbook="book",
        step="only",
        attempt=1,
        execution=claimed.event.execution,
        reason="late",
    )
    world.tell(late)
    world.until_it_rests()
    assert world.last.outcome is RunbookOutcome.ESCALATED


def test_an_unknown_outcome_is_never_tried_again_and_calls_a_person() -> None:
    world = one_step(f"{HTTP}, retry: {{attempts: 5}}, on_failure: only")
    world.claim()
    world.ended("unknown")
    assert isinstance(world.until_it_rests(), Nothing)
    assert world.last.outcome is RunbookOutcome.ESCALATED
    assert world.said.count("ActionClaimed") == 1


def test_a_failed_attempt_is_followed_by_a_new_claim_after_a_pause_as_often_as_the_step_says() -> None:
    world = one_step(f"{HTTP}, retry: {{attempts: 2, wait: 3s}}")
    first = world.claim()
    world.ended("failed")
    assert world.waits().until == T0 + timedelta(seconds=3)
    second = world.pass_time(3).claim()
    assert (first.event.attempt, second.event.attempt) == (1, 2)
    assert first.event.execution != second.event.execution
    world.ended("failed")
    world.until_it_rests()
    assert world.last.outcome is RunbookOutcome.ESCALATED


# --- verifying, and going on -----------------------------------------------------------------------------------------


def test_a_verified_action_ends_the_runbook_as_mitigated() -> None:
    world = World().begin()
    world.claim()
    world.ended()
    assert isinstance(world.until_it_rests(), Verify)
    world.verified(helped=True)
    world.until_it_rests()
    assert world.last.outcome is RunbookOutcome.MITIGATED


def test_an_action_that_did_not_help_leads_to_the_next_one() -> None:
    world = World().begin()
    world.claim()
    world.ended()
    world.verified(helped=False)
    move = world.until_it_rests()
    assert isinstance(move, Claiming)
    assert move.event.step == "failover"


def test_when_no_action_helped_a_person_is_called() -> None:
    world = World().begin()
    for _ in range(2):
        world.claim()
        world.ended()
        world.verified(helped=False)
    world.until_it_rests()
    assert world.last.outcome is RunbookOutcome.ESCALATED


def test_a_failure_that_leads_to_a_stop_leaves_the_runbook_exhausted() -> None:
    world = one_step(f"{HTTP}, on_failure: stop")
    world.claim()
    world.ended("failed")
    world.until_it_rests()
    assert world.last.outcome is RunbookOutcome.EXHAUSTED


def test_a_step_that_comes_again_is_another_action() -> None:
    world = one_step(f"{HTTP}, on_failure: only, budget: {{actions: 5, per: 1m}}")
    first = world.claim()
    world.ended("failed")
    second = world.claim()
    assert first.event.action != second.event.action


def test_a_verification_by_promql_fails_with_the_reason_instead_of_pretending() -> None:
    world = one_step(f'{HTTP}, verify: {{expr: "up"}}')
    world.claim()
    world.ended()
    world.until_it_rests()
    assert world.said[-2:] == ["VerificationFailed", "RunbookFinished"]
    assert "PromQL" in world.log[-2].data.detail  # type: ignore[attr-defined]  # it is the verification


@pytest.mark.parametrize("event", [RESOLVED, STOPPED])
def test_a_verification_is_not_wanted_any_more_when_it_is_over(event: IncidentResolved) -> None:
    world = World().begin()
    world.claim()
    world.ended()
    world.tell(event)
    assert isinstance(world.until_it_rests(), Nothing)
    assert world.last.outcome is RunbookOutcome.STOPPED


def test_an_action_that_did_not_help_is_taken_back_before_the_next_one() -> None:
    undo = 'undo: {http: {url: "http://127.0.0.1:1/back"}}'
    verify = 'verify: {http: {url: "http://127.0.0.1:1/health"}}'
    world = one_step(f"{HTTP}, {undo}, {verify}, on_failure: two", more=f"        - {{name: two, {HTTP}}}")
    world.claim()
    world.ended()
    world.verified(helped=False)
    taken_back = world.claim()
    assert (taken_back.event.step, taken_back.target) == ("only (undo)", "POST http://127.0.0.1:1/back")
    world.ended()
    move = world.until_it_rests()
    assert isinstance(move, Claiming)
    assert move.event.step == "two"


def test_an_undo_that_fails_calls_a_person() -> None:
    undo = 'undo: {http: {url: "http://127.0.0.1:1/back"}}'
    world = one_step(f'{HTTP}, {undo}, verify: {{expr: "x"}}, on_failure: stop')
    world.claim()
    world.ended()
    world.claim()
    world.ended("failed")
    world.until_it_rests()
    assert world.last.outcome is RunbookOutcome.ESCALATED


def test_what_was_never_carried_out_is_not_taken_back() -> None:
    world = one_step(f'{HTTP}, undo: {{http: {{url: "http://127.0.0.1:1/back"}}}}')
    world.claim()
    world.ended("failed")
    world.until_it_rests()
    assert world.said[-1] == "RunbookFinished"


def test_an_undo_for_after_the_incident_is_refused_aloud() -> None:
    world = one_step(f'{HTTP}, undo: {{http: {{url: "http://127.0.0.1:1/back"}}, on: resolved}}')
    world.claim()
    world.ended()
    world.until_it_rests()
    assert world.said[-2:] == ["ActionRefused", "RunbookFinished"]
    assert world.last.outcome is RunbookOutcome.MITIGATED


def test_a_step_that_only_waits_needs_no_claim() -> None:
    world = one_step("wait: 30s, on_success: next", more=f"        - {{name: two, {HTTP}}}")
    assert world.waits().until == T0 + timedelta(seconds=30)
    world.pass_time(30)
    assert isinstance(world.until_it_rests(), Claiming)
    assert "ActionSucceeded" in world.said


def test_a_persons_own_step_is_done_when_a_person_says_so() -> None:
    world = one_step("manual: Call the bank")
    world.waits()
    assert world.last.description == "Call the bank"
    world.tell(ActionApproved(action=world.last.action, runbook="book", step="only", by=ADA))
    world.until_it_rests()
    assert world.log[-2].data.detail == "done by ada"  # type: ignore[attr-defined]  # it is the ActionSucceeded
    assert world.last.outcome is RunbookOutcome.MITIGATED


# --- the last moment -------------------------------------------------------------------------------------------------


def test_in_the_last_moment_a_claim_is_not_begun_when_anything_speaks_against_it() -> None:
    world = World().begin()
    claimed = world.claim().event

    def why_not(policy: Policy | None = None) -> str | None:
        return why_not_begin(world.state, world.playbook, policy or Policy(), claimed.action, claimed.execution)

    assert why_not() is None
    assert why_not(Policy(enabled=False)) == "automation is switched off"
    assert why_not_begin(world.state, world.playbook, Policy(), "other", "e") == "the action is not in the log"
    world.tell(IncidentMonitoring(watch_until=T0))
    assert why_not() == "the alerts are clear"
    world.tell(RESOLVED)
    assert why_not() == "the incident is resolved"
    world.tell(IncidentReopened(by=SYSTEM))
    assert why_not() == "the incident was resolved and reopened since"
    world.tell(STOPPED)
    assert why_not() == "a person stopped the automation"
    world.ended("failed")
    assert why_not() == "the claim is not open any more"


def test_the_allow_list_is_asked_at_each_attempt() -> None:
    world = one_step(f"{HTTP}, retry: {{attempts: 2, wait: 0s}}")
    world.claim()
    world.ended("failed")
    world.policy = Policy(allowed_hosts=AllowedHosts())
    world.until_it_rests()
    assert isinstance(world.log[-2].data, ActionRefused)
    assert isinstance(world.last, RunbookFinished)


def test_the_same_facts_lead_to_the_same_move() -> None:
    one, other = World().begin(), World().begin()
    assert one.until_it_rests() == other.until_it_rests()
    assert [event.id for event in one.log] == [event.id for event in other.log]
    assert isinstance(one.last, ActionProposed)
    assert HERE.replica == "replica-a"
