"""Whether a request comes from Slack: its signature over the moment and the body, as they came.

https://docs.slack.dev/authentication/verifying-requests-from-slack/
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence

import structlog

from tocsin_playbook.model.channels import SlackChannel
from tocsin_runtime.playbooks import Playbooks
from tocsin_runtime.secrets import SecretMissingError, reveal

__all__ = ["SigningSecrets", "signed_with"]

log = structlog.get_logger(__name__)

_FRESH = 300
"""Seconds. What is older may be a recording; within them, the same press is the same command."""
_MOMENT = re.compile(r"[0-9]{1,12}", re.ASCII)


def signed_with(secrets: Iterable[str], moment: str, signature: str, body: bytes, now: float) -> str | None:
    """Which of these secrets signed the body at a moment not long ago (`now`: seconds since 1970), if one did."""
    if not _MOMENT.fullmatch(moment) or abs(now - int(moment)) > _FRESH:
        return None
    signed = b"v0:%b:%b" % (moment.encode(), body)
    given, found = signature.encode("utf-8", "replace"), None
    for secret in secrets:
        wanted = f"v0={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}".encode()
        if hmac.compare_digest(wanted, given):
            found = secret
    return found


class SigningSecrets:
    """The secrets that Slack signs with: of the settings, and of the channels of the playbooks in force."""

    def __init__(self, own: str, playbooks: Playbooks) -> None:
        self._own = tuple(own.split())
        self._playbooks = playbooks
        playbooks.on_change(self._look)

    def all(self) -> tuple[str, ...]:
        """Those that can be had now."""
        return (*self._own, *(secret for _, slack in self._channels() if (secret := _had(slack)) is not None))

    def vouches(self, secret: str, slack: SlackChannel) -> bool:
        """Whether what is signed with this secret is believed about people of this channel. A secret of the settings
        is for all channels; that of a channel is for those with the same one, as another app of Slack's has another.
        """
        return secret in self._own or secret == _had(slack)

    def has(self, slack: SlackChannel) -> bool:
        """Whether presses in this channel's messages can be checked."""
        return bool(self._own) or _had(slack) is not None

    def _channels(self) -> Sequence[tuple[str, SlackChannel]]:
        playbooks = [self._playbooks.get(ref) for ref in self._playbooks.heads().values()]
        return [
            (channel.name, channel.slack)
            for playbook in playbooks
            for channel in playbook.communicate.channels
            if channel.slack is not None and channel.slack.signing_secret is not None
        ]

    def _look(self) -> None:
        """Say what is missing when the playbook comes into force."""
        for name, slack in self._channels():
            if _had(slack) is None:
                log.error("its messages have no buttons: its signing secret cannot be read", channel=name)


def _had(slack: SlackChannel) -> str | None:
    if slack.signing_secret is None:
        return None
    try:
        return reveal(slack.signing_secret)
    except SecretMissingError:
        return None
