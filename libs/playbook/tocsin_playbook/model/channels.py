"""The channels words leave by."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tocsin_playbook.model.base import Section, exactly_one, refuse
from tocsin_playbook.model.durations import PositiveDuration
from tocsin_playbook.model.http import Headers
from tocsin_playbook.model.oncall import Address
from tocsin_playbook.model.references import RESERVED_CHANNEL_NAMES, Secret
from tocsin_playbook.model.scalars import Flag, Line, Name, PositiveCount, Token, Url

CHANNEL_KINDS = ("slack", "smtp", "webhook", "pagerduty", "ntfy", "apprise", "console")


class SlackChannel(Section):
    """Slack's Web API."""

    url: Url = Field(default="https://slack.com/api/", description="The API's address; default Slack's own.")
    token: Secret = Field(description="The bot token.")
    signing_secret: Secret | None = Field(default=None, description="Proves that button presses come from Slack.")


class SmtpChannel(Section):
    """E-mail."""

    host: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.\-:]{0,252}[A-Za-z0-9])?$", description="The mail server.")
    port: int = Field(default=587, ge=1, le=65535, strict=True, description="Its port; default 587.")
    sender: str = Field(
        alias="from", max_length=254, pattern=r"^[^\s@<>,;\x00-\x1f]+@[A-Za-z0-9.\-]+$", description="The sender."
    )
    tls: Literal["starttls", "implicit", "none"] = Field(
        default="none", description="How the connection is protected; default none."
    )
    username: Line | None = Field(default=None, description="The user, where the server asks for one.")
    password: Secret | None = Field(default=None, description="The password; only over a protected connection.")

    @model_validator(mode="after")
    def _password_is_protected(self) -> SmtpChannel:
        if self.password is None or self.tls != "none":
            return self
        raise refuse("the password would be sent in the clear", "tls: starttls or tls: implicit")


class WebhookChannel(Section):
    """Any HTTP receiver; we sign what we send."""

    url: Url = Field(description="Where messages are posted as JSON.")
    headers: Headers = Field(default={}, description="Headers; secrets by reference.")
    secret: Secret | None = Field(default=None, description="The key messages are signed with (HMAC-SHA256).")


class PagerDutyChannel(Section):
    """PagerDuty's Events API v2."""

    url: Url = Field(default="https://events.pagerduty.com/v2/enqueue", description="The API's address.")
    routing_key: Secret = Field(description="The integration's key.")


class NtfyChannel(Section):
    """ntfy: push messages to telephones."""

    url: Url = Field(default="https://ntfy.sh/", description="The server.")
    token: Secret | None = Field(default=None, description="The access token.")


class AppriseChannel(Section):
    """Anything Apprise knows: SMS, Teams, Discord, Telegram, …"""

    url: Secret = Field(description="Where the Apprise URL is kept: such URLs hold secrets.")


class ConsoleChannel(Section):
    """Lines on the terminal; for trying things out."""

    prefix: Line | None = Field(default=None, description="What each line begins with.")


class RateLimit(Section):
    """How much a channel bears. What exceeds it waits; a page is never dropped."""

    messages: PositiveCount = Field(description="How many messages …")
    per: PositiveDuration = Field(description="… in how long a time.")


class Channel(Section):
    """One channel; exactly one kind."""

    name: Token = Field(description="How contacts and references call it.")
    slack: SlackChannel | None = Field(default=None, description="Slack.")
    smtp: SmtpChannel | None = Field(default=None, description="E-mail.")
    webhook: WebhookChannel | None = Field(default=None, description="Any HTTP receiver.")
    pagerduty: PagerDutyChannel | None = Field(default=None, description="PagerDuty.")
    ntfy: NtfyChannel | None = Field(default=None, description="ntfy.")
    apprise: AppriseChannel | None = Field(default=None, description="Anything Apprise knows.")
    console: ConsoleChannel | None = Field(default=None, description="The terminal.")
    address: Address | None = Field(default=None, description="Where messages go that name no address.")
    fallback: Name | None = Field(default=None, description="The channel used when this one fails.")
    rate_limit: RateLimit | None = Field(default=None, description="How much it bears; default: the kind's own limit.")
    verify_delivery: Flag = Field(default=True, description="Whether a message counts only once it is confirmed.")

    @model_validator(mode="after")
    def _one_kind(self) -> Channel:
        exactly_one(self, *CHANNEL_KINDS)
        if self.name in RESERVED_CHANNEL_NAMES:
            raise refuse(f"no channel can be called {self.name!r}", "another name")
        return self

    @property
    def kind(self) -> str:
        """`slack`, `smtp`, …"""
        return exactly_one(self, *CHANNEL_KINDS)
