"""The notifier's settings."""

from typing import ClassVar

from pydantic import Field, SecretStr

from tocsin_runtime import ServiceSettings

__all__ = ["NotifierSettings"]


class NotifierSettings(ServiceSettings):
    """What the notifier needs to know besides what every service does."""

    SERVICE: ClassVar[str] = "notifier"

    http_port: int = Field(
        default=7304,
        ge=0,
        le=65535,
        description="Port for health, metrics and presses of buttons in Slack; 0 takes a free one",
    )
    console_url: str = Field(
        default="", description="Where people reach the console, for links in messages; none without"
    )
    playbook_tries: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="How often, once a second, an event waits for its playbook to be known here",
    )
    channel_timeout_seconds: float = Field(
        default=10.0, gt=0, le=60, description="How long one channel is tried before the next one is"
    )
    attempt_timeout_seconds: float = Field(default=4.0, gt=0, le=60, description="How long one attempt may take")
    channel_concurrency: int = Field(
        default=8,
        ge=2,
        le=256,
        description="Messages on their way through one channel at a time; half of it at most is news",
    )
    page_wait_seconds: float = Field(
        default=1.0, ge=0, le=10, description="How long a page waits for a channel's rate, then it goes in any case"
    )
    announcement_wait_seconds: float = Field(
        default=5.0,
        ge=0,
        le=600,
        description="How long an announcement waits for a channel's rate, then it goes in any case",
    )
    announcement_patience_seconds: float = Field(
        default=600.0, ge=0, le=86400, description="How long an announcement is tried again on a channel that is down"
    )
    slack_signing_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Proves that presses of buttons come from Slack; two, separated by a space, while it is changed. "
        "Without it, and without one in the playbook, messages have no buttons",
    )
    slack_teams: str = Field(
        default="",
        description="Slack workspaces whose people may press buttons, by their ids (T...), separated by commas; "
        "without any: those of the workspace where the message stands",
    )
    slack_response_hosts: str = Field(
        default="hooks.slack.com",
        description="Hosts where answers to a press of a button may be sent, separated by commas; by https, except to "
        "this computer",
    )

    @property
    def teams(self) -> frozenset[str]:
        """`slack_teams`, one by one."""
        return _listed(self.slack_teams)

    @property
    def hosts_of_answers(self) -> frozenset[str]:
        """`slack_response_hosts`, one by one."""
        return _listed(self.slack_response_hosts)


def _listed(text: str) -> frozenset[str]:
    return frozenset(each for part in text.split(",") if (each := part.strip()))
