"""The Slack double refuses what Slack refuses, as HTTP 200 with ok false."""

import ssl
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tocsin_testkit.receivers.refusals import UnexpectedRefusalError
from tocsin_testkit.receivers.slack import SlackDouble
from tocsin_testkit.receivers.slack.arguments import RefusedError
from tocsin_testkit.receivers.slack.blocks import check_blocks


@cache
def http() -> httpx.Client:
    """One client for all: a new one reads the certificates of the system first, which takes longer than the test."""
    return httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackDouble]:
    with SlackDouble() as double:
        yield double


@pytest.fixture(scope="module")
def channel(slack: SlackDouble) -> str:
    return slack.channel("incidents").id


def call(slack: SlackDouble, method: str, arguments: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    client = WebClient(token=token or slack.token, base_url=slack.api_url, timeout=5)
    with pytest.raises(SlackApiError) as failure:
        client.api_call(method, json=arguments)
    assert failure.value.response.status_code == 200
    data = failure.value.response.data
    assert isinstance(data, dict)
    assert data["ok"] is False
    return data


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "nowhere", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "incidents"}, "no_text"),
        ("chat.postMessage", {"channel": "incidents", "text": " "}, "no_text"),
        ("chat.postMessage", {"channel": "incidents", "text": ["x"]}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "incidents", "text": "x" * 40_001}, "msg_too_long"),
        ("chat.postMessage", {"channel": "incidents", "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
        ("chat.postMessage", {"channel": "incidents", "text": "x", "blocks": "{"}, "invalid_blocks_format"),
        ("chat.postMessage", {"channel": "incidents", "text": "x", "metadata": "m"}, "invalid_metadata_format"),
        ("chat.postMessage", {"channel": "incidents", "text": "x", "metadata": []}, "invalid_metadata_format"),
        ("chat.postMessage", {"channel": "incidents", "text": "x", "metadata": {}}, "invalid_metadata_schema"),
        ("chat.update", {"channel": "incidents", "ts": "1.0", "text": "x"}, "channel_not_found"),
        ("conversations.list", {"limit": 1001}, "invalid_limit"),
        ("conversations.list", {"cursor": "?"}, "invalid_cursor"),
        ("conversations.create", {}, "invalid_name_required"),
        ("conversations.create", {"name": "x" * 81}, "invalid_name_maxlength"),
        ("conversations.create", {"name": "Inc 7"}, "invalid_name_specials"),
        ("conversations.create", {"name": "--"}, "invalid_name_punctuation"),
        ("conversations.create", {"name": "incidents"}, "name_taken"),
        ("conversations.invite", {"channel": "C1", "users": "U0BOB"}, "channel_not_found"),
        ("conversations.setTopic", {"channel": "C1", "topic": "t"}, "channel_not_found"),
        ("pins.add", {"channel": "C1", "timestamp": "1.0"}, "channel_not_found"),
        ("chat.delete", {"channel": "incidents"}, "unknown_method"),
    ],
)  # fmt: skip
def test_refused(slack: SlackDouble, method: str, arguments: dict[str, Any], error: str) -> None:
    before = len(slack.messages)
    assert call(slack, method, arguments)["error"] == error
    assert len(slack.messages) == before
    assert slack.refusals[-1].error == slack.calls[-1].error == error


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.update", {"ts": "1.0", "text": "x"}, "message_not_found"),
        ("conversations.invite", {"users": ""}, "no_user"),
        ("conversations.invite", {"users": "U0NOBODY"}, "user_not_found"),
        ("conversations.invite", {"users": "U0TOCSIN"}, "cant_invite_self"),
        ("conversations.invite", {"users": ",".join(f"U{number}" for number in range(101))}, "too_many_users"),
        ("conversations.setTopic", {"topic": "x" * 251}, "too_long"),
        ("pins.add", {}, "no_item_specified"),
        ("pins.add", {"timestamp": "1.0"}, "message_not_found"),
    ],
)
def test_refused_in_a_channel(
    slack: SlackDouble, channel: str, method: str, arguments: dict[str, Any], error: str
) -> None:
    assert call(slack, method, {"channel": channel, **arguments})["error"] == error


