"""Where and how who pressed is told what came of it."""

import asyncio

import pytest
from notifier_builders import NASTY
from notifier_presses import REPLY_TO, Clock, Hooks, click
from slack_sdk.web.async_client import AsyncWebClient

from tocsin_notifier.adapters import slack_replies
from tocsin_notifier.adapters.http import Answer, HttpPoster
from tocsin_notifier.adapters.sending import permanent, temporary
from tocsin_notifier.adapters.slack_replies import SlackReplies
from tocsin_testkit.receivers.failures import Answers, HugeBody
from tocsin_testkit.receivers.slack import Press, SlackDouble

HOSTS = frozenset({"hooks.slack.com", "127.0.0.1"})


def replies(hooks: Hooks, clock: Clock | None = None) -> SlackReplies:
    return SlackReplies(hooks, clock or Clock(), HOSTS)


async def test_only_who_pressed_is_told_and_the_message_stays() -> None:
    hooks = Hooks()
    await replies(hooks).tell(click(), "You are on it.")
    said = {"response_type": "ephemeral", "replace_original": False, "text": "You are on it."}
    assert hooks.told == [(REPLY_TO, said)]


async def test_a_press_in_a_thread_is_answered_in_it() -> None:
    hooks = Hooks()
    await replies(hooks).tell(click(thread="1.2"), "You are on it.")
    assert hooks.told[0][1]["thread_ts"] == "1.2"


@pytest.mark.parametrize("text", NASTY)
async def test_text_stays_text(text: str) -> None:
    hooks = Hooks()
    await replies(hooks).tell(click(), f"Not done: {text}")
    assert "<" not in hooks.texts[0]
    assert len(hooks.texts[0]) <= 2000


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://hooks.slack.com/actions/T1/2/three",
        "https://hooks.slack.com.evil.example/actions",
        "https://evil.example/hooks.slack.com",
        "https://hooks.slack.com@evil.example/",
        "https://evil.example#@hooks.slack.com/",
        "https://hooks.slack.com\\@evil.example/",
        "https://hooks.slack.com:8443/actions",
        "https://hooks.slack.com:22/actions",
        "https://HOOKS.slack.com/actions",
        "https://hooks.slack.com/actions\n",
        "https://hooks.slack.com/actions\r\nHost: evil",
        "https://hooks.slack.com",
        "https://hooks。slack.com/actions",
        "https://169.254.169.254/latest",
        "https://localhost/",
        "file:///etc/passwd",
        "https://hooks.slack.com/" + "x" * 2000,
    ],
)
async def test_other_addresses_are_not_written_to_and_are_in_no_log(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hooks = Hooks()
    await replies(hooks).tell(click(reply_to=address), "You are on it.")
    out = capsys.readouterr().out
    assert hooks.told == []
    assert "cannot be answered" in out
    assert "You are on it." in out
    assert not address or address not in out


@pytest.mark.parametrize("address", [REPLY_TO, "https://hooks.slack.com:443/actions/T1", "http://127.0.0.1:7391/a"])
async def test_slacks_own_addresses_and_this_computers_are(address: str) -> None:
    hooks = Hooks()
    await replies(hooks).tell(click(reply_to=address), "You are on it.")
    assert [url for url, _ in hooks.told] == [address]


async def test_what_may_pass_is_tried_again_twice() -> None:
    hooks, clock = Hooks(), Clock()
    hooks.answers += [Answer(503, {}, b""), temporary("no answer: ServerDisconnectedError"), Answer(200, {}, b"ok")]
    await replies(hooks, clock).tell(click(), "You are on it.")
    assert (len(hooks.told), clock.passed) == (3, 2.5)


async def test_slacks_own_pause_is_kept_within_reason() -> None:
    hooks, clock = Hooks(), Clock()
    hooks.answers += [Answer(429, {"retry-after": "3"}, b""), Answer(429, {"retry-after": "3600"}, b"")]
    await replies(hooks, clock).tell(click(), "You are on it.")
    assert (len(hooks.told), clock.passed) == (3, 8.0)


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        ([Answer(404, {}, b'{"ok":false,"error":"used_url"}')], 1),
        ([permanent("cannot connect: the host name is not known")], 1),
        ([Answer(500, {}, b"")] * 9, 3),
    ],
)
async def test_what_cannot_be_told_is_logged_without_the_address(
    answers: list[Answer | Exception], tries: int, capsys: pytest.CaptureFixture[str]
) -> None:
    hooks = Hooks()
    hooks.answers += answers
    await replies(hooks).tell(click(), "You are on it.")
    out = capsys.readouterr().out
    assert len(hooks.told) == tries
    assert "could not be answered" in out
    assert "You are on it." in out
    assert "actions/T1" not in out


async def test_slack_may_hang(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(slack_replies, "_ATTEMPT", 0.02)

    class Hanging(Hooks):
        async def post(self, url: str, body: bytes, headers: object) -> Answer:
            self.told.append((url, {}))
            await asyncio.Event().wait()
            raise AssertionError

    hooks = Hanging()
    await replies(hooks).tell(click(), "You are on it.")
    assert len(hooks.told) == 3
    assert "no answer within" in capsys.readouterr().out


async def press(slack: SlackDouble) -> Press:
    """A press of a button in a message of its own."""
    button = {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "action_id": "go"}
    client = AsyncWebClient(token=slack.token, base_url=slack.api_url)
    await client.chat_postMessage(channel="incidents", text="x", blocks=[{"type": "actions", "elements": [button]}])
    return slack.press(slack.messages[0], "Go", user="U0BOB")


async def test_slack_takes_what_we_say(slack_double: SlackDouble) -> None:
    http = HttpPoster()
    slack_double.fail_replies(Answers(302, headers={"location": "http://127.0.0.1:1/"}))
    slack_double.fail_replies(Answers(500))
    slack_double.fail_replies(HugeBody())
    said = SlackReplies(http, Clock(), HOSTS)
    await said.tell(click(reply_to=(await press(slack_double)).response_url), "lost: redirected")
    await said.tell(click(reply_to=(await press(slack_double)).response_url), "You are on it & <this>.")
    await http.close()
    assert {reply.text for reply in slack_double.replies} == {"You are on it &amp; &lt;this&gt;."}
    assert slack_double.replies[0].response_type == "ephemeral"
