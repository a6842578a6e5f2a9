"""Presses of buttons, as Slack tells an app of them: signed, and with an address where the app may answer.

https://docs.slack.dev/interactivity/handling-user-interaction
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlencode

import httpx

from tocsin_testkit.receivers.inbox import Inbox
from tocsin_testkit.receivers.slack.arguments import Json, RefusedError
from tocsin_testkit.receivers.slack.blocks import check_blocks
from tocsin_testkit.receivers.slack.methods import TEAM
from tocsin_testkit.receivers.slack.workspace import BOT_USER, SlackMessage

__all__ = ["NoSuchButtonError", "Press", "Presses", "SlackReply", "signed"]

SLACKS_PATIENCE = 3.0
"""Seconds after which Slack tells whoever pressed that the app did not answer."""
ANSWERS = 5
"""How often an address for answers can be used …"""
ANSWERABLE_FOR = 1800.0
"""… and for how many seconds."""
TEXT = 40_000


class NoSuchButtonError(LookupError):
    """The message has no such button: nobody could press it."""


@dataclass(frozen=True, slots=True)
class SlackReply:
    """What an app wrote to the address for answers of a press."""

    user: str
    channel: str
    text: str
    response_type: str
    thread_ts: str | None = None


@dataclass(frozen=True, slots=True)
class Press:
    """One press, ready to be told to the app; as often as wanted, for the app may be told twice."""

    body: bytes
    headers: dict[str, str]
    response_url: str = field(repr=False)

    async def tell(self, url: str) -> int:
        """Tell the app, at its Request URL; the answer is its HTTP status. Raises httpx.TimeoutException where it does
        not answer within Slack's patience."""
        async with httpx.AsyncClient(trust_env=False, timeout=SLACKS_PATIENCE) as client:
            return (await client.post(url, content=self.body, headers=self.headers)).status_code


def signed(secret: str, body: bytes, at: float) -> dict[str, str]:
    """The headers of a request of Slack's, signed at this moment (seconds since 1970)."""
    moment = str(int(at))
    digest = hmac.new(secret.encode(), b"v0:%b:%b" % (moment.encode(), body), hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": moment,
        "X-Slack-Signature": f"v0={digest}",
    }


@dataclass(slots=True)
class _Address:
    user: str
    channel: str
    until: float
    used: int = 0


class Presses:
    """All presses of a workspace, and the answers to them."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self.inbox: Inbox[SlackReply] = Inbox()
        self._secret, self._clock = secret, clock
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._addresses: dict[str, _Address] = {}

    def press(self, message: SlackMessage, button: str, user: str, url: str, *, home: str, at: float | None) -> Press:
        """`button`: its text or its action_id. `url`: where the double is. `at`: when Slack signs, for stale ones."""
        block, element = _find(message, button)
        now = self._clock() if at is None else at
        with self._lock:
            number = next(self._numbers)
            path = f"/actions/{TEAM}/{number}/{secrets.token_urlsafe(18)}"
            self._addresses[path] = _Address(user, message.channel, self._clock() + ANSWERABLE_FOR)
        payload: Json = {
            "type": "block_actions",
            "user": {"id": user, "username": "somebody", "name": "somebody", "team_id": home},
            "api_app_id": "A0TESTKIT",
            "token": "deprecated",
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
                "is_ephemeral": False,
                **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
            },
            "trigger_id": f"{number}.{number}.{secrets.token_hex(16)}",
            "team": {"id": TEAM, "domain": "testkit"},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": message.channel, "name": message.channel_name},
            "message": {"bot_id": "B0TOCSIN", "type": "message", "text": message.text, "user": BOT_USER,
                        "ts": message.ts, "team": TEAM, "blocks": list(message.blocks)},
            "state": {"values": {}},
            "response_url": f"{url}{path}",
            "actions": [
                {
                    "type": "button",
                    "action_id": element.get("action_id", "made-by-slack"),
                    "block_id": block.get("block_id", "made-by-slack"),
                    "text": element["text"],
                    **({"value": element["value"]} if "value" in element else {}),
                    **({"style": element["style"]} if "style" in element else {}),
                    **({"confirm": element["confirm"]} if "confirm" in element else {}),
                    "action_ts": f"{int(now)}.{number:06d}",
                }
            ],
        }  # fmt: skip
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return Press(body, signed(self._secret, body, now), f"{url}{path}")

    def answer(self, path: str, content_type: str, body: bytes) -> None:
        """Somebody writes to this address. Raises RefusedError."""
        reply = _reply(content_type, body)
        with self._lock:
            address = self._addresses.get(path)
            if address is None:
                raise RefusedError("invalid_url", "no press has this address for answers")
            if self._clock() > address.until:
                raise RefusedError("expired_url", "the press is more than 30 minutes ago")
            if address.used >= ANSWERS:
                raise RefusedError("used_url", f"answered {ANSWERS} times already")
            address.used += 1
            key = f"{path}#{address.used}"
        said = SlackReply(address.user, address.channel, reply["text"], reply["kind"], reply["thread_ts"])
        self.inbox.put(key, said)


def _find(message: SlackMessage, button: str) -> tuple[Json, Json]:
    for block, element in _buttons(message):
        if button in (element["text"]["text"], element.get("action_id")):
            return block, element
    has = ", ".join(element["text"]["text"] for _, element in _buttons(message)) or "none"
    raise NoSuchButtonError(f"the message has no button {button!r}; it has {has}")


def _buttons(message: SlackMessage) -> Iterator[tuple[Json, Json]]:
    for block in message.blocks:
        for element in (*block.get("elements", ()), block.get("accessory")):
            if isinstance(element, dict) and element.get("type") == "button":
                yield block, element


def _reply(content_type: str, body: bytes) -> Json:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise RefusedError("invalid_payload", f"Content-Type {content_type!r}")
    try:
        said = json.loads(body)
    except ValueError as error:
        raise RefusedError("invalid_payload", str(error)) from error
    if not isinstance(said, dict):
        raise RefusedError("invalid_payload", "no JSON object")
    text, kind = said.get("text", ""), said.get("response_type", "ephemeral")
    if not isinstance(text, str) or (not text.strip() and not check_blocks(said.get("blocks"))):
        raise RefusedError("no_text")
    if len(text) > TEXT:
        raise RefusedError("msg_too_long")
    if kind not in ("ephemeral", "in_channel"):
        raise RefusedError("invalid_response_type", str(kind))
    return {"text": text, "kind": kind, "thread_ts": said.get("thread_ts")}
