"""Any HTTP receiver: the message as JSON, signed as Standard Webhooks has it (standardwebhooks.com, version 1).

`webhook-id` is the notification's id, the same for every attempt, and so is `Idempotency-Key`.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

from tocsin_notifier.adapters.http import Poster, status_error
from tocsin_notifier.adapters.sending import Letter, permanent
from tocsin_notifier.core.message import Message, plain_text
from tocsin_runtime.secrets import SecretMissingError, reveal

__all__ = ["WebhookSender", "signature"]

_PREFIX = "whsec_"


class WebhookSender:
    """Posts JSON to the channel's URL."""

    def __init__(self, http: Poster, now: Callable[[], datetime]) -> None:
        self._http = http
        self._now = now

    async def send(self, letter: Letter) -> str:
        """Any 2xx is a receipt; the receiver has no name of its own for the message."""
        webhook = letter.channel.webhook
        if webhook is None:
            raise permanent(f"{letter.channel.name} is not a webhook")
        message, body = letter.message, json.dumps(_body(letter), ensure_ascii=False).encode()
        at = str(int(self._now().timestamp()))
        try:
            own = {name: reveal(value) for name, value in webhook.headers.items()}
            key = reveal(webhook.secret) if webhook.secret is not None else None
        except SecretMissingError as error:
            raise permanent(f"a secret is missing: {error}") from None
        headers = {
            **own,
            "Content-Type": "application/json",
            "Idempotency-Key": message.notification,
            "webhook-id": message.notification,
            "webhook-timestamp": at,
        }
        if key is not None:
            headers["webhook-signature"] = signature(key, message.notification, at, body)
        answer = await self._http.post(webhook.url, body, headers)
        if (refused := status_error(answer, self._now())) is not None:
            raise refused
        return ""


def signature(key: str, identity: str, at: str, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over id, timestamp and body."""
    signed = b".".join((identity.encode(), at.encode(), body))
    return "v1," + base64.b64encode(hmac.new(_key(key), signed, hashlib.sha256).digest()).decode()


def _key(key: str) -> bytes:
    """A key that begins with `whsec_` is base64, any other is its own bytes."""
    if not key.startswith(_PREFIX):
        return key.encode()
    try:
        return base64.b64decode(key.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise permanent("the signing key begins with whsec_ but is not base64") from None


def _body(letter: Letter) -> dict[str, object]:
    message: Message = letter.message
    return {
        "notification": message.notification,
        "incident": message.incident,
        "page": message.page,
        "kind": message.kind,
        "severity": message.severity,
        "channel": letter.channel.name,
        "recipient": letter.address,
        "headline": message.headline,
        "paragraphs": list(message.paragraphs),
        "fields": [{"label": field.label, "value": field.value} for field in message.fields],
        "to_do": asdict(message.to_do) if message.to_do else None,
        "links": [{"title": link.title, "url": link.url} for link in message.links],
        "text": plain_text(message),
    }
