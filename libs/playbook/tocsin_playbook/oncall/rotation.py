"""One layer of a schedule on the clock of its zone: the moments it covers, and whose turn it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin_playbook.model import WEEKDAYS, Layer, Schedule
from tocsin_playbook.oncall.wall_clock import local_time, midnight, moment

_DAY = timedelta(days=1)

Stretch = tuple[datetime, datetime]
"""From a moment until another, which is no longer in it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """A layer, the zone its times are in, and the holidays."""

    layer: Layer
    zone: ZoneInfo
    holidays: Collection[date]

    @classmethod
    def of(cls, layer: Layer, schedule: Schedule, holidays: Collection[date]) -> Rotation:
        return cls(layer, ZoneInfo(layer.time_zone or schedule.time_zone), holidays)

    # Whose turn it is.

    def person(self, at: datetime) -> str:
        """Whose turn it is at a moment, whether the layer covers it or not."""
        return self._person_of(self.turn(at))

    def turn(self, at: datetime) -> int:
        """The number of the turn that a moment is in: 0 for the first, and for what precedes its hand-over."""
        number = (local_time(at, self.zone) - self._first_handover()) // self.layer.turn
        while self.handover(number + 1) <= at:  # the wall clock is behind where an hour comes twice
            number += 1
        return max(number, 0)

    def handover(self, number: int) -> datetime:
        """The moment, in UTC, at which a turn begins."""
        return moment(self._first_handover() + self.layer.turn * number, self.zone)

    def turns(self, since: datetime, until: datetime) -> Iterator[tuple[str, datetime, datetime]]:
        """Who is on call from when until when by this layer alone, in order, between two moments."""
        for begins, ends in self._covered(since, until):
            if len(set(self.layer.people)) == 1:
                yield self.layer.people[0], begins, ends
                continue
            number = self.turn(begins)
            while begins < ends:
                handover = min(self.handover(number + 1), ends)
                if begins < handover:
                    yield self._person_of(number), begins, handover
                begins, number = handover, number + 1

    # When it counts.

    def starts(self) -> datetime:
        """The moment, in UTC, before which it covers nothing."""
        return midnight(self.layer.starts, self.zone)

    def covers(self, at: datetime) -> bool:
        """Whether a moment lies within its days and hours."""
        if at < self.starts() or (self.layer.until is not None and at >= midnight(self.layer.until, self.zone)):
            return False
        if not self.layer.restrictions:
            return True
        today = local_time(at, self.zone).date()
        days = (today - _DAY, today, today + _DAY)  # tomorrow too: a clock that is put back can show a day twice
        return any(begins <= at < ends for day in days for begins, ends in self._hours_from(day))

    def _covered(self, since: datetime, until: datetime) -> Iterator[Stretch]:
        """The stretches it covers between two moments, in order; those that touch are one."""
        since = max(since.astimezone(UTC), self.starts())
        if self.layer.until is not None:
            until = min(until, midnight(self.layer.until, self.zone))
        if since >= until:
            return
        if not self.layer.restrictions:
            yield since, until.astimezone(UTC)
            return
        joined: Stretch | None = None
        for begins, ends in self._hours(since, until):
            if joined is not None and begins <= joined[1]:
                joined = joined[0], max(joined[1], ends)
                continue
            if joined is not None:
                yield joined
            joined = begins, ends
        if joined is not None:
            yield joined

    def _hours(self, since: datetime, until: datetime) -> Iterator[Stretch]:
        """The hours of its restrictions between two moments, in the order in which they begin."""
        day = local_time(since, self.zone).date() - _DAY
        last = local_time(until, self.zone).date() + _DAY
        while day <= last:
            for begins, ends in sorted(self._hours_from(day)):
                begins, ends = max(begins, since), min(ends, until.astimezone(UTC))
                if begins < ends:
                    yield begins, ends
            day += _DAY

    def _hours_from(self, day: date) -> Iterator[Stretch]:
        """The hours that begin on a day; none of what the clocks skip."""
        for hours in self.layer.restrictions:
            if hours.begins_on(day, self.holidays):
                last = day if hours.begins < hours.ends else day + _DAY
                begins = moment(datetime.combine(day, hours.begins), self.zone)
                yield begins, moment(datetime.combine(last, hours.ends), self.zone)

    def _person_of(self, turn: int) -> str:
        return self.layer.people[turn % len(self.layer.people)]

    def _first_handover(self) -> datetime:
        """On the wall clock: on the day the layer starts, or on the hand-over's first weekday from then on."""
        ahead = 0
        if self.layer.handover.day is not None:
            ahead = (WEEKDAYS.index(self.layer.handover.day) - self.layer.starts.weekday()) % 7
        return datetime.combine(self.layer.starts + timedelta(days=ahead), self.layer.handover.at)
