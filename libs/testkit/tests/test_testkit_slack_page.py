"""What the Slack double received, to look at: a page for people, JSON for programs."""

import ssl
from functools import cache
from html.parser import HTMLParser

import httpx
from slack_sdk import WebClient

from tocsin_testkit.receivers.slack import SlackDouble

BLOCKS = [
    {"type": "header", "text": {"type": "plain_text", "text": "Checkout fails"}},
    {"type": "section", "fields": [{"type": "mrkdwn", "text": "<b>SEV1</b>"}]},
    {"type": "markdown", "text": "since 10:00"},
    {"type": "divider"},
    {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Acknowledge"}}]},
    {"type": "context", "elements": [{"type": "image", "image_url": "u", "alt_text": "a"}]},
]


@cache
def http() -> httpx.Client:
    """One client for all: a new one reads the certificates of the system first, which takes longer than the test."""
    return httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.deepest_article = 0

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        if tag != "meta":
            self.open.append(tag)
        self.deepest_article = max(self.deepest_article, self.open.count("article"))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def fill(slack: SlackDouble) -> None:
    client = WebClient(token=slack.token, base_url=slack.api_url)
    page = client.chat_postMessage(channel="incidents", text="fallback", blocks=BLOCKS)
    client.chat_postMessage(channel="incidents", text="<script>alert(1)</script>", thread_ts=page["ts"])
    client.chat_update(channel=page["channel"], ts=page["ts"], text="fallback", blocks=BLOCKS)
    client.conversations_setTopic(channel=page["channel"], topic="all <quiet>")


def test_the_page_shows_threads_with_everything_escaped(slack_double: SlackDouble) -> None:
    fill(slack_double)
    page = http().get(slack_double.url).text
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.deepest_article == 2
    assert "<script>" not in page
    for shown in (
        "<strong>Checkout fails</strong>", "&lt;b&gt;SEV1&lt;/b&gt;", "since 10:00", 'class="button">Acknowledge',
        "&lt;script&gt;", "all &lt;quiet&gt;", ", edited",
    ):  # fmt: skip
        assert shown in page


def test_an_empty_channel_says_so(slack_double: SlackDouble) -> None:
    assert "Nothing yet." in http().get(slack_double.url).text


def test_a_workspace_without_channels_says_so() -> None:
    with SlackDouble(channels=[]) as slack:
        assert "No channels." in http().get(slack.url).text


def test_the_json_holds_all_messages_and_channels(slack_double: SlackDouble) -> None:
    fill(slack_double)
    received = http().get(f"{slack_double.url}/received").json()
    assert [channel["name"] for channel in received["channels"]] == ["incidents"]
    page, reply = received["messages"]
    assert reply["thread_ts"] == page["ts"]
    assert page["earlier"][0]["text"] == "fallback"
    assert slack_double.token not in str(received)
