"""Slack's Web API: chat.postMessage, its errors sorted into those that will pass and those that will not.

Slack's own client would do, but it brings aiohttp into memory a second time over; this is one POST.
https://docs.slack.dev/reference/methods/chat.postMessage
"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tocsin_notifier.adapters.http import Answer, Poster, status_error
from tocsin_notifier.adapters.sending import Letter, permanent, temporary
from tocsin_notifier.adapters.slack_blocks import blocks_of, fallback_of
from tocsin_playbook.model.channels import SlackChannel
from tocsin_runtime.secrets import SecretMissingError, reveal

__all__ = ["SlackSender"]

_PASSING = frozenset(
    {
        "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
        "team_added_to_org", "accesslimited", "message_limit_exceeded",
    }
)  # fmt: skip
_THREAD_GONE = frozenset({"thread_not_found", "cannot_reply_to_message", "message_not_found"})
_TOO_FANCY = frozenset(
    {
        "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "invalid_metadata_format",
        "invalid_metadata_schema", "metadata_too_large", "metadata_must_be_sent_from_app",
    }
)  # fmt: skip
_WORD = re.compile(r"[a-z][a-z_]{2,63}")
_PLAIN_LENGTH = 2000


class SlackSender:
    """Posts to channels and people."""

    def __init__(
        self,
        http: Poster,
        now: Callable[[], datetime],
        has_buttons: Callable[[SlackChannel], bool] = lambda _: False,
    ) -> None:
        """`has_buttons`: whether presses of buttons in this channel's messages can be believed."""
        self._http, self._now, self._has_buttons = http, now, has_buttons

    async def send(self, letter: Letter) -> str:
        """The answer is the message's `ts`, the handle of its thread."""
        slack = letter.channel.slack
        if slack is None:
            raise permanent(f"{letter.channel.name} is not a Slack channel")
        body = _post(letter, with_buttons=self._has_buttons(slack))
        answer = await self._call(slack, body)
        if _error(answer) in _THREAD_GONE:
            body = {name: value for name, value in body.items() if name not in ("thread_ts", "reply_broadcast")}
            answer = await self._call(slack, body)
        if _error(answer) in _TOO_FANCY:
            kept = {name: value for name, value in body.items() if name not in ("blocks", "metadata")}
            answer = await self._call(slack, {**kept, "text": body["text"][:_PLAIN_LENGTH]})
        return _accepted(answer)

    async def _call(self, slack: SlackChannel, body: dict[str, Any]) -> dict[str, Any]:
        try:
            token = reveal(slack.token)
        except SecretMissingError as error:
            raise permanent(f"the token is missing: {error}") from None
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"}
        url = f"{slack.url.rstrip('/')}/chat.postMessage"
        answer = await self._http.post(url, json.dumps(body, ensure_ascii=False).encode(), headers)
        return _read(answer, self._now())


def _post(letter: Letter, *, with_buttons: bool) -> dict[str, Any]:
    """The arguments of chat.postMessage. A page in a thread is shown in the channel too."""
    message = letter.message
    body: dict[str, Any] = {
        "channel": letter.address,
        "text": fallback_of(message),
        "blocks": blocks_of(message, with_buttons=with_buttons),
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "client_msg_id": message.notification,
        "metadata": {
            "event_type": "tocsin_notification",
            "event_payload": {
                "notification": message.notification,
                "incident": message.incident,
                "kind": message.kind,
                "channel": letter.channel.name,
            },
        },
    }
    if letter.thread is not None:
        body["thread_ts"] = letter.thread
        body["reply_broadcast"] = message.is_page
    return body


def _read(answer: Answer, now: datetime) -> dict[str, Any]:
    """The JSON object of an answer. A failure of HTTP itself is raised."""
    if (refused := status_error(answer, now)) is not None:
        raise refused
    try:
        read = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise temporary("Slack's answer is not JSON", may_have_arrived=True) from None
    if not isinstance(read, dict):
        raise temporary("Slack's answer is not a JSON object", may_have_arrived=True)
    return read


def _error(answer: dict[str, Any]) -> str:
    """Slack's word for what was wrong; empty where nothing was. What is not one word of Slack's is not repeated."""
    if answer.get("ok") is True:
        return ""
    error = str(answer.get("error"))
    return error if _WORD.fullmatch(error) else "something_else"


def _accepted(answer: dict[str, Any]) -> str:
    error = _error(answer)
    if not error:
        return str(answer.get("ts") or "")
    if error in _PASSING:
        raise temporary(f"Slack says {error}")
    raise permanent(f"Slack says {error}")
