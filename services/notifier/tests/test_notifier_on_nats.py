"""The wired notifier on a real nats-server: from events in the log to messages at people, and receipts in the log."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest
from notifier_builders import acknowledged, grouped, opened, paged, resolved
from notifier_stage import Stage, host_of, staged

from tocsin_schemas.events import (
    IncidentMuted,
    NotificationDelivered,
    NotificationFailed,
    RoleAssigned,
    StatusUpdated,
    WarRoomRequested,
)
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.receivers.failures import AnswerLost, Answers, Hang, RateLimited
from tocsin_testkit.receivers.slack import SlackDouble
from tocsin_testkit.receivers.smtp import SmtpFailure, SmtpSink


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch, slack_double: SlackDouble) -> None:
    monkeypatch.setenv("TOCSIN_TEST_SLACK", slack_double.token)


def at(slack: SlackDouble, smtp: SmtpSink, **more: object) -> dict[str, object]:
    return {"slack": slack.api_url, "smtp": smtp.port, **more}


async def open_and_page(stage: Stage, severity: str = "P0", target: str = "person:ada") -> None:
    await stage.say(opened(severity, playbook=stage.ref), grouped(), paged(target))


def delivered(receipts: object) -> list[NotificationDelivered]:
    return [each for each in receipts if isinstance(each, NotificationDelivered)]  # type: ignore[attr-defined]  # its own


def failures(receipts: object) -> list[NotificationFailed]:
    return [each for each in receipts if isinstance(each, NotificationFailed)]  # type: ignore[attr-defined]  # its own


async def test_an_incident_is_announced_and_its_responder_paged_and_both_leave_receipts(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage, host_of(nats_server):
        await open_and_page(stage)
        receipts = delivered(await stage.until(lambda found: len(found) == 2))
        await stage.settled()

    announcement, page = slack_double.messages
    assert [message.text.split("\n")[0] for message in slack_double.messages] == [
        announcement.text.split("\n")[0],
        page.text.split("\n")[0],
    ]
    assert "P0: 31 % of checkouts fail, since" in announcement.text
    assert page.thread_ts == announcement.ts  # the first message of an incident is the root of its thread
    assert page.reply_broadcast  # and a page is seen in the channel all the same
    by_recipient = {receipt.recipient: receipt for receipt in receipts}
    assert by_recipient["#incidents"].reference == announcement.ts
    assert by_recipient["person:ada"].page is not None
    assert page.client_msg_id == by_recipient["person:ada"].notification
    assert smtp_sink.mails == ()  # nobody is told twice


async def test_a_dead_slack_leads_to_mail_within_the_deadline(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    slack_double.fail(Hang(), times=None)
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage, host_of(nats_server):
        started = asyncio.get_running_loop().time()
        await open_and_page(stage, "P3")
        mail = await smtp_sink.wait_for(lambda _: True, timedelta(seconds=4))
        took = asyncio.get_running_loop().time() - started
        receipts = await stage.until(lambda found: len(found) == 2)

    assert took < 20  # the channel's deadline is 1.5 s in these tests
    assert mail.recipients == ("ada@shop.example",)
    assert "P3: 31 % of checkouts fail" in mail.subject
    slack_failed, mail_delivered = receipts
    assert isinstance(slack_failed, NotificationFailed)
    assert (slack_failed.channel, slack_failed.exhausted) == ("slack", False)
    assert isinstance(mail_delivered, NotificationDelivered)
    assert mail_delivered.notification == slack_failed.notification
    assert mail.message_id == f"<{mail_delivered.notification}@shop.example>"


RULES = """      rules:
        - {contact: slack, after: 0s}
        - {contact: email, after: 1m}
        - {contact: slack, after: 2m}"""


async def test_each_way_of_a_page_goes_by_the_persons_own_rules_and_a_way_that_fails_to_the_next_at_once(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    """Two replicas share the work; the escalator decides when a further way is due."""
    playbook = at(slack_double, smtp_sink, ada=RULES)
    async with staged(nats_server, **playbook) as stage, host_of(nats_server), host_of(nats_server):
        await stage.say(opened("P3", playbook=stage.ref), paged(page="p1"))
        first = await stage.until(lambda found: len(found) == 1)
        await stage.say(paged(reason="unanswered", page="p2", way=1, repeats="p1"))
        second = await stage.until(lambda found: len(found) == 2)
        smtp_sink.reject_domain("shop.example")
        await stage.say(paged(reason="unanswered", page="p3", way=1, repeats="p1"))
        third = await stage.until(lambda found: len(found) == 4)
        await stage.settled()

    assert [(each.page, each.channel) for each in delivered(first)] == [("p1", "slack")]
    assert [(each.page, each.channel) for each in delivered(second)[1:]] == [("p2", "email")]
    assert [(each.page, each.channel, each.exhausted) for each in failures(third)] == [("p3", "email", False)]
    assert [(each.page, each.channel) for each in delivered(third)[2:]] == [("p3", "slack")]
    assert (len(slack_double.messages), len(smtp_sink.mails)) == (2, 1)


async def test_a_merged_incident_is_not_told_of_and_a_role_an_update_and_a_room_of_another_are(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    """Every event comes through the consumer of the table."""
    by = acknowledged().by
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage, host_of(nats_server):
        merged = IncidentMuted(why="merge", name="Payments are down", explained_by="other")
        await stage.say(opened(playbook=stage.ref), merged, incident="part")
        await stage.say(StatusUpdated(text="nobody hears this", by=by), incident="part")
        await stage.say(opened(playbook=stage.ref))
        await stage.say(RoleAssigned(role="incident_commander", person="grace", by=by))
        await stage.say(StatusUpdated(text="We switch.", status="mitigating", by=by))
        await stage.say(WarRoomRequested(channel="slack", name="#incident-1", invite=("person:grace",)))
        receipts = await stage.until(lambda found: len(found) == 5)
        await stage.settled()
        of_the_part = await stage.receipts("part")

    assert of_the_part == []
    assert sorted(each.recipient for each in delivered(receipts)) == ["#incidents"] * 3 + ["person:grace"] * 2
    assert any("We switch." in message.text for message in slack_double.messages)
    assert not any("nobody hears this" in message.text for message in slack_double.messages)
    assert sorted(mail.subject.split(":")[0] for mail in smtp_sink.mails) == [
        "P0 · war room #incident-1", "P0 · you are incident commander",
    ]  # fmt: skip


async def test_a_page_that_no_channel_takes_is_recorded_as_exhausted_and_turns_health_red(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    slack_double.refuse_with("channel_not_found", times=None)
    smtp_sink.reject_domain("shop.example")
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage, host_of(nats_server) as host:
        await open_and_page(stage, "P3")
        receipts = failures(await stage.until(lambda found: len(found) == 2))
        await asyncio.sleep(0)
        problems = host.problems()

    assert [(each.channel, each.exhausted) for each in receipts] == [("slack", False), ("email", True)]
    assert receipts[0].reason == "Slack says channel_not_found"
    assert "550" in receipts[1].reason
    assert problems["pages"] == "1 page reached nobody, and none has arrived since"


async def test_what_has_a_receipt_is_not_sent_again_when_its_event_comes_again(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage:
        async with host_of(nats_server):
            await open_and_page(stage)
            before = await stage.until(lambda found: len(found) == 2)
            await stage.settled()
        # A consumer that was deleted is made anew, and everything in the log comes again.
        await stage.connection.request("$JS.API.CONSUMER.DELETE.INCIDENTS.notifier-incidents")
        async with host_of(nats_server):
            await stage.settled()
            after = await stage.receipts()

    assert after == before
    assert len(slack_double.messages) == 2


async def test_two_replicas_share_the_work_and_tell_everybody_once(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    incidents = [f"inc{number}" for number in range(20)]
    async with (
        staged(nats_server, **at(slack_double, smtp_sink)) as stage,
        host_of(nats_server),
        host_of(nats_server),
    ):
        for incident in incidents:
            page = paged("person:grace", page=f"page-{incident}")
            await stage.say(opened("P3", playbook=stage.ref), page, incident=incident)
        for incident in incidents:
            await stage.until(lambda found: len(found) == 1, incident=incident)
        await stage.settled()

    assert len(smtp_sink.mails) == len(incidents)
    assert smtp_sink.duplicates() == {}


async def test_a_notifier_that_dies_between_sending_and_its_receipt_sends_at_most_once_more_under_the_same_id(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage:
        async with host_of(nats_server) as dying:

            async def never(*_: object, **__: object) -> None:
                await asyncio.Event().wait()

            dying.incidents.append = never  # type: ignore[method-assign, assignment]  # it dies before the log has it
            await open_and_page(stage, "P3", "person:grace")
            await smtp_sink.wait_for(lambda _: True)
        assert await stage.receipts() == []
        async with host_of(nats_server):
            receipts = delivered(await stage.until(lambda found: len(found) == 1, within=15))
            await stage.settled()

    assert len(smtp_sink.mails) == 2
    assert {mail.message_id for mail in smtp_sink.mails} == {f"<{receipts[0].notification}@shop.example>"}


async def test_an_incident_that_was_resolved_while_nobody_listened_pages_nobody(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage:
        await open_and_page(stage)
        await stage.say(resolved("It went away."))
        async with host_of(nats_server):
            receipts = await stage.until(lambda found: len(found) == 3)
            await stage.settled()

    assert len(slack_double.messages) == 1
    assert slack_double.messages[0].text.startswith("✅ P0 · resolved after")
    assert smtp_sink.mails == ()
    silent = failures(receipts)
    assert {(each.reason, each.exhausted) for each in silent} == {
        ("the incident was resolved before it was sent", False)
    }
    assert {each.recipient for each in silent} == {"#incidents", "person:ada"}


async def test_after_an_outage_a_responder_gets_only_the_latest_page_of_an_incident(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage:
        await stage.say(opened("P3", playbook=stage.ref), paged("person:grace", page="first"))
        await stage.say(paged("person:grace", "escalated", 1, page="second", round=1))
        async with host_of(nats_server):
            receipts = await stage.until(lambda found: len(found) == 2)
            await stage.settled()

    assert len(smtp_sink.mails) == 1
    assert [each.page for each in delivered(receipts)] == ["second"]
    assert [(each.page, each.reason) for each in failures(receipts)] == [
        ("first", "a later page tells the same recipient")
    ]


async def test_a_hanging_channel_does_not_delay_another(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    slack_double.fail(Hang(), times=None)
    settings = {"channel_timeout_seconds": 8.0, "attempt_timeout_seconds": 8.0, "channel_concurrency": 4}
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage, host_of(nats_server, **settings):
        for number in range(8):
            page = paged("channel:slack:#incidents", page=f"hangs{number}")
            await stage.say(opened("P3", playbook=stage.ref), page, incident=f"hangs{number}")
        started = asyncio.get_running_loop().time()
        for number in range(8):
            page = paged("person:grace", page=f"flies{number}")
            await stage.say(opened("P3", playbook=stage.ref), page, incident=f"flies{number}")
        for number in range(8):
            await stage.until(lambda found: len(delivered(found)) == 1, incident=f"flies{number}")
        took = asyncio.get_running_loop().time() - started
        slack_double.heal()

    assert took < 20
    assert len(smtp_sink.mails) == 8


@pytest.mark.parametrize(
    ("failure", "sent"),
    [(Answers(500), 1), (RateLimited(timedelta(seconds=1)), 1), (AnswerLost(), 2)],
    ids=["a server error", "too many messages", "the answer is lost"],
)
async def test_a_failure_that_passes_is_tried_again_on_the_same_channel(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink, failure: Answers, sent: int
) -> None:
    slack_double.fail(failure, times=1)
    async with (
        staged(nats_server, **at(slack_double, smtp_sink)) as stage,
        host_of(nats_server, channel_timeout_seconds=4.0),
    ):
        await open_and_page(stage, "P3")
        receipts = delivered(await stage.until(lambda found: len(found) == 1))

    assert (receipts[0].channel, receipts[0].attempts) == ("slack", 2)
    assert len(slack_double.messages) == sent
    assert {message.client_msg_id for message in slack_double.messages} == {receipts[0].notification}
    assert smtp_sink.mails == ()


async def test_a_channel_that_loses_every_answer_gets_a_page_twice_at_most(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    slack_double.fail(AnswerLost(), times=None)
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage, host_of(nats_server):
        await open_and_page(stage, "P3")
        await stage.until(lambda found: len(delivered(found)) == 1)

    assert len(slack_double.messages) == 2
    assert len(smtp_sink.mails) == 1


async def test_a_mail_whose_answer_is_lost_is_sent_again_under_the_same_message_id(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    smtp_sink.fail(SmtpFailure.ANSWER_LOST)
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage, host_of(nats_server):
        await open_and_page(stage, "P3", "person:grace")
        await stage.until(lambda found: len(delivered(found)) == 1)

    assert len(smtp_sink.mails) == 2
    assert len(smtp_sink.duplicates()) == 1


async def test_an_announcement_waits_for_a_channel_that_is_down(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    slack_double.fail(Answers(503), times=None)
    async with (
        staged(nats_server, **at(slack_double, smtp_sink)) as stage,
        host_of(nats_server, channel_timeout_seconds=0.5),
    ):
        await stage.say(opened(playbook=stage.ref))
        await asyncio.sleep(1.0)
        assert await stage.receipts() == []
        slack_double.heal()
        await stage.until(lambda found: len(delivered(found)) == 1, within=15)
        await stage.settled()

    assert len(slack_double.messages) == 1


async def test_a_revoked_token_leads_to_the_next_channel_and_appears_nowhere(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink, capsys: pytest.CaptureFixture[str]
) -> None:
    slack_double.expect_refusals("invalid_auth")
    slack_double.revoke_token()
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage, host_of(nats_server) as host:
        await open_and_page(stage, "P3")
        await stage.until(lambda found: len(found) == 2)
        async with httpx.AsyncClient() as client:
            metrics = (await client.get(f"{host.ops.url}/metrics")).text
        said = [event.data.model_dump_json() for event in await stage.log.load("4h2kq7xmpw3a")]

    everything = "\n".join([*said, metrics, *capsys.readouterr(), *(mail.raw.decode() for mail in smtp_sink.mails)])
    assert slack_double.token not in everything
    assert "invalid_auth" in json.dumps(said)


async def test_receipts_wait_for_a_broker_that_is_away_and_nothing_is_sent_twice(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    slack_double.fail(Hang(), times=None)
    async with (
        staged(nats_server, **at(slack_double, smtp_sink)) as stage,
        host_of(nats_server, channel_timeout_seconds=1.0),
    ):
        await open_and_page(stage, "P3")
        await asyncio.sleep(0.4)
        nats_server.kill()  # the page is on its way to Slack, which hangs
        mail = await smtp_sink.wait_for(lambda _: True, timedelta(seconds=5))
        nats_server.start()
        receipts = await stage.until(lambda found: len(found) == 2, within=20)

    assert mail.recipients == ("ada@shop.example",)
    assert len(smtp_sink.mails) == 1
    assert [type(each).__name__ for each in receipts] == ["NotificationFailed", "NotificationDelivered"]


async def test_an_incident_whose_playbook_nobody_knows_leaves_a_recorded_failure(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    async with staged(nats_server, **at(slack_double, smtp_sink)) as stage, host_of(nats_server, playbook_tries=1):
        unknown = stage.ref.model_copy(update={"name": "unheard-of"})
        await stage.say(opened(playbook=unknown), paged(), acknowledged())
        receipts = failures(await stage.until(lambda found: len(found) == 1))
        await stage.settled()

    assert receipts[0].exhausted
    assert "was never published" in receipts[0].reason