def test_a_second_time_is_refused_where_slack_refuses_it(slack: SlackDouble, channel: str) -> None:
    client = WebClient(token=slack.token, base_url=slack.api_url)
    client.conversations_invite(channel=channel, users="U0BOB")
    assert call(slack, "conversations.invite", {"channel": channel, "users": "U0BOB"})["error"] == "already_in_channel"
    ts = client.chat_postMessage(channel=channel, text="x")["ts"]
    client.pins_add(channel=channel, timestamp=ts)
    assert call(slack, "pins.add", {"channel": channel, "timestamp": ts})["error"] == "already_pinned"


def test_a_reply_has_no_replies(slack: SlackDouble, channel: str) -> None:
    client = WebClient(token=slack.token, base_url=slack.api_url)
    parent = client.chat_postMessage(channel=channel, text="x")["ts"]
    reply = client.chat_postMessage(channel=channel, text="y", thread_ts=parent)["ts"]
    refused = call(slack, "chat.postMessage", {"channel": channel, "text": "z", "thread_ts": reply})
    assert refused["error"] == "cannot_reply_to_message"


def test_a_thread_of_another_channel_is_not_found(slack: SlackDouble, channel: str) -> None:
    client = WebClient(token=slack.token, base_url=slack.api_url)
    elsewhere = client.conversations_create(name="elsewhere")["channel"]["id"]
    parent = client.chat_postMessage(channel=elsewhere, text="x")["ts"]
    refused = call(slack, "chat.postMessage", {"channel": channel, "text": "y", "thread_ts": parent})
    assert refused["error"] == "thread_not_found"


def test_a_wrong_token_is_invalid(slack: SlackDouble) -> None:
    assert call(slack, "auth.test", {}, token="xoxb-other")["error"] == "invalid_auth"


def test_a_revoked_token_is_invalid() -> None:
    with SlackDouble() as slack:
        slack.revoke_token()
        assert call(slack, "chat.postMessage", {"channel": "incidents", "text": "x"})["error"] == "invalid_auth"


def test_an_unknown_method_is_named(slack: SlackDouble) -> None:
    assert call(slack, "bookmarks.add", {})["req_method"] == "bookmarks.add"


@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ({}, b"", "not_authed"),
        ({"authorization": "Basic xoxb-testkit"}, b"", "not_authed"),
        ({"content-type": "application/json; charset=utf-8"}, b"{", "invalid_json"),
        ({"content-type": "application/json; charset=utf-8"}, b"[]", "json_not_object"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=\xff", "invalid_form_data"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"no-value", "invalid_form_data"),
        ({"content-type": "text/plain"}, b"{}", "invalid_post_type"),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x--", "invalid_post_type"),
        ({}, b"{}", "missing_post_type"),
    ],
)
def test_a_malformed_request_is_refused(slack: SlackDouble, headers: dict[str, str], body: bytes, error: str) -> None:
    answer = http().post(f"{slack.api_url}auth.test", headers=headers, content=body)
    assert (answer.status_code, answer.json()["error"]) == (200, error)


def test_json_without_a_charset_is_taken_with_a_warning(slack: SlackDouble) -> None:
    headers = {"authorization": f"Bearer {slack.token}", "content-type": "application/json"}
    answer = http().post(f"{slack.api_url}auth.test", headers=headers, content=b"{}").json()
    assert answer["ok"]
    assert answer["warning"] == "missing_charset"
    assert answer["response_metadata"]["warnings"] == ["missing_charset"]


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(**more: object) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": "Ack"}, "action_id": "ack", **more}


ACCEPTED_BLOCKS = [
    [{"type": "divider"}] * 50,
    [section("x" * 3000)],
    [{"type": "header", "text": {"type": "plain_text", "text": "x" * 150}}],
    [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 10, "accessory": button(value="v")}],
    [{"type": "actions", "elements": [button(style="danger"), button(action_id="b", url="https://x.example")]}],
    [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}]}],
    [{"type": "context", "elements": [{"type": "image", "image_url": "u", "alt_text": "a"}]}],
    [{"type": "image", "slack_file": {"id": "F1"}, "alt_text": "a"}],
    [{"type": "markdown", "text": "# x"}, {"type": "rich_text", "elements": []}],
]  # fmt: skip


@pytest.mark.parametrize("blocks", ACCEPTED_BLOCKS)
def test_blocks_within_the_limits_are_taken(blocks: list[dict[str, Any]]) -> None:
    assert check_blocks(blocks) == tuple(blocks)


