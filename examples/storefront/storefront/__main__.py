"""`python -m storefront --port 7390`: the shop, until it is told to stop."""

import argparse
import asyncio
import os
import signal
import sys

from prometheus_client import disable_created_metrics

from storefront.server import running
from storefront.settings import Settings


def main() -> None:
    arguments = _parse()
    disable_created_metrics()  # type: ignore[no-untyped-call] # they double the page; the library left it untyped
    settings = Settings(
        host=arguments.host,
        port=arguments.port,
        admin_token=os.environ.get("STOREFRONT_ADMIN_TOKEN") or None,
    )
    try:
        asyncio.run(_serve(settings))
    except OSError as error:
        sys.exit(f"storefront: cannot listen on {settings.host}:{settings.port}: {error.strerror or error}")


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as shop:
        print(f"storefront ready on {shop.url}", flush=True)
        await stop.wait()


def _parse() -> argparse.Namespace:
    usual = Settings()
    parser = argparse.ArgumentParser(prog="storefront", description="A small web shop that can be broken on purpose.")
    parser.add_argument("--host", default=usual.host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=usual.port, help="port to listen on; 0 takes a free one")
    return parser.parse_args()


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return port


if __name__ == "__main__":
    main()
