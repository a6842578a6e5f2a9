"""Telling what other systems say until it is certain: on disk, and not made void by what another replica has said."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from tocsin_detector.adapters.alert_book import AlertBook, Told
from tocsin_detector.adapters.aside import Aside, at_once
from tocsin_detector.core.known import AlertEvent, KnownAlerts
from tocsin_runtime import BusUnavailableError

__all__ = ["tell"]

_TELL_SECONDS = 8.0  # Prometheus waits for ten, and sends 64 at a time at most
_ALERTS_A_SECOND = 500
_TURNS = 5
"""How often an alert is decided on anew because another replica was quicker to say something of it."""


class Said(Protocol):
    """Something that was said of one alert."""

    @property
    def fingerprint(self) -> str: ...


S = TypeVar("S", bound=Said)
Decide = Callable[[Sequence[S], KnownAlerts], Iterable[AlertEvent]]


async def tell(book: AlertBook, said: Sequence[S], decide: Decide[S], aside: Aside = at_once) -> int:
    """How many of these were worth telling. When this returns, they are on disk, and the stream has been read up to
    there: nothing that another replica had said before makes them void, and what was not worth telling is known.

    Raises BusUnavailableError, or TimeoutError, where that cannot be had in time.
    """
    news, open_ = set[str](), said
    async with asyncio.timeout(_TELL_SECONDS + len(said) / _ALERTS_A_SECOND):
        for turn in range(_TURNS):
            told = await book.say(partial(decide, open_), aside)
            news |= {envelope.data.fingerprint for envelope in told.envelopes}
            again = await book.void(told) | _not_taken(book, told)
            if turn == 0:
                again |= await _not_told(book, said, told)
            if not again:
                return len(news)
            open_ = tuple({each.fingerprint: each for each in open_ if each.fingerprint in again}.values())
    raise BusUnavailableError(f"others say otherwise of {len(open_)} alerts, again and again")


async def _not_told(book: AlertBook, said: Sequence[S], told: Told) -> set[str]:
    """Those of which nothing was told, if more is known by now than that was decided on."""
    news = {envelope.data.fingerprint for envelope in told.envelopes}
    silent = {each.fingerprint for each in said} - news
    if silent and told.envelopes:
        await book.void(Told((), told.known, 0))
    return silent if book.known is not told.known else set()


def _not_taken(book: AlertBook, told: Told) -> set[str]:
    """Those of which another replica had said something else by the id of our word: the stream took theirs."""
    return {event.fingerprint for event in (each.data for each in told.envelopes) if _is_anothers(event, book, told)}


def _is_anothers(event: AlertEvent, book: AlertBook, told: Told) -> bool:
    before, now = told.known.get(event.fingerprint), book.known.get(event.fingerprint)
    if now is None or not now.firing or now.episode != event.episode:
        return False
    ours = before.words + 1 if before is not None and before.episode == event.episode else 1
    return now.words == ours and now.last != event
