"""An asyncio event loop whose time is virtual: it passes only when nothing is left to do at the moment.

Callbacks run in the order in which they were asked for, timers in the order of their times, so that a run depends on
nothing but its inputs. There are no sockets, threads or signals: whoever asks for one gets an error.

Every task belongs to a replica of a service (or to nobody): what is asked for in its context belongs to it too. A
replica that is killed does nothing more, at whatever await it was; not even its `finally` runs, as after kill -9.
"""

import asyncio
import gc
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

_FEW = 64
"""So many tasks of a life are kept without a look whether they are done."""

_COLLECTS_EVERY = 2_000
"""Moments between two searches for garbage. Python's own, after each 700 things made, would find next to nothing in a
world, and cost a sixth of its time."""

if TYPE_CHECKING:
    from asyncio import BaseEventLoop as _Loop  # for the type checker, whose AbstractEventLoop demands sockets
else:
    from asyncio import AbstractEventLoop as _Loop


class DeadlockError(RuntimeError):
    """What was waited for cannot happen: nothing is left that could make it happen."""


class _Tasks:
    """Those that are not done, and some that are: they are dropped now and then. A callback of each that is done would
    be a step of its replica, and as much work as many a task."""

    __slots__ = ("_many", "all")

    def __init__(self) -> None:
        self.all: list[asyncio.Task[Any]] = []
        self._many = _FEW

    def add(self, task: "asyncio.Task[Any]") -> None:
        self.all.append(task)
        if len(self.all) > self._many:
            self.all = [each for each in self.all if not each.done()]
            self._many = max(_FEW, 2 * len(self.all))


class Life:
    """One life of one replica, from its start until it is killed or has stopped."""

    __slots__ = ("is_over", "name", "steps_left", "tasks")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_over = False
        self.steps_left = 0
        """After so many of its callbacks, one for each await, it is killed; 0: it is not."""
        self.tasks = _Tasks()

    def end(self) -> None:
        """From here on nothing of it runs. Its tasks are kept as they are: to drop them would run their `finally`."""
        self.is_over = True
        for task in self.tasks.all:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # else asyncio writes of each of them


_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class _Handle(asyncio.Handle):
    """One of asyncio's, without what it keeps for debugging: a simulation makes thousands of them."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> None:
        self._callback, self._args, self._cancelled = callback, args, False
        self._context = copy_context() if context is None else context
        self._repr = self._source_traceback = None

    def cancel(self) -> None:
        self._cancelled = True
        self._callback, self._args = _nothing, ()

    def __repr__(self) -> str:
        return f"{self._callback!r}"


class _Timer(asyncio.TimerHandle):
    """As `_Handle`. It is passed over when its time comes if it was cancelled."""

    __slots__ = ()

    def __init__(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self._callback, self._args, self._cancelled = callback, args, False
        self._context = copy_context() if context is None else context
        self._repr = self._source_traceback = None
        self._when = when

    def cancel(self) -> None:
        self._cancelled = True
        self._callback, self._args = _nothing, ()

    def __repr__(self) -> str:
        return f"{self._callback!r} at {self._when:g}"


def _nothing() -> None:
    """What is left of a callback that was cancelled."""


class VirtualLoop(_Loop):
    """The loop. `run_until` lets virtual time pass; `run` waits for one coroutine."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._moments = 0
        self._was_collecting = False
        self._running = False
        self._closed = False
        self._lives: list[Life] = []
        self._others = _Tasks()
        self.problems: list[dict[str, Any]] = []
        """What asyncio would have written to the log: exceptions that nobody looked at."""

    # --- running ------------------------------------------------------------------------------------------------------

    def run_until(self, moment: float) -> None:
        """Do everything that is due up to this moment, in virtual seconds; then it is this moment."""
        self._enter()
        try:
            timers, ready = self._timers, self._ready
            while True:
                if ready:
                    self._drain()
                if not timers or timers[0][0] > moment:
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
        if not life.tasks.all:
            self._lives.append(life)
        context = copy_context()
        context.run(_LIFE.set, life)
        return self.create_task(coroutine, context=context)

    def kill(self, life: Life) -> None:
        """This life ends here."""
        life.end()

    def _enter(self) -> None:
        if self._running:
            raise RuntimeError("the loop is running already")
        self._running = True
        self._outer = events._get_running_loop()
        events._set_running_loop(self)
        self._was_collecting = gc.isenabled()
        gc.disable()

    def _leave(self) -> None:
        self._running = False
        events._set_running_loop(self._outer)
        if self._was_collecting:
            gc.enable()

    def _drain(self) -> None:
        """This runs for every callback of a simulation: it does what `Handle._run` does, and not a call more."""
        ready, next_one = self._ready, self._ready.popleft
        while ready:
            handle = next_one()
            if handle._cancelled:
                continue
            context: Context = handle._context  # type: ignore[attr-defined]  # typeshed does not know it
            life = context.get(_LIFE)
            if life is not None and (life.is_over or (life.steps_left and self._was_its_last_step(life))):
                continue
            try:
                context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]  # as above
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001  # as asyncio does: nobody else hears of it
                self.call_exception_handler({"message": f"in {handle!r}", "exception": error, "handle": handle})

    def _was_its_last_step(self, life: Life) -> bool:
        life.steps_left -= 1
        if not life.steps_left:
            self.kill(life)
        return life.is_over

    def _advance(self) -> None:
        """To the next timer, and all that are due at the same moment."""
        timers, ready = self._timers, self._ready
        self._moments += 1
        if self._was_collecting and not self._moments % _COLLECTS_EVERY:
            gc.collect(1)
        when = timers[0][0]
        if when > self._now:
            self._now = when
        while timers and timers[0][0] <= when:
            handle = heapq.heappop(timers)[2]
            if not handle._cancelled:
                ready.append(handle)

    # --- what asyncio asks of a loop ----------------------------------------------------------------------------------

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        when = self._now + delay
        handle = _Timer(when, callback, args, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = _Timer(when, callback, args, context)
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
        else:
            self._others.add(task)
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
        for task in [task for tasks in (self._others, *(life.tasks for life in self._lives)) for task in tasks.all]:
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
