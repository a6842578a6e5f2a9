"""Names, times and lengths as people say them; the small words that sentences are made of."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tocsin_schemas import Actor

__all__ = ["also", "by", "clock", "first_line", "level_name", "listed", "name_of", "span", "who"]


def name_of(target: str) -> str:
    """`person:ada` is ada, `team:shop` is team shop, `channel:slack:#incidents` is #incidents (slack).

    Anything else is itself.
    """
    match target.split(":", 2):
        case ["person", name] if name:
            return name
        case ["team" | "schedule" as kind, name] if name:
            return f"{kind} {name}"
        case ["channel", channel, address] if address:
            return f"{address} ({channel})"
        case _:
            return target


def level_name(level: int) -> str:
    """People count levels from 1, the log from 0."""
    return f"level {level + 1}"


def clock(moment: datetime) -> str:
    """The time of day, in UTC."""
    return f"{moment:%H:%M:%S} UTC"


_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def span(duration: timedelta) -> str:
    """How long: `0.4 s`, `12.3 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    seconds = abs(duration.total_seconds())
    sign = "-" if duration < timedelta(0) else ""
    if seconds < 59.95:
        return f"{sign}{seconds:.1f} s"
    whole = round(seconds)
    unit, name, part, part_name = next(row for row in _UNITS if whole >= row[0])
    rest = whole % unit // part
    return f"{sign}{whole // unit} {name} {rest} {part_name}" if rest else f"{sign}{whole // unit} {name}"


def by(actor: Actor) -> str:
    return f" by {actor.name}" if actor.kind == "person" else ""


def who(actor: Actor) -> str:
    return actor.name if actor.kind == "person" else "The system"


def listed(names: Sequence[str], most: int = 5) -> str:
    """`ada, bob and 4 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def also(text: str) -> str:
    """What follows a colon, if there is anything to say."""
    return f": {text}" if text else ""


def first_line(text: str) -> str:
    lines = text.strip().splitlines()
    first = " ".join(lines[0].split()) if lines else ""
    return f"{first} …" if len(lines) > 1 else first
