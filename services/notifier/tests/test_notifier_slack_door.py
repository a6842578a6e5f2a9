"""What Slack tells of presses, and what somebody else who pretends to be Slack does."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from notifier_builders import NASTY, NOW
from notifier_presses import REPLY_TO, SECRET, Clock, Shelf, action, click, payload, request
from slack_sdk.signature import Clock as SlackClock
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from tocsin_notifier.adapters import slack_door
from tocsin_notifier.adapters.slack_door import SlackDoor
from tocsin_notifier.adapters.slack_signature import SigningSecrets, signed_with
from tocsin_notifier.core.clicks import Click
from tocsin_playbook import load
from tocsin_playbook.model.channels import SlackChannel
from tocsin_testkit.receivers.slack.presses import signed

PATH = "/slack/interactions"


class Door:
    """The door with what it hands on."""

    def __init__(self, *secrets: str) -> None:
        self.clicks: list[Click] = []
        self.settled, self.within = True, 0.0
        self.clock = Clock()
        self.app = Starlette(routes=list(SlackDoor(lambda: secrets or (SECRET,), self._take, self.clock).routes()))
        transport = httpx.ASGITransport(self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://notifier", trust_env=False)

    async def _take(self, click: Click, within: float) -> bool:
        self.within = within
        self.clicks.append(click)
        return self.settled

    async def post(self, body: bytes, headers: Any) -> httpx.Response:
        return await self.client.post(PATH, content=body, headers=headers)

    async def say(self, said: object, **more: Any) -> int:
        return (await self.post(*request(said, **more))).status_code


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    yield made
    await made.client.aclose()


# --- a press ---------------------------------------------------------------------------------------------------------


async def test_a_press_is_handed_on_and_answered_with_nothing_but_ok(door: Door) -> None:
    answer = await door.post(*request(payload()))
    assert (answer.status_code, answer.content) == (200, b"")
    assert door.clicks == [click(signed_with=SECRET)]
    assert door.clicks[0].reply_to == REPLY_TO


async def test_names_of_people_are_not_believed(door: Door) -> None:
    await door.say(payload(user={"id": "U0EVE", "name": "ada", "username": "ada", "team_id": "T1"}))
    assert "ada" not in repr(door.clicks[0])


async def test_a_press_in_a_thread_is_answered_there(door: Door) -> None:
    container = {**payload()["container"], "thread_ts": "1700000000.000000"}
    await door.say(payload(container=container))
    assert door.clicks[0].thread == "1700000000.000000"


async def test_a_guest_of_another_workspace_keeps_their_home(door: Door) -> None:
    await door.say(payload(user={"id": "U0ADA", "team_id": "T2"}))
    await door.say(payload(user={"id": "U0ADA"}))
    await door.say(payload(user={"id": "U0ADA", "team_id": "T2"}, team=None, enterprise={"id": "E1"}))
    assert [(each.team, each.home) for each in door.clicks] == [("T1", "T2"), ("T1", "T1"), ("E1", "T2")]


async def test_what_is_not_sent_is_shown_by_slack_as_failed(door: Door) -> None:
    door.settled = False
    assert await door.say(payload()) == 503


async def test_the_message_that_slack_repeats_may_say_anything(door: Door) -> None:
    assert await door.say(payload(message={"text": "<!channel>" * 1000, "blocks": [{"x": [[[[]]]]}]})) == 200


# --- who is not Slack ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Slack-Signature", "X-Slack-Request-Timestamp"])
async def test_without_a_signature_nothing_is_told(door: Door, name: str) -> None:
    body, headers = request(payload())
    del headers[name]
    answer = await door.post(body, headers)
    assert (answer.status_code, answer.content, door.clicks) == (401, b"", [])


@pytest.mark.parametrize(
    "signature",
    ["", "v0=", "v0=" + "0" * 64, "v1=" + "0" * 64, "é" * 67, "v0=" + "0" * 6400],
)
async def test_a_wrong_signature_is_not_believed(door: Door, signature: str) -> None:
    body, headers = request(payload())
    sent = [*headers.items(), ("X-Slack-Signature", signature.encode())]
    raw = [
        (k.encode(), v if isinstance(v, bytes) else v.encode()) for k, v in sent if v != headers["X-Slack-Signature"]
    ]
    assert (await door.post(body, raw)).status_code == 401
    assert door.clicks == []


async def test_another_secret_another_body_and_two_signatures_are_not_believed(door: Door) -> None:
    assert await door.say(payload(), secret="another") == 401
    body, headers = request(payload())
    assert (await door.post(body + b"&a=b", headers)).status_code == 401
    twice = [*headers.items(), ("X-Slack-Signature", headers["X-Slack-Signature"])]
    assert (await door.post(body, twice)).status_code == 401
    assert door.clicks == []


@pytest.mark.parametrize(
    ("apart", "status"), [(-301, 401), (-300, 200), (-1, 200), (299, 200), (301, 401), (-86_400, 401)]
)
async def test_a_recording_is_not_believed_after_five_minutes(door: Door, apart: int, status: int) -> None:
    at = (NOW + timedelta(seconds=apart)).replace(microsecond=0)
    assert await door.say(payload(), at=at) == status


@pytest.mark.parametrize("moment", ["", "now", "-1", "1e9", "٣", "9" * 400, " 1", "1\x00"])
def test_a_moment_that_is_none_is_not_believed(moment: str) -> None:
    assert signed_with([SECRET], moment, "v0=0", b"", NOW.timestamp()) is None


async def test_either_of_two_secrets_is_believed_and_without_one_nobody() -> None:
    both = Door("old", SECRET)
    assert [await both.say(payload(), secret=each) for each in ("old", SECRET, "third")] == [200, 200, 401]
    await both.client.aclose()
    nobody = Starlette(routes=list(SlackDoor(lambda: (), both._take, Clock()).routes()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(nobody), base_url="http://notifier") as client:
        body, headers = request(payload(), secret="")
        assert (await client.post(PATH, content=body, headers=headers)).status_code == 401


def test_we_believe_what_slacks_own_verifier_believes() -> None:
    class At(SlackClock):
        def now(self) -> float:
            return NOW.timestamp()

    body, headers = request(payload())
    moment, signature = headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"]
    for said, secret in ((body, SECRET), (body + b"x", SECRET), (body, "another")):
        theirs = SignatureVerifier(secret, At()).is_valid(said, moment, signature)
        ours = signed_with([secret], moment, signature, said, NOW.timestamp())
        assert ours == (secret if theirs else None)


async def test_the_log_says_so_once_a_minute_however_many_come(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        await door.say(payload(), secret="another")
    await door.clock.sleep(61)
    await door.say(payload(), secret="another")
    assert capsys.readouterr().out.count("is not believed") == 2


# --- what is no press ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "", "{", "null", "[]", "7", '"x"', "[" * 10_000, '{"a": NaN}', '{"type": "block_actions", "type": "x"}',
        payload(type="view_submission"), payload(type=7), payload(type=None),
        payload(user="U0ADA"), payload(user={}), payload(user={"id": 7}), payload(user={"id": "#incidents"}),
        payload(user={"id": ""}), payload(user={"id": "U0ADA\n"}), payload(user={"id": "u0ada"}),
        payload(user={"id": "U" + "A" * 100}), payload(user={"id": "U0ADA", "team_id": "x"}),
        payload(team=None), payload(team={"id": "C1"}), payload(team="T1"),
        payload(container=None), payload(container={"type": "view", "view_id": "V1"}),
        payload(container={**payload()["container"], "message_ts": "yesterday"}),
        payload(container={**payload()["container"], "channel_id": "*"}),
        payload(actions=[]), payload(actions=None), payload(actions=[action(), action()]), payload(actions={"0": {}}),
        payload(actions=[action(type="static_select")]), payload(actions=[action(action_id="")]),
        payload(actions=[action(action_id="x" * 256)]), payload(actions=[action(action_ts="1")]),
        payload(actions=[action(action_ts=1.0)]), payload(actions=[action(value=7)]),
        payload(actions=[action(value="x" * 2001)]), payload(response_url=None), payload(response_url="h" * 2001),
    ],
)  # fmt: skip
async def test_what_is_no_press_of_a_button_is_refused_whole(door: Door, said: object) -> None:
    assert (await door.say(said), door.clicks) == (400, [])


@pytest.mark.parametrize("text", NASTY)
async def test_hostile_values_are_handed_on_as_they_are_or_refused(door: Door, text: str) -> None:
    assert await door.say(payload(actions=[action(value=text)])) == (
        200 if len(text) <= 2000 and "\ud800" not in text else 400
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"payload", b"other=1", b"payload=1&payload=2", b"\xff\xfe", b"payload=%ff", b"&" * 100 + b"a=1" * 100],
)
async def test_a_form_without_one_payload_is_refused(door: Door, body: bytes) -> None:
    headers = signed(SECRET, body, NOW.timestamp())
    assert (await door.post(body, headers)).status_code == 400


async def test_a_form_of_many_fields_is_refused(door: Door) -> None:
    body = request(payload())[0] + b"&a=1" * 10
    assert (await door.post(body, signed(SECRET, body, NOW.timestamp()))).status_code == 400


async def test_another_type_of_body_is_refused(door: Door) -> None:
    body, headers = request(payload())
    for kind in ("application/json", "text/plain", ""):
        assert (await door.post(body, {**headers, "Content-Type": kind})).status_code == 415
    assert (
        await door.post(body, {**headers, "Content-Type": "Application/X-WWW-Form-Urlencoded; charset=utf-8"})
    ).is_success


async def test_a_body_that_is_too_long_is_refused_before_it_is_read(door: Door) -> None:
    body, headers = request(payload(message="x" * 300_000))
    assert (await door.post(body, headers)).status_code == 413


async def test_what_is_done_with_it_fits_into_slacks_patience_whatever_the_body_took(door: Door) -> None:
    body, headers = request(payload())

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:100]
        await door.clock.sleep(1.0)
        yield body[100:]

    assert (await door.client.post(PATH, content=slowly(), headers=headers)).status_code == 200
    assert door.within == 1.5


async def drip(door: Door, *, then: str) -> int:
    """Begin a body and stop: for ever, or by going away."""
    body, headers = request(payload())
    told: list[Any] = [{"type": "http.request", "body": body[:10], "more_body": True}]
    answered: list[int] = []

    async def receive() -> Any:
        if told:
            return told.pop()
        if then == "goes away":
            return {"type": "http.disconnect"}
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    scope: Scope = {
        "type": "http", "method": "POST", "path": PATH, "query_string": b"", "http_version": "1.1", "scheme": "http",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()], "server": None, "client": None,
    }  # fmt: skip
    receiving: Receive = receive
    sending: Send = send
    await door.app(scope, receiving, sending)
    return answered[0]


async def test_a_body_that_does_not_come_is_not_waited_for(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_door, "_BODY_SECONDS", 0.05)
    assert (await drip(door, then="hangs"), await drip(door, then="goes away")) == (408, 400)
    assert door.clicks == []


async def test_only_posts_to_the_exact_path_are_answered(door: Door) -> None:
    body, headers = request(payload())
    assert (await door.client.get(PATH)).status_code == 405
    assert not (await door.client.post(f"{PATH}/", content=body, headers=headers)).is_success
    assert door.clicks == []


# --- which secrets there are -----------------------------------------------------------------------------------------

CHANNELS = """
communicate:
  channels:
    - name: own
      slack: {token: {env: TOCSIN_TEST_SLACK}, signing_secret: {env: TOCSIN_TEST_SIGNING}}
    - name: plain
      slack: {token: {env: TOCSIN_TEST_SLACK}}
    - name: tty
      console: {}
