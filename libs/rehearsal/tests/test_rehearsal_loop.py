"""Virtual time: it passes when nothing is left to do, and a replica that is killed does nothing more."""

import asyncio
import socket

import pytest

from tocsin_rehearsal.loop import DeadlockError, Life, VirtualLoop


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def test_time_passes_only_when_nothing_is_left_to_do(loop: VirtualLoop) -> None:
    seen: list[tuple[str, float]] = []

    async def tick(name: str, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            seen.append((name, loop.time()))

    loop.create_task(tick("slow", 3600))
    loop.create_task(tick("quick", 1500))
    loop.run_until(4000)
    assert seen == [("quick", 1500), ("quick", 3000), ("slow", 3600)]
    assert loop.time() == 4000


def test_timeouts_queues_locks_and_events_are_asyncios_own(loop: VirtualLoop) -> None:
    async def everything() -> tuple[float, list[int]]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        lock, event = asyncio.Lock(), asyncio.Event()

        async def put() -> None:
            for number in range(3):
                async with lock:
                    await asyncio.sleep(1)
                    await queue.put(number)
            event.set()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.Event().wait()
        began = loop.time()
        _, _ = await asyncio.gather(put(), event.wait())
        return began, [queue.get_nowait() for _ in range(3)]

    assert loop.run(everything()) == (10, [0, 1, 2])
    assert loop.time() == 13


def test_what_was_asked_for_first_is_done_first(loop: VirtualLoop) -> None:
    seen: list[int] = []
    for number in range(5):
        loop.call_later(1, seen.append, number)
    loop.call_at(0.5, seen.append, -1)
    loop.run_until(1)
    assert seen == [-1, 0, 1, 2, 3, 4]


def test_a_killed_life_does_nothing_more_not_even_what_stands_in_finally(loop: VirtualLoop) -> None:
    seen: list[str] = []

    async def work(name: str) -> None:
        try:
            while True:
                seen.append(name)
                async with asyncio.timeout(100):
                    await asyncio.gather(asyncio.sleep(1), asyncio.sleep(0.5))
        finally:
            seen.append(f"{name} ends")

    one, other = Life("one"), Life("other")
    loop.start(one, work("one"))
    loop.start(other, work("other"))
    loop.run_until(1.5)
    loop.kill(one)
    loop.run_until(3.5)
    assert seen == ["one", "other", "one", "other", "other", "other"]
    loop.close()
    assert loop.problems == []


def test_what_a_life_asks_others_for_belongs_to_it(loop: VirtualLoop) -> None:
    """A callback set from within a life dies with it; one that the world set does not."""
    seen: list[str] = []
    life = Life("one")

    async def ask() -> None:
        loop.call_later(5, seen.append, "asked within")

    loop.call_later(5, seen.append, "asked outside")
    loop.start(life, ask())
    loop.run_until(1)
    loop.kill(life)
    loop.run_until(10)
    assert seen == ["asked outside"]


def test_waiting_for_what_cannot_happen_is_an_error(loop: VirtualLoop) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError):
        loop.run(wait())


def test_an_exception_comes_out_where_it_was_waited_for(loop: VirtualLoop) -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise ValueError("so it is")

    with pytest.raises(ValueError, match="so it is"):
        loop.run(fail())


def test_there_are_no_threads_and_no_sockets(loop: VirtualLoop) -> None:
    async def thread() -> None:
        await asyncio.to_thread(print)

    async def connect() -> None:
        with socket.socket() as plain:
            await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", 9))

    with pytest.raises(RuntimeError, match="one thread"):
        loop.run(thread())
    with pytest.raises(NotImplementedError):
        loop.run(connect())


def test_a_loop_within_a_loop_is_given_back(loop: VirtualLoop) -> None:
    inner = VirtualLoop()

    async def outer() -> float:
        inner.run_until(50)
        await asyncio.sleep(1)
        return inner.time()

    assert loop.run(outer()) == 50
    assert loop.time() == 1
