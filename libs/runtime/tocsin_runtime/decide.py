"""Load, decide, append: the one way a service changes an incident.

A core gives two pure functions: `evolve` folds the log into a state, and a decision turns a state and an input
into events. This module does the rest: it keeps folded states, appends what was decided under the expectation
that nothing has changed since, and decides again when something has. Inputs of many incidents are decided one
after the other in memory and appended in one atomic batch (group commit).

A message that was decided on before, by us before a crash or by another replica, is known by its id being the
cause of an event in the log; it is not decided on again. Where only a part of the decision is in the log, the rest
of it is added.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, Literal, Protocol, TypeVar

import structlog

from tocsin_runtime.bus.connection import MAX_BATCH
from tocsin_runtime.bus.errors import AlreadyInLogError, BusUnavailableError, LostRaceError
from tocsin_runtime.bus.log import Append, IncidentLog
from tocsin_runtime.clock import Clock
from tocsin_runtime.halves import Half, halves_after
from tocsin_runtime.metrics import APPENDED, DECISION_SECONDS, LOST_RACES
from tocsin_schemas import Envelope, Event, caused_by
from tocsin_schemas.subjects import incident_filter, service_log_filter

__all__ = ["Decided", "Decider", "Fold", "Known", "Work"]

log = structlog.get_logger(__name__)

S = TypeVar("S")
T = TypeVar("T")

Guard = Literal["own", "all"]
"""What must not have changed for an append to hold: what this service said of the incident, or what anybody did."""

_ATTEMPTS = 10
_KEPT = 20_000
_READ_AT_ONCE = 32


class Fold(Protocol[S]):
    """How a core reads the log."""

    def empty(self, incident: str) -> S:
        """The state of an incident of which nothing is known."""
        ...

    def evolve(self, state: S, event: Envelope[Event]) -> S:
        """What the event means."""
        ...


@dataclass(frozen=True, slots=True)
class Known(Generic[S]):
    """A folded incident: its state, up to where it was read, and which messages were decided on.

    `causes` only ever grows, and is shared by all versions of one incident: copying it for each decision would be
    quadratic. After a refused append the incident is read anew.
    """

    state: S
    last: int = 0
    own_last: int = 0
    causes: set[str] = field(default_factory=set)
    read_at: float = -math.inf
    """When (monotonic) reading it from the log last began."""
    halves: Mapping[str, Half[S]] = field(default_factory=dict)
    """By cause: this service's decisions of which only a part is in the log."""

    @property
    def settled(self) -> S:
        """The state before anything was half decided: by this it is seen what is still to be done."""
        return next((half.before for half in self.halves.values()), self.state)


@dataclass(frozen=True, slots=True)
class Decided(Generic[S]):
    """What came of one decision: the state after it, and the events it added (none if it was decided before)."""

    state: S
    events: tuple[Envelope[Event], ...]


