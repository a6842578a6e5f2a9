"""One message through one channel: at the channel's rate, through its gate, within its deadline."""

import asyncio
from dataclasses import dataclass, replace

import structlog

from tocsin_notifier.adapters.channels import Channels
from tocsin_notifier.adapters.gates import Gates, NoRoomError
from tocsin_notifier.adapters.rate_limit import Limiter
from tocsin_notifier.adapters.sending import Letter, SendError
from tocsin_notifier.adapters.waiting import Waiting
from tocsin_notifier.core.attempts import Failure, Patience, Retry, after_failure
from tocsin_notifier.core.incident import Place
from tocsin_notifier.core.rates import rate_of
from tocsin_notifier.metrics import ATTEMPTS, LIMITED
from tocsin_runtime import Clock

__all__ = ["Arrived", "Courier", "Failed", "Later", "Outcome", "Waits"]

log = structlog.get_logger(__name__)

_SHORTEST, _LONGEST, _USUAL = 0.25, 30.0, 2.0
"""Seconds for which an announcement is put back."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The channel has taken it, and calls it `reference`."""

    reference: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The channel has not taken it and is not tried any more for it."""

    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Later:
    """An announcement that can wait: nothing can have arrived; try again in so many seconds."""

    seconds: float
    reason: str


Outcome = Arrived | Failed | Later


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a message waits for others, in seconds."""

    page: float = 1.0
    announcement: float = 5.0
    patience: float = 600.0
    """How long an announcement is tried again on a channel that is down."""
    room: int = 100
    """Announcements that may wait for one place; what is more is left out, and counted."""


@dataclass(slots=True)
class _Progress:
    """What is known when the deadline strikes."""

    attempts: int = 0
    unanswered: int = 0
    under_way: bool = False
    reason: str = ""


class Courier:
    """Carries letters."""

    def __init__(
        self, channels: Channels, limiter: Limiter, gates: Gates, clock: Clock, patience: Patience, waits: Waits
    ) -> None:
        self._channels, self._limiter, self._gates, self._clock = channels, limiter, gates, clock
        self._patience, self._waits = patience, waits
        self._waiting = Waiting(waits.room)

    async def carry(self, letter: Letter, *, playbook: str, age: float) -> Outcome:
        """Carry a letter. `age`: seconds since its event; what is old waits no longer, and is given up in the end."""
        place = Place(f"{playbook}/{letter.channel.name}", letter.address)
        outcome = await self._carry(letter, place, playbook, age)
        if isinstance(outcome, Later):
            if self._waiting.put_back(place, letter.message.notification):
                return outcome
            LIMITED.labels("left out").inc()
            return Failed(f"left out: {self._waits.room} other messages wait for this channel", 1)
        self._waiting.settled(place, letter.message.notification)
        return outcome

    async def _carry(self, letter: Letter, place: Place, playbook: str, age: float) -> Outcome:
        is_page = letter.message.is_page
        patient = not is_page and age < self._waits.announcement
        wait = await self._limiter.wait_for(place, rate_of(letter.channel), patient=patient)
        if wait > 0 and patient:
            return _put_back(wait, "rate", "the channel is written to as fast as it bears")
        if wait > 0 and is_page:
            await self._clock.sleep(min(wait, self._waits.page))
        left_out = self._waiting.left_out(place)
        try:
            outcome, when_again = await self._within_deadline(_mentioning(letter, left_out), playbook)
        except NoRoomError:
            return _put_back(1.0, "gate", "the channel has its hands full")
        if isinstance(outcome, Arrived):
            self._waiting.told(place, left_out)
            return outcome
        if when_again is None or is_page or age >= self._waits.patience:
            return outcome
        return _put_back(when_again, "down", outcome.reason)

    async def _within_deadline(self, letter: Letter, playbook: str) -> tuple[Arrived | Failed, float | None]:
        """The outcome; and, where nothing can have arrived and it may go better later, in how many seconds."""
        progress = _Progress()
        try:
            async with (
                asyncio.timeout(self._patience.channel),
                self._gates.through(playbook, letter.channel.name, is_page=letter.message.is_page),
            ):
                return await self._attempts(letter, progress)
        except TimeoutError:
            reason = f"{progress.reason or 'no answer'}, given up after {self._patience.channel:g} s"
            may_have_arrived = progress.unanswered > 0 or progress.under_way
            return Failed(reason, max(progress.attempts, 1)), None if may_have_arrived else _USUAL

    async def _attempts(self, letter: Letter, progress: _Progress) -> tuple[Arrived | Failed, float | None]:
        started = self._clock.monotonic()
        while True:
            progress.attempts += 1
            progress.under_way = True
            result = await self._attempt(letter)
            progress.under_way = False
            if isinstance(result, str):
                return Arrived(result, progress.attempts), None
            if result.may_have_arrived and not letter.channel.verify_delivery:
                return Arrived("", progress.attempts), None
            progress.reason = result.reason
            progress.unanswered += result.may_have_arrived
            elapsed = self._clock.monotonic() - started
            following = after_failure(result, progress.attempts, progress.unanswered, elapsed, self._patience)
            if not isinstance(following, Retry):
                hopeless = result.is_permanent or progress.unanswered > 0
                return Failed(result.reason, progress.attempts), None if hopeless else following.in_seconds or _USUAL
            await self._clock.sleep(following.pause)

    async def _attempt(self, letter: Letter) -> str | Failure:
        """One attempt. Whatever goes wrong in a channel leads to the next one, a bug of ours too."""
        kind = letter.channel.kind
        sender = self._channels.get(kind)
        if sender is None:
            return Failure(f"this version cannot send through {kind}", is_permanent=True)
        try:
            async with asyncio.timeout(self._patience.attempt):
                reference = await sender.send(letter)
        except SendError as error:
            ATTEMPTS.labels(kind, "failed").inc()
            return error.failure
        except TimeoutError:
            ATTEMPTS.labels(kind, "timed out").inc()
            return Failure(f"no answer within {self._patience.attempt:g} s", may_have_arrived=True)
        except Exception as error:  # noqa: BLE001  # a page must go on to the next channel; tested
            ATTEMPTS.labels(kind, "broken").inc()
            # Neither the error's text nor its trace: they may hold what must not be shown.
            log.error("a sender failed in a way nobody thought of", channel=kind, error=type(error).__name__)
            return Failure(f"an error of ours: {type(error).__name__}", is_permanent=True)
        ATTEMPTS.labels(kind, "taken").inc()
        return reference


def _mentioning(letter: Letter, left_out: int) -> Letter:
    """The letter, saying how many others were left out at this place."""
    if not left_out:
        return letter
    were = "message was" if left_out == 1 else "messages were"
    line = f"{left_out} other {were} left out here: too many at once. They are all on the timeline."
    return replace(letter, message=replace(letter.message, paragraphs=(*letter.message.paragraphs, line)))


def _put_back(seconds: float, why: str, reason: str) -> Later:
    LIMITED.labels(why).inc()
    return Later(min(max(seconds, _SHORTEST), _LONGEST), reason)
