"""The TCP proxy: each fault as the two ends see it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import nats
import pytest

from tocsin_testkit.loops import reset_connection
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.proxy import Direction, TcpProxy

SILENCE = 0.08


class Target:
    """Echoes what it receives and keeps it."""

    def __init__(self) -> None:
        self.received = b""
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while data := await reader.read(65_536):
                self.received += data
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Target, TcpProxy]]:
    target = Target()
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    async with server, TcpProxy(server.sockets[0].getsockname()[:2]) as proxy:
        yield target, proxy
        for writer in target.writers:
            writer.close()


async def echo(proxy: TcpProxy, data: bytes = b"hello") -> bytes:
    reader, writer = await asyncio.open_connection(*proxy.address)
    writer.write(data)
    answer = await asyncio.wait_for(reader.readexactly(len(data)), 3)
    writer.close()
    return answer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(3):
        while not condition():  # another task's state has no event
            await asyncio.sleep(0.005)


async def silent(reader: asyncio.StreamReader) -> bool:
    try:
        await asyncio.wait_for(reader.read(1), SILENCE)
    except TimeoutError:
        return True
    return False


async def test_without_faults_it_forwards_both_ways_and_passes_the_end_on() -> None:
    async with proxied() as (target, proxy):
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(b"x" * 200_000)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(-1), 3) == b"x" * 200_000
        assert len(target.received) == 200_000
        writer.close()
        await until(lambda: proxy.connections == 0)


async def test_a_blocked_proxy_refuses_and_resets_until_healed() -> None:
    async with proxied() as (_, proxy):
        reader, _writer = await asyncio.open_connection(*proxy.address)
        await until(lambda: proxy.connections == 1)
        proxy.block()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*proxy.address)
        await proxy.heal()
        assert await echo(proxy) == b"hello"


async def test_a_black_hole_accepts_and_says_nothing_and_delivers_when_healed() -> None:
    async with proxied() as (target, proxy):
        reader, writer = await asyncio.open_connection(*proxy.address)
        proxy.black_hole()
        writer.write(b"kept")
        assert await silent(reader)
        assert target.received == b""
        new_reader, new_writer = await asyncio.open_connection(*proxy.address)
        new_writer.write(b"new")
        assert await silent(new_reader)
        await proxy.heal()
        assert await asyncio.wait_for(reader.readexactly(4), 3) == b"kept"
        assert await asyncio.wait_for(new_reader.readexactly(3), 3) == b"new"
        writer.close()
        new_writer.close()


@pytest.mark.parametrize("passes", list(Direction))
async def test_one_way_lets_only_that_direction_pass(passes: Direction) -> None:
    async with proxied() as (target, proxy):
        reader, writer = await asyncio.open_connection(*proxy.address)
        await until(lambda: len(target.writers) == 1)
        proxy.one_way(passes)
        writer.write(b"up")
        assert await silent(reader)
        target.writers[0].write(b"down")
        if passes is Direction.TO_TARGET:
            await until(lambda: target.received == b"up")
            assert await silent(reader)
        else:
            assert await asyncio.wait_for(reader.readexactly(4), 3) == b"down"
            assert target.received == b""
        await proxy.heal()
        writer.close()


async def test_a_reset_ends_open_connections_with_rst_and_serves_new_ones() -> None:
    async with proxied() as (_, proxy):
        reader, _writer = await asyncio.open_connection(*proxy.address)
        await until(lambda: proxy.connections == 1)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        assert await echo(proxy) == b"hello"


async def test_a_target_that_resets_is_a_reset_for_the_client() -> None:
    async with proxied() as (target, proxy):
        reader, _writer = await asyncio.open_connection(*proxy.address)
        await until(lambda: len(target.writers) == 1)
        reset_connection(target.writers[0].transport)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        await until(lambda: proxy.connections == 0)


async def test_a_black_hole_swallows_a_reset_too() -> None:
    async with proxied() as (target, proxy):
        reader, _writer = await asyncio.open_connection(*proxy.address)
        await until(lambda: len(target.writers) == 1)
        proxy.black_hole()
        reset_connection(target.writers[0].transport)
        assert await silent(reader)
        await proxy.heal()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)


async def test_a_reset_works_in_a_black_hole() -> None:
    async with proxied() as (_, proxy):
        reader, _writer = await asyncio.open_connection(*proxy.address)
        await until(lambda: proxy.connections == 1)
        proxy.black_hole()
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        await until(lambda: proxy.connections == 0)


async def test_a_delay_holds_each_byte_back_both_ways_but_not_the_throughput() -> None:
    async with proxied() as (_, proxy):
        proxy.delay(timedelta(milliseconds=60))
        before = time.monotonic()
        assert await echo(proxy, b"x" * 500_000) == b"x" * 500_000
        took = time.monotonic() - before
        assert 0.12 <= took < 10


async def test_a_limit_makes_the_wire_thin() -> None:
    async with proxied() as (target, proxy):
        proxy.limit(bytes_per_second=10_000)
        before = time.monotonic()
        assert len(await echo(proxy, b"x" * 2_000)) == 2_000
        assert 0.2 <= time.monotonic() - before < 10
        assert len(target.received) == 2_000


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="black_hole"):
        TcpProxy(("127.0.0.1", 1)).limit(0)


async def test_a_cut_lets_so_many_bytes_pass_and_then_resets() -> None:
    async with proxied() as (target, proxy):
        proxy.cut_after(3)
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(b"abcdef")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(6)
        await until(lambda: len(target.received) == 3)
        await proxy.heal()
        assert await echo(proxy) == b"hello"


async def test_a_cut_can_be_on_the_way_back() -> None:
    async with proxied() as (target, proxy):
        proxy.cut_after(2, Direction.TO_CLIENT)
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(b"abcdef")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(6)
        assert target.received == b"abcdef"


async def test_a_target_that_is_down_is_a_reset_for_the_client(free_port: int) -> None:
    async with TcpProxy(("127.0.0.1", free_port)) as proxy:
        reader, _writer = await asyncio.open_connection(*proxy.address)
        with pytest.raises(ConnectionResetError):
            await reader.read(1)


async def test_leaving_the_proxy_ends_its_connections_also_in_a_black_hole() -> None:
    target = Target()
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    async with server:
        async with TcpProxy(server.sockets[0].getsockname()[:2]) as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await until(lambda: proxy.connections == 1)
            proxy.black_hole()
            writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*proxy.address)


async def test_nats_goes_through_it_by_its_url(nats_server: NatsServer) -> None:
    async with TcpProxy(nats_server.url) as proxy:
        client = await nats.connect(proxy.rewrite(nats_server.url), allow_reconnect=False)
        await client.flush(timeout=2)
        assert proxy.connections == 1
        await client.close()


def test_the_rewritten_url_keeps_everything_but_the_address() -> None:
    proxy = TcpProxy("http://127.0.0.1:80", port=8080)
    assert proxy.rewrite("http://me:secret@10.0.0.1:80/a?b#c") == "http://me:secret@127.0.0.1:8080/a?b#c"


@pytest.mark.parametrize("target", ["127.0.0.1", "http://127.0.0.1/"])
def test_a_target_without_a_port_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="needs a host and a port"):
        TcpProxy(target)