class Work(Generic[S]):
    """What has been decided and not yet appended. States read through it include what it holds."""

    def __init__(self, decider: "Decider[S]", now: datetime, ahead: frozenset[str] = frozenset()) -> None:
        """`ahead`: incidents that were read since the input came."""
        self._decider = decider
        self._ahead = ahead
        self.now = now
        self._base: dict[str, Known[S]] = {}
        self._new: dict[str, list[Envelope[Event]]] = {}
        self._state: dict[str, Known[S]] = {}
        self._guards: dict[str, Guard] = {}
        self._causes: dict[str, set[str]] = {}
        self._fresh: set[str] = set()
        self.size = 0
        """How many events are waiting to be appended."""
        self.stored: dict[str, Envelope[Event]] = {}
        """By id: what has been appended, with its place in the log."""

    async def known(self, incident: str) -> Known[S]:
        """The incident as it would stand after this work."""
        if incident not in self._state:
            known, fresh = await self._decider.load(incident)
            self._base[incident] = self._state[incident] = known
            if fresh or incident in self._ahead:
                self._fresh.add(incident)
        return self._state[incident]

    async def decide(
        self, incident: str, cause: str, decide: Callable[[S, datetime], Sequence[Event]], *, guard: Guard = "own"
    ) -> tuple[Envelope[Event], ...]:
        """Decide because of the message `cause`, unless that was done before; the answer is what was added.

        A decision to do nothing is made on a state that was just read: unlike an append, nothing would tell that
        it was stale.
        """
        known = await self.known(incident)
        if self.was_decided(incident, known, cause):
            return ()
        if (half := known.halves.get(cause)) is not None:
            return self._complete(incident, known, cause, half, decide, guard)
        events = decide(known.state, self.now)
        if not events and incident not in self._fresh and incident not in self._new:
            self._base[incident] = self._state[incident] = await self._decider.read_on(incident, known)
            self._fresh.add(incident)
            return await self.decide(incident, cause, decide, guard=guard)
        return self._record(incident, known, cause, events, guard)

    def was_decided(self, incident: str, known: Known[S], cause: str) -> bool:
        """Whether this message was decided on: as the log says, or in this work."""
        return cause in known.causes or cause in self._causes.get(incident, ())

    def _record(
        self, incident: str, known: Known[S], cause: str, events: Sequence[Event], guard: Guard
    ) -> tuple[Envelope[Event], ...]:
        if not events:
            return ()
        service, together = self._decider.service, len(events)
        wrapped = tuple(
            caused_by(cause, position, service, incident, self.now, event, together=together)
            for position, event in enumerate(events)
        )
        return self._add(incident, known, cause, wrapped, guard)

    def _complete(
        self,
        incident: str,
        known: Known[S],
        cause: str,
        half: Half[S],
        decide: Callable[[S, datetime], Sequence[Event]],
        guard: Guard,
    ) -> tuple[Envelope[Event], ...]:
        """Add what is missing of a decision: it is made again, on the state and at the moment of then.

        A newer version may decide otherwise. Then it decides on what there is now.
        """
        service, written = self._decider.service, len(half.ids)
        log.warning("a decision is half in the log", service=service, incident=incident, written=written)
        again = [
            caused_by(cause, position, service, incident, half.at, event, together=half.together)
            for position, event in enumerate(decide(half.before, half.at))
        ]
        if tuple(event.id for event in again[:written]) == half.ids:
            return self._add(incident, known, cause, tuple(again[written:]), guard)
        rest = tuple(
            caused_by(cause, written + position, service, incident, self.now, event, together=half.together)
            for position, event in enumerate(decide(known.state, self.now))
        )
        return self._add(incident, known, cause, rest, guard)

    def _add(
        self, incident: str, known: Known[S], cause: str, wrapped: tuple[Envelope[Event], ...], guard: Guard
    ) -> tuple[Envelope[Event], ...]:
        if not wrapped:
            return ()
        state = known.state
        for envelope in wrapped:
            state = self._decider.fold.evolve(state, envelope)
        self._causes.setdefault(incident, set()).add(cause)  # the shared ones come with the write
        halves = {each: half for each, half in known.halves.items() if each != cause}
        self._state[incident] = replace(known, state=state, halves=halves)
        self._new.setdefault(incident, []).extend(wrapped)
        self.size += len(wrapped)
        if guard == "all" or incident not in self._guards:
            self._guards[incident] = guard
        return wrapped

    def appends(self) -> list[Append]:
        """What to append, each under its expectation."""
        service = self._decider.service
        made = []
        for incident, events in self._new.items():
            base = self._base[incident]
            if self._guards[incident] == "all":
                expected, scope = base.last, incident_filter(incident)
            else:
                expected, scope = base.own_last, service_log_filter(incident, service)
            made.append(Append(incident, tuple(events), expected, scope))
        return made

    def touched(self) -> Iterable[str]:
        return self._state.keys()

    def read(self) -> dict[str, Known[S]]:
        """Each incident as it was read."""
        return self._base

    def after(self, stored: Sequence[tuple[Envelope[Event], ...]]) -> dict[str, tuple[Known[S], Known[S]]]:
        """By incident: the state that now stands, and how far the log has been read without a gap."""
        states: dict[str, tuple[Known[S], Known[S]]] = {}
        for incident, events in zip(self._new, stored, strict=True):
            known, last = self._state[incident], events[-1].sequence
            known.causes.update(self._causes[incident])
            after = replace(known, last=last, own_last=last)
            # With "own" as guard and everybody's events in the state, others may have written in between.
            gapless = self._decider.reads == "own" or self._guards[incident] == "all"
            read_up_to = after if gapless else replace(self._base[incident], read_at=-math.inf)
            states[incident] = (after, read_up_to)
        return states


class _TooMuchAtOnceError(Exception):
    """What was decided together does not fit into one append."""


