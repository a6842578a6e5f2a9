"""Moments in time: always aware, always UTC, within what every store of ours can hold."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

__all__ = ["EARLIEST", "LATEST", "Moment", "format_moment", "parse_moment"]

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _no_number(value: object) -> object:
    """A number has no zone, and whether it counts seconds or milliseconds would be a guess."""
    if isinstance(value, int | float) or (isinstance(value, str) and ":" not in value):
        raise ValueError("is not a moment with a date, a time and a zone")
    return value


def _to_utc(value: datetime) -> datetime:
    if not EARLIEST <= value <= LATEST:
        raise ValueError(f"lies outside {EARLIEST:%Y} to {LATEST:%Y}")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_to_utc)]
"""A moment between 1970 and 2200, with a time zone; kept in UTC. A time without a zone is refused."""


def format_moment(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`: sorts as text."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


@lru_cache(maxsize=512)
def parse_moment(text: str) -> datetime:
    """Read RFC 3339. Raises ValueError for anything else, for a time without a zone, and outside 1970 to 2200."""
    if not _RFC_3339.fullmatch(text):
        raise ValueError("is not a moment of RFC 3339 with its zone, such as 2026-03-01T12:00:00Z")
    return _to_utc(datetime.fromisoformat(text.upper()))
