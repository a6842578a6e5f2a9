"""Moments in time: always aware, always UTC, within what every store of ours can hold."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

__all__ = ["EARLIEST", "LATEST", "Moment", "format_moment", "parse_moment"]

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _to_utc(value: datetime) -> datetime:
    if not EARLIEST <= value <= LATEST:
        raise ValueError(f"lies outside {EARLIEST:%Y} to {LATEST:%Y}")
    return value.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment between 1970 and 2200, with a time zone; kept in UTC. A time without a zone is refused."""


def format_moment(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`: sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_moment(text: str) -> datetime:
    """Read RFC 3339. Raises ValueError for anything else, for a time without a zone, and outside 1970 to 2200."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("has no time zone")
    return _to_utc(moment)
