"""A durable pull consumer: what is to be delivered, what was and is not settled, what comes again."""

import asyncio
import heapq
import itertools
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tocsin_rehearsal.bus.filters import Filter
from tocsin_rehearsal.bus.machine import Machine
from tocsin_rehearsal.bus.streams import Stored, Stream
from tocsin_runtime.bus.provision import consumer_config
from tocsin_runtime.topology import ConsumerSpec

if TYPE_CHECKING:
    from tocsin_rehearsal.bus.pull import ModelPull

__all__ = ["REQUEST_LASTS", "DurableConsumer"]

REQUEST_LASTS = 10.0
"""Seconds that a pull request stands at the server."""

_LOOKS_AFTER_START = 0.5
"""Seconds after its start in which the server brings nothing again."""

_WRITTEN_AFTER = 0.2
"""Seconds after which the server has written a change down: it does so ten times a second, and that takes a while."""

_REMEMBERED = 256


@dataclass(slots=True)
class _Pending:
    deliveries: int
    due: float
    is_queued: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    """Of a message: how often it had been delivered (0: never), and when it was due, before `at`."""

    sequence: int
    deliveries: int
    due: float
    at: float


@dataclass(slots=True)
class _Request:
    pull: "ModelPull"
    remaining: int
    expires: float


class DurableConsumer:
    """The broker's side of it."""

    def __init__(self, spec: ConsumerSpec, stream: Stream, machine: Machine) -> None:
        self.spec = spec
        self._stream, self._machine = stream, machine
        self._filter = Filter.of(spec.filters)
        self._ack_wait = spec.ack_wait.total_seconds()
        self._most_pending = int(consumer_config(spec)["max_ack_pending"])
        self._new: deque[int] = deque(m.sequence for m in stream.after(0) if self._filter.takes(m.tokens))
        self._again: deque[int] = deque()
        self._pending: dict[int, _Pending] = {}
        self._due: list[tuple[float, int]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._requests: deque[_Request] = deque()
        self._changes: deque[_Change] = deque(maxlen=_REMEMBERED)
        stream.on_stored(self._stored)

    @property
    def backlog(self) -> int:
        """What is not settled yet, whether it was delivered or not."""
        while self._new and self._stream.at(self._new[0]) is None:
            self._new.popleft()
        return len(self._new) + self.in_hand

    def unsettled(self) -> Iterator[Stored]:
        """The messages that are not settled yet."""
        for sequence in itertools.chain(self._pending, self._new):
            if (stored := self._stream.at(sequence)) is not None:
                yield stored

    @property
    def in_hand(self) -> int:
        """What was delivered and is not settled yet."""
        return sum(1 for sequence in self._pending if self._stream.at(sequence) is not None)

    # --- giving out ---------------------------------------------------------------------------------------------------

    def _stored(self, message: Stored) -> bool:
        if self._filter.takes(message.tokens):
            self._new.append(message.sequence)
            self.offer()
        return True

    def request(self, pull: "ModelPull", count: int) -> None:
        """A reader asks for so many messages."""
        if self._machine.is_up:
            self._requests.append(_Request(pull, count, self._machine.time() + REQUEST_LASTS))
            self.offer()

    def offer(self) -> None:
        """Give what there is to who asks, one each in turn."""
        if not self._requests or not (self._new or self._again):
            return
        given: dict[ModelPull, list[tuple[Stored, int]]] = {}
        while self._machine.is_up and (request := self._next_request()) is not None:
            found = self._next_message()
            if found is None:
                self._requests.appendleft(request)
                break
            given.setdefault(request.pull, []).append(found)
            request.remaining -= 1
            if request.remaining:
                self._requests.append(request)
        for pull, messages in given.items():
            pull.take(messages)

    def _next_request(self) -> _Request | None:
        """Whose turn it is. A reader that does nothing but wait asks again whenever its request is over."""
        if not (self._again or self._new):
            return None
        now = self._machine.time()
        while self._requests:
            request = self._requests.popleft()
            if not request.pull.is_there:
                continue
            if now < request.expires:
                return request
            if request.pull.is_waiting:
                request.remaining, request.expires = request.pull.renew(now), now + REQUEST_LASTS
                return request
        return None

    def _next_message(self) -> tuple[Stored, int] | None:
        """The next one and how often it has been delivered now; what comes again before what is new."""
        while self._again:
            sequence = self._again.popleft()
            pending = self._pending.get(sequence)
            if pending is None or not pending.is_queued:
                continue
            if (stored := self._stream.at(sequence)) is not None:
                self._note(sequence, pending)
                return stored, self._delivered(sequence, pending)
            del self._pending[sequence]
        while self._new and len(self._pending) < self._most_pending:
            sequence = self._new.popleft()
            if (stored := self._stream.at(sequence)) is not None:
                pending = self._pending[sequence] = _Pending(0, 0.0)
                self._note(sequence, pending)
                return stored, self._delivered(sequence, pending)
        return None

    def _note(self, sequence: int, pending: _Pending) -> None:
        """It is about to change."""
        self._changes.append(_Change(sequence, pending.deliveries, pending.due, self._machine.time()))

    def _delivered(self, sequence: int, pending: _Pending) -> int:
        pending.deliveries += 1
        pending.is_queued = False
        self._wake_at(sequence, pending, self._machine.time() + self._ack_wait)
        return pending.deliveries

    # --- settling -----------------------------------------------------------------------------------------------------

    def settle(self, sequence: int, answer: bytes, travels: float) -> None:
        """A reader says what became of a message; it may be lost, or late, on its way."""
        faults = self._machine.faults
        if faults.settlement_lost(self.spec.name):
            return
        travels += faults.settlement_late(self.spec.name)
        if travels > 0:
            self._machine.call_later(travels, self._settle, sequence, answer)
        else:
            self._settle(sequence, answer)

    def _settle(self, sequence: int, answer: bytes) -> None:
        """Whichever delivery is answered: the message is what counts. What is not pending cannot be settled."""
        pending = self._pending.get(sequence)
        if pending is None or not self._machine.is_up:
            return
        self._note(sequence, pending)
        if answer.startswith(b"+WPI"):  # it does not take back what is queued to be delivered again
            self._wake_at(sequence, pending, self._machine.time() + self._ack_wait)
        elif answer.startswith(b"-NAK"):
            delay = float(json.loads(answer[4:] or b"{}").get("delay", 0)) / 1e9
            pending.is_queued = False
            self._wake_at(sequence, pending, self._machine.time() + delay)
        else:
            was_stalled = len(self._pending) >= self._most_pending
            del self._pending[sequence]
            if self._stream.spec.work_queue:
                self._stream.remove(sequence)
            if was_stalled:
                self.offer()

    # --- kills --------------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """What was written down by now cannot be forgotten."""
        written = self._machine.time() - _WRITTEN_AFTER
        while self._changes and self._changes[0].at <= written:
            self._changes.popleft()

    def restart(self) -> None:
        """The server is back: nobody has asked yet, the latest changes may be forgotten, and what was under way comes
        again when its time is over.
        """
        self._requests.clear()
        for _ in range(min(self._machine.faults.forgotten(), len(self._changes))):
            self._undo(self._changes.pop())
        self._changes.clear()
        self._again.clear()
        self._due.clear()
        earliest = self._machine.time() + min(self._ack_wait, _LOOKS_AFTER_START)
        for sequence, pending in self._pending.items():
            pending.is_queued = False
            pending.due = max(self._as_written(pending.due), earliest)
            self._due.append((pending.due, sequence))
        heapq.heapify(self._due)
        self._set_alarm()

    def _as_written(self, due: float) -> float:
        """When what was due then is due after a kill: the moment of its delivery is written down in whole seconds."""
        delivered = self._machine.now() + timedelta(seconds=due - self._ack_wait - self._machine.time())
        return due - delivered.microsecond / 1e6

    def _undo(self, change: _Change) -> None:
        if change.deliveries:
            self._pending[change.sequence] = _Pending(change.deliveries, change.due)
        else:
            del self._pending[change.sequence]
            self._new.appendleft(change.sequence)

    # --- time ---------------------------------------------------------------------------------------------------------

    def _wake_at(self, sequence: int, pending: _Pending, due: float) -> None:
        pending.due = due
        heapq.heappush(self._due, (due, sequence))
        if self._alarm is None or due < self._alarm.when():
            self._set_alarm()

    def _set_alarm(self) -> None:
        """For what is due next. What was settled or put off meanwhile is dropped on the way."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._due and not self._is_awaited(*self._due[0]):
            heapq.heappop(self._due)
        if self._due:
            self._alarm = self._machine.call_at(self._due[0][0], self._look)

    def _is_awaited(self, due: float, sequence: int) -> bool:
        pending = self._pending.get(sequence)
        return pending is not None and pending.due == due and not pending.is_queued

    def _look(self) -> None:
        """What was not settled in time is queued again. Of what is due at once the oldest comes first."""
        self._alarm = None
        if not self._machine.is_up:
            return
        now = self._machine.time()
        while self._due and self._due[0][0] <= now:
            due, sequence = heapq.heappop(self._due)
            if self._is_awaited(due, sequence):
                self._pending[sequence].is_queued = True
                self._again.append(sequence)
        self._set_alarm()
        self.offer()
