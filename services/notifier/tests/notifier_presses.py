"""Presses of buttons for tests: what Slack says of one, and what stands around who carries it out."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from notifier_builders import INCIDENT, NOW, REF, playbook

from tocsin_notifier.adapters.http import Answer as HttpAnswer
from tocsin_notifier.core.clicks import Click
from tocsin_playbook import Playbook
from tocsin_runtime.asking import Answer
from tocsin_schemas import Command, Envelope, Event, PlaybookRef
from tocsin_testkit.receivers.slack.presses import signed

SECRET = "shhh"
REPLY_TO = "https://hooks.slack.com/actions/T1/2/three"
ADA = """        - {channel: slack, address: U0ADA}"""


def value(incident: str = INCIDENT, **more: str) -> str:
    return json.dumps({"incident": incident, **more})


def click(name: str = "tocsin:acknowledge:0", **more: Any) -> Click:
    """Ada acknowledges, unless it is said otherwise."""
    given: dict[str, Any] = {
        "user": "U0ADA", "team": "T1", "home": "T1", "channel": "C1", "message": "1700000000.000001", "name": name,
        "value": value(), "at": "1700000001.000001", "reply_to": REPLY_TO, "signed_with": "of the app",
    }  # fmt: skip
    return Click(**(given | more))


def payload(**more: Any) -> dict[str, Any]:
    """What Slack says of a press; fields of `more` in the place of its own."""
    return {
        "type": "block_actions",
        "user": {"id": "U0ADA", "username": "mallory", "name": "mallory", "team_id": "T1"},
        "team": {"id": "T1", "domain": "shop"},
        "enterprise": None,
        "container": {"type": "message", "message_ts": "1700000000.000001", "channel_id": "C1", "is_ephemeral": False},
        "trigger_id": "1.2.x",
        "response_url": REPLY_TO,
        "actions": [action()],
    } | more


def action(**more: Any) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": "tocsin:acknowledge:0",
        "block_id": "b",
        "text": {"type": "plain_text", "text": "Acknowledge"},
        "value": value(),
        "action_ts": "1700000001.000001",
    } | more


def request(said: object, *, secret: str = SECRET, at: datetime = NOW) -> tuple[bytes, dict[str, str]]:
    """Body and headers, signed."""
    body = urlencode({"payload": said if isinstance(said, str) else json.dumps(said)}).encode()
    return body, signed(secret, body, at.timestamp())


class Clock:
    """Stands still; sleeping moves it, and lets others run."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds
        await asyncio.sleep(0)


class Shelf:
    """The playbooks in force."""

    def __init__(self, *playbooks: Playbook) -> None:
        self._playbooks = playbooks or (playbook(ada=ADA),)
        self.changed: list[Any] = []
        self.caught_up = asyncio.Event()
        self.caught_up.set()

    def heads(self) -> dict[str, PlaybookRef]:
        return {str(n): PlaybookRef(name=REF.name, revision=f"{n:012x}") for n, _ in enumerate(self._playbooks)}

    def get(self, ref: PlaybookRef) -> Playbook:
        return self._playbooks[int(ref.revision, 16)]

    def on_change(self, call: Any) -> None:
        self.changed.append(call)


class Asked:
    """In the place of `Asking`: keeps what is asked, by the cause, and answers or fails as told."""

    def __init__(self) -> None:
        self.sent: list[tuple[Command, str]] = []
        self.events: Sequence[Envelope[Event]] = ()
        self.refused: str | None = None
        self.when_sent: Exception | None = None
        self.when_asked: Exception | None = None
        self.may_send, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_send.set()
        self.may_answer.set()

    async def send(self, command: Command, cause: str) -> str:
        await self.may_send.wait()
        if self.when_sent is not None:
            raise self.when_sent
        self.sent.append((command, cause))
        return cause

    async def ask(self, command: Command, cause: str) -> Answer:
        assert (command, cause) in self.sent
        await self.may_answer.wait()
        if self.when_asked is not None:
            raise self.when_asked
        return Answer(cause, tuple(self.events), self.refused)


class Hooks:
    """Slack's address for answers: takes them, or fails as told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[HttpAnswer | Exception] = []

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        self.told.append((url, json.loads(body)))
        answer = self.answers.pop(0) if self.answers else HttpAnswer(200, {}, b"ok")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None: ...

    @property
    def texts(self) -> list[str]:
        return [said["text"] for _, said in self.told]
