"""The failures a test switches on in the Slack double, as the official client meets them."""

import socket
import ssl
import time
from datetime import timedelta
from functools import cache

import httpx
import pytest
from aiohttp import ClientConnectionError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from tocsin_testkit.receivers.failures import AnswerLost, Answers, Drip, Hang, HugeBody, RateLimited
from tocsin_testkit.receivers.slack import SlackDouble


@cache
def http() -> httpx.Client:
    """One client for all: a new one reads the certificates of the system first, which takes longer than the test."""
    return httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def client_of(slack: SlackDouble) -> AsyncWebClient:
    return AsyncWebClient(token=slack.token, base_url=slack.api_url, timeout=5)


def post(slack: SlackDouble, timeout: float = 5) -> httpx.Response:
    headers = {"authorization": f"Bearer {slack.token}"}
    message = {"channel": "incidents", "text": "page"}
    return http().post(f"{slack.api_url}chat.postMessage", data=message, headers=headers, timeout=timeout)


async def test_the_clients_retry_handler_gets_through_a_rate_limit(slack_double: SlackDouble) -> None:
    slack_double.fail(RateLimited(retry_after=timedelta()), times=2)
    client = client_of(slack_double)
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    await client.chat_postMessage(channel="incidents", text="page")
    assert [message.text for message in slack_double.messages] == ["page"]


def test_the_sync_clients_retry_handler_waits_as_long_as_it_is_told(slack_double: SlackDouble) -> None:
    slack_double.fail(RateLimited(retry_after=timedelta(milliseconds=600)))
    client = WebClient(token=slack_double.token, base_url=slack_double.api_url)
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    before = time.monotonic()
    client.chat_postMessage(channel="incidents", text="page")
    assert time.monotonic() - before >= 1  # Retry-After is in whole seconds


async def test_a_rate_limit_that_stays_reaches_the_caller(slack_double: SlackDouble) -> None:
    slack_double.fail(RateLimited(timedelta(seconds=30)), times=None)
    with pytest.raises(SlackApiError) as failure:
        await client_of(slack_double).chat_postMessage(channel="incidents", text="page")
    assert failure.value.response.status_code == 429
    assert failure.value.response.headers["Retry-After"] == "30"


@pytest.mark.parametrize("status", [400, 500, 503])
def test_an_error_status_is_answered_and_nothing_recorded(slack_double: SlackDouble, status: int) -> None:
    slack_double.fail(Answers(status))
    assert post(slack_double).status_code == status
    assert slack_double.messages == ()
    assert post(slack_double).json()["ok"]


def test_a_redirect_points_where_the_test_says(slack_double: SlackDouble) -> None:
    slack_double.fail(Answers(302, headers={"Location": "http://10.0.0.1/"}))
    assert post(slack_double).headers["location"] == "http://10.0.0.1/"


async def test_a_slack_error_can_be_ordered_and_is_no_surprise(slack_double: SlackDouble) -> None:
    slack_double.refuse_with("fatal_error")
    with pytest.raises(SlackApiError, match="fatal_error"):
        await client_of(slack_double).chat_postMessage(channel="incidents", text="page")
    assert slack_double.refusals == ()


@pytest.mark.parametrize("recorded", [False, True])
def test_a_hanging_receiver_never_answers(slack_double: SlackDouble, recorded: bool) -> None:
    slack_double.fail(Hang(recorded))
    with pytest.raises(httpx.ReadTimeout):
        post(slack_double, timeout=0.1)
    assert len(slack_double.messages) == recorded


def test_a_hanging_call_does_not_keep_the_double_from_stopping() -> None:
    with SlackDouble() as slack:
        slack.fail(Hang())
        with httpx.Client() as client, client.stream("GET", slack.url):
            with pytest.raises(httpx.ReadTimeout):
                post(slack, timeout=0.05)
            before = time.monotonic()
            slack.stop()
    assert time.monotonic() - before < 10


def test_a_stopped_double_drops_the_connections_that_were_kept_open(slack_double: SlackDouble) -> None:
    host, port = slack_double.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=1) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: slack\r\n\r\n")
        assert connection.recv(65_536)
        slack_double.stop()
        while connection.recv(65_536):  # the rest of the page, then the end
            pass


def test_a_dripping_answer_is_recorded_and_comes_byte_by_byte(slack_double: SlackDouble) -> None:
    slack_double.fail(Drip(timedelta(milliseconds=1)))
    assert post(slack_double).json()["ok"]
    slack_double.fail(Drip(timedelta(seconds=1)))
    headers = {"authorization": f"Bearer {slack_double.token}"}
    url = f"{slack_double.api_url}auth.test"
    with http().stream("POST", url, headers=headers, timeout=0.1) as answer, pytest.raises(httpx.ReadTimeout):
        answer.read()
    assert [call.method for call in slack_double.calls] == ["chat.postMessage", "auth.test"]


def test_a_huge_answer_is_the_truth_after_much_white_space(slack_double: SlackDouble) -> None:
    slack_double.fail(HugeBody(size=3_000_000))
    answer = post(slack_double)
    assert len(answer.content) > 3_000_000
    assert answer.json()["ok"]
    assert len(slack_double.messages) == 1


async def test_a_lost_answer_leaves_the_message_and_a_broken_connection(slack_double: SlackDouble) -> None:
    slack_double.fail(AnswerLost())
    client = client_of(slack_double)
    client.retry_handlers.clear()
    with pytest.raises(ClientConnectionError):
        await client.chat_postMessage(channel="incidents", text="page", client_msg_id="n-1")
    assert len(slack_double.messages) == 1
    await client.chat_postMessage(channel="incidents", text="page", client_msg_id="n-1")
    assert len(slack_double.duplicates()["n-1"]) == 2


def test_failures_come_in_the_order_planned_before_the_lasting_one_until_healed(slack_double: SlackDouble) -> None:
    slack_double.fail(Answers(503), times=None)
    slack_double.fail(Answers(500), times=2)
    slack_double.fail(Answers(400))
    assert [post(slack_double).status_code for _ in range(5)] == [500, 500, 400, 503, 503]
    slack_double.heal()
    assert post(slack_double).status_code == 200


def test_what_was_received_can_be_looked_at_while_the_api_fails(slack_double: SlackDouble) -> None:
    slack_double.fail(Answers(500), times=None)
    assert http().get(slack_double.url).status_code == 200


def test_a_request_in_pieces_fails_as_one(slack_double: SlackDouble) -> None:
    slack_double.fail(HugeBody(size=1))
    headers = {"authorization": f"Bearer {slack_double.token}", "content-type": "application/json; charset=utf-8"}
    pieces = iter([b'{"channel": "incidents", ', b'"text": "in pieces"}'])
    assert http().post(f"{slack_double.api_url}chat.postMessage", headers=headers, content=pieces).json()["ok"]
    assert slack_double.messages[0].text == "in pieces"
