"""The table of channels: which sender carries what."""

from collections.abc import Callable, Mapping

from tocsin_notifier.adapters.console import ConsoleSender, Terminal
from tocsin_notifier.adapters.email import EmailSender, Mailer
from tocsin_notifier.adapters.http import Poster
from tocsin_notifier.adapters.sending import Sender
from tocsin_notifier.adapters.slack import SlackSender
from tocsin_notifier.adapters.webhook import WebhookSender
from tocsin_playbook.model.channels import SlackChannel
from tocsin_runtime import Clock

__all__ = ["Channels", "senders"]

Channels = Mapping[str, Sender]
"""Senders by the kind of channel."""


def senders(
    http: Poster, mail: Mailer, clock: Clock, terminal: Terminal, has_buttons: Callable[[SlackChannel], bool]
) -> Channels:
    """All kinds that this version can send through. `terminal`: what its lines go to."""
    return {
        "slack": SlackSender(http, clock.now, has_buttons),
        "smtp": EmailSender(clock.now, mail),
        "webhook": WebhookSender(http, clock.now),
        "console": ConsoleSender(terminal),
    }
