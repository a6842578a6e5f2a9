"""What the official clients can do with the Slack double, and what it keeps of it."""

import asyncio
from datetime import timedelta

import pytest
from slack_sdk import WebClient
from slack_sdk.web.async_client import AsyncWebClient

from tocsin_testkit.receivers.inbox import NothingArrivedError
from tocsin_testkit.receivers.slack import SlackDouble


def client_of(slack: SlackDouble) -> WebClient:
    return WebClient(token=slack.token, base_url=slack.api_url, timeout=5)


async def test_the_async_client_posts_a_thread_and_edits_its_first_message(slack_double: SlackDouble) -> None:
    client = AsyncWebClient(token=slack_double.token, base_url=slack_double.api_url, timeout=5)
    page = await client.chat_postMessage(channel="#incidents", text="checkout fails")
    await client.chat_postMessage(
        channel=page["channel"], text="acknowledged", thread_ts=page["ts"], reply_broadcast=True
    )
    await client.chat_update(channel=page["channel"], ts=page["ts"], text="checkout fails: acknowledged")

    first, reply = slack_double.thread(page["ts"])
    assert (first.text, [earlier.text for earlier in first.earlier]) == (
        "checkout fails: acknowledged",
        ["checkout fails"],
    )
    assert (reply.text, reply.is_reply, reply.reply_broadcast) == ("acknowledged", True, True)
    assert not first.is_reply


def test_the_sync_client_posts(slack_double: SlackDouble) -> None:
    answer = client_of(slack_double).chat_postMessage(channel="incidents", text="hello", client_msg_id="n-1")
    assert answer["message"]["text"] == "hello"
    (message,) = slack_double.messages
    assert (message.ts, message.channel_name, message.client_msg_id) == (answer["ts"], "incidents", "n-1")


def test_blocks_and_metadata_are_kept(slack_double: SlackDouble) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*down*"}}]
    metadata = {"event_type": "incident", "event_payload": {"id": "7"}}
    client_of(slack_double).chat_postMessage(channel="incidents", text="down", blocks=blocks, metadata=metadata)
    (message,) = slack_double.messages
    assert message.blocks == tuple(blocks)
    assert message.metadata == metadata


def test_a_form_carries_structures_as_json_text(slack_double: SlackDouble) -> None:
    answer = client_of(slack_double).api_call(
        "chat.postMessage", data={"channel": "incidents", "text": "", "blocks": '[{"type": "divider"}]'}
    )
    assert answer["message"]["blocks"] == [{"type": "divider"}]


def test_the_same_client_msg_id_twice_is_a_duplicate_to_see(slack_double: SlackDouble) -> None:
    client = client_of(slack_double)
    for identity in ("n-1", "n-2", "n-1"):
        client.chat_postMessage(channel="incidents", text="page", client_msg_id=identity)
    assert list(slack_double.duplicates()) == ["n-1"]
    assert len(slack_double.duplicates()["n-1"]) == 2


def test_a_person_is_messaged_directly(slack_double: SlackDouble) -> None:
    client = client_of(slack_double)
    answer = client.chat_postMessage(channel="U0ALICE", text="you are paged")
    again = client.chat_postMessage(channel="U0ALICE", text="still")
    assert answer["channel"] == again["channel"] == "D0ALICE"


def test_an_incident_channel_is_created_filled_titled_and_pinned_in(slack_double: SlackDouble) -> None:
    client = client_of(slack_double)
    channel = client.conversations_create(name="inc-7", is_private=True)["channel"]["id"]
    client.conversations_invite(channel=channel, users=["U0ALICE", "U0BOB"])
    client.conversations_setTopic(channel=channel, topic="SEV1")
    message = client.chat_postMessage(channel=channel, text="what we know")
    client.pins_add(channel=channel, timestamp=message["ts"])
    made = slack_double.channel("inc-7")
    assert (made.is_private, made.topic, made.pins) == (True, "SEV1", [message["ts"]])
    assert made.members[1:] == ["U0ALICE", "U0BOB"]


def test_channels_are_listed_in_pages() -> None:
    with SlackDouble(channels=["a", "b", "c"]) as slack:
        client = client_of(slack)
        client.conversations_create(name="hidden", is_private=True)
        client.chat_postMessage(channel="U0BOB", text="hi")
        names = [[channel["name"] for channel in page["channels"]] for page in client.conversations_list(limit=2)]
        assert names == [["a", "b"], ["c"]]
        private = client.conversations_list(types="private_channel,im")
        assert [channel["name"] for channel in private["channels"]] == ["hidden", "U0BOB"]


def test_a_token_is_checked(slack_double: SlackDouble) -> None:
    assert client_of(slack_double).auth_test()["user"] == "tocsin"


async def test_waiting_returns_what_is_there_or_comes(slack_double: SlackDouble) -> None:
    client = AsyncWebClient(token=slack_double.token, base_url=slack_double.api_url)
    later = asyncio.create_task(slack_double.wait_for(lambda message: message.text == "second"))
    await client.chat_postMessage(channel="incidents", text="first")
    assert (await slack_double.wait_for(lambda message: message.text == "first")).text == "first"
    assert not later.done()
    await client.chat_postMessage(channel="incidents", text="second")
    assert (await later).text == "second"


async def test_waiting_for_an_edit_returns_the_edited_message(slack_double: SlackDouble) -> None:
    client = AsyncWebClient(token=slack_double.token, base_url=slack_double.api_url)
    posted = await client.chat_postMessage(channel="incidents", text="firing")
    waiting = asyncio.create_task(slack_double.wait_for(lambda message: "resolved" in message.text))
    await client.chat_update(channel=posted["channel"], ts=posted["ts"], text="resolved")
    assert (await waiting).ts == posted["ts"]


async def test_waiting_in_vain_says_what_came_instead(slack_double: SlackDouble) -> None:
    client = AsyncWebClient(token=slack_double.token, base_url=slack_double.api_url)
    await client.chat_postMessage(channel="incidents", text="something else")
    with pytest.raises(NothingArrivedError, match=r"(?s)within 0\.05 s.*something else"):
        await slack_double.wait_for(lambda message: message.text == "never", timedelta(milliseconds=50))


def test_waiting_works_without_an_event_loop(slack_double: SlackDouble) -> None:
    client_of(slack_double).chat_postMessage(channel="incidents", text="here")
    assert slack_double.wait(lambda message: message.text == "here").text == "here"
    with pytest.raises(NothingArrivedError, match="here"):
        slack_double.wait(lambda message: message.text == "never", timedelta(milliseconds=20))


def test_calls_are_kept_without_the_token(slack_double: SlackDouble) -> None:
    slack = client_of(slack_double)
    slack.api_call("auth.test", data={"token": slack_double.token, "note": "x"})
    (call,) = slack_double.calls
    assert (call.method, call.arguments, call.error) == ("auth.test", {"note": "x"}, None)


def test_a_stopped_double_refuses_connections_and_comes_back_on_its_port(slack_double: SlackDouble) -> None:
    client = client_of(slack_double)
    client.retry_handlers.clear()
    client.auth_test()
    slack_double.stop()
    with pytest.raises(OSError, match="refused"):
        client.auth_test()
    slack_double.start()
    assert client.auth_test()["ok"]


def test_a_port_in_use_is_an_error(slack_double: SlackDouble) -> None:
    second = SlackDouble(port=int(slack_double.url.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        second.start()
    second.stop()
