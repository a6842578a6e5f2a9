"""Presses of buttons: told and signed as Slack does, and answered where Slack says."""

import json
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, ConfirmObject
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient

from tocsin_testkit.receivers.failures import Answers
from tocsin_testkit.receivers.slack import NoSuchButtonError, Press, SlackDouble, SlackMessage
from tocsin_testkit.receivers.slack.arguments import RefusedError
from tocsin_testkit.receivers.slack.blocks import check_blocks
from tocsin_testkit.receivers.slack.presses import ANSWERABLE_FOR, Presses


def posted(slack: SlackDouble, **more: Any) -> SlackMessage:
    confirm = ConfirmObject(title="Escalate?", text="The next level is told", confirm="Yes", deny="No")
    block = ActionsBlock(
        elements=[
            ButtonElement(text="Acknowledge", action_id="ack", value="7", style="primary"),
            ButtonElement(text="Escalate", action_id="escalate", value="7", confirm=confirm),
        ]
    )
    client = WebClient(token=slack.token, base_url=slack.api_url, timeout=5)
    client.chat_postMessage(channel="incidents", text="checkout fails", blocks=[block], **more)
    return slack.messages[-1]


def payload_of(press: Press) -> dict[str, Any]:
    (text,) = parse_qs(press.body.decode())["payload"]
    payload: dict[str, Any] = json.loads(text)
    return payload


def test_the_official_verifier_believes_a_press_and_none_that_was_touched(slack_double: SlackDouble) -> None:
    press = slack_double.press(posted(slack_double), "Acknowledge", user="U0BOB")
    verifier = SignatureVerifier(slack_double.signing_secret)
    assert verifier.is_valid_request(press.body, press.headers)
    assert not verifier.is_valid_request(press.body + b" ", press.headers)
    assert not SignatureVerifier("another").is_valid_request(press.body, press.headers)
    stale = slack_double.press(posted(slack_double), "Acknowledge", user="U0BOB", at=1_700_000_000)
    assert not verifier.is_valid_request(stale.body, stale.headers)


def test_a_press_says_who_pressed_what_where(slack_double: SlackDouble) -> None:
    message = posted(slack_double)
    said = payload_of(slack_double.press(message, "Escalate", user="U0BOB", home="T0OTHER"))
    (action,) = said["actions"]
    assert (said["type"], said["user"]["id"], said["user"]["team_id"]) == ("block_actions", "U0BOB", "T0OTHER")
    assert said["container"]["message_ts"] == message.ts
    assert (action["action_id"], action["value"]) == ("escalate", "7")
    assert action["confirm"]["title"]["text"] == "Escalate?"


def test_two_presses_of_one_button_differ(slack_double: SlackDouble) -> None:
    message = posted(slack_double)
    moments = {
        payload_of(slack_double.press(message, "ack", user="U0BOB"))["actions"][0]["action_ts"] for _ in range(3)
    }
    assert len(moments) == 3


def test_what_is_not_there_cannot_be_pressed(slack_double: SlackDouble) -> None:
    with pytest.raises(NoSuchButtonError, match="no button 'Resolve'; it has Acknowledge, Escalate"):
        slack_double.press(posted(slack_double), "Resolve", user="U0BOB")


def test_the_official_client_answers_a_press_five_times_at_most(slack_double: SlackDouble) -> None:
    root = posted(slack_double)
    press = slack_double.press(posted(slack_double, thread_ts=root.ts), "ack", user="U0BOB")
    assert payload_of(press)["container"]["thread_ts"] == root.ts
    client = WebhookClient(press.response_url)
    for number in range(5):
        assert client.send(text=f"done {number}", response_type="ephemeral").body == "ok"
    slack_double.expect_refusals("used_url")
    answer = client.send(text="once more")
    assert (answer.status_code, json.loads(answer.body)["error"]) == (404, "used_url")
    assert [reply.text for reply in slack_double.replies] == [f"done {number}" for number in range(5)]
    assert {(reply.user, reply.response_type) for reply in slack_double.replies} == {("U0BOB", "ephemeral")}


