"""How one life of one replica reaches the broker, and what becomes of what it sends.

The client of NATS keeps what is sent while there is no connection and sends it when there is one again, also when
whoever asked has given up long ago. `Connection` therefore waits with what it writes; acknowledgements are kept by the
client, and so they are by the model.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

from tocsin_rehearsal.bus.faults import Fate, Faults
from tocsin_rehearsal.bus.streams import UnansweredError
from tocsin_rehearsal.loop import Life
from tocsin_runtime.bus.connection import WRITE_TIMEOUT
from tocsin_runtime.bus.errors import BusError, BusUnavailableError

if TYPE_CHECKING:
    from tocsin_rehearsal.bus.broker import Broker

__all__ = ["Link"]

T = TypeVar("T")

_LATE = 1.5 * WRITE_TIMEOUT


class Reader(Protocol):
    """What depends on the connection."""

    def lost(self) -> None: ...

    def connected(self) -> None: ...


class Link:
    """One connection. It breaks when the broker is killed, and stands again shortly after the broker does."""

    def __init__(self, broker: "Broker", life: Life, service: str) -> None:
        self.broker, self.machine, self.life, self.service = broker, broker.machine, life, service
        self.is_connected = broker.is_up
        self.is_cut = False
        self.is_closed = False
        self.lost_at = 0.0
        self.connections = 0
        """How often it has broken."""
        self.readers: list[Reader] = []
        self._unsent: list[Callable[[], None]] = []
        self._on_reconnect: dict[int, tuple[Callable[[], None], Context]] = {}
        self._count = 0
        self._news: list[asyncio.Future[None]] = []
        broker.links.append(self)

    @property
    def faults(self) -> Faults:
        return self.machine.faults

    # --- the connection -----------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Nothing gets through in either direction, as in a network that is parted."""
        self.is_cut = True
        self.break_()

    def heal(self) -> None:
        """What was sent meanwhile gets through now."""
        self.is_cut = False
        self.connect()

    def break_(self) -> None:
        """The connection breaks. Nothing happens where there is none."""
        if self.is_connected:
            self.is_connected = False
            self.connections += 1
            self.lost_at = self.machine.time()
            for reader in tuple(self.readers):
                reader.lost()

    def connect(self) -> None:
        """The connection stands again, if it can."""
        if self.is_connected or self.is_cut or self.is_closed or self.life.is_over or not self.broker.is_up:
            return
        self.is_connected = True
        unsent, self._unsent = self._unsent, []
        for send in unsent:
            send()
        for reader in tuple(self.readers):
            reader.connected()
        for future in self._news:
            if not future.done():
                future.set_result(None)
        self._news.clear()
        for call, context in tuple(self._on_reconnect.values()):
            self.machine.call_soon_in(context, call)

    def close(self) -> None:
        """For good."""
        self.break_()
        self.is_closed = True
        if self in self.broker.links:
            self.broker.links.remove(self)

    async def until_connected(self) -> None:
        while not self.is_connected:
            future = asyncio.get_running_loop().create_future()
            self._news.append(future)
            await future

    def on_reconnect(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call this, as who asks for it, after each reconnect. Answers with what takes it back."""
        self._count += 1
        key = self._count
        self._on_reconnect[key] = (call, copy_context())

        def forget() -> None:
            self._on_reconnect.pop(key, None)

        return forget

    # --- asking -------------------------------------------------------------------------------------------------------

    async def exchange(self, what: str, effect: Callable[[], T]) -> T:
        """Ask the broker for something. Raises BusUnavailableError where no answer comes, and what `effect` raises."""
        if self.is_closed:
            raise BusUnavailableError(f"{what}: the connection is closed")
        faults = self.machine.faults
        fate = faults.fate(what, self.life.name)
        if fate is Fate.LOST:
            return await self._no_answer(what)
        if fate is Fate.LATE:
            self.machine.call_later(_LATE, self._do_unheard, effect)
            return await self._no_answer(what)
        latency = faults.latency()
        if latency > 0:
            await self._travel(what, latency)
        try:
            done = effect() if self.is_connected else await self._when_connected(what, effect)
        except UnansweredError:
            return await self._no_answer(what)
        except BusError:  # a refusal is an answer too
            if fate is Fate.ANSWER_LOST:
                return await self._no_answer(what)
            raise
        if fate is Fate.ANSWER_LOST:
            return await self._no_answer(what)
        if latency > 0:
            await self._travel(what, latency)
        return done

    async def repeated(self, what: str, effect: Callable[[], T]) -> T:
        """As `exchange`, three times at most."""
        failure = BusUnavailableError(f"{what}: not sent")
        for attempt in range(3):
            if attempt:
                await asyncio.sleep(0.05 * 2**attempt)
            try:
                return await self.exchange(what, effect)
            except BusUnavailableError as error:
                failure = error
        raise failure

    def keep(self, send: Callable[[], None]) -> None:
        """Send this, to which there is no answer, when there is a connection again."""
        self._unsent.append(send)

    async def _travel(self, what: str, latency: float) -> None:
        """What is under way when the connection breaks is lost."""
        connection, was_connected = self.connections, self.is_connected
        await asyncio.sleep(latency)
        if was_connected and connection != self.connections:
            await self._no_answer(what)

    async def _no_answer(self, what: str) -> NoReturn:
        await asyncio.sleep(WRITE_TIMEOUT)
        raise BusUnavailableError(f"{what}: no answer")

    async def _when_connected(self, what: str, effect: Callable[[], T]) -> T:
        """As `Connection`: nothing is given to the client that it would keep."""
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await self.until_connected()
        except TimeoutError:
            raise BusUnavailableError(f"{what}: not connected") from None
        return effect()

    def _do_unheard(self, effect: Callable[[], object]) -> None:
        """It was sent before; it arrives although whoever sent it may be dead by now."""
        if self.broker.is_up:
            _do(effect, None)


def _do(effect: Callable[[], T], answer: "asyncio.Future[T] | None") -> None:
    heard = answer is not None and not answer.done()
    try:
        done = effect()
    except BusError as error:
        if answer is not None and heard:
            answer.set_exception(error)
    else:
        if answer is not None and heard:
            answer.set_result(done)
