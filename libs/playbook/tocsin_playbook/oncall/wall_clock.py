"""When a clock on the wall shows a time: the one rule for hours that are skipped and hours that come twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

_SECOND = timedelta(seconds=1)


def moment(local: datetime, zone: tzinfo) -> datetime:
    """The first moment, in UTC, at which a wall clock of the zone shows this local time or a later one.

    A later local time never comes at an earlier moment, whatever the clocks do.
    """
    usual = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if usual.astimezone(zone).replace(tzinfo=None) == local:
        return usual
    # Skipped. With the offset before the change it lies after the change, with the offset after it before.
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while usual - before > _SECOND:
        middle = before + (usual - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).replace(tzinfo=None) >= local:
            usual = middle
        else:
            before = middle
    return usual


def midnight(day: date, zone: tzinfo) -> datetime:
    """The moment, in UTC, at which a day begins in the zone."""
    return moment(datetime.combine(day, time()), zone)


def local_time(at: datetime, zone: tzinfo) -> datetime:
    """What a wall clock of the zone shows at a moment, without the zone."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)
