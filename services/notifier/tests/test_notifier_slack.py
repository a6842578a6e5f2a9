"""Slack: what is posted, which errors will pass, and text that stays text. The double is as strict as Slack."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notifier_builders import NASTY, NOW
from notifier_letters import a_letter, a_message, a_page, channel

from tocsin_notifier.adapters.http import HttpPoster
from tocsin_notifier.adapters.sending import SendError
from tocsin_notifier.adapters.slack import SlackSender
from tocsin_notifier.adapters.slack_blocks import blocks_of, fallback_of
from tocsin_notifier.core.message import Message, Tone
from tocsin_playbook.model.channels import Channel
from tocsin_testkit.receivers.failures import AnswerLost, Answers, Failure, HugeBody, RateLimited
from tocsin_testkit.receivers.slack import SlackDouble
from tocsin_testkit.receivers.slack.blocks import check_blocks


@pytest.fixture
async def sender(monkeypatch: pytest.MonkeyPatch, slack_double: SlackDouble) -> AsyncIterator[SlackSender]:
    monkeypatch.setenv("TOCSIN_TEST_SLACK", slack_double.token)
    http = HttpPoster()
    yield SlackSender(http, lambda: NOW)
    await http.close()


def slack_of(double: SlackDouble) -> Channel:
    return channel("slack", slack=double.api_url)


async def refusal(sender: SlackSender, double: SlackDouble, message: Message | None = None) -> SendError:
    with pytest.raises(SendError) as raised:
        await sender.send(a_letter(message, via=slack_of(double)))
    return raised.value


async def test_a_page_says_on_its_first_line_how_severe_it_is_what_it_is_and_since_when(
    sender: SlackSender, slack_double: SlackDouble
) -> None:
    ts = await sender.send(a_letter(via=slack_of(slack_double)))
    (message,) = slack_double.messages
    header, addressed, facts, to_do, context = message.blocks
    assert message.ts == ts
    assert header["text"]["text"] == "🔴 P0: 31 % of checkouts fail, since 04:11 CET"
    assert message.text.startswith("🔴 P0: 31 % of checkouts fail, since 04:11 CET\n")
    assert addressed["text"]["text"] == "Ada L., this page is for you: you are the first to be told (level 1)."
    assert "*Impact*  Nobody can buy anything" in facts["text"]["text"]
    assert "`tocsin ack 4h2kq7xmpw3a`" in to_do["text"]["text"]
    assert "<https://grafana.shop.example/d/checkout|Dashboard>" in context["elements"][1]["text"]


async def test_a_message_carries_its_notifications_id_so_that_a_duplicate_is_recognised(
    sender: SlackSender, slack_double: SlackDouble
) -> None:
    page = a_page()
    for _ in range(2):
        await sender.send(a_letter(page, via=slack_of(slack_double)))
    assert list(slack_double.duplicates()) == [page.notification]
    told = [message.metadata["event_payload"] for message in slack_double.messages if message.metadata]
    about = {"notification": page.notification, "incident": page.incident, "kind": "page", "channel": "slack"}
    assert told == [about] * 2


async def test_further_messages_stand_in_the_thread_and_only_pages_are_shown_in_the_channel_too(
    sender: SlackSender, slack_double: SlackDouble
) -> None:
    root = await sender.send(a_letter(via=slack_of(slack_double)))
    await sender.send(a_letter(via=slack_of(slack_double), thread=root))
    await sender.send(a_letter(a_message(page=None), via=slack_of(slack_double), thread=root))
    _, page, news = slack_double.messages
    assert (page.thread_ts, page.reply_broadcast) == (root, True)
    assert (news.thread_ts, news.reply_broadcast) == (root, False)


async def test_a_message_whose_thread_is_gone_stands_by_itself(sender: SlackSender, slack_double: SlackDouble) -> None:
    slack_double.expect_refusals("thread_not_found")
    await sender.send(a_letter(via=slack_of(slack_double), thread="1.000001"))
    assert slack_double.messages[0].thread_ts is None


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_blocks_too_long", "msg_too_long", "invalid_metadata_format"])
async def test_a_message_that_slack_finds_too_fancy_is_sent_as_plain_text(
    sender: SlackSender, slack_double: SlackDouble, error: str
) -> None:
    slack_double.refuse_with(error)
    await sender.send(a_letter(via=slack_of(slack_double)))
    (message,) = slack_double.messages
    assert (message.blocks, message.metadata) == ((), None)
    assert message.text.startswith("🔴 P0: 31 % of checkouts fail")


@pytest.mark.parametrize(
    "error", ["invalid_auth", "channel_not_found", "is_archived", "not_in_channel", "account_inactive", "unheard_of"]
)
async def test_what_slack_will_refuse_next_time_too_is_permanent(
    sender: SlackSender, slack_double: SlackDouble, error: str
) -> None:
    slack_double.refuse_with(error)
    failure = (await refusal(sender, slack_double)).failure
    assert (failure.is_permanent, failure.may_have_arrived, failure.reason) == (True, False, f"Slack says {error}")


@pytest.mark.parametrize("error", ["ratelimited", "internal_error", "fatal_error", "service_unavailable"])
async def test_what_slack_will_get_over_is_temporary(
    sender: SlackSender, slack_double: SlackDouble, error: str
) -> None:
    slack_double.refuse_with(error)
    failure = (await refusal(sender, slack_double)).failure
    assert (failure.is_permanent, failure.may_have_arrived) == (False, False)


@pytest.mark.parametrize(
    ("cause", "is_permanent", "retry_after", "may_have_arrived"),
    [
        (Answers(500), False, None, False),
        (Answers(503, headers={"retry-after": "7"}), False, 7.0, False),
        (Answers(503, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}), False, 0.0, False),
        (Answers(503, headers={"retry-after": "Sun, 01 Mar 2026 03:12:11 GMT"}), False, 7.0, False),
        (Answers(503, headers={"retry-after": "soon"}), False, None, False),
        (RateLimited(timedelta(seconds=30)), False, 30.0, False),
        (Answers(400), True, None, False),
        (Answers(404), True, None, False),
        (Answers(302, headers={"location": "http://127.0.0.1:1/"}), True, None, False),
        (AnswerLost(), False, None, True),
        (HugeBody(), False, None, True),
        (Answers(200, b"<html>"), False, None, True),
        (Answers(200, b"[1]"), False, None, True),
        (Answers(200, b"[" * 60_000), False, None, True),
    ],
    ids=str,
)
async def test_failures_of_http_are_sorted(
    sender: SlackSender,
    slack_double: SlackDouble,
    cause: Failure,
    is_permanent: bool,
    retry_after: float | None,
    may_have_arrived: bool,
) -> None:
    slack_double.fail(cause)
    failure = (await refusal(sender, slack_double)).failure
    assert (failure.is_permanent, failure.retry_after, failure.may_have_arrived) == (
        is_permanent,
        retry_after,
        may_have_arrived,
    )


async def test_an_error_that_repeats_what_it_was_given_is_not_repeated(
    sender: SlackSender, slack_double: SlackDouble
) -> None:
    slack_double.refuse_with(f"no such token: {slack_double.token}")
    assert str(await refusal(sender, slack_double)) == "Slack says something_else"


async def test_a_host_that_does_not_exist_is_permanent_and_one_that_does_not_listen_is_not(
    sender: SlackSender, slack_double: SlackDouble
) -> None:
    for url, is_permanent in (("http://slack.invalid/api/", True), ("http://127.0.0.1:1/api/", False)):
        with pytest.raises(SendError) as raised:
            await sender.send(a_letter(via=channel("slack", slack=url)))
        assert raised.value.failure.is_permanent is is_permanent
        assert not raised.value.failure.may_have_arrived


async def test_a_token_that_is_not_there_is_permanent_and_named_by_its_place(
    sender: SlackSender, slack_double: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOCSIN_TEST_SLACK")
    error = await refusal(sender, slack_double)
    assert error.failure.is_permanent
    assert "TOCSIN_TEST_SLACK" in str(error)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
async def test_foreign_text_is_taken_by_slack_and_calls_nobody(
    sender: SlackSender, slack_double: SlackDouble, text: str
) -> None:
    text = text.encode("utf-8", "replace").decode()  # as it comes out of an event
    await sender.send(a_letter(a_message(text), via=slack_of(slack_double)))
    (message,) = slack_double.messages
    said = json.dumps([message.text, *message.blocks[:-1]])
    assert "<" not in said  # no mention, no link, no command: Slack reads all of them from a `<`
    links = message.blocks[-1]["elements"][1:]
    assert all(element["text"].count("<") == 1 for element in links)  # our own
    assert all(block["text"].get("verbatim") for block in message.blocks[:-1] if block["text"]["type"] == "mrkdwn")


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=6000), rank=st.integers(0, 20), tone=st.sampled_from(Tone), many=st.integers(0, 60))
def test_blocks_keep_slacks_limits_whatever_is_said(text: str, rank: int, tone: Tone, many: int) -> None:
    message = a_message(text, rank=rank, tone=tone, paragraphs=(text,) * many, is_the_authors=bool(many % 2))
    blocks = blocks_of(message)
    check_blocks(blocks)  # raises what Slack would refuse
    assert blocks[0]["type"] == "header"
    assert blocks[-1]["type"] == "context"  # what to do and where to look are never cut away
    assert len(fallback_of(message)) <= 4000
    assert "<" not in fallback_of(message)


async def test_many_messages_share_one_client(sender: SlackSender, slack_double: SlackDouble) -> None:
    via = slack_of(slack_double)
    await asyncio.gather(*(sender.send(a_letter(via=via)) for _ in range(20)))
    assert len({message.ts for message in slack_double.messages}) == 20