@dataclass
class Decider(Generic[S]):
    """Decides on incidents for one service.

    `reads` says whose events the state is folded from: this service's own, or everybody's. With "all" the state
    is brought up to date from the log before every decision; with "own" the append's expectation tells when it
    is stale. `elsewhere` is asked for what is not in memory, before the log: what another reader of the log has folded.
    It may lag behind; where an append was refused, the log is read.
    """

    log: IncidentLog
    service: str
    fold: Fold[S]
    clock: Clock
    reads: Guard = "own"
    elsewhere: "Callable[[str], Known[S] | None]" = lambda _: None
    _states: "OrderedDict[str, Known[S]]" = field(default_factory=OrderedDict)
    _refused: dict[str, Known[S]] = field(default_factory=dict)
    """What the last append that was refused was decided on."""
    _to_be_read: set[str] = field(default_factory=set)
    """What must come from the log, whatever is known elsewhere."""
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)  # a replica must not race against itself

    # --- states -------------------------------------------------------------------------------------------------------

    async def load(self, incident: str, *, seen: int = 0, within: float = 0.0) -> tuple[Known[S], bool]:
        """The incident from memory or from the log, and whether it was read from the log just now.

        With "all", memory will do where it has the message at `seen`, and was read in the last `within` seconds:
        for who acts on what the log says, and does not decide on it.
        """
        known = self.in_memory(incident)
        if known is not None and (self.reads == "own" or self._will_do(known, seen, within)):
            self.keep(incident, known)
            return known, False
        return await self.read_on(incident, known or Known(self.fold.empty(incident))), True

    def _will_do(self, known: Known[S], seen: int, within: float) -> bool:
        return 0 < seen <= known.last and self.clock.monotonic() - known.read_at < within

    async def read_on(self, incident: str, known: Known[S]) -> Known[S]:
        """`known` and what the log has after it."""
        began = self.clock.monotonic()
        service = self.service if self.reads == "own" else None
        known = self.folded(known, await self.log.load(incident, after=known.last, service=service))
        known = replace(known, read_at=began)
        self._to_be_read.discard(incident)
        self.keep(incident, known)
        return known

    def folded(self, known: Known[S], events: Iterable[Envelope[Event]]) -> Known[S]:
        """`known` after these events of the log; those it has seen are passed over."""
        state, last, own_last, causes, halves = known.state, known.last, known.own_last, known.causes, known.halves
        for event in events:
            if event.sequence <= last:
                continue
            last = event.sequence
            if self.service == event.data.OWNER:
                own_last = event.sequence
                halves = halves_after(halves, event, state)
                if event.cause not in halves:
                    causes.add(event.cause)
            state = self.fold.evolve(state, event)
        return Known(state, last, own_last, causes, known.read_at, halves)

    def keep(self, incident: str, known: Known[S]) -> None:
        """Remember a state, and forget the one that was used longest ago when there are too many."""
        self._states[incident] = known
        self._states.move_to_end(incident)
        if len(self._states) > _KEPT:
            self._states.popitem(last=False)

    def in_memory(self, incident: str) -> Known[S] | None:
        """What is known of it without reading the log, if anything."""
        known = self._states.get(incident)
        return self.elsewhere(incident) if known is None and incident not in self._to_be_read else known

    def unread(self, incidents: Iterable[str]) -> Iterable[str]:
        """Those of which nothing is known without reading the log."""
        return {incident for incident in incidents if self.in_memory(incident) is None}

    def forget(self, incident: str) -> None:
        """Read this incident from the log next time."""
        self._states.pop(incident, None)
        self._to_be_read.add(incident)

    # --- decisions ----------------------------------------------------------------------------------------------------

    async def one(
        self,
        incident: str,
        cause: str,
        decide: Callable[[S, datetime], Sequence[Event]],
        *,
        guard: Guard = "own",
    ) -> Decided[S]:
        """Decide on one incident because of `cause`. Raises BusUnavailableError when the log cannot be reached."""
        attempts: list[tuple[Work[S], tuple[Envelope[Event], ...]]] = []

        async def decide_one(work: Work[S], _: None) -> None:
            attempts.append((work, await work.decide(incident, cause, decide, guard=guard)))

        await self.many([None], decide_one)
        work, added = attempts[-1]
        state = (await work.known(incident)).state
        return Decided(state, tuple(work.stored[event.id] for event in added))

    async def many(
        self, inputs: Sequence[T], decide: Callable[[Work[S], T], Awaitable[None]], *, ahead: Iterable[str] = ()
    ) -> dict[str, Known[S]]:
        """Decide on all inputs and append everything at once; by halves, down to one by one, where that is refused.

        `ahead`: incidents that are read before, many at a time. The answer is each changed incident as it stands now.
        Raises BusUnavailableError when the log cannot be reached; what was appended until then is known by its causes
        when the inputs come again.
        """
        async with self._one_at_a_time:
            with DECISION_SECONDS.labels(self.service).time():
                read = await self._read_many({name: self.in_memory(name) for name in ahead})
                return await self._decide_all(inputs, decide, read)

    async def _decide_all(
        self,
        inputs: Sequence[T],
        decide: Callable[[Work[S], T], Awaitable[None]],
        ahead: frozenset[str] = frozenset(),
    ) -> dict[str, Known[S]]:
        try:
            return await self._attempt(inputs, decide, ahead)
        except _TooMuchAtOnceError:
            log.debug("deciding by halves: one append does not hold it", service=self.service, inputs=len(inputs))
        except (LostRaceError, AlreadyInLogError) as refusal:
            LOST_RACES.labels(self.service).inc()
            log.debug("deciding again, by halves", service=self.service, inputs=len(inputs), reason=str(refusal))
        if len(inputs) <= 1:
            return await self._until_it_holds(inputs, decide)
        await self._read_what_was_missed()
        changed: dict[str, Known[S]] = {}
        middle = len(inputs) // 2
        for half in (inputs[:middle], inputs[middle:]):
            changed.update(await self._decide_all(half, decide))
        return changed

    async def _read_what_was_missed(self) -> None:
        """Read on what was refused. Should the log have lost its end, all of it is refused again, and read anew one by
        one.
        """
        refused, self._refused = self._refused, {}
        await self._read_many(refused)

    async def _read_many(self, known: Mapping[str, Known[S] | None]) -> frozenset[str]:
        """Read on from what is known of these, many at a time."""
        slots = asyncio.Semaphore(_READ_AT_ONCE)

        async def read(incident: str, known: Known[S] | None) -> None:
            async with slots:
                await self.read_on(incident, known or Known(self.fold.empty(incident)))

        # All of them end before this does: one that goes on would put an older state in the place of a newer one.
        for answer in await asyncio.gather(*(read(*each) for each in known.items()), return_exceptions=True):
            if answer is not None:
                raise answer
        return frozenset(known)

    async def _until_it_holds(
        self, inputs: Sequence[T], decide: Callable[[Work[S], T], Awaitable[None]]
    ) -> dict[str, Known[S]]:
        for attempt in range(_ATTEMPTS):
            try:
                return await self._attempt(inputs, decide)
            except (LostRaceError, AlreadyInLogError):
                LOST_RACES.labels(self.service).inc()
                if attempt:
                    await self.clock.sleep(0.002 * 2**attempt)
        raise BusUnavailableError(f"{self.service}: lost {_ATTEMPTS} races for one decision")

    async def _attempt(
        self,
        inputs: Sequence[T],
        decide: Callable[[Work[S], T], Awaitable[None]],
        ahead: frozenset[str] = frozenset(),
    ) -> dict[str, Known[S]]:
        changed: dict[str, Known[S]] = {}
        work = Work(self, self.clock.now(), ahead)
        for given in inputs:
            before = work.size
            await decide(work, given)
            if before and work.size > MAX_BATCH:
                raise _TooMuchAtOnceError
            if work.size > MAX_BATCH // 2:
                changed.update(await self._commit(work))
                work = Work(self, self.clock.now(), ahead)
        changed.update(await self._commit(work))
        return changed

    async def _commit(self, work: Work[S]) -> dict[str, Known[S]]:
        appends = work.appends()
        try:
            stored = await self.log.append(appends)
        except (LostRaceError, AlreadyInLogError, BusUnavailableError):
            self._refused = work.read()
            for incident in work.touched():
                self.forget(incident)
            raise
        if not appends:
            return {}
        APPENDED.labels(self.service).inc(work.size)
        work.stored.update((event.id, event) for events in stored for event in events)
        changed = {}
        for incident, (known, read_up_to) in work.after(stored).items():
            self.keep(incident, read_up_to)
            changed[incident] = known
        return changed
