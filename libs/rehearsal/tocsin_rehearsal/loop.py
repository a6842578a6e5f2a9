"""An asyncio event loop whose time is virtual: it passes only when nothing is left to do at the moment.

Callbacks run in the order in which they were asked for, timers in the order of their times, so that a run depends on
nothing but its inputs. There are no sockets, threads or signals: whoever asks for one gets an error.

Every task belongs to a replica of a service (or to nobody): what is asked for in its context belongs to it too. A
replica that is killed does nothing more, at whatever await it was; not even its `finally` runs, as after kill -9.
"""

import asyncio
import heapq
import inspect
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, TypeVarTuple, Unpack

__all__ = ["DeadlockError", "Life", "VirtualLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

if TYPE_CHECKING:
    from asyncio import BaseEventLoop as _Loop  # for the type checker, whose AbstractEventLoop demands sockets
else:
    from asyncio import AbstractEventLoop as _Loop


class DeadlockError(RuntimeError):
    """What was waited for cannot happen: nothing is left that could make it happen."""


class Life:
    """One life of one replica, from its start until it is killed or has stopped."""

    __slots__ = ("is_over", "name", "steps_left", "tasks")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_over = False
        self.steps_left = 0
        """After so many of its callbacks, one for each await, it is killed; 0: it is not."""
        self.tasks: set[asyncio.Task[Any]] = set()

    def end(self) -> None:
        """From here on nothing of it runs. Its tasks are kept as they are: to drop them would run their `finally`."""
        self.is_over = True
        for task in self.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # else asyncio writes of each of them


_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class VirtualLoop(_Loop):
    """The loop. `run_until` lets virtual time pass; `run` waits for one coroutine."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._running = False
        self._closed = False
        self._graves: list[set[asyncio.Task[Any]]] = []
        self.problems: list[dict[str, Any]] = []
        """What asyncio would have written to the log: exceptions that nobody looked at."""

    # --- running ------------------------------------------------------------------------------------------------------

    def run_until(self, moment: float) -> None:
        """Do everything that is due up to this moment, in virtual seconds; then it is this moment."""
        self._enter()
        try:
            while True:
                self._drain()
                if not self._timers or self._timers[0][0] > moment:
                    break
                self._advance()
            self._now = max(self._now, moment)
        finally:
            self._leave()

    def run(self, coroutine: Coroutine[Any, Any, T], *, within: float = 86_400.0) -> T:
        """Wait for this, for at most so many virtual seconds. Raises DeadlockError where it does not end."""
        task: asyncio.Task[T] = self.create_task(coroutine)
        last = self._now + within
        self._enter()
        try:
            while not task.done():
                self._drain()
                if task.done():
                    break
                if not self._timers or self._timers[0][0] > last:
                    raise DeadlockError(f"{coroutine!r} does not end within {within:g} s")
                self._advance()
        finally:
            self._leave()
        return task.result()

    def start(self, life: Life, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Begin this as part of a life: all that it asks for belongs to that life."""
        context = copy_context()
        context.run(_LIFE.set, life)
        return self.create_task(coroutine, context=context)

    def kill(self, life: Life) -> None:
        """This life ends here."""
        life.end()
        self._graves.append(life.tasks)

    def _enter(self) -> None:
        if self._running:
            raise RuntimeError("the loop is running already")
        self._running = True
        self._outer = events._get_running_loop()
        events._set_running_loop(self)

    def _leave(self) -> None:
        self._running = False
        events._set_running_loop(self._outer)

    def _drain(self) -> None:
        ready = self._ready
        while ready:
            handle = ready.popleft()
            if not handle._cancelled and self._may_run(handle):
                handle._run()

    def _may_run(self, handle: asyncio.Handle) -> bool:
        life: Life | None = handle._context.get(_LIFE)  # type: ignore[attr-defined]  # typeshed does not know it
        if life is None:
            return True
        if life.steps_left and not life.is_over:
            life.steps_left -= 1
            if not life.steps_left:
                self.kill(life)
        return not life.is_over

    def _advance(self) -> None:
        """To the next timer, and all that are due at the same moment."""
        when = self._timers[0][0]
        self._now = max(self._now, when)
        while self._timers and self._timers[0][0] <= when:
            handle = heapq.heappop(self._timers)[2]
            if not handle._cancelled:
                self._ready.append(handle)

    # --- what asyncio asks of a loop ----------------------------------------------------------------------------------

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: object = None, context: Context | None = None
    ) -> "asyncio.Task[Any]":  # Any: as AbstractEventLoop has it
        task: asyncio.Task[Any] = asyncio.Task(
            coro, loop=self, name=None if name is None else str(name), context=context
        )
        life = context.get(_LIFE) if context is not None else _LIFE.get()
        if life is not None:
            life.tasks.add(task)
            task.add_done_callback(life.tasks.discard)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.problems.append(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.problems.append(context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Drop everything. What was still pending is not told to anybody."""
        self._closed = True
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # as in Life.end
            coroutine = task.get_coro()
            if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()  # it never began: nothing of it runs, and Python does not complain of it
        self._ready.clear()
        self._timers.clear()

    def call_soon_threadsafe(self, *_: Any, **__: Any) -> NoReturn:  # type: ignore[override]  # whatever is asked
        raise RuntimeError("a simulation has one thread")

    def run_in_executor(self, *_: Any, **__: Any) -> NoReturn:  # type: ignore[override]  # whatever is asked
        raise RuntimeError("a simulation has one thread")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """asyncio tells of it; the timer is passed over when its time comes."""
