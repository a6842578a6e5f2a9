"""What every service answers over HTTP: alive, ready or why not, metrics, and nothing else."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tocsin_runtime.metrics import HANDLED
from tocsin_runtime.ops import OpsServer


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


@asynccontextmanager
async def serving(problems: Callable[[], dict[str, str]] = dict) -> AsyncIterator[OpsServer]:
    server = OpsServer("127.0.0.1", 0, problems, [Route("/hello", hello)])
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def ask(server: OpsServer, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"{server.url}{path}")


async def status(server: OpsServer, method: str, path: str) -> int:
    """The path goes over the wire as it stands: httpx would tidy it up."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.readline()
    writer.close()
    return int(answer.split()[1])


async def test_a_ready_service_says_so() -> None:
    async with serving() as server:
        answer = await ask(server, "/readyz")
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": {}})


async def test_a_service_that_is_not_ready_says_why_and_is_alive_all_the_same() -> None:
    """A broken broker must not restart us."""
    async with serving(lambda: {"nats": "not connected"}) as server:
        answer = await ask(server, "/readyz")
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "problems": {"nats": "not connected"}})
        assert (await ask(server, "/healthz")).status_code == 200


async def test_being_ready_is_asked_anew_each_time() -> None:
    found = {"life": "starting"}
    async with serving(lambda: found) as server:
        assert (await ask(server, "/readyz")).status_code == 503
        found.clear()
        assert (await ask(server, "/readyz")).status_code == 200


async def test_a_check_that_fails_is_no_readiness_and_no_end() -> None:
    def broken() -> dict[str, str]:
        raise KeyError("bug")

    async with serving(broken) as server:
        assert (await ask(server, "/readyz")).status_code == 500
        assert (await ask(server, "/healthz")).status_code == 200


async def test_the_metrics_are_counted() -> None:
    HANDLED.labels("test-ops").inc(3)
    async with serving() as server:
        answer = await ask(server, "/metrics")
    assert 'tocsin_messages_handled_total{consumer="test-ops"} 3.0' in answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_services_own_routes_are_answered_too() -> None:
    async with serving() as server:
        assert (await ask(server, "/hello")).text == "hello"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/healthz/", "/readyz/", "/metrics/", "/hello/", "/x/healthz", "//healthz", "/healthz/..;/metrics",
        "/healthz;x", "/healthz/../metrics", "/HEALTHZ", "/healthz%2f", "/healthz%00", "/x/../healthz", "/docs",
        "/openapi.json", "/docs/asyncapi", "/docs/asyncapi/try", "/asyncapi",
    ],
)  # fmt: skip
async def test_only_the_exact_paths_are_answered(path: str) -> None:
    async with serving() as server:
        for method in ("GET", "POST"):
            assert await status(server, method, path) == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_they_are_only_read(path: str, method: str) -> None:
    async with serving() as server:
        assert await status(server, method, path) == 405


async def test_an_answer_does_not_name_the_server() -> None:
    async with serving() as server:
        assert "server" not in (await ask(server, "/healthz")).headers


async def test_a_port_in_use_is_named() -> None:
    async with serving() as server:
        with pytest.raises(
            OSError, match=rf"cannot listen on 127\.0\.0\.1:{server.port}: Address already in use"
        ) as refused:
            OpsServer("127.0.0.1", server.port, dict)
    assert refused.value.errno == errno.EADDRINUSE


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0: "):
        OpsServer("192.0.2.1", 0, dict)


async def test_the_port_is_free_again_after_the_end() -> None:
    async with serving() as server:
        port = server.port
    again = OpsServer("127.0.0.1", port, dict)
    await again.start()
    await again.stop()


async def test_a_server_that_was_never_started_can_be_stopped() -> None:
    await OpsServer("127.0.0.1", 0, dict).stop()


async def test_answers_are_sent_at_once() -> None:
    """Nagle's algorithm would hold each answer back for 40 ms; asyncio turns it off only if it knows the protocol."""
    async with serving() as server, httpx.AsyncClient(trust_env=False) as client:
        assert server._socket.proto == socket.IPPROTO_TCP
        await client.get(f"{server.url}/healthz")
        (connection,) = server._server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")  # type: ignore[union-attr]  # of whichever protocol
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
