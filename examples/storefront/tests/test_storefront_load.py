"""The load keeps its rate and its mix, and outlives whatever the shop does."""

import asyncio
import time
from collections import Counter

import pytest

from storefront.load import Crowd, run_load
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


async def test_the_rate_is_kept_and_all_is_well(shop):
    started = time.monotonic()
    outcomes = await load_for(shop.url, 200, 1.0)
    assert 150 <= outcomes.total() <= 200 * (time.monotonic() - started) + 1
    assert set(outcomes) <= {"200", "201", "unfinished"}


async def test_a_slow_shop_does_not_slow_the_load(shop):
    await shop.http.post("/admin/faults/slow-dependency", json={"seconds": 20})
    outcomes = await load_for(shop.url, 100, 1.0)
    assert outcomes.total() >= 75
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


class ForgetfulShop:
    """Takes the client's place, and knows only the carts that were filled since it last lost them."""

    def __init__(self, checkout: int = 201) -> None:
        self.checkout = checkout
        self.carts: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.not_found = 0

    async def ask(self, method: str, path: str, body: object = None) -> int:
        self.asked[f"{method} {path.split('/')[1]}"] += 1
        if method == "GET":
            return 200
        if path != "/checkout":
            self.carts.add(path.split("/")[2])
            return 201
        if body["cart"] not in self.carts:
            self.not_found += 1
            return 404
        return self.checkout


async def send(crowd: Crowd, number: int) -> None:
    for _ in range(number):
        crowd.send_one()
        await asyncio.sleep(0)  # the customer asks
        await asyncio.sleep(0)


async def test_of_a_hundred_requests_60_browse_25_fill_carts_and_15_check_out():
    shop = ForgetfulShop()
    await send(Crowd(shop), 1000)
    assert shop.asked["GET products"] == pytest.approx(600, abs=5)
    assert shop.asked["POST cart"] == pytest.approx(250, abs=5)
    assert shop.asked["POST checkout"] == pytest.approx(150, abs=5)
    assert shop.not_found == 0


async def test_customers_whose_checkout_failed_try_again_with_the_same_cart():
    shop = ForgetfulShop(checkout=502)
    await send(Crowd(shop), 1000)
    assert shop.asked["POST checkout"] == pytest.approx(150, abs=5)
    assert shop.not_found == 0


async def test_customers_start_anew_when_the_shop_has_lost_its_carts():
    shop = ForgetfulShop(checkout=502)
    crowd = Crowd(shop)
    await send(crowd, 200)
    assert len(shop.carts) > 40
    shop.carts.clear()
    shop.checkout = 201
    await send(crowd, 200)
    assert shop.not_found == 1
