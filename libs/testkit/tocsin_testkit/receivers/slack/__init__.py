"""A strict double of Slack: its Web API (point the official client's `base_url` at `SlackDouble.api_url`), and presses
of buttons."""

from tocsin_testkit.receivers.slack.double import SlackCall, SlackDouble
from tocsin_testkit.receivers.slack.presses import NoSuchButtonError, Press, SlackReply
from tocsin_testkit.receivers.slack.workspace import Channel, SlackMessage

__all__ = ["Channel", "NoSuchButtonError", "Press", "SlackCall", "SlackDouble", "SlackMessage", "SlackReply"]
