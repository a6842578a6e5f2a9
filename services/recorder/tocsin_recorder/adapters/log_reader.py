"""Reading the log from where the timeline is, and noticing when the log is not the one that was stored.

A server that loses its last seconds, a stream that is deleted and declared anew: then the log has other events at
places that are stored already, and a reader that trusts its position would miss them. So the event at the position is
compared, at the start and after every reconnect, before anything else is taken. If it is another one, that is noted
and the log is read again from its beginning: what stands on a timeline is known by its id, the rest is added.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import structlog
from nats.errors import Error as NatsError

from tocsin_recorder.adapters.database import DatabaseUnavailableError
from tocsin_recorder.adapters.store import Position, Store
from tocsin_recorder.core.timeline import stored_id
from tocsin_recorder.metrics import LOG_BREAKS
from tocsin_runtime import BusUnavailableError, Host
from tocsin_runtime.bus.follow import Follower, OnEvents
from tocsin_schemas import Envelope, EnvelopeError, Payload
from tocsin_schemas.envelope import read_headers
from tocsin_schemas.subjects import DEADLETTERS, INCIDENTS

__all__ = ["LogReader"]

log = structlog.get_logger(__name__)

_ASK_AGAIN = 0.5
_GRACE = 5.0

_GATHER = 0.05
"""Seconds: what comes together is stored in one transaction. Nobody waits for the recorder."""


class LogReader:
    """Feeds the recorder: the log of incidents and the dead letters, each from where it is stored."""

    def __init__(self, host: Host[Any], store: Store, on_events: OnEvents, on_dead_letters: OnEvents) -> None:
        """`Any`: whatever the settings are."""
        self._host, self._store, self._on_events = host, store, on_events
        self._sure = asyncio.Event()
        self._doubted = asyncio.Event()
        self._taking = asyncio.Lock()
        self._stopped = False
        self._watching: asyncio.Task[None] | None = None
        self._incidents = self._follow_incidents()
        self._dead_letters = host.follow("DEADLETTERS", (DEADLETTERS,), self._one_at_a_time(on_dead_letters))
        host.at_start(self._start)
        host.background("watch the log", self._watch_until_it_dies)

    def problem(self) -> str | None:
        """Why the timeline is not up to date."""
        if not self._sure.is_set():
            return "making sure that the log is the one that is stored"
        return None if self._incidents.caught_up.is_set() else f"catching up, at {self._incidents.position}"

    async def reach(self, sequence: int) -> None:
        """Return when the timeline has everything up to this place of the log of incidents."""
        await self._incidents.reach(sequence)

    async def stop(self) -> None:
        """Take nothing more. What is being stored may end, unless the database has kept it waiting for too long."""
        if self._stopped:
            return
        self._stopped = True
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self._taking.acquire()  # and never give it back
        await self._incidents.stop()
        await self._dead_letters.stop()

    # --- how ----------------------------------------------------------------------------------------------------------

    def _follow_incidents(self) -> Follower:
        return self._host.follow("INCIDENTS", (INCIDENTS,), self._one_at_a_time(self._on_events), gather=_GATHER)

    def _one_at_a_time(self, take: OnEvents) -> OnEvents:
        async def taken(events: Sequence[Envelope[Payload]]) -> None:
            while True:
                await self._sure.wait()
                async with self._taking:
                    if self._sure.is_set():
                        return await take(events)

        return taken

    async def _start(self) -> None:
        for stream, follower in (("INCIDENTS", self._incidents), ("DEADLETTERS", self._dead_letters)):
            await self._make_sure(stream)
            follower.position = (await self._store.position(stream)).sequence
        self._sure.set()
        self._host.connection.on_reconnect(self._doubt)
        self._watching = asyncio.create_task(self._watch(), name="watch the log")

    async def _make_sure(self, stream: str) -> None:
        """Find out whether it is the stream that is stored, as soon as nats answers."""
        while True:
            try:
                await self._is_another(stream)
            except BusUnavailableError as error:
                log.info("cannot compare the log yet", reason=str(error))
                await self._host.clock.sleep(_ASK_AGAIN)
            else:
                return

    def _doubt(self) -> None:
        """Connected again, perhaps to a server that has lost something. Nothing is taken until that is known."""
        self._sure.clear()
        self._doubted.set()

    async def _watch(self) -> None:
        while True:
            await self._doubted.wait()
            self._doubted.clear()
            try:
                async with self._taking:  # nothing is being stored while it is found out, and rewound
                    if await self._is_another("INCIDENTS"):
                        await self._begin_anew()
            except (BusUnavailableError, DatabaseUnavailableError) as error:
                log.info("cannot compare the log yet", reason=str(error))
                self._doubted.set()
                await self._host.clock.sleep(_ASK_AGAIN)
            if not self._doubted.is_set():
                self._sure.set()

    async def _watch_until_it_dies(self) -> None:
        if self._watching is not None:
            await self._watching

    async def _begin_anew(self) -> None:
        """Follow from the first event on. The follower in use is ended, in whatever it is waiting for."""
        before = self._incidents
        await before.stop()
        before.caught_up.set()  # nobody need wait for it any more; `problem` says that the new one is catching up
        self._incidents = self._follow_incidents()
        await self._incidents.start()

    async def _is_another(self, stream: str) -> bool:
        """Whether the stream is not the one that was stored; if so, it is noted, and counts as not stored at all.

        Raises BusUnavailableError and DatabaseUnavailableError: it is not known.
        """
        stored = await self._store.position(stream)
        if stored.sequence == 0:
            return False
        found = await (self._instead(stored) if stream == "INCIDENTS" else self._shorter(stream, stored))
        if found is None:
            return False
        log.error("the log is not the one that is stored; reading it again", stream=stream, stored=stored, found=found)
        LOG_BREAKS.inc()
        await self._store.read_again(stream, self._host.clock.now(), found)
        return True

    async def _instead(self, stored: Position) -> str | None:
        """What the log of incidents has at this place, if it is not the event that is stored from there."""
        try:
            message = await self._host.connection.client.request(
                "$JS.API.DIRECT.GET.INCIDENTS", b'{"seq":%d}' % stored.sequence, timeout=5
            )
        except NatsError as error:
            raise BusUnavailableError(f"reading event {stored.sequence}: {type(error).__name__}") from error
        try:
            headers = read_headers({str(name): str(value) for name, value in (message.headers or {}).items()})
        except EnvelopeError as error:
            return f"an event that cannot be read: {error}"
        if headers.get("status") == "404":
            return "nothing: it ends before"
        if "nats-sequence" not in headers:
            raise BusUnavailableError(f"reading event {stored.sequence}: status {headers.get('status')}")
        found = stored_id(headers.get("ce-id", ""))
        return None if found == stored.message_id else f"another event: {found}"

    async def _shorter(self, stream: str, stored: Position) -> str | None:
        """Dead letters go after their time, so the one at our place may be gone; but their count never falls."""
        answer = await self._host.connection.request(f"$JS.API.STREAM.INFO.{stream}")
        if "error" in answer:
            raise BusUnavailableError(f"stream {stream}: {answer['error'].get('description')}")
        last = int(answer["state"]["last_seq"])
        return None if last >= stored.sequence else f"nothing: it ends at {last}"
