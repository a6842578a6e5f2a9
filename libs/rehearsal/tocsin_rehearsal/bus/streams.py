"""Streams as JetStream keeps them: in order, each message once within the duplicate window, under expectations.

The order of the checks is the server's, and not the same for one message and for a batch; the differential test
holds it to that.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin_rehearsal.bus.filters import matches
from tocsin_runtime.bus.errors import AlreadyInLogError, BusUnavailableError, LostRaceError
from tocsin_runtime.topology import StreamSpec
from tocsin_schemas import Envelope, Payload

__all__ = ["Expectation", "Stored", "Stream", "ToWrite", "UnansweredError"]


class UnansweredError(BusUnavailableError):
    """The server gives up without a word: whoever asked waits until the time is over."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The sequence of the last message under a filter, 0 for none."""

    scope: str
    last: int


@dataclass(frozen=True, slots=True)
class ToWrite:
    """One message that is to be written. With `id` it is taken once within the duplicate window."""

    subject: str
    envelope: Envelope[Payload]
    id: str = ""
    expect: Expectation | None = None


@dataclass(slots=True)
class Stored:
    """One message in its place. Nobody changes it."""

    sequence: int
    subject: str
    tokens: list[str]
    envelope: Envelope[Payload]
    at: datetime
    id: str = ""


