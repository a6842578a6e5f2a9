"""The wired notifier with buttons, on a real nats-server: what is pressed in the message that it sent."""

import asyncio
from datetime import UTC, datetime

import pytest
from notifier_builders import INCIDENT, grouped, opened, paged
from notifier_stage import Stage, host_of, staged

from tocsin_runtime import Host
from tocsin_runtime.bus.log import Append
from tocsin_schemas import Actor, Envelope, caused_by, decode
from tocsin_schemas.commands import Acknowledge
from tocsin_schemas.events import IncidentAcknowledged
from tocsin_schemas.subjects import service_log_filter
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.receivers.slack import SlackDouble, SlackMessage
from tocsin_testkit.receivers.smtp import SmtpSink

BY = Actor.person("ada", "slack")


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch, slack_double: SlackDouble) -> None:
    monkeypatch.setenv("TOCSIN_TEST_SLACK", slack_double.token)


def given(slack: SlackDouble, smtp: SmtpSink) -> dict[str, object]:
    return {"slack": slack.api_url, "smtp": smtp.port, "ada": "        - {channel: slack, address: U0ALICE}"}


def buttons(slack: SlackDouble) -> dict[str, object]:
    return {"slack_signing_secret": slack.signing_secret, "slack_response_hosts": "127.0.0.1"}


async def page_of(stage: Stage, slack: SlackDouble) -> SlackMessage:
    await stage.say(opened("P3", playbook=stage.ref), grouped(), paged())
    return await slack.wait_for(lambda message: "this page is for you" in message.text)


async def commands(stage: Stage) -> list[Envelope[Acknowledge]]:
    """What waits in the queue of commands."""
    found = []
    for number in range(1, 1 + await stage.connection.last_sequence("COMMANDS")):
        message = await stage.connection.client.jetstream().get_msg("COMMANDS", number)
        found.append(decode(dict(message.headers or {}), message.data or b""))
    return found  # type: ignore[return-value]  # nothing else is pressed here


def door_of(host: Host) -> str:  # type: ignore[type-arg]  # of whatever settings
    return f"{host.ops.url}/slack/interactions"


async def test_a_press_that_two_replicas_are_told_of_is_one_command_and_is_answered(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    secret = buttons(slack_double)
    async with (
        staged(nats_server, **given(slack_double, smtp_sink)) as stage,
        host_of(nats_server, **secret) as one,
        host_of(nats_server, **secret) as other,
    ):
        press = slack_double.press(await page_of(stage, slack_double), "Acknowledge", user="U0ALICE")
        assert await press.tell(door_of(one)) == 200
        assert await press.tell(door_of(other)) == 200
        (command,) = await commands(stage)
        assert command.data == Acknowledge(incident=INCIDENT, by=BY)

        events = (caused_by(command.id, 0, "escalator", INCIDENT, datetime.now(UTC), IncidentAcknowledged(by=BY)),)
        own = service_log_filter(INCIDENT, "escalator")
        last = (await stage.log.load(INCIDENT, service="escalator"))[-1].sequence
        await stage.log.append([Append(INCIDENT, events, last, own)])
        async with asyncio.timeout(10):
            while len(slack_double.replies) < 2:
                await asyncio.sleep(0.02)
    assert {reply.text for reply in slack_double.replies} == {"You are on it: paging has stopped."}


async def test_without_the_secret_there_are_no_buttons_and_nobody_is_believed(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink
) -> None:
    async with (
        staged(nats_server, **given(slack_double, smtp_sink)) as stage,
        host_of(nats_server, **buttons(slack_double)) as host,
    ):
        press = slack_double.press(await page_of(stage, slack_double), "Acknowledge", user="U0ALICE")
        await stage.settled()
        await host.stop()
        async with host_of(nats_server) as without:
            await stage.say(paged(page="p2"))
            second = await slack_double.wait_for(lambda message: message.ts > slack_double.messages[0].ts)
            assert "actions" not in {block["type"] for block in second.blocks}
            assert "tocsin ack" in second.text
            assert await press.tell(door_of(without)) == 401
        assert await commands(stage) == []
    assert slack_double.replies == ()


async def test_the_secret_is_shown_nowhere(
    nats_server: NatsServer, slack_double: SlackDouble, smtp_sink: SmtpSink, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        staged(nats_server, **given(slack_double, smtp_sink)) as stage,
        host_of(nats_server, **{**buttons(slack_double), "slack_signing_secret": "canary-of-signing"}) as host,
    ):
        press = slack_double.press(await page_of(stage, slack_double), "Acknowledge", user="U0ALICE")
        assert await press.tell(door_of(host)) == 401
        shown = repr(host.settings) + str(slack_double.calls) + capsys.readouterr().out
    assert "canary-of-signing" not in shown
    assert press.response_url not in shown