@pytest.mark.parametrize(
    ("content_type", "body", "error"),
    [
        ("text/plain", b"{}", "invalid_payload"),
        ("application/json", b"{", "invalid_payload"),
        ("application/json", b"[]", "invalid_payload"),
        ("application/json", b'{"text": " "}', "no_text"),
        ("application/json", b'{"text": 7}', "no_text"),
        ("application/json", json.dumps({"text": "x" * 40_001}).encode(), "msg_too_long"),
        ("application/json", b'{"text": "x", "response_type": "public"}', "invalid_response_type"),
    ],
)
def test_an_answer_that_slack_refuses_is_refused(
    slack_double: SlackDouble, content_type: str, body: bytes, error: str
) -> None:
    slack_double.expect_refusals(error)
    press = slack_double.press(posted(slack_double), "ack", user="U0BOB")
    with httpx.Client(trust_env=False) as client:
        answer = client.post(press.response_url, content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert slack_double.replies == ()


def test_an_address_that_no_press_had_takes_no_answer(slack_double: SlackDouble) -> None:
    slack_double.expect_refusals("invalid_url")
    assert WebhookClient(f"{slack_double.url}/actions/T1/1/x").send(text="hello").status_code == 404


def test_an_address_for_answers_expires(slack_double: SlackDouble) -> None:
    now = 1_800_000_000.0
    kept = Presses("secret", lambda: now)
    press = kept.press(posted(slack_double), "ack", "U0BOB", "", home="T0TESTKIT", at=None)
    now += ANSWERABLE_FOR + 1
    with pytest.raises(RefusedError, match="expired_url"):
        kept.answer(press.response_url, "application/json", b'{"text": "late"}')


async def test_answers_fail_as_switched_on_and_calls_do_not(slack_double: SlackDouble) -> None:
    slack_double.fail_replies(Answers(500), times=None)
    press = slack_double.press(posted(slack_double), "ack", user="U0BOB")
    client = WebhookClient(press.response_url, retry_handlers=[])
    assert client.send(text="done").status_code == 500
    slack_double.heal()
    assert client.send(text="done").status_code == 200
    assert (await slack_double.wait_for_reply()).text == "done"


def button(**more: Any) -> list[dict[str, Any]]:
    text = {"type": "plain_text", "text": "Go"}
    return [{"type": "actions", "elements": [{"type": "button", "text": text, "action_id": "go", **more}]}]


def confirm(**more: Any) -> dict[str, Any]:
    words = {"title": "Sure?", "text": "It runs.", "confirm": "Yes", "deny": "No"}
    return {name: {"type": "plain_text", "text": text} for name, text in words.items()} | more


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


@pytest.mark.parametrize(
    ("blocks", "complaint"),
    [
        (button(confirm=confirm(title=plain("x" * 101))), "confirm/title"),
        (button(confirm=confirm(title={"type": "mrkdwn", "text": "x"})), "confirm/title/type"),
        (button(confirm=confirm(text=plain("x" * 301))), "confirm/text"),
        (button(confirm=confirm(confirm=plain("x" * 31))), "confirm/confirm"),
        (button(confirm=confirm(deny=None)), "confirm/deny"),
        (button(confirm=confirm(style="pink")), "confirm/style"),
        (button(confirm="sure?"), "confirm"),
        (button(accessibility_label="x" * 76), "accessibility_label"),
        ([{"type": "actions", "elements": [{"type": "image", "image_url": "u", "alt_text": "a"}]}], "elements/0/type"),
    ],
)
def test_buttons_that_slack_refuses_are_refused(blocks: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(RefusedError, match=complaint):
        check_blocks(blocks)


def test_buttons_at_their_limits_are_taken() -> None:
    longest = confirm(title=plain("x" * 100), text=plain("x" * 300), confirm=plain("x" * 30), deny=plain("x" * 30))
    assert check_blocks(button(confirm=longest, accessibility_label="x" * 75, value="x" * 2000))
