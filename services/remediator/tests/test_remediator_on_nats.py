"""The wired remediator against a real nats-server and a target that counts what it carries out."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest
from remediator_bench import RESOLVED, Bench, runbook
from remediator_target import Target
from remediator_world import ADA, EVE, GRACE, SYSTEM
from structlog.testing import capture_logs

from tocsin_schemas import Actor, RunbookOutcome, caused_by
from tocsin_schemas.commands import ApproveAction, StopAutomation
from tocsin_schemas.events import IncidentReopened, NoteAdded, OverrideSet, RequestRefused, SeverityChanged
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import order_subject


async def test_an_incident_is_mitigated_by_the_first_action(bench: Bench) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target))
        await bench.start()
        opened = await bench.open()
        finished = await bench.wait_for("RunbookFinished")
        assert finished.outcome is RunbookOutcome.MITIGATED
        assert await bench.names() == [
            "RunbookStarted",
            "ActionProposed",
            "ActionClaimed",
            "ActionSucceeded",
            "VerificationPassed",
            "RunbookFinished",
        ]
        assert target.actions == ["/clear"]
        assert target.most_executions == 1
        events = await bench.log.load("inc1")
        assert events[1].cause == opened.id
        claim = events[3]
        assert target.headers[0]["idempotency-key"] == claim.data.execution  # type: ignore[attr-defined]  # a claim
        assert target.headers[0]["traceparent"] == claim.traceparent


async def test_when_the_first_action_does_not_help_the_second_one_does(bench: Bench) -> None:
    async with Target(healthy=lambda target: "/failover" in target.actions).serve() as target:
        await bench.push(runbook(target))
        await bench.start()
        await bench.open()
        finished = await bench.wait_for("RunbookFinished")
        assert finished.outcome is RunbookOutcome.MITIGATED
        assert target.actions == ["/clear", "/failover"]
        assert "VerificationFailed" in await bench.names()
        assert target.most_executions == 1


async def test_when_nothing_helps_the_runbook_ends_with_a_person(bench: Bench) -> None:
    async with Target(healthy=lambda target: False).serve() as target:
        await bench.push(runbook(target, within="300ms"))
        await bench.start()
        await bench.open()
        finished = await bench.wait_for("RunbookFinished")
        assert finished.outcome is RunbookOutcome.ESCALATED
        assert target.actions == ["/clear", "/failover"]


# --- people ----------------------------------------------------------------------------------------------------------


async def test_an_action_that_needs_approval_runs_once_it_is_approved(bench: Bench) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target))
        await bench.start()
        await bench.open(severity="P2")
        proposed = await bench.wait_for("ActionProposed")
        assert proposed.needs_approval
        assert target.actions == []
        await bench.ask(ApproveAction(incident="inc1", by=ADA, action=proposed.action))
        assert (await bench.wait_for("RunbookFinished")).outcome is RunbookOutcome.MITIGATED
        assert target.actions == ["/clear"]


async def test_an_action_by_hand_runs_although_no_runbook_had_started(bench: Bench) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target))
        await bench.start()
        await bench.open(severity="P3")
        await bench.run_by_hand("failover")
        await bench.wait_for("VerificationPassed")
        assert target.actions == ["/failover"]
        assert await bench.names() == [
            "ActionProposed",
            "ActionApproved",
            "ActionClaimed",
            "ActionSucceeded",
            "VerificationPassed",
        ]


async def test_an_action_by_hand_that_cannot_be_is_refused_on_the_timeline(bench: Bench) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target))
        await bench.start()
        await bench.open(severity="P3")
        await bench.run_by_hand("reboot-the-moon")
        assert "no step reboot-the-moon" in (await bench.wait_for("ActionRefused")).reason
        assert target.actions == []


@pytest.mark.parametrize(
    ("action", "by", "reason"),
    [
        ("another", ADA, "there is no action another"),
        ("", EVE, "eve is a viewer; ApproveAction asks for a responder"),
    ],
)
async def test_an_approval_that_cannot_be_is_answered_on_the_timeline(
    bench: Bench, action: str, by: Actor, reason: str
) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target))
        await bench.start()
        await bench.open(severity="P2")
        proposed = await bench.wait_for("ActionProposed")
        command = await bench.ask(ApproveAction(incident="inc1", by=by, action=action or proposed.action))
        assert await bench.wait_for("RequestRefused") == RequestRefused(command="ApproveAction", reason=reason, by=by)
        assert (await bench.log.load("inc1"))[-1].cause == command
        assert await bench.connection.last_sequence("DEADLETTERS") == 0
        assert target.actions == []


async def test_who_stands_in_by_order_may_approve_and_who_is_stood_in_for_may_not(bench: Bench) -> None:
    async with Target().serve() as target:
        await bench.push(
            runbook(target, approval="{by: ['schedule:primary']}"),
            oncall="schedules: [{name: primary, layers: [{people: [ada], starts: 2026-01-01}]}]",
        )
        first, second = await bench.start(), await bench.start()
        now = datetime.now(UTC)
        stands_in = OverrideSet(
            override="o1", schedule="primary", person="grace", begins_at=now, ends_at=now + timedelta(hours=1), by=ADA
        )
        order = caused_by(derive_id("order", "o1"), 0, "escalator", "", now, stands_in)
        written = await bench.connection.publish(order_subject(OverrideSet), order)
        async with asyncio.timeout(10):
            while min(first.orders.position, second.orders.position) < written.sequence:
                await asyncio.sleep(0.02)
        await bench.open(severity="P2")
        proposed = await bench.wait_for("ActionProposed")
        await bench.ask(ApproveAction(incident="inc1", by=ADA, action=proposed.action), "ada")
        refused = await bench.wait_for("RequestRefused")
        assert refused.reason == "ada is not among those who are asked: schedule:primary"
        assert target.actions == []
        await bench.ask(ApproveAction(incident="inc1", by=GRACE, action=proposed.action), "grace")
        assert (await bench.wait_for("RunbookFinished")).outcome is RunbookOutcome.MITIGATED
        assert target.actions == ["/clear"]


async def test_stopping_the_automation_ends_a_verification_and_all_that_would_follow(bench: Bench) -> None:
    async with Target(healthy=lambda target: False).serve() as target:
        await bench.push(runbook(target, within="60s"))
        await bench.start()
        await bench.open()
        await bench.wait_for("ActionSucceeded")
        await bench.ask(StopAutomation(incident="inc1", by=ADA))
        finished = await bench.wait_for("RunbookFinished")
        assert finished.outcome is RunbookOutcome.STOPPED
        assert target.actions == ["/clear"]
        await bench.run_by_hand("failover")
        assert (await bench.wait_for("ActionRefused")).reason == "a person stopped the automation"
        assert target.actions == ["/clear"]


async def test_a_resolved_incident_ends_a_verification(bench: Bench) -> None:
    async with Target(healthy=lambda target: False).serve() as target:
        await bench.push(runbook(target, within="60s"))
        await bench.start()
        await bench.open()
        await bench.wait_for("ActionSucceeded")
        await bench.tell(RESOLVED)
        assert (await bench.wait_for("RunbookFinished")).reason == "the incident is resolved"
        assert target.actions == ["/clear"]


async def test_a_reopened_incident_is_mitigated_anew(bench: Bench) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target))
        await bench.start()
        await bench.open()
        await bench.wait_for("RunbookFinished")
        await bench.tell(RESOLVED)
        await bench.tell(IncidentReopened(by=SYSTEM))
        await bench.wait_for("RunbookFinished", times=2)
        assert target.actions == ["/clear", "/clear"]
        assert target.most_executions == 1


# --- deliveries ------------------------------------------------------------------------------------------------------


async def test_everything_delivered_again_changes_nothing(bench: Bench) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target))
        first = await bench.start()
        await bench.open()
        await bench.tell(SeverityChanged(before="P1", after="P0", why="person", by=ADA))
        await bench.wait_for("RunbookFinished")
        await bench.stop(first)
        said = await bench.said()
        await bench.connection.request("$JS.API.CONSUMER.DELETE.INCIDENTS.remediator-incidents")
        await bench.start()
        await bench.tell(NoteAdded(text="the last one", by=ADA))
        await _handled_all(bench)
        assert await bench.said() == said
        assert target.actions == ["/clear"]


async def test_a_handler_that_is_cancelled_before_its_acknowledgement_is_taken_up_by_another(bench: Bench) -> None:
    async with Target(healthy=lambda target: target.asked > 20).serve() as target:
        await bench.push(runbook(target, within="30s"))
        first = await bench.start()
        await bench.open()
        await bench.wait_for("ActionSucceeded")
        await bench.stop(first)  # cancels what is still verifying
        await bench.start()
        assert (await bench.wait_for("RunbookFinished")).outcome is RunbookOutcome.MITIGATED
        assert target.actions == ["/clear"]


async def test_replicas_share_the_work_and_each_action_runs_once(bench: Bench) -> None:
    incidents = [f"inc{number}" for number in range(12)]
    async with Target(healthy=lambda target: True).serve() as target:
        await bench.push(runbook(target, within="10s"))
        await asyncio.gather(*(bench.start(max_actions_per_target=100) for _ in range(3)))
        for incident in incidents:
            await bench.open(incident)
            await bench.tell(SeverityChanged(before="P1", after="P0", why="person", by=ADA), incident)
            await bench.tell(NoteAdded(text="x", by=ADA), incident)
        for incident in incidents:
            assert (await bench.wait_for("RunbookFinished", incident)).outcome is RunbookOutcome.MITIGATED, (
                await bench.said(incident)
            )
            assert (await bench.names(incident)).count("ActionClaimed") == 1
        await _handled_all(bench)
        assert sorted(target.actions) == ["/clear"] * len(incidents)
        assert target.most_executions == 1


async def test_a_command_for_an_incident_that_is_not_there_is_parked_with_the_reason(bench: Bench) -> None:
    async with Target().serve() as target:
        await bench.push(runbook(target))
        await bench.start()
        await bench.ask(StopAutomation(incident="nowhere", by=ADA))
        for _ in range(200):
            info = await bench.connection.request("$JS.API.STREAM.INFO.DEADLETTERS")
            if info["state"]["messages"]:
                break
            await asyncio.sleep(0.05)
        letter = await bench.connection.request(
            "$JS.API.STREAM.MSG.GET.DEADLETTERS", b'{"last_by_subj": "tocsin.deadletters.remediator"}'
        )
        assert "there is no such incident" in base64.b64decode(letter["message"]["data"]).decode()
        assert await bench.names("nowhere") == []


async def _handled_all(bench: Bench) -> None:
    """Until every message of the incidents has been acknowledged."""
    for _ in range(400):
        info = await bench.connection.request("$JS.API.CONSUMER.INFO.INCIDENTS.remediator-incidents")
        if not info["num_pending"] and not info["num_ack_pending"]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("messages are left")


async def test_a_secret_is_in_no_event_and_in_no_line_of_the_log(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "canary-4711")
    extra = ", headers: {X-Token: {env: SHOP_TOKEN}}"
    async with Target(on={"/clear": "refuse", "/failover": "cut"}).serve() as target:
        await bench.push(runbook(target, extra=extra))
        with capture_logs() as logs:
            await bench.start()
            await bench.open()
            await bench.wait_for("ActionOutcomeUnknown")
        assert target.headers[0]["x-token"] == "canary-4711"
        assert "canary" not in str(logs)
        assert all(b"canary" not in event.data.to_json() for event in await bench.log.load("inc1"))
