"""Where messages arrive: Slack, mail, webhooks and the terminal, as far as a sender can tell.

A channel that is told nothing takes everything. What it was told (refuse, hang, take it and lose the answer) holds for
a channel's name, for so many messages or until it is told otherwise.
"""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, Literal

from tocsin_notifier.adapters.http import Answer
from tocsin_notifier.adapters.sending import Letter, permanent, temporary
from tocsin_playbook.model.channels import SmtpChannel
from tocsin_rehearsal.outside.web import Fault

__all__ = ["Inbox", "ModelMailer", "ModelPoster", "ModelTerminal", "Reception", "Sent"]

Kind = Literal["slack", "webhook", "email", "console"]
_FOR_EVER = 10**9


@dataclass(frozen=True, slots=True)
class Reception:
    """How a message is received."""

    status: int = 200
    retry_after: float | None = None
    fault: Fault = ""
    times: int = _FOR_EVER
    id: int = field(default_factory=itertools.count().__next__)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that arrived.

    `at`: since the start. `channel`: its name in the playbook. `id`: the notification's, the same for each time that
    it is sent. `notification`: what it is about, such as page, opened or resolved.
    """

    at: timedelta
    channel: str
    kind: Kind
    address: str
    id: str
    incident: str
    notification: str
    text: str
    thread: str = ""


@dataclass(slots=True)
class Inbox:
    """All receivers."""

    arrived: list[Sent] = field(default_factory=list)
    on_arrival: list[Callable[[Sent], None]] = field(default_factory=list)
    _told: dict[str, list[Reception]] = field(default_factory=dict)

    def put(self, sent: Sent) -> None:
        """It has arrived."""
        self.arrived.append(sent)
        for call in self.on_arrival:
            call(sent)

    def receive(self, what: str, reception: Reception) -> None:
        """From now on. `what`: a channel's name, or an address."""
        self._told.setdefault(what, []).insert(0, reception)

    def heal(self, what: str) -> None:
        """It takes everything again."""
        self._told.pop(what, None)

    def take_back(self, what: str, reception: Reception) -> None:
        """What was told no longer holds."""
        self._told[what] = [told for told in self._told.get(what, []) if told.id != reception.id]

    def reception(self, *names: str) -> Reception:
        """How the next message to one of these is received."""
        for name in names:
            told = self._told.get(name)
            if not told:
                continue
            first = told[0]
            if first.times <= 1:
                told.pop(0)
            elif first.times < _FOR_EVER:
                told[0] = replace(first, times=first.times - 1)
            return first
        return Reception()


class ModelPoster:
    """In the place of `HttpPoster`: Slack and webhooks."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        told = json.loads(body)
        sent = _from_slack(told) if url.endswith("/chat.postMessage") else _from_webhook(told)
        reception = self._inbox.reception(sent.channel, sent.address)
        if reception.fault == "refused":
            raise temporary("cannot connect: ClientConnectorError")
        if reception.fault == "hangs":
            await asyncio.Event().wait()
        is_taken = reception.status < 300 or reception.fault == "lost"
        if is_taken:
            self._inbox.put(sent)
        if reception.fault == "lost":
            raise temporary("no answer: ServerDisconnectedError", may_have_arrived=True)
        ts = f"{len(self._inbox.arrived)}.000000"
        said = json.dumps({"ok": True, "ts": ts, "channel": sent.address}).encode() if is_taken else b""
        after = {"retry-after": f"{reception.retry_after:g}"} if reception.retry_after is not None else {}
        return Answer(reception.status, after, said)

    async def close(self) -> None:
        """Nothing is open."""


class ModelMailer:
    """In the place of a mail server."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def take(self, mail: EmailMessage, smtp: SmtpChannel, password: str | None) -> None:
        sent = _from_mail(mail)
        reception = self._inbox.reception(sent.channel, sent.address)
        if reception.fault == "refused":
            raise temporary("cannot connect to the mail server")
        if reception.fault == "hangs":
            await asyncio.Event().wait()
        if reception.status >= 300 and reception.fault != "lost":
            said = f"the mail server says {reception.status}"
            raise permanent(said) if 500 <= reception.status < 600 else temporary(said)
        self._inbox.put(sent)
        if reception.fault == "lost":
            raise temporary("the mail server did not answer: SMTPServerDisconnected", may_have_arrived=True)


class ModelTerminal:
    """In the place of the terminal."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def show(self, letter: Letter, lines: str) -> None:
        message = letter.message
        self._inbox.put(
            Sent(
                at=_now(),
                channel=letter.channel.name,
                kind="console",
                address=letter.address,
                id=message.notification,
                incident=message.incident,
                notification=message.kind,
                text=lines,
            )
        )


def _now() -> timedelta:
    return timedelta(seconds=asyncio.get_running_loop().time())


def _from_slack(told: Mapping[str, Any]) -> Sent:
    about = told.get("metadata", {}).get("event_payload", {})
    return Sent(
        at=_now(),
        channel=str(about.get("channel", "")),
        kind="slack",
        address=str(told["channel"]),
        id=str(told.get("client_msg_id", "")),
        incident=str(about.get("incident", "")),
        notification=str(about.get("kind", "")),
        text=str(told.get("text", "")),
        thread=str(told.get("thread_ts", "")),
    )


def _from_webhook(told: Mapping[str, Any]) -> Sent:
    return Sent(
        at=_now(),
        channel=str(told["channel"]),
        kind="webhook",
        address=str(told["recipient"]),
        id=str(told["notification"]),
        incident=str(told["incident"]),
        notification=str(told["kind"]),
        text=str(told["text"]),
    )


def _from_mail(mail: EmailMessage) -> Sent:
    words = mail.get_body(("plain",))
    return Sent(
        at=_now(),
        channel=str(mail["X-Tocsin-Channel"]),
        kind="email",
        address=str(mail["To"]),
        id=str(mail["X-Tocsin-Notification"]),
        incident=str(mail["X-Tocsin-Incident"]),
        notification=str(mail["X-Tocsin-Kind"]),
        text=f"{mail['Subject']}\n{words.get_content() if words is not None else ''}",
    )
