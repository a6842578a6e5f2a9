"""A shop on real ports, quick enough for tests: windows and delays are a tenth of the usual ones."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from storefront.load import run_load
from storefront.server import running
from storefront.settings import MEBIBYTE, Settings

QUICK = Settings(
    port=0,
    database_takes=timedelta(milliseconds=1),
    payment_takes=timedelta(milliseconds=1),
    payment_timeout=timedelta(milliseconds=400),
    health_window=timedelta(milliseconds=400),
    slow_checkout=timedelta(milliseconds=150),
    rehearse_every=timedelta(milliseconds=20),
    probe_timeout=timedelta(milliseconds=150),
    memory_headroom=32 * MEBIBYTE,
    leak_cap=64 * MEBIBYTE,
)


@dataclass
class Shop:
    http: httpx.AsyncClient
    url: str

    async def fill_cart(self, cart: str = "mine") -> None:
        answer = await self.http.post(f"/cart/{cart}/items", json={"product": "kettle", "quantity": 2})
        assert answer.status_code == 201, answer.text

    async def buy(self, cart: str = "mine") -> httpx.Response:
        await self.fill_cart(cart)
        return await self.http.post("/checkout", json={"cart": cart})

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that carry these labels."""
        text = (await self.http.get("/metrics")).text
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    async def becomes(self, status: int, within: float = 5.0) -> httpx.Response:
        """Waits until /health answers with the status."""
        until = time.monotonic() + within
        while True:
            answer = await self.http.get("/health")
            if answer.status_code == status:
                return answer
            assert time.monotonic() < until, f"not {status} within {within} s: {answer.text}"
            await asyncio.sleep(0.01)

    async def fails_just(self, checks: set[str], within: float = 5.0) -> None:
        """Waits until these checks of /health fail, and no others."""
        async with asyncio.timeout(within):
            failing = None
            while failing != checks:
                answer = (await self.http.get("/health")).json()["checks"]
                failing = {name for name, check in answer.items() if not check["ok"]}

    async def stays(self, status: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = await self.http.get("/health")
            assert answer.status_code == status, answer.text
            await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def customers(self, rate: float = 100) -> AsyncIterator[None]:
        stop = asyncio.Event()
        load = asyncio.create_task(run_load(self.url, rate, stop))
        try:
            yield
        finally:
            stop.set()
            await load


@contextlib.asynccontextmanager
async def open_shop(settings: Settings = QUICK) -> AsyncIterator[Shop]:
    async with running(settings) as shop, httpx.AsyncClient(base_url=shop.url, trust_env=False) as http:
        yield Shop(http, shop.url)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@pytest.fixture
def quick() -> Settings:
    return QUICK


@pytest.fixture
def opened() -> Callable[[Settings], contextlib.AbstractAsyncContextManager[Shop]]:
    """Opens a shop with other settings than the quick ones."""
    return open_shop
