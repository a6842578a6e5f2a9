"""A TCP proxy that breaks the wire on command: refused, silent, one-way, reset, slow, thin, cut."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from tocsin_testkit.loops import reset_connection
from tocsin_testkit.ports import LOOPBACK

__all__ = ["Direction", "TcpProxy"]

CHUNK = 65_536
QUEUED_CHUNKS = 64
SLICES_PER_SECOND = 50


class Direction(StrEnum):
    TO_TARGET = "to target"
    TO_CLIENT = "to client"


class _Wire:
    """The faults of one direction, shared by all connections."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.heal()

    def heal(self) -> None:
        self.open.set()
        self.delay = timedelta()
        self.bytes_per_second: int | None = None
        self.bytes_until_cut: int | None = None


class TcpProxy:
    """Forwards a loopback port to the target until told otherwise. Faults add up; `heal` ends them all.

        async with TcpProxy(nats.url) as proxy:
            connection = await connect(proxy.rewrite(nats.url))
            proxy.black_hole()

    The target is (host, port) or a URL with both. The proxy lives on the loop that entered it.
    """

    def __init__(self, target: tuple[str, int] | str, *, port: int | None = None) -> None:
        self._target = _host_and_port(target)
        self._port = port or 0
        self._listener: asyncio.Server | None = None
        self._wires = {direction: _Wire() for direction in Direction}
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_listening()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- where it is -------------------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        return LOOPBACK, self._port

    def rewrite(self, url: str) -> str:
        """The URL with the proxy's address in place of the target's."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{LOOPBACK}:{self._port}"))

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._links)

    # --- faults ------------------------------------------------------------------------------------------------------

    def block(self) -> None:
        """Nobody listens: new connections are refused, the open ones reset."""
        self._stop_listening()
        self.reset()

    def black_hole(self) -> None:
        """Connections are accepted and stay open, but nothing passes, not even their end. Kept until `heal`."""
        for direction in Direction:
            self._wires[direction].open.clear()

    def one_way(self, passes: Direction) -> None:
        """Only this direction passes; the other is a black hole."""
        for direction in Direction:
            wire = self._wires[direction].open
            wire.set() if direction is passes else wire.clear()

    def reset(self) -> None:
        """RST to both ends of every open connection; new ones are served."""
        for link in list(self._links):
            link.reset()

    def delay(self, by: timedelta) -> None:
        """Every byte arrives later by this much, in both directions; throughput stays."""
        for wire in self._wires.values():
            wire.delay = by

    def limit(self, bytes_per_second: int) -> None:
        """So much passes each way on each connection."""
        if bytes_per_second < 1:
            raise ValueError(f"a limit of {bytes_per_second} bytes a second: use black_hole() for nothing at all")
        for wire in self._wires.values():
            wire.bytes_per_second = bytes_per_second

    def cut_after(self, count: int, direction: Direction = Direction.TO_TARGET) -> None:
        """RST once this many more bytes have passed in the direction, counted over all connections."""
        self._wires[direction].bytes_until_cut = count

    async def heal(self) -> None:
        """No faults. What the black hole kept is delivered; a blocked proxy listens again on its port."""
        for wire in self._wires.values():
            wire.heal()
        if self._listener is None:
            await self._listen()

    # --- how -----------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, LOOPBACK, self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._spawn(self._serve(reader, writer))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields is asyncio's business
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward_reader, onward_writer = await asyncio.open_connection(*self._target)
        except OSError:  # the target is down: the client sees a reset
            reset_connection(writer.transport)
            return
        link = _Link(writer, onward_writer)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as group:
                for source, sink, direction in (
                    (reader, onward_writer, Direction.TO_TARGET),
                    (onward_reader, writer, Direction.TO_CLIENT),
                ):
                    queue = _Queue(QUEUED_CHUNKS)
                    wire = self._wires[direction]
                    group.create_task(_read(source, wire, queue))
                    group.create_task(_write(sink, wire, queue))
        except* OSError:  # one end was reset or the wire was cut: the other end learns it the same way
            link.abort()
        finally:
            link.close()
            self._links.discard(link)


class _Link:
    """The two ends of one connection, and the task that serves it."""

    def __init__(self, client: asyncio.StreamWriter, target: asyncio.StreamWriter) -> None:
        self._ends = (client, target)
        self._task = asyncio.current_task()

    def reset(self) -> None:
        """RST at once, whatever is still on the wire."""
        self.abort()
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        for end in self._ends:
            reset_connection(end.transport)

    def close(self) -> None:
        for end in self._ends:
            end.close()


END = b""
_Queue = asyncio.Queue[tuple[float, bytes | OSError]]
"""When it is due, and what: data, the END of the stream, or how it broke."""


async def _read(source: asyncio.StreamReader, wire: _Wire, queue: _Queue) -> None:
    """Read and write are tasks of their own, so that a delay does not become a limit."""
    now = asyncio.get_running_loop().time
    data: bytes | OSError = b"-"
    while isinstance(data, bytes) and data != END:
        try:
            data = await source.read(CHUNK)
        except ConnectionError as error:  # passed on in its turn: a black hole swallows a RST too
            data = error
        await queue.put((now() + wire.delay.total_seconds(), data))


async def _write(sink: asyncio.StreamWriter, wire: _Wire, queue: _Queue) -> None:
    now = asyncio.get_running_loop().time
    while True:
        due, data = await queue.get()
        await asyncio.sleep(max(0.0, due - now()))
        await wire.open.wait()
        if isinstance(data, OSError):
            raise data
        if data == END:
            break
        await _pass(data, sink, wire)
    sink.write_eof()


async def _pass(data: bytes, sink: asyncio.StreamWriter, wire: _Wire) -> None:
    while data:
        await wire.open.wait()
        size = len(data)
        if wire.bytes_per_second is not None:
            size = min(size, max(1, wire.bytes_per_second // SLICES_PER_SECOND))
            await asyncio.sleep(size / wire.bytes_per_second)
        if wire.bytes_until_cut is not None:
            size = min(size, wire.bytes_until_cut)
        sink.write(data[:size])
        await sink.drain()
        data = data[size:]
        if wire.bytes_until_cut is not None:
            wire.bytes_until_cut -= size
            if wire.bytes_until_cut <= 0:
                raise ConnectionResetError("cut")


def _host_and_port(target: tuple[str, int] | str) -> tuple[str, int]:
    if not isinstance(target, str):
        return target
    parts = urlsplit(target)
    if parts.hostname is None or parts.port is None:
        raise ValueError(f"the target {target!r} needs a host and a port, as nats://127.0.0.1:4222")
    return parts.hostname, parts.port
