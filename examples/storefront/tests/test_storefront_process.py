"""`python -m storefront` and its load, as processes."""

import asyncio
import contextlib
import signal
import socket
import sys
import time

import httpx
import pytest


@contextlib.asynccontextmanager
async def started(*arguments: str):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_when_it_is_ready_and_stops_in_time_though_customers_wait(number):
    async with started("storefront", "--port", "0") as process:
        line = (await process.stdout.readline()).decode()
        url = line.removeprefix("storefront ready on ").strip()
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=5) as http:
            assert (await http.get("/health")).status_code == 200
            await http.post("/admin/faults/slow-dependency", json={"seconds": 20})
            await http.post("/cart/mine/items", json={"product": "cup"})
            waiting = asyncio.create_task(http.post("/checkout", json={"cart": "mine"}))
            await asyncio.sleep(0.1)
            told = time.monotonic()
            process.send_signal(number)
            assert (await waiting).status_code == 503
            out, err = await process.communicate()
        assert time.monotonic() - told < 10
        assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_taken_port_is_one_clear_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with started("storefront", "--port", str(port)) as process:
            out, err = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert err.decode().startswith(f"storefront: cannot listen on 127.0.0.1:{port}")
    assert len(err.splitlines()) == 1


async def test_the_load_reports_its_counts_when_it_is_told_to_stop(shop):
    async with started("storefront.load", "--url", shop.url, "--rate", "100") as process:
        bought = 0.0
        while bought < 5:
            await asyncio.sleep(0.02)
            bought = await shop.metric("storefront_requests_total", route="/checkout", code="201")
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert " requests  200: " in out.decode()