class Stream:
    """One stream."""

    def __init__(self, spec: StreamSpec, now: Callable[[], datetime]) -> None:
        self.spec = spec
        self._now = now
        self.messages: list[Stored | None] = []
        """By sequence, from 1; nothing where a message has been taken away."""
        self.room: int | None = None
        """How many more messages fit; none says that there is no end."""
        self.torn_at: set[int] = set()
        """After which messages the room ended within a batch."""
        self.exists = True
        self._oldest = 0
        self._ids: dict[str, int] = {}
        self._id_ends: deque[tuple[datetime, str]] = deque()
        self._window = min(spec.duplicate_window, spec.max_age or spec.duplicate_window)
        self._last: dict[str, int] = {}
        self._by_incident: dict[str, list[int]] = {}
        self._watchers: list[Callable[[Stored], bool]] = []

    # --- what is there ------------------------------------------------------------------------------------------------

    @property
    def last(self) -> int:
        """The last sequence."""
        return len(self.messages)

    def last_kept(self) -> int:
        """The last sequence, 0 where nothing is kept any more. Raises BusUnavailableError without a stream."""
        if not self.exists:
            raise BusUnavailableError(f"{self.spec.name}: stream not found")
        self._age()
        return self.last if self.messages and self.messages[-1] is not None else 0

    @property
    def is_full(self) -> bool:
        return self.room == 0

    @is_full.setter
    def is_full(self, full: bool) -> None:
        self.room = 0 if full else None

    def on_stored(self, call: Callable[[Stored], bool]) -> None:
        """Call this for each message that is stored, for as long as it answers True."""
        self._watchers.append(call)

    def after(self, sequence: int) -> Iterator[Stored]:
        """What stands after this place."""
        self._age()
        for index in range(sequence, len(self.messages)):
            stored = self.messages[index]
            if stored is not None:
                yield stored

    def at(self, sequence: int) -> Stored | None:
        """What stands at this place, if it has not been taken away."""
        return self.messages[sequence - 1] if sequence <= len(self.messages) else None

    def of_incident(self, incident: str, after: int, service: str | None) -> list[Stored]:
        """The incident's messages after a place, of one service if one is named."""
        found = []
        for sequence in self._by_incident.get(incident, ()):
            stored = self.messages[sequence - 1] if sequence > after else None
            if stored is not None and (service is None or stored.tokens[3] == service):
                found.append(stored)
        return found

    # --- writing ------------------------------------------------------------------------------------------------------

    def write(self, messages: Sequence[ToWrite]) -> tuple[int, bool]:
        """Write all of these or none; the answer is the first one's place, and whether a single one was there already.

        Raises LostRaceError, AlreadyInLogError (for a batch) and BusUnavailableError where the stream refuses. Of a
        batch that is under way when the room ends a part is written, and no answer comes (UnansweredError).
        """
        if not self.exists:
            raise BusUnavailableError(f"{self.spec.name}: nobody answers: there is no such stream")
        self._age()
        self._forget_ids()
        if len(messages) == 1:
            return self._write_one(messages[0])
        return self._write_batch(messages), False

    def _write_one(self, message: ToWrite) -> tuple[int, bool]:
        """The expectation is looked at first: what is written again, because its answer was lost, fails by it."""
        self._check_expectation(message)
        known = self._ids.get(message.id) if message.id else None
        if known is not None:
            return known, True
        if self.is_full:
            raise self._refused()
        return self.store(message.subject, message.envelope, message.id).sequence, False

    def _write_batch(self, messages: Sequence[ToWrite]) -> int:
        """Message by message: its id first, then its expectation, which sees nothing of the batch itself."""
        if not self.spec.atomic_batches:
            raise BusUnavailableError(f"refused by nats: {self.spec.name} takes no atomic batches")
        if self.is_full:
            raise self._refused()
        ids: set[str] = set()
        subjects: set[str] = set()
        for message in messages:
            if message.id and (message.id in ids or message.id in self._ids):
                raise AlreadyInLogError(f"{message.subject}: the batch contains a message that is there already")
            if message.expect is not None and message.expect.scope in subjects:
                raise LostRaceError(f"{message.expect.scope}: written to earlier in the same batch")
            self._check_expectation(message)
            ids.add(message.id)
            subjects.add(message.subject)
        first = self.last + 1
        for message in messages:
            if self.room == 0:
                self.torn_at.add(self.last)
                raise UnansweredError(f"{self.spec.name}: became full within a batch")
            self.store(message.subject, message.envelope, message.id)
        return first

    def _refused(self) -> BusUnavailableError:
        return BusUnavailableError(f"refused by nats: {self.spec.name} is full")

    def store(self, subject: str, envelope: Envelope[Payload], id: str = "") -> Stored:  # noqa: A002  # as in ToWrite
        """Put a message at the end, whatever speaks against it, and tell who watches."""
        if self.room is not None:
            self.room = max(self.room - 1, 0)
        now = self._now()
        sequence = len(self.messages) + 1
        tokens = subject.split(".")
        stored = Stored(sequence, subject, tokens, _placed(envelope, sequence), now, id)
        self.messages.append(stored)
        if id:
            self._ids[id] = sequence
            self._id_ends.append((now + self._window, id))
        if tokens[1] == "incidents":
            incident = tokens[2]
            self._last[f"tocsin.incidents.{incident}.>"] = sequence
            self._last[f"tocsin.incidents.{incident}.{tokens[3]}.>"] = sequence
            self._by_incident.setdefault(incident, []).append(sequence)
        over = [call for call in self._watchers if not call(stored)]
        if over:
            self._watchers = [call for call in self._watchers if call not in over]
        return stored

    def remove(self, sequence: int) -> None:
        """Take one away."""
        self.messages[sequence - 1] = None

    # --- expectations -------------------------------------------------------------------------------------------------

    def _check_expectation(self, message: ToWrite) -> None:
        expect = message.expect
        if expect is not None and (last := self.last_under(expect.scope)) != expect.last:
            raise LostRaceError(f"{expect.scope}: wrong last sequence: {last}")

    def last_under(self, scope: str) -> int:
        """The place of the last message under a filter, 0 for none."""
        known = self._last.get(scope)
        if known is not None:
            return known
        pattern = scope.split(".")
        if pattern[1:2] == ["incidents"] and pattern[-1] == ">" and len(pattern) in (4, 5) and "*" not in pattern:
            return 0  # of this shape every one is kept
        for stored in reversed(self.messages):
            if stored is not None and matches(pattern, stored.tokens):
                return stored.sequence
        return 0

    # --- time and restarts --------------------------------------------------------------------------------------------

    def _forget_ids(self) -> None:
        """Those whose window is over."""
        ends = self._id_ends
        if ends and ends[0][0] <= (now := self._now()):
            while ends and ends[0][0] <= now:
                self._ids.pop(ends.popleft()[1], None)

    def _age(self) -> None:
        """Take away what is too old."""
        if not self.spec.max_age:
            return
        oldest, messages = self._now() - self.spec.max_age, self.messages
        while self._oldest < len(messages):
            stored = messages[self._oldest]
            if stored is not None and stored.at > oldest:
                break
            messages[self._oldest] = None
            self._oldest += 1

    def restart(self) -> None:
        """After a kill: a stream in memory is gone, with its name. Of any other the ids of the window are read from
        the messages that are still there, and kept for a whole window from now on.
        """
        if self.spec.in_memory:
            self.exists = False
            return
        now = self._now()
        oldest, ends = now - self._window, now + self._window
        self._ids.clear()
        self._id_ends.clear()
        for stored in reversed(self.messages):
            if stored is not None and stored.at < oldest:
                break
            if stored is not None and stored.id:
                self._ids.setdefault(stored.id, stored.sequence)
                self._id_ends.append((ends, stored.id))

    def declare(self) -> None:
        """Begin anew if it is not there."""
        if not self.exists:
            self.exists = True
            self.messages.clear()
            self._ids.clear()
            self._id_ends.clear()
            self._last.clear()
            self._by_incident.clear()
            self._oldest = 0


def _placed(envelope: Envelope[Payload], sequence: int) -> Envelope[Payload]:
    """As `envelope.at(sequence)`, a good deal faster."""
    return Envelope(
        envelope.id,
        envelope.source,
        envelope.time,
        envelope.data,
        envelope.incident,
        envelope.cause,
        envelope.traceparent,
        envelope.together,
        sequence,
    )
