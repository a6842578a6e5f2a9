"""The load keeps its rate and its mix, and outlives whatever the shop does."""

import asyncio

import pytest

from storefront.load import run_load
from storefront.wire import Client, NoAnswerError


async def load_for(url: str, rate: float, seconds: float):
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    return (await run_load(url, rate, stop)).outcomes


async def serve_once(answer: bytes):
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_the_rate_and_the_mix_are_kept(shop):
    outcomes = await load_for(shop.url, 200, 1.0)
    total = outcomes.total()
    assert 180 <= total <= 210
    requests = "storefront_requests_total"
    browsed = await shop.metric(requests, method="GET", code="200", route="/products")
    browsed += await shop.metric(requests, method="GET", code="200", route="/products/{id}")
    filled = await shop.metric(requests, route="/cart/{cart}/items")
    checked_out = await shop.metric(requests, route="/checkout", code="201")
    assert browsed / total == pytest.approx(0.60, abs=0.03)
    assert filled / total == pytest.approx(0.25, abs=0.03)
    assert checked_out / total == pytest.approx(0.15, abs=0.03)
    assert set(outcomes) <= {"200", "201", "unfinished"}


async def test_a_slow_shop_does_not_slow_the_load(shop):
    await shop.http.post("/admin/faults/slow-dependency", json={"seconds": 20})
    outcomes = await load_for(shop.url, 100, 1.0)
    assert 90 <= outcomes.total() <= 105
    assert outcomes["504"] > 3


async def test_a_shop_that_is_not_there_is_counted():
    server, url = await serve_once(b"")
    server.close()
    await server.wait_closed()
    outcomes = await load_for(url, 100, 0.2)
    assert outcomes["error ConnectionRefusedError"] >= 15


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -9\r\n\r\n",
        b"x" * 200_000,
    ],
)
async def test_what_is_not_an_answer_is_no_answer(answer):
    server, url = await serve_once(answer)
    async with server:
        with pytest.raises(NoAnswerError):
            await Client(url).ask("GET", "/")


@pytest.mark.parametrize("head", [b"", b"Connection: close\r\nContent-Length: 0\r\n", b"Content-Length: 99999999\r\n"])
async def test_a_status_is_an_answer_though_its_connection_cannot_be_kept(head):
    server, url = await serve_once(b"HTTP/1.1 503 Busy\r\n" + head + b"\r\n")
    async with server:
        client = Client(url)
        assert await client.ask("GET", "/") == 503
        assert await client.ask("GET", "/") == 503


@pytest.mark.parametrize("url", ["https://shop.example", "127.0.0.1:7390", "http://", "ftp://x"])
async def test_an_address_it_cannot_load_is_refused(url):
    with pytest.raises(ValueError, match="http://host:port"):
        await run_load(url, 1, asyncio.Event())


async def test_a_rate_is_above_zero():
    for rate in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="rate_per_second"):
            await run_load("http://127.0.0.1:1", rate, asyncio.Event())


async def test_customers_start_anew_when_the_shop_has_lost_its_carts(shop):
    await shop.http.post("/admin/faults/failing-dependency", json={"share": 1})
    async with shop.customers(rate=300):
        while await shop.metric("storefront_carts") < 40:
            await shop.becomes(503)
        await shop.http.post("/admin/payments/failover")
        await shop.http.post("/admin/restart")
        while await shop.metric("storefront_requests_total", route="/checkout", code="201") < 20:
            await shop.becomes(200)
    assert await shop.metric("storefront_requests_total", route="/checkout", code="404") <= 10
