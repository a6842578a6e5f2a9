"""Webhooks and the terminal."""

import asyncio
import base64
import hashlib
import hmac
import io
import json
import socket
from collections.abc import AsyncIterator

import pytest
from notifier_builders import NOW
from notifier_letters import a_letter, a_message, a_page, channel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tocsin_notifier.adapters.console import ConsoleSender, TextTerminal
from tocsin_notifier.adapters.http import HttpPoster
from tocsin_notifier.adapters.sending import SendError
from tocsin_notifier.adapters.webhook import WebhookSender, signature
from tocsin_playbook.model.channels import Channel
from tocsin_testkit.receivers.serving import AppServer


async def raw_server(answer: bytes) -> asyncio.Server:
    """Answers a request with these bytes and closes."""

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    return await asyncio.start_server(answer_once, "127.0.0.1", 0)


class Receiver:
    """Takes what is posted."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.server = AppServer(Starlette(routes=[Route("/hook", self._take, methods=["POST"])]), name="hook")

    async def _take(self, request: Request) -> Response:
        self.requests.append((dict(request.headers), await request.body()))
        return Response(status_code=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    made.server.start()
    yield made
    made.server.stop()


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    http = HttpPoster()
    yield WebhookSender(http, lambda: NOW)
    await http.close()


def hook(receiver: Receiver) -> Channel:
    entry = (
        f"    - {{name: hook, webhook: {{url: '{receiver.server.url}/hook', secret: {{env: TOCSIN_TEST_KEY}}, "
        "headers: {authorization: {env: TOCSIN_TEST_AUTH}, x-team: shop}}}"
    )
    return channel("hook", channels=entry)


async def test_a_webhook_gets_the_message_as_json_signed_and_named(
    receiver: Receiver, sender: WebhookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TEST_KEY", "key of the hook")
    monkeypatch.setenv("TOCSIN_TEST_AUTH", "Bearer of news")
    page = a_page()
    await sender.send(a_letter(page, via=hook(receiver), address="desk"))
    ((headers, body),) = receiver.requests
    told = json.loads(body)
    signed = f"{page.notification}.{int(NOW.timestamp())}.".encode() + body
    expected = base64.b64encode(hmac.new(b"key of the hook", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["idempotency-key"] == headers["webhook-id"] == page.notification == told["notification"]
    assert (headers["authorization"], headers["x-team"]) == ("Bearer of news", "shop")
    assert (told["recipient"], told["severity"], told["incident"]) == ("desk", "P0", "4h2kq7xmpw3a")
    assert (told["kind"], told["channel"]) == ("page", "hook")
    assert told["to_do"]["commands"] == ["tocsin ack 4h2kq7xmpw3a"]


async def test_a_missing_key_is_a_permanent_failure_and_nothing_is_posted(
    receiver: Receiver, sender: WebhookSender
) -> None:
    with pytest.raises(SendError) as raised:
        await sender.send(a_letter(via=hook(receiver)))
    assert raised.value.failure.is_permanent
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("status", "is_permanent"), [(400, True), (410, True), (307, True), (429, False), (502, False)]
)
async def test_a_status_other_than_2xx_is_a_failure(
    receiver: Receiver, sender: WebhookSender, monkeypatch: pytest.MonkeyPatch, status: int, is_permanent: bool
) -> None:
    monkeypatch.setenv("TOCSIN_TEST_KEY", "k")
    monkeypatch.setenv("TOCSIN_TEST_AUTH", "a")
    receiver.status = status
    with pytest.raises(SendError) as raised:
        await sender.send(a_letter(via=hook(receiver)))
    assert raised.value.failure.is_permanent is is_permanent


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "no answer: ServerDisconnectedError"),
        (b"nonsense\r\n\r\n", "no answer: ClientResponseError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "no answer: ClientPayloadError"),
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n", "no answer: ClientResponseError"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000, "the answer is longer than 65536 bytes"),
    ],
    ids=["none", "no HTTP", "half", "a long header", "a long body"],
)
async def test_without_a_whole_answer_the_message_may_have_arrived(answer: bytes, reason: str) -> None:
    http = HttpPoster()
    async with await raw_server(answer) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SendError) as raised:
            await http.post(f"http://127.0.0.1:{port}/", b"{}", {})
    await http.close()
    assert raised.value.failure.reason == reason
    assert raised.value.failure.may_have_arrived
    assert not raised.value.failure.is_permanent


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://", "http://a\r\nb/", "nonsense"])
async def test_what_cannot_be_sent_is_permanent_and_the_address_is_not_repeated(url: str) -> None:
    http = HttpPoster()
    with pytest.raises(SendError) as raised:
        await http.post(url, b"{}", {})
    await http.close()
    assert raised.value.failure.is_permanent
    assert url not in raised.value.failure.reason


async def test_a_header_that_would_be_two_is_not_sent(receiver: Receiver) -> None:
    http = HttpPoster()
    with pytest.raises(SendError) as raised:
        await http.post(f"{receiver.server.url}/hook", b"{}", {"X-Team": "shop\r\nX-Admin: yes"})
    await http.close()
    assert raised.value.failure.is_permanent
    assert receiver.requests == []


async def test_a_name_that_cannot_be_looked_up_now_may_be_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_answers(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", nobody_answers)
    http = HttpPoster()
    with pytest.raises(SendError) as raised:
        await http.post("http://hooks.example/", b"{}", {})
    await http.close()
    assert raised.value.failure.reason == "cannot connect: the host name cannot be looked up"
    assert not raised.value.failure.is_permanent
    assert not raised.value.failure.may_have_arrived


async def test_who_does_not_speak_tls_is_not_connected(receiver: Receiver) -> None:
    http = HttpPoster()
    with pytest.raises(SendError) as raised:
        await http.post(receiver.server.url.replace("http:", "https:"), b"{}", {})
    await http.close()
    assert raised.value.failure.reason == "cannot connect: ClientConnectorSSLError"
    assert not raised.value.failure.may_have_arrived


def test_a_signature_is_that_of_the_standards_own_example() -> None:
    # https://github.com/standard-webhooks/standard-webhooks, libraries' tests
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_key_that_says_it_is_base64_and_is_not_is_refused() -> None:
    with pytest.raises(SendError):
        signature("whsec_!", "m", "1", b"")


async def test_the_terminal_shows_a_message_line_by_line_and_no_control_characters() -> None:
    out = io.StringIO()
    via = channel("tty", channels='    - {name: tty, console: {prefix: "[tocsin]"}}')
    await ConsoleSender(TextTerminal(out)).send(a_letter(a_message("fire\x1b[2J"), via=via))
    lines = out.getvalue().splitlines()
    assert lines[0] == "[tocsin] fire\ufffd[2J"
    assert all(line.startswith("[tocsin]") for line in lines)


async def test_a_sender_refuses_a_channel_of_another_kind(sender: WebhookSender) -> None:
    for wrong in (sender, ConsoleSender(TextTerminal())):
        with pytest.raises(SendError):
            await wrong.send(a_letter(via=channel("email")))