@pytest.mark.parametrize(
    ("blocks", "complaint"),
    [
        ([{"type": "divider"}] * 51, r"no more than 50 items allowed \[json-pointer:/blocks\]"),
        ([section("x" * 3001)], r"must be less than 3001 characters \[json-pointer:/blocks/0/text/text\]"),
        ([section("")], "must be more than 0 characters"),
        ([{"type": "section"}], "missing required field: text or fields"),
        ([{"type": "section", "text": "x"}], "must be a text object"),
        ([{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}], "no more than 10 items"),
        ([{"type": "section", "fields": "x"}], "must be a list of 1 or more items"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "less than 151"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "unsupported type: mrkdwn"),
        ([{"type": "header"}], "must be a text object"),
        ([{"type": "markdown", "text": 7}], "must be a string"),
        ([{"type": "context", "elements": []}], "1 or more items"),
        ([{"type": "actions", "elements": [button()] * 26}], "no more than 25 items"),
        ([{"type": "actions", "elements": [button(), button()]}], "action_id 'ack' is already used"),
        ([{"type": "actions", "elements": ["x"]}], "must be an object with a type"),
        ([{"type": "actions", "elements": [button(value="x" * 2001)]}], "less than 2001"),
        ([{"type": "actions", "elements": [button(url="x" * 3001)]}], "less than 3001"),
        ([{"type": "actions", "elements": [button(style="loud")]}], "style must be primary or danger"),
        ([{"type": "actions", "elements": [{"type": "image", "image_url": "u"}]}], "/elements/0/alt_text"),
        ([{"type": "image", "alt_text": "a"}], "/blocks/0/image_url"),
        ([{"type": "marquee"}], "unsupported type: marquee"),
        ([{"type": "divider", "block_id": "x" * 256}], "less than 256"),
        ([{"type": "divider", "block_id": "x"}] * 2, "block_id 'x' is already used"),
    ],
)  # fmt: skip
def test_blocks_beyond_the_limits_are_refused(blocks: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(RefusedError, match=complaint) as refused:
        check_blocks(blocks)
    assert refused.value.error == "invalid_blocks"


@pytest.mark.parametrize("blocks", [{"type": "divider"}, ["divider"]])
def test_what_is_no_list_of_objects_has_the_wrong_format(blocks: object) -> None:
    with pytest.raises(RefusedError, match="invalid_blocks_format"):
        check_blocks(blocks)


def test_blocks_that_are_too_long_together_are_refused() -> None:
    with pytest.raises(RefusedError, match="msg_blocks_too_long"):
        check_blocks([section("x" * 2700)] * 5)


def test_complaints_reach_the_client(slack: SlackDouble) -> None:
    refused = call(slack, "chat.postMessage", {"channel": "incidents", "text": "x", "blocks": [section("")]})
    assert refused["error"] == "invalid_blocks"
    assert refused["response_metadata"]["messages"] == [
        "[ERROR] must be more than 0 characters [json-pointer:/blocks/0/text/text]"
    ]


def test_a_channels_rate_limit_is_its_own() -> None:
    with SlackDouble(channels=["a", "b"], per_channel_interval=timedelta(minutes=1)) as slack:
        client = WebClient(token=slack.token, base_url=slack.api_url)
        client.chat_postMessage(channel="a", text="1")
        client.chat_postMessage(channel="b", text="1")
        with pytest.raises(SlackApiError) as failure:
            client.chat_postMessage(channel="a", text="2")
    response = failure.value.response
    assert (response.status_code, response.headers["retry-after"], response["error"]) == (429, "60", "ratelimited")
    assert len(slack.messages) == 2
    assert slack.calls[-1].error == "ratelimited"


def test_a_refusal_that_nobody_expected_fails_the_test() -> None:
    with SlackDouble() as slack:
        call(slack, "chat.postMessage", {"channel": "incidents"})
        call(slack, "auth.test", {}, token="wrong")
        slack.expect_refusals("invalid_auth")
        with pytest.raises(UnexpectedRefusalError, match=r"refused:\n  chat\.postMessage: no_text\n") as surprise:
            slack.raise_unexpected_refusals()
        assert [refusal.error for refusal in surprise.value.refusals] == ["no_text"]
        slack.expect_refusals("no_text")
        slack.raise_unexpected_refusals()
