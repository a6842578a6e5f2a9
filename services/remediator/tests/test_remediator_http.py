"""Requests: what is known after each kind of answer, what is never sent, and what never leaks."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tocsin_playbook.model import HttpAction, HttpCheck, OutcomeProbe
from tocsin_remediator.adapters import exchange
from tocsin_remediator.adapters.exchange import MOST_BYTES, HttpExchange
from tocsin_remediator.adapters.http import HttpTarget
from tocsin_remediator.adapters.secrets import SecretError, reveal_headers
from tocsin_remediator.core.outcomes import Answered, Lost, NotSent, Reply
from tocsin_remediator.core.reach import AllowedHosts
from tocsin_testkit.ports import free_port

CANARY = "canary-4711-secret"
SECOND = timedelta(seconds=1)
LOCAL = AllowedHosts.parse("127.0.0.1,localhost,shop.example")
Answerer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answer: Answerer | bytes, **more: Any) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers so; the requests that it saw."""
    seen: list[bytes] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(seen[-1], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # who asked is gone
        finally:
            writer.close()

    listening = await asyncio.start_server(connection, "127.0.0.1", 0, **more)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", seen
    finally:
        listening.close()


def ok(body: bytes = b"{}", status: int = 200, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def act(url: str, *, allowed: AllowedHosts = LOCAL, timeout: timedelta = SECOND, **action: Any) -> Reply:
    model = HttpAction.model_validate({"url": url, **action})
    return await HttpTarget(allowed).act(model, "key-1", "00-trace", timeout)


async def test_an_action_carries_its_key_and_its_trace_and_its_body() -> None:
    async with server(ok()) as (url, seen):
        assert await act(f"{url}/a?b=c", json={"x": 1}, headers={"X-Own": "1", "Idempotency-Key": "no"}) == Answered(
            200, b"", whole=False
        )
    request = seen[0].decode().lower()
    assert request.startswith("post /a?b=c http/1.1\r\n")
    for line in ("idempotency-key: key-1", "traceparent: 00-trace", "x-own: 1", "content-type: application/json"):
        assert f"\r\n{line}\r\n" in request
    assert request.count("idempotency-key") == 1


async def test_a_refused_connection_was_not_sent() -> None:
    assert await act(f"http://127.0.0.1:{free_port()}/") == NotSent("no connection: refused, or TLS failed")


async def test_a_name_that_leads_nowhere_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nowhere(*_: object, **__: object) -> None:
        raise __import__("socket").gaierror(-2, "unknown")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nowhere, raising=False)
    assert await act("http://shop.example/") == NotSent("no connection: the host's name leads nowhere")


async def test_tls_to_what_speaks_none_was_not_sent() -> None:
    async with server(ok()) as (url, _):
        assert isinstance(await act(url.replace("http:", "https:")), NotSent)


async def test_a_connection_cut_after_sending_is_lost() -> None:
    async def cut(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with server(cut) as (url, _):
        reply = await act(url)
    assert isinstance(reply, Lost)
    assert reply.reason.startswith("the connection was lost before an answer came")


async def test_no_answer_in_time_is_lost_and_no_connection_in_time_was_not_sent() -> None:
    async def hang(_: bytes, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with server(hang) as (url, _):
        assert await act(url, timeout=SECOND / 5) == Lost("no answer within 0.2 s")


async def test_no_connection_in_time_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: object, **__: object) -> None:
        await asyncio.sleep(5)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", slow, raising=False)
    assert await act("http://shop.example/", timeout=SECOND / 10) == NotSent("no connection within 0.1 s")


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with server(ok(status=302, headers="Location: http://127.0.0.1:1/\r\n")) as (url, seen):
        assert await act(url) == Answered(302, b"", whole=False)
    assert len(seen) == 1


async def test_nonsense_instead_of_an_answer_is_lost() -> None:
    async with server(b"NOT HTTP AT ALL\r\n\r\n") as (url, _):
        assert isinstance(await act(url), Lost)


async def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    async with server(ok(b"x" * (MOST_BYTES * 20))) as (url, _):
        reply = await act(url, expect={"contains": "y"})
    assert isinstance(reply, Answered)
    assert not reply.whole
    assert len(reply.body) == MOST_BYTES


async def test_a_body_that_never_ends_does_not_matter_where_only_the_status_counts() -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(5)

    async with server(drip) as (url, _):
        assert await act(url) == Answered(200, b"", whole=False)


async def test_a_body_that_is_cut_short_is_not_whole() -> None:
    async with server(b"HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\n{}") as (url, _):
        assert await act(url, expect={"contains": "{"}) == Answered(200, b"{}", whole=False)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    async with server(ok()) as (url, _):
        assert isinstance(await act(url), Answered)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://127.0.0.1.evil.example/",
        "http://evil.example/#@127.0.0.1",
    ],
)
async def test_what_is_not_on_the_list_sees_no_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_resolve", _never)
    reply = await act(url)
    assert isinstance(reply, NotSent)
    assert "not on the list of allowed hosts" in reply.reason


