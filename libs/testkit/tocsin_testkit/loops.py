"""An event loop in its own thread, so that a double answers whatever the loop under test is doing."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["LoopThread", "reset_connection"]

T = TypeVar("T")

LINGER_ZERO = struct.pack("ii", 1, 0)
CLOSED = -1


class LoopThread:
    """Start it, `run` coroutines on it from any other thread, stop it: what still runs on it is cancelled."""

    def __init__(self, name: str) -> None:
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._stopping: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._started.result()

    def stop(self) -> None:
        if self._stopping is not None:
            self.loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:  # Any: what a coroutine yields is asyncio's own business
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._started.result()

    async def _main(self) -> None:
        self._stopping = asyncio.Event()
        self._started.set_result(asyncio.get_running_loop())
        await self._stopping.wait()


def reset_connection(transport: asyncio.BaseTransport) -> None:
    """Close with RST instead of FIN: what is in flight is lost, as when the other machine dies."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() != CLOSED:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