"""


def channels() -> tuple[Shelf, SlackChannel, SlackChannel]:
    text = "apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: p}\nseverities: [{name: P0}]\n" + CHANNELS
    made = load(text).playbook
    own, plain = made.channel("own").slack, made.channel("plain").slack
    assert own is not None
    assert plain is not None
    return Shelf(made), own, plain


def test_a_secret_is_of_the_settings_or_of_a_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, own, plain = channels()
    monkeypatch.setenv("TOCSIN_TEST_SIGNING", "of-the-channel")
    secrets = SigningSecrets("", shelf)  # type: ignore[arg-type]  # as much of Playbooks as is asked for
    assert (secrets.all(), secrets.has(own), secrets.has(plain)) == (("of-the-channel",), True, False)
    both = SigningSecrets(" new old ", shelf)  # type: ignore[arg-type]  # as above
    assert (both.all(), both.has(own), both.has(plain)) == (("new", "old", "of-the-channel"), True, True)


def test_the_secret_of_a_channels_app_vouches_for_people_of_that_channel_only(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, own, plain = channels()
    monkeypatch.setenv("TOCSIN_TEST_SIGNING", "of-the-channel")
    secrets = SigningSecrets("of-the-settings", shelf)  # type: ignore[arg-type]  # as much of Playbooks as is asked for
    believed = {(secret, slack is own): secrets.vouches(secret, slack) for secret in
                ("of-the-channel", "of-the-settings", "another") for slack in (own, plain)}  # fmt: skip
    assert believed == {
        ("of-the-channel", True): True,
        ("of-the-channel", False): False,
        ("of-the-settings", True): True,
        ("of-the-settings", False): True,
        ("another", True): False,
        ("another", False): False,
    }


def test_a_channels_secret_that_is_missing_is_said_when_the_playbook_comes_into_force(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf, own, _ = channels()
    monkeypatch.delenv("TOCSIN_TEST_SIGNING", raising=False)
    secrets = SigningSecrets("", shelf)  # type: ignore[arg-type]  # as much of Playbooks as is asked for
    for call in shelf.changed:
        call()
    assert (secrets.all(), secrets.has(own)) == ((), False)
    assert "its signing secret cannot be read" in capsys.readouterr().out
    monkeypatch.setenv("TOCSIN_TEST_SIGNING", "there")
    for call in shelf.changed:
        call()
    assert "cannot be read" not in capsys.readouterr().out
