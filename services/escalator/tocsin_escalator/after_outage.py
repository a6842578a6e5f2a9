"""After an outage: what has queued up meanwhile is heard before deadlines that are long due, the most severe first."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from tocsin_runtime import Clock, Delivery
from tocsin_schemas import Payload

__all__ = ["LATE", "AfterOutage"]

LATE = timedelta(seconds=5)
"""A deadline that rings later than this rings after an outage."""

_PAUSE, _AGAIN, _TRIES = 1.0, 0.5, 10
"""Seconds until such a deadline is looked at a second time, and from then on; how often at most."""

_AT_MOST, _REST = 60.0, 5.0
"""Seconds for which it counts as an outage that old messages come in without such a rest between them: some come again
and again, as those that wait for their playbook, and a replica may never keep up."""

_EXPECTED_FOR = 15.0
"""Seconds for which a deadline that was put off is expected; another replica may be given it."""


class AfterOutage:
    """What this replica still expects."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._behind_since = self._behind_until = -math.inf
        self._expected: dict[int, dict[int, float]] = {}
        """By rank: the places of deadlines that were put off, and until when they are expected."""

    def note(self, inputs: Sequence[Delivery[Payload]]) -> None:
        """Remember that old messages are still coming in."""
        if any(self._clock.now() - given.envelope.time > LATE for given in inputs):
            now = self._clock.monotonic()
            if now - self._behind_until > _REST:
                self._behind_since = now
            self._behind_until = now + _PAUSE

    def is_behind(self) -> bool:
        """Whether what has queued up is still being heard."""
        now = self._clock.monotonic()
        return now < self._behind_until and now - self._behind_since < _AT_MOST

    def put_off(self, place: int, rank: int, due_at: datetime, deliveries: int, now: datetime) -> float | None:
        """Seconds for which a deadline that rings waits, if it does. A resolution that has queued up comes before the
        page that it makes needless, and a deadline of a more severe incident (of lower `rank`) before that of another.
        """
        self._expected.get(rank, {}).pop(place, None)
        if now - due_at <= LATE or deliveries > _TRIES:
            return None
        if deliveries > 1 and not self.is_behind() and not self._expects_more_severe(rank):
            return None
        pause = _PAUSE if deliveries == 1 else _AGAIN
        self._is_expected(rank)
        self._expected.setdefault(rank, {})[place] = self._clock.monotonic() + pause + _EXPECTED_FOR
        return pause

    def _expects_more_severe(self, rank: int) -> bool:
        return any(self._is_expected(severe) for severe in [each for each in self._expected if each < rank])

    def _is_expected(self, rank: int) -> bool:
        """Whether one of this rank still is; those that another replica was given are forgotten."""
        places = self._expected.get(rank, {})
        while places:
            place = next(iter(places))  # the one that was put off longest ago
            if places[place] > self._clock.monotonic():
                return True
            del places[place]
        self._expected.pop(rank, None)
        return False
