"""A schedule as turns: who is on call from when until when, and when nobody is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from tocsin_playbook.model import Schedule
from tocsin_playbook.oncall.rotation import Rotation, Stretch

FAR = timedelta(days=366)
"""How far ahead the end of a turn is looked for."""

_INSTANT = timedelta(microseconds=1)
_SPANS = tuple(timedelta(days=days) for days in (1, 8, 64, FAR.days))


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of time in which the same person is on call; `person` is None where nobody is."""

    person: str | None
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The whole turn that a moment is in, however long."""

    person: str | None
    since: datetime | None
    """None where nobody has ever been on call before."""
    until: datetime | None
    """None where it does not end within a year from the moment."""


def turns(schedule: Schedule, since: datetime, until: datetime, *, holidays: Collection[date]) -> tuple[Turn, ...]:
    """All turns and holes between two moments (with offsets), in order, without gaps, in UTC.

    Neighbours are never the same person: a hand-over to oneself is none. The first and the last are cut at
    `since` and `until`. Raises ValueError for moments without an offset.
    """
    if since.tzinfo is None or until.tzinfo is None:
        raise ValueError("a moment without an offset from UTC")
    if since >= until:
        return ()
    found: list[Turn] = []
    free: list[Stretch] = [(since.astimezone(UTC), until.astimezone(UTC))]
    for override in reversed(schedule.overrides):
        claim = Turn(override.person, override.begins.astimezone(UTC), override.until.astimezone(UTC))
        free = _claimed(free, [claim], found)
    for layer in reversed(schedule.layers):
        if not free:
            break
        rotation = Rotation.of(layer, schedule, holidays)
        claims = (Turn(*turn) for turn in rotation.turns(free[0][0], free[-1][1]))
        free = _claimed(free, claims, found)
    found += (Turn(None, *hole) for hole in free)
    return tuple(_joined(sorted(found, key=lambda turn: turn.since)))


def standing(schedule: Schedule, at: datetime, *, holidays: Collection[date]) -> Standing:
    """The turn, or the hole, that a moment is in, from its very beginning to its end."""
    person = turns(schedule, at, at + _INSTANT, holidays=holidays)[0].person
    begin, end = _begin(schedule, at, holidays), _end(schedule, at, holidays)
    return Standing(person, begin if begin > _origin(schedule, holidays) or person is not None else None, end)


def whole_turns(
    schedule: Schedule, since: datetime, until: datetime, *, holidays: Collection[date]
) -> tuple[Turn, ...]:
    """As `turns`, without the holes; but the first one from where it really begins."""
    found = turns(schedule, since, until, holidays=holidays)
    if found and found[0].person is not None:
        found = (replace(found[0], since=_begin(schedule, since, holidays)), *found[1:])
    return tuple(turn for turn in found if turn.person is not None)


def _begin(schedule: Schedule, at: datetime, holidays: Collection[date]) -> datetime:
    """Where the turn or the hole of a moment begins; the schedule's own beginning where nothing precedes it."""
    origin, at = _origin(schedule, holidays), at.astimezone(UTC)
    span = min(_SPANS)
    while origin < at - span:
        begin = turns(schedule, at - span, at + _INSTANT, holidays=holidays)[-1].since
        if begin > at - span:
            return begin
        span = min(span * 8, at - origin)
    return turns(schedule, min(origin, at), at + _INSTANT, holidays=holidays)[-1].since


def _end(schedule: Schedule, at: datetime, holidays: Collection[date]) -> datetime | None:
    for span in _SPANS:
        end = turns(schedule, at, at + span, holidays=holidays)[0].until
        if end < at + span:
            return end
    return None


def _origin(schedule: Schedule, holidays: Collection[date]) -> datetime:
    """The moment before which nobody has ever been on call."""
    starts = [Rotation.of(layer, schedule, holidays).starts() for layer in schedule.layers]
    return min([*starts, *(override.begins.astimezone(UTC) for override in schedule.overrides)])


def _claimed(free: Sequence[Stretch], claims: Iterable[Turn], found: list[Turn]) -> list[Stretch]:
    """What is still free after these claims, which are in order; what they got is added to `found`."""
    left: list[Stretch] = []
    coming = iter(claims)
    claim = next(coming, None)
    for begins, ends in free:
        while claim is not None and claim.since < ends:
            if claim.until > begins:
                since, until = max(begins, claim.since), min(ends, claim.until)
                if begins < since:
                    left.append((begins, since))
                found.append(Turn(claim.person, since, until))
                begins = until
                if claim.until >= ends:
                    break
            claim = next(coming, None)
        if begins < ends:
            left.append((begins, ends))
    return left


def _joined(found: Iterable[Turn]) -> Iterator[Turn]:
    """Neighbours with the same person as one."""
    last: Turn | None = None
    for turn in found:
        if last is not None and last.person == turn.person:
            last = replace(last, until=turn.until)
            continue
        if last is not None:
            yield last
        last = turn
    if last is not None:
        yield last
