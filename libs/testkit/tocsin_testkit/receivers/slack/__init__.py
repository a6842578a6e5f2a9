"""A strict double of the Slack Web API. Point the official client's `base_url` at `SlackDouble.api_url`."""

from tocsin_testkit.receivers.slack.double import SlackCall, SlackDouble
from tocsin_testkit.receivers.slack.workspace import Channel, SlackMessage

__all__ = ["Channel", "SlackCall", "SlackDouble", "SlackMessage"]
