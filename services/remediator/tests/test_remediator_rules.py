"""The small rules: what a reply proves, what may be reached, what was expected, whether it helped, who may ask."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from remediator_world import ADA, EVE, GRACE, T0, World, grouped, playbook, step

from tocsin_playbook import Playbook
from tocsin_playbook.model import Expect, HttpAction, OutcomeProbe, Step
from tocsin_playbook.model import Verify as VerifyRule
from tocsin_playbook.standing_orders import StandingOrders, under_orders
from tocsin_remediator.core.actions import by_hand_id
from tocsin_remediator.core.commands import (
    CommandError,
    Request,
    decide_approve,
    decide_request,
    decide_run,
    decide_stop,
)
from tocsin_remediator.core.expectation import mismatch
from tocsin_remediator.core.incident import Incident, Phase, evolve
from tocsin_remediator.core.moves import Claiming, Nothing, Wait
from tocsin_remediator.core.outcomes import (
    Answered,
    Found,
    Lost,
    NotSent,
    judge,
    judge_probe,
    outcome_span,
    sends_allowed,
)
from tocsin_remediator.core.reach import AllowedHosts, AllowedHostsError, refuse_address
from tocsin_remediator.core.runbook import target_of
from tocsin_remediator.core.verification import Watch, is_settled, looked, looks_needed
from tocsin_remediator.settings import RemediatorSettings
from tocsin_runtime import SettingsError, load_settings
from tocsin_schemas import Actor, Event, Role, caused_by
from tocsin_schemas.commands import ApproveAction, RunAction, StopAutomation
from tocsin_schemas.events import (
    INCIDENT_EVENTS,
    ActionApproved,
    ActionProposed,
    ActionRefused,
    AlertMoved,
    AutomationStopped,
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentMonitoring,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    OverrideSet,
    RequestRefused,
    ResponderDeclined,
    RoleAssigned,
    StatusUpdated,
)

HTTP = 'http: {url: "http://127.0.0.1:1/x"}'
ACTION = HttpAction(url="http://127.0.0.1:1/x")
PROBE = OutcomeProbe(url="http://127.0.0.1:1/{execution_id}")
HOUR = timedelta(hours=1)

# --- what a reply proves ---------------------------------------------------------------------------------------------

DONE, NOT_DONE, WHO_KNOWS = Found.CARRIED_OUT, Found.NOT_CARRIED_OUT, Found.CANNOT_SAY


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (NotSent("refused"), NOT_DONE),
        (Lost("cut"), WHO_KNOWS),
        *((Answered(status), DONE) for status in (200, 201, 202, 204)),
        *((Answered(status), NOT_DONE) for status in (400, 401, 403, 404, 405, 410, 422, 425, 429)),
        *((Answered(status), WHO_KNOWS) for status in (102, 203, 301, 302, 303, 307, 408, 409, 500, 502, 503, 504)),
    ],
)
def test_what_a_reply_to_an_action_proves(reply: Answered, found: Found) -> None:
    assert judge(ACTION, reply).found is found
    repeated = DONE if found is DONE else WHO_KNOWS
    assert judge(ACTION, reply, sent_before=True).found is repeated


def test_an_expected_status_with_an_unexpected_body_proves_nothing() -> None:
    action = HttpAction(url="http://127.0.0.1:1/x", expect=Expect(contains="done"))
    assert judge(action, Answered(200, b"done")).found is DONE
    assert judge(action, Answered(200, b"failed")).found is WHO_KNOWS


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (Answered(200), DONE),
        (Answered(404), NOT_DONE),
        (Answered(410), NOT_DONE),
        *((Answered(status), WHO_KNOWS) for status in (202, 401, 403, 429, 500, 503)),
        (NotSent("refused"), WHO_KNOWS),
        (Lost("cut"), WHO_KNOWS),
    ],
)
def test_what_an_answer_to_a_probe_proves(reply: Answered, found: Found) -> None:
    assert judge_probe(PROBE, reply).found is found


def test_only_a_target_that_honours_the_key_may_be_sent_to_again() -> None:
    text = 'http: {url: "http://127.0.0.1:1/x", idempotency: key}, retry: {attempts: 4}'
    assert sends_allowed(_step(text)) == 4
    assert sends_allowed(_step(text.replace(", idempotency: key", ""))) == 1


def test_the_time_for_an_outcome_covers_everything_a_claimant_may_do() -> None:
    plain = _step(f"{HTTP}, timeout: 2s")
    assert outcome_span(plain, timedelta(seconds=5)) == timedelta(seconds=9)
    asked = 'http: {url: "http://127.0.0.1:1/x", probe: {url: "http://127.0.0.1:1/{execution_id}"}}'
    assert outcome_span(_step(f"{asked}, timeout: 2s"), timedelta(seconds=5)) == timedelta(seconds=14)
    keyed = 'http: {url: "http://127.0.0.1:1/x", idempotency: key}, retry: {attempts: 3, wait: 1s}'
    assert outcome_span(_step(f"{keyed}, timeout: 2s"), timedelta(seconds=5)) == timedelta(seconds=5 + 6 + 1 + 2 + 2)


# --- what may be reached ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.1,localhost", "http://127.0.0.1:7390/x"),
        ("localhost", "http://LOCALHOST./x"),
        ("shop.example:8443", "https://shop.example:8443/"),
        ("shop.example:443", "https://shop.example/"),
        ("*.shop.example", "https://a.b.shop.example/"),
        ("[::1]:8080", "http://[::1]:8080/"),
    ],
)
def test_a_listed_host_may_be_reached(allowed: str, url: str) -> None:
    assert AllowedHosts.parse(allowed).refusal(url) is None


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.1", "http://127.0.0.2/"),
        ("shop.example:8443", "https://shop.example/"),
        ("*.shop.example", "https://shop.example/"),
        ("*.shop.example", "https://evilshop.example/"),
        ("shop.example", "ftp://shop.example/"),
        ("shop.example", "https://shop.example@evil.example/"),
        ("shop.example", "https://evil.example/#shop.example"),
        ("shop.example", "https://[broken/"),
        ("", "http://127.0.0.1/"),
    ],
)
def test_any_other_host_is_refused_with_the_reason(allowed: str, url: str) -> None:
    assert AllowedHosts.parse(allowed).refusal(url)


@pytest.mark.parametrize("entry", ["*", "*.*", "http://x", "x/y", "a b@c", "x:notaport", ":80"])
def test_an_allow_list_that_cannot_be_read_is_refused_at_start(entry: str) -> None:
    with pytest.raises(AllowedHostsError, match="allowed host"):
        AllowedHosts.parse(entry)
    with pytest.raises(SettingsError, match="allowed_hosts"):
        load_settings(RemediatorSettings, {}, allowed_hosts=entry)


def test_an_address_that_is_written_out_may_be_loopback_and_a_name_may_lead_to_a_private_one() -> None:
    assert refuse_address("127.0.0.1", "127.0.0.1") is None
    assert refuse_address("shop.example", "10.1.2.3") is None
    assert refuse_address("shop.example", "nonsense") is not None


# --- what was expected -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "body", "wrong"),
    [
        ({}, b"", None),
        ({"json": {"a.0.b": "x"}}, b'{"a": [{"b": "x"}]}', None),
        ({"json": {"a": 1}}, b'{"a": 1.0}', None),
        ({"json": {"a": 1}}, b'{"a": true}', "the answer has another value at a, expected 1"),
        ({"json": {"a.5": 1}}, b'{"a": [1]}', "the answer has nothing at a.5"),
        ({"json": {"a": 1}}, b'{"a": 1, "a": 2}', "the answer is not JSON: "),
        ({"json": {"a": 1}}, b"[" * 100, "the answer is not JSON: "),
        ({"json": {"a": 1}}, b"\xff", "the answer is not JSON: "),
        ({"contains": "ok"}, b"all ok\xff", None),
        ({"contains": "ok"}, b"no", "the answer does not contain 'ok'"),
    ],
)
def test_an_answer_is_as_expected_or_says_what_is_wrong(expect: dict[str, Any], body: bytes, wrong: str | None) -> None:
    found = mismatch(Expect.model_validate(expect), 200, body)
    assert found == wrong if wrong is None or found is None else found.startswith(wrong)


def test_an_answer_that_was_cut_is_not_as_expected_where_the_body_counts() -> None:
    assert mismatch(Expect(), 200, b"", whole=False) is None
    assert mismatch(Expect(contains="a"), 200, b"a", whole=False) == "the answer is too long to be checked"


@given(st.binary(max_size=200), st.integers(100, 599))
def test_no_answer_breaks_the_expectation(body: bytes, status: int) -> None:
    mismatch(Expect.model_validate({"json": {"a.b": 1}, "contains": "x"}), status, body)


# --- whether it helped -----------------------------------------------------------------------------------------------

SECONDS = [timedelta(seconds=number) for number in range(100)]
RULE = VerifyRule.model_validate({"http": {"url": "http://127.0.0.1:1/"}, "within": "10s", "every": "1s"})


def watch(*problems: str | None, every: int = 1) -> Watch:
    seen = Watch()
    for number, problem in enumerate(problems):
        seen = looked(seen, problem, SECONDS[number * every])
    return seen


def test_one_good_answer_may_be_luck_and_two_in_a_row_are_none() -> None:
    assert is_settled(watch(None), RULE, SECONDS[10]) is None
    assert is_settled(watch(None, "down", None), RULE, SECONDS[10]) is None
    assert is_settled(watch("down", None, None), RULE, SECONDS[10]) is True


def test_it_must_hold_for_as_long_as_the_playbook_asks() -> None:
    lasting = RULE.model_copy(update={"lasting": SECONDS[3]})
    assert is_settled(watch(None, None, None), lasting, SECONDS[10]) is None
    assert is_settled(watch(None, None, None, None), lasting, SECONDS[10]) is True


def test_what_is_not_seen_in_time_has_not_helped() -> None:
    assert is_settled(watch(*["down"] * 10), RULE, SECONDS[10]) is None
    assert is_settled(watch(*["down"] * 11), RULE, SECONDS[10]) is False


def test_a_row_that_began_in_time_may_be_completed_and_no_more() -> None:
    late = watch(*["down"] * 10, None)
    assert is_settled(late, RULE, SECONDS[10]) is None
    assert is_settled(looked(late, None, SECONDS[11]), RULE, SECONDS[10]) is True
    assert is_settled(watch(*["down"] * 12, None), RULE, SECONDS[10]) is False


def test_where_there_is_no_time_for_a_second_look_one_is_enough() -> None:
    assert looks_needed(RULE.model_copy(update={"every": SECONDS[11]})) == 1


@given(st.lists(st.sampled_from(["down", None]), min_size=1, max_size=60))
def test_watching_always_ends_and_never_passes_on_less_than_two(problems: list[str | None]) -> None:
    seen = Watch()
    for number, problem in enumerate(problems):
        seen = looked(seen, problem, SECONDS[number])
        settled = is_settled(seen, RULE, SECONDS[10])
        if settled is not None:
            assert settled is False or problems[number - 1 : number + 1] == [None, None]
            return
    assert len(problems) < 14


# --- what people ask for ---------------------------------------------------------------------------------------------


def waiting(text: str = f"{HTTP}, approval: always", **more: str) -> World:
    world = World(playbook(step(text, **more))).begin()
    assert isinstance(world.until_it_rests(), Wait)
    return world


def approve(world: World, by: Actor = ADA, action: str = "") -> tuple[Event, ...]:
    found = action or world.state.tracks[-1].actions[-1].id
    return decide_approve(world.state, world.playbook, ApproveAction(incident="inc", by=by, action=found), world.now)


def test_an_approval_is_written_down_with_its_name() -> None:
    world = waiting()
    (approved,) = approve(world)
    world.tell(approved)
    assert isinstance(world.until_it_rests(), Claiming)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (IncidentResolved(by=ADA), "the action only is not wanted any more: the incident is resolved"),
        (AutomationStopped(by=ADA), "the action only is not wanted any more: a person stopped the automation"),
    ],
)
def test_what_is_over_cannot_be_approved(event: Event, reason: str) -> None:
    world = waiting()
    world.tell(event)
    with pytest.raises(CommandError, match=reason):
        approve(world)


def test_an_approval_must_fit_something_that_waits_for_one() -> None:
    world = waiting()
    with pytest.raises(CommandError, match="there is no action x"):
        approve(world, action="x")
    with pytest.raises(CommandError, match="escalator is not a person: only people ask for something"):
        approve(world, Actor.system("escalator"))
    world.tell(approve(world)[0])
    world.claim()
    with pytest.raises(CommandError, match="has begun"):
        approve(world)
    world.ended("succeeded")
    with pytest.raises(CommandError, match="has begun"):
        approve(world)


def test_an_approval_that_comes_a_day_late_changes_nothing() -> None:
    world = waiting().pass_time(24 * 3600)
    with pytest.raises(CommandError, match="too late"):
        approve(world)


def test_a_refused_action_cannot_be_approved() -> None:
    world = World(playbook(step("kubernetes: {action: rollout_restart, namespace: a, deployment: b}"))).begin("P3")
    refusal = run(world, "only")
    world.tell(refusal[0], "c")
    world.tell(ActionRefused(action=refusal[0].action, runbook="book", step="only", reason="no"))  # type: ignore[attr-defined]  # its own
    with pytest.raises(CommandError, match="was refused: no"):
        approve(world)


def test_where_the_playbook_names_who_is_asked_only_their_word_counts() -> None:
    world = waiting(f"{HTTP}, approval: {{needed: always, by: ['person:grace']}}")
    with pytest.raises(CommandError, match="ada is not among those who are asked: person:grace"):
        approve(world)
    assert approve(world, GRACE)
    anybody = waiting(f"{HTTP}, approval: {{needed: always, by: ['person:grace', 'channel:chat:ops']}}")
    assert approve(anybody)


def run(world: World, name: str, *, by: Actor = ADA, runbook: str = "book", age: timedelta = timedelta()) -> Any:
    command = RunAction(incident="inc", by=by, runbook=runbook, step=name)
    return decide_run(world.state, world.playbook, command, "c", world.now - age, world.now, HOUR)


def by_hand(text: str = HTTP, severity: str = "P3") -> World:
    return World(playbook(step(text))).begin(severity)


def test_an_action_by_hand_is_proposed_and_approved_by_who_asks() -> None:
    world = by_hand()
    for event in run(world, "only"):
        world.tell(event, "c")
    move = world.until_it_rests()
    assert isinstance(move, Claiming)
    assert move.agreed
    assert move.event.action == by_hand_id("c")
    world.make(move)
    world.ended("succeeded")
    assert isinstance(world.until_it_rests(), Nothing)
    assert "RunbookFinished" not in world.said


def test_an_action_by_hand_whose_outcome_is_unknown_is_left_to_people() -> None:
    world = by_hand()
    for event in run(world, "only"):
        world.tell(event, "c")
    world.claim()
    world.ended("unknown")
    assert isinstance(world.until_it_rests(), Nothing)
    assert world.said[-1] == "ActionOutcomeUnknown"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "none"}, "the playbook has no step none in a runbook book"),
        ({"runbook": "none"}, "the playbook has no step only in a runbook none"),
        ({"age": 2 * HOUR}, "it was asked for too long ago"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    world = by_hand()
    (refused,) = run(world, **{"name": "only", **change})
    assert refused.reason == reason
    world.tell(refused, "c")
    assert isinstance(world.until_it_rests(), Nothing)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (IncidentResolved(by=ADA), "the incident is resolved"),
        (AutomationStopped(by=ADA), "a person stopped the automation"),
    ],
)
def test_nothing_is_done_by_hand_when_it_is_over_or_stopped(event: Event, reason: str) -> None:
    world = by_hand()
    world.tell(event)
    (refused,) = run(world, "only")
    assert refused.reason == reason


def test_an_action_by_hand_is_refused_if_the_incident_ends_before_it_is_claimed() -> None:
    world = by_hand()
    for event in run(world, "only"):
        world.tell(event, "c")
    world.tell(IncidentResolved(by=ADA))
    assert isinstance(world.until_it_rests(), Nothing)
    assert world.last.reason == "the incident is resolved"


def test_where_two_must_agree_one_who_asks_by_hand_is_one_of_them() -> None:
    world = by_hand(f"{HTTP}, approval: {{needed: always, count: 2}}")
    for event in run(world, "only"):
        world.tell(event, "c")
    assert isinstance(world.until_it_rests(), Wait)
    world.tell(approve(world, GRACE)[0])
    assert isinstance(world.until_it_rests(), Claiming)


def test_who_is_not_among_those_asked_needs_their_word_for_an_action_by_hand() -> None:
    world = by_hand(f"{HTTP}, approval: {{needed: always, by: ['person:grace']}}")
    (wanted,) = run(world, "only")
    assert wanted.because == "ada is not among those who are asked: person:grace"
    world.tell(wanted, "c")
    world.tell(approve(world, GRACE)[0])
    assert isinstance(world.until_it_rests(), Claiming)


def test_a_persons_own_step_cannot_be_run_by_hand() -> None:
    assert run(by_hand("manual: Call the bank"), "only")[0].reason == "this step is a person's own work"


def test_an_action_by_hand_goes_before_the_runbook_and_in_spite_of_clear_alerts() -> None:
    world = by_hand(severity="P1")
    world.until_it_rests()
    world.tell(IncidentMonitoring(watch_until=T0 + HOUR))
    for event in run(world, "only"):
        world.tell(event, "c")
    move = world.until_it_rests()
    assert isinstance(move, Claiming)
    assert move.event.action == by_hand_id("c")


def test_stopping_the_automation_is_written_down_with_its_name_and_reason() -> None:
    world = waiting()
    command = StopAutomation(incident="inc", by=GRACE, because="it makes things worse")
    assert decide_stop(world.state, world.playbook, command, world.now) == (
        AutomationStopped(by=GRACE, because="it makes things worse"),
    )


# --- who may ---------------------------------------------------------------------------------------------------------


def test_a_viewer_approves_and_stops_nothing() -> None:
    world = waiting()
    with pytest.raises(CommandError, match="eve is a viewer; ApproveAction asks for a responder"):
        approve(world, EVE)
    with pytest.raises(CommandError, match="eve is a viewer; StopAutomation asks for a responder"):
        decide_stop(world.state, world.playbook, StopAutomation(incident="inc", by=EVE), world.now)


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (GRACE, "grace is a responder; RunAction asks for a commander"),
        (Actor.system("cron"), "cron is not a person: only people ask for something"),
    ],
)
def test_an_action_by_hand_is_no_action_where_it_is_not_theirs_to_ask_for(by: Actor, reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        run(by_hand(), "only", by=by)


def test_the_commander_of_the_incident_runs_an_action_by_hand_there() -> None:
    world = by_hand()
    world.tell(RoleAssigned(role=Role.COMMANDER, person="grace", by=ADA))
    assert [type(event) for event in run(world, "only", by=GRACE)] == [ActionProposed, ActionApproved]
    world.tell(RoleAssigned(role=Role.COMMANDER, person="ada", by=ADA))
    with pytest.raises(CommandError, match="grace is a responder"):
        run(world, "only", by=GRACE)


# --- how people are answered ------------------------------------------------------------------------------------------


def requested(world: World, command: Request, playbook: Playbook | None = None) -> tuple[Event, ...]:
    return decide_request(world.state, playbook or world.playbook, command, "c", world.now, world.now, HOUR)


def approval(world: World, by: Actor = ADA, action: str = "") -> ApproveAction:
    return ApproveAction(incident="inc", by=by, action=action or world.state.tracks[-1].actions[-1].id)


def test_what_can_be_is_carried_out() -> None:
    world = waiting()
    action = world.state.tracks[-1].actions[-1].id
    assert requested(world, approval(world)) == (ActionApproved(action=action, runbook="book", step="only", by=ADA),)
    stop = StopAutomation(incident="inc", by=ADA)
    assert requested(world, stop) == (AutomationStopped(by=ADA),)
    by_hand_too = requested(world, RunAction(incident="inc", by=ADA, runbook="book", step="only"))
    assert [type(event) for event in by_hand_too] == [ActionProposed, ActionApproved]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (ApproveAction(incident="inc", by=ADA, action="x"), "there is no action x"),
        (StopAutomation(incident="inc", by=EVE), "eve is a viewer; StopAutomation asks for a responder"),
        (
            RunAction(incident="inc", by=GRACE, runbook="book", step="only"),
            "grace is a responder; RunAction asks for a commander",
        ),
    ],
)
def test_whoever_asks_for_what_cannot_be_is_answered_with_the_reason(command: Request, reason: str) -> None:
    refused = RequestRefused(command=type(command).__name__, reason=reason, by=command.by)
    assert requested(waiting(), command) == (refused,)


def test_a_reason_is_one_line_however_many_are_asked() -> None:
    letters = "abcdefghijklmnopqrst"
    named = ", ".join(f"'schedule:{letter * 60}'" for letter in letters)
    schedules = ", ".join(
        f"{{name: {each * 60}, layers: [{{people: [grace], starts: 2026-01-01}}]}}" for each in letters
    )
    asked = playbook(step(f"{HTTP}, approval: {{needed: always, by: [{named}]}}"), oncall=f"schedules: [{schedules}]")
    world = waiting()
    (refused,) = requested(world, approval(world), asked)
    assert isinstance(refused, RequestRefused)
    assert refused.reason.startswith("ada is not among those who are asked: schedule:aaa")
    assert refused.reason.endswith("…")


def test_a_refusal_is_remembered_by_its_command_and_changes_nothing_else() -> None:
    world = waiting()
    before = world.state
    world.tell(RequestRefused(command="ApproveAction", reason="no", by=ADA), "the command")
    assert world.state == replace(before, refused=frozenset({"the command"}))
    assert isinstance(world.next(), Wait)


# --- under standing orders --------------------------------------------------------------------------------------------

ON_CALL = "schedules: [{name: primary, layers: [{people: [ada], starts: 2026-01-01}]}]"
ASKED = step(f"{HTTP}, approval: {{needed: always, by: ['schedule:primary']}}")
STANDS_IN = OverrideSet(
    override="o1", schedule="primary", person="grace", begins_at=T0, ends_at=T0 + timedelta(minutes=1), by=ADA
)


def test_who_stands_in_may_approve_and_who_is_stood_in_for_may_not() -> None:
    world = World(playbook(ASKED, oncall=ON_CALL)).begin()
    assert isinstance(world.until_it_rests(), Wait)
    ordered = under_orders(world.playbook, StandingOrders(overrides=(STANDS_IN,)))
    (approved,) = requested(world, approval(world, GRACE), ordered)
    assert isinstance(approved, ActionApproved)
    (refused,) = requested(world, approval(world, ADA), ordered)
    assert isinstance(refused, RequestRefused)
    assert isinstance(requested(world, approval(world, GRACE))[0], RequestRefused)
    world.pass_time(60)
    assert isinstance(requested(world, approval(world, ADA), ordered)[0], ActionApproved)


# --- the fold --------------------------------------------------------------------------------------------------------


def test_an_acknowledged_incident_stays_acknowledged_when_an_alert_fires_again() -> None:
    world = World().begin()
    world.tell(IncidentAcknowledged(by=ADA))
    world.tell(IncidentMonitoring(watch_until=T0))
    world.tell(IncidentResumed(rule="r"))
    assert world.state.phase is Phase.ACKNOWLEDGED


def phases(*events: Event) -> list[str]:
    """The phase after each event."""
    world = World().begin()
    return [str(world.tell(event) and world.state.phase) for event in events]


def updated(status: str | None) -> StatusUpdated:
    return StatusUpdated(text="t", status=status, by=ADA)  # type: ignore[arg-type]  # one of the literals


def test_the_phase_that_conditions_ask_for_is_the_escalators() -> None:
    acknowledged, watched = IncidentAcknowledged(by=ADA), IncidentMonitoring(watch_until=T0)
    resumed, reopened = IncidentResumed(rule="r"), IncidentReopened(by=ADA)
    assert phases(updated("identified"), acknowledged, updated("identified"), updated(None), watched, resumed) == [
        "triggered", "acknowledged", "identified", "identified", "monitoring", "identified",
    ]  # fmt: skip
    false_alarm = IncidentResolved(by=ADA, false_alarm=True)
    assert phases(acknowledged, updated("mitigating"), false_alarm, reopened, acknowledged)[2:] == [
        "false_alarm", "reopened", "acknowledged",
    ]  # fmt: skip
    assert phases(watched, resumed, IncidentResolved(by=ADA), reopened, watched, resumed)[1::4] == [
        "triggered", "reopened",
    ]  # fmt: skip


def test_whoever_has_it_and_cannot_or_does_not_answer_any_more_leaves_it_unanswered() -> None:
    held = (IncidentAcknowledged(by=ADA), updated("mitigating"))
    assert phases(*held, ResponderDeclined(person="ada", by=ADA))[-1] == "triggered"
    assert phases(*held, ResponderDeclined(person="grace", by=GRACE))[-1] == "mitigating"
    assert phases(*held, IncidentEscalated(level=1, reason="unacknowledged", by=ADA))[-1] == "triggered"
    assert phases(*held, IncidentEscalated(level=1, reason="unresolved", by=ADA))[-1] == "mitigating"
    watched = IncidentMonitoring(watch_until=T0)
    escalated = IncidentEscalated(level=1, reason="unacknowledged", by=ADA)
    assert phases(*held, watched, escalated, IncidentResumed(rule="r"))[-1] == "mitigating"
    declined = ResponderDeclined(person="ada", by=ADA)
    assert phases(*held, watched, declined, IncidentResumed(rule="r"))[-2:] == ["monitoring", "triggered"]


def test_while_somebody_works_on_it_automation_is_still_wanted_and_after_a_false_alarm_it_is_not() -> None:
    world = World().begin()
    world.tell(IncidentAcknowledged(by=ADA))
    world.tell(updated("identified"))
    assert (world.state.is_open, world.state.is_over) == (True, False)
    world.tell(IncidentResolved(by=ADA, false_alarm=True))
    assert (world.state.is_open, world.state.is_over) == (False, True)
    assert world.next() == Nothing("the incident is a false alarm")


def test_an_alert_that_moved_to_another_incident_does_not_fire_in_this_one() -> None:
    world = World().begin()
    world.tell(grouped("r"))
    world.tell(AlertMoved(fingerprint="0" * 16, episode="e", rule="r", to="other"))
    assert world.state.firing == frozenset()


def test_an_acknowledgement_of_a_watched_incident_does_not_open_it() -> None:
    world = World().begin()
    world.tell(IncidentMonitoring(watch_until=T0))
    world.tell(IncidentAcknowledged(by=ADA))
    assert world.state.phase is Phase.MONITORING


def test_no_event_in_any_order_breaks_the_fold() -> None:
    world = World().begin()
    world.claim()
    world.ended("failed")
    mixed = [*reversed(world.log), *world.log, *world.log[3:]]
    state = Incident("inc")
    for event in mixed:
        state = evolve(state, event)
    assert state.phase is Phase.TRIGGERED


def test_every_event_of_every_service_can_be_read() -> None:
    state = Incident("inc")
    for model in INCIDENT_EVENTS:
        envelope = caused_by("c", 0, model.OWNER, "inc", T0, model.model_construct())
        if model.OWNER not in ("remediator", "escalator"):
            assert evolve(state, envelope) == state


def test_a_target_names_no_query_for_it_may_hold_a_secret() -> None:
    assert target_of(_step('http: {url: "https://Shop.example:1/x?token=s3cret"}')) == "POST https://shop.example:1/x"


def _step(text: str) -> Step:
    return playbook(step(text)).remediate.runbooks[0].steps[0]


def test_the_defaults_reach_only_this_computer() -> None:
    policy = load_settings(RemediatorSettings, {}).policy
    assert policy.enabled
    assert policy.allowed_hosts.refusal("http://localhost:1/") is None
    assert policy.allowed_hosts.refusal("http://shop.example/")
    assert replace(policy, enabled=False).enabled is False
