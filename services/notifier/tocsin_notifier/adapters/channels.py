"""The table of channels: which sender carries what."""

from collections.abc import Mapping

from tocsin_notifier.adapters.console import ConsoleSender
from tocsin_notifier.adapters.email import EmailSender
from tocsin_notifier.adapters.http import HttpPoster
from tocsin_notifier.adapters.sending import Sender
from tocsin_notifier.adapters.slack import SlackSender
from tocsin_notifier.adapters.webhook import WebhookSender
from tocsin_runtime import Clock

__all__ = ["Channels", "senders"]

Channels = Mapping[str, Sender]
"""Senders by the kind of channel."""


def senders(http: HttpPoster, clock: Clock, *, attempt_timeout: float) -> Channels:
    """All kinds that this version can send through."""
    return {
        "slack": SlackSender(http),
        "smtp": EmailSender(clock.now, timeout=attempt_timeout),
        "webhook": WebhookSender(http, clock.now),
        "console": ConsoleSender(),
    }
