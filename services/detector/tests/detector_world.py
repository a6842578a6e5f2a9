"""Builders and doubles for tests of the detector: rules, alerts, a stream that takes each id once, a clock to move."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.core.known import AlertEvent, KnownAlerts, Word
from tocsin_detector.core.rules import Evaluation, RuleState, Seen, WatchedRule, evaluate_rule
from tocsin_playbook.model.detect import Rule, Rung
from tocsin_runtime import BusUnavailableError
from tocsin_runtime.bus.follow import OnEvents
from tocsin_schemas import Envelope, Labels, Payload, PlaybookRef
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import fingerprint

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOP = PlaybookRef(name="shop", revision="0123456789ab")
REMEMBER = timedelta(hours=24)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def rung(severity: str, **given: Any) -> Rung:
    return Rung.model_validate({"severity": severity, **given})


def rule(*ladder: Rung, name: str = "Slow", **given: Any) -> Rule:
    steps = ladder or (rung("P1", above=10),)
    return Rule.model_validate({"name": name, "expr": "x", "ladder": steps, **given})


class Told:
    """One replica that evaluates one rule, with a stream that hears all it says at once."""

    def __init__(self, *ladder: Rung, known: KnownAlerts | None = None, **given: Any) -> None:
        self.watched = WatchedRule(rule(*ladder, **given), SHOP, "app")
        self.state = RuleState()
        self.known = known or KnownAlerts()
        self.events: list[AlertEvent] = []
        self.last = Evaluation(self.state)

    def see(self, seconds: float, value: float | Mapping[str, float] | None = None, **seen: Any) -> list[AlertEvent]:
        """Evaluate; `value` is that of the one series there is, or of several by their label `s`."""
        values: Sequence[tuple[Mapping[str, str], float]] = ()
        if isinstance(value, Mapping):
            values = [({"s": name}, number) for name, number in value.items()]
        elif value is not None:
            values = [({}, value)]
        return self.see_series(seconds, values, **seen)

    def see_series(
        self, seconds: float, values: Sequence[tuple[Mapping[str, str], float]], **seen: Any
    ) -> list[AlertEvent]:
        now = at(seconds)
        self.last = evaluate_rule(self.watched, self.state, Seen(values, **{"at": now, **seen}), self.known, now)
        self.state = self.last.state
        self.known = self.known.with_words(Word(event, now) for event in self.last.events)
        self.events += self.last.events
        return list(self.last.events)

    def restarted(self) -> "Told":
        """The same rule in a new process: it knows what the stream says and nothing else."""
        again = Told(*self.watched.rule.ladder)
        again.watched = self.watched
        again.known = self.known
        return again

    def hears(self, seconds: float, *events: AlertEvent) -> None:
        """Another replica said this."""
        self.known = self.known.with_words(Word(event, at(seconds), at(seconds)) for event in events)


def story(events: Sequence[Payload]) -> list[str]:
    """`fired P1`, `resolved`: what was told, in order."""
    lines = []
    for event in events:
        if isinstance(event, AlertFired):
            lines.append(f"fired {event.severity}")
        elif isinstance(event, AlertResolved):
            lines.append("resolved" if event.reason == "recovered" else event.reason)
    return lines


def fired(labels: Labels, episode: str = "e1", **given: Any) -> AlertFired:
    return AlertFired(
        **{
            "fingerprint": fingerprint(labels),
            "episode": episode,
            "rule": labels.get("alertname", "unnamed"),
            "labels": labels,
            "source": "app",
            "starts_at": START,
            **given,
        }
    )


def resolved(labels: Labels, episode: str = "e1", **given: Any) -> AlertResolved:
    return AlertResolved(
        **{
            "fingerprint": fingerprint(labels),
            "episode": episode,
            "rule": labels.get("alertname", "unnamed"),
            "labels": labels,
            "source": "app",
            "ends_at": START,
            **given,
        }
    )


class MovableClock:
    """A clock that stands until a test moves it. Who sleeps, sleeps until then."""

    def __init__(self) -> None:
        self._wall, self._passed = START, 0.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._wall

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        until = self._passed + seconds
        await asyncio.sleep(0)
        while self._passed < until:
            await self._moved.wait()

    def move(self, seconds: float) -> None:
        self._passed += seconds
        self.set_to(self._wall + timedelta(seconds=seconds))

    def set_to(self, wall: datetime) -> None:
        """Somebody sets the wall clock; no time passes."""
        self._wall = wall
        self._moved.set()
        self._moved = asyncio.Event()


class Shown:
    """A follower that hands over no more than it is asked for."""

    def __init__(self, stream: "Stream", on_events: OnEvents) -> None:
        self._stream, self._on_events = stream, on_events

    async def reach(self, sequence: int) -> None:
        if self._stream.log[:sequence]:
            await self._on_events(self._stream.log[:sequence])


class Stream:
    """What the detector needs of NATS: a stream that takes each id once and shows all to its followers."""

    def __init__(self, clock: MovableClock | None = None) -> None:
        self.clock = clock or MovableClock()
        self.is_connected = True
        self.refuses = False
        self.loses_answers = False
        self.log: list[Envelope[Any]] = []
        self._places: dict[str, int] = {}
        self.subjects: list[str] = []
        self._on_reconnect: list[Callable[[], None]] = []

    def on_reconnect(self, call: Callable[[], None]) -> None:
        self._on_reconnect.append(call)

    def reconnect(self) -> None:
        """It was away, and is back."""
        self.is_connected = True
        for call in self._on_reconnect:
            call()

    async def publish_all(self, messages: Sequence[tuple[str, Envelope[Payload]]]) -> list[int]:
        if self.refuses:
            raise BusUnavailableError("no answer")
        places = []
        for subject, envelope in messages:
            if envelope.id not in self._places:
                self._places[envelope.id] = len(self.log) + 1
                self.log.append(envelope.at(len(self.log) + 1))
                self.subjects.append(subject)
            places.append(self._places[envelope.id])
        if self.loses_answers:
            raise BusUnavailableError("written, but the answer is lost")
        return places

    async def last_sequence(self, stream: str) -> int:
        assert stream == "ALERTS"
        if self.refuses or not self.is_connected:
            raise BusUnavailableError("no answer")
        return len(self.log)

    def book(self, remember: timedelta = REMEMBER) -> AlertBook:
        book = AlertBook(self, remember)  # type: ignore[arg-type]  # a double of Connection
        book.read_by(Shown(self, book.on_events))
        return book

    async def show(self, book: AlertBook, after: int = 0) -> None:
        """Show a follower everything after this place."""
        if self.log[after:]:
            await book.on_events(self.log[after:])

    @property
    def story(self) -> list[str]:
        return story([envelope.data for envelope in self.log])