async def _never(*_: object) -> str:
    raise AssertionError("a name was resolved")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fe80::1"])
async def test_a_listed_name_that_leads_to_this_computer_or_its_metadata_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rebound(*_: object, **__: object) -> object:
        return [(2, 1, 6, "", (address, 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebound, raising=False)
    reply = await act("http://shop.example/")
    assert isinstance(reply, NotSent)
    assert reply.reason.startswith("shop.example leads to")


async def test_the_resolved_address_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(ok()) as (url, seen):
        port = url.rsplit(":", 1)[1]
        asked: list[object] = []

        async def once(host: str, *_: object, **__: object) -> object:
            asked.append(host)
            return [(2, 1, 6, "", ("127.0.0.1", int(port)))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", once, raising=False)
        assert isinstance(await act(f"http://localhost:{port}/"), Answered)
    assert asked[0] == "localhost"
    assert f"Host: localhost:{port}".encode() in seen[0]


async def test_a_check_says_what_is_wrong() -> None:
    target = HttpTarget(LOCAL)
    async with server(ok(b'{"checks": {"database": "down"}}')) as (url, _):
        check = HttpCheck.model_validate({"url": url, "expect": {"json": {"checks.database": "ok"}}})
        assert await target.look(check, SECOND) == ("the answer has another value at checks.database, expected 'ok'")
        assert await target.look(HttpCheck.model_validate({"url": url}), SECOND) is None
    assert await target.look(HttpCheck.model_validate({"url": url}), SECOND) is not None


async def test_a_probe_asks_for_its_execution() -> None:
    async with server(ok(status=404)) as (url, seen):
        probe = OutcomeProbe.model_validate({"url": f"{url}/executions/{{execution_id}}"})
        assert await HttpTarget(LOCAL).ask(probe, "key-1") == Answered(404, b"", whole=False)
    assert seen[0].startswith(b"GET /executions/key-1 ")


# --- secrets ---------------------------------------------------------------------------------------------------------


async def test_a_secret_reaches_the_target_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", f"Bearer {CANARY}")
    caplog.set_level(logging.INFO)
    headers = {"Authorization": {"env": "SHOP_TOKEN"}}

    async def echo(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(json.dumps({"you said": request.decode()}).encode(), status=500))

    async with server(echo) as (url, seen):
        replies = [
            await act(url, headers=headers),
            await act(url, headers=headers, expect={"contains": "nothing like it"}, timeout=SECOND),
            await act(f"http://127.0.0.1:{free_port()}", headers=headers),
            await act("https://127.0.0.1:1/", headers=headers),
        ]
        check = HttpCheck.model_validate({"url": url, "headers": headers, "expect": {"json": {"you said": "x"}}})
        looked = await HttpTarget(LOCAL).look(check, SECOND)
    assert CANARY.encode() in seen[0]
    words = [reply.reason for reply in replies if isinstance(reply, NotSent | Lost)]
    assert CANARY not in str([*words, looked, caplog.text, *capfd.readouterr()])


async def test_a_secret_that_breaks_the_client_is_not_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", CANARY)

    def breaks(*_: object, **__: object) -> None:
        raise ValueError(f"illegal header value {CANARY}")

    monkeypatch.setattr("httpx.AsyncClient.build_request", breaks)
    async with server(ok()) as (url, _):
        reply = await act(url, headers={"X-Token": {"env": "SHOP_TOKEN"}})
    assert reply == NotSent("no connection: ValueError")


def test_a_secret_that_cannot_be_used_names_its_place_and_not_its_value(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{CANARY}\n")
    assert reveal_headers({"X": _ref(file=str(file))}) == {"X": CANARY}
    file.write_bytes(CANARY.encode() + b"\xff")
    monkeypatch.setenv("BROKEN", f"{CANARY}\r\nX-Evil: 1")
    monkeypatch.delenv("MISSING", raising=False)
    for reference, said in [
        ({"env": "MISSING"}, "the environment variable MISSING is not set"),
        ({"env": "BROKEN"}, "the secret in the environment variable BROKEN cannot be a header's value"),
        ({"file": str(file)}, f"the secret file {file} cannot be read: UnicodeDecodeError"),
        ({"file": "/nowhere/at/all"}, "the secret file /nowhere/at/all cannot be read: FileNotFoundError"),
    ]:
        with pytest.raises(SecretError) as caught:
            reveal_headers({"X": _ref(**reference)})
        assert str(caught.value) == said


async def test_an_action_without_its_secret_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    async with server(ok()) as (url, seen):
        reply = await act(url, headers={"X-Token": {"env": "SHOP_TOKEN"}})
    assert reply == NotSent("the environment variable SHOP_TOKEN is not set")
    assert seen == []


def _ref(**given: str) -> Any:
    from tocsin_playbook.model import SecretRef

    return SecretRef(**given)


def test_tls_is_verified() -> None:
    assert HttpExchange()._tls.verify_mode is ssl.CERT_REQUIRED
