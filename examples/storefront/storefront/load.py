"""Customers: an open-loop load, which keeps its rate however the shop fares.

`python -m storefront.load --url http://127.0.0.1:7390 --rate 40`
"""

import argparse
import asyncio
import contextlib
import signal
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import cycle

from storefront.catalogue import PRODUCTS
from storefront.share import Spread
from storefront.wire import Client, NoAnswerError

BROWSE_BELOW, CART_BELOW = 0.60, 0.85
"""Of 100 requests, 60 browse, 25 put something into a cart, 15 check out."""
MOST_PENDING = 500
"""Requests without an answer yet, above which customers give up before they ask."""
MOST_CARTS = 200
REPLY_WITHIN_SECONDS = 10.0
SHARPEST_TICK_SECONDS = 0.005


@dataclass(slots=True)
class Report:
    """How many requests ended how: by status, `error <kind>` without an answer, or `not sent`."""

    outcomes: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        counts = "  ".join(f"{outcome}: {count}" for outcome, count in sorted(self.outcomes.items()))
        return f"{self.outcomes.total()} requests  {counts}".rstrip()


async def run_load(base_url: str, rate_per_second: float, stop: asyncio.Event) -> Report:
    """Sends `rate_per_second` requests each second until `stop` is set; no answer, however bad, ends it."""
    if not rate_per_second > 0:
        raise ValueError(f"rate_per_second must be above 0, not {rate_per_second}")
    client = Client(base_url)
    crowd = Crowd(client)
    loop = asyncio.get_running_loop()
    started, sent = loop.time(), 0
    tick = max(1 / rate_per_second, SHARPEST_TICK_SECONDS)
    while not stop.is_set():
        due = int((loop.time() - started) * rate_per_second) + 1
        for _ in range(due - sent):
            crowd.send_one()
        sent = due
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), tick)
    await crowd.leave()
    client.close()
    return crowd.report


class Crowd:
    """Customers at the shop: what the next one does, and what became of those before."""

    def __init__(self, client: Client) -> None:
        self.report = Report()
        self._client = client
        self._spread = Spread()
        self._products = cycle(product.id for product in PRODUCTS)
        self._filled: deque[str] = deque(maxlen=MOST_CARTS)
        self._pending: set[asyncio.Task[None]] = set()
        self._carts = 0

    def send_one(self) -> None:
        if len(self._pending) >= MOST_PENDING:
            self.report.outcomes["not sent"] += 1
            return
        mood = self._spread.next()
        if mood < BROWSE_BELOW:
            visit = self._browse(list_all=mood < BROWSE_BELOW / 3)
        elif mood < CART_BELOW or not self._filled:
            visit = self._fill_cart()
        else:
            visit = self._check_out(self._filled.popleft())
        task = asyncio.create_task(visit)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def leave(self) -> None:
        """Nobody waits for an answer any more."""
        for task in self._pending:
            task.cancel()
        self.report.outcomes["unfinished"] += len(self._pending)
        await asyncio.gather(*self._pending, return_exceptions=True)
        self.report.outcomes += Counter()  # drops what was counted zero times

    async def _browse(self, *, list_all: bool) -> None:
        await self._ask("GET", "/products" if list_all else f"/products/{next(self._products)}")

    async def _fill_cart(self) -> None:
        self._carts += 1
        cart = f"load-{self._carts}"
        body = {"product": next(self._products), "quantity": 1 + self._carts % 3}
        if await self._ask("POST", f"/cart/{cart}/items", body) == 201:
            self._filled.append(cart)

    async def _check_out(self, cart: str) -> None:
        status = await self._ask("POST", "/checkout", {"cart": cart})
        if status is None or status >= 500:
            self._filled.append(cart)  # the customer will try again
        elif status == 404:
            self._filled.clear()  # the shop has lost its carts; everyone starts anew

    async def _ask(self, method: str, path: str, body: object = None) -> int | None:
        try:
            async with asyncio.timeout(REPLY_WITHIN_SECONDS):
                status = await self._client.ask(method, path, body)
        except TimeoutError:
            self.report.outcomes["error TimeoutError"] += 1
            return None
        except NoAnswerError as error:
            self.report.outcomes[f"error {error.kind}"] += 1
            return None
        self.report.outcomes[str(status)] += 1
        return status


async def _main(url: str, rate: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    print(await run_load(url, rate, stop), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m storefront.load", description="Customers for the storefront.")
    parser.add_argument("--url", default="http://127.0.0.1:7390", help="where the shop is (%(default)s)")
    parser.add_argument("--rate", type=_rate, default=40.0, help="requests a second (%(default)g)")
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.url, arguments.rate))


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate <= 10_000:
        raise argparse.ArgumentTypeError("must be above 0 and at most 10000")
    return rate


if __name__ == "__main__":
    main()
