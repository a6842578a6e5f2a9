"""What a request asks for, checked: ids, numbers, cursors. Each refusal is a Problem that says what was expected."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request

from tocsin_recorder.adapters.harmless import Problem
from tocsin_recorder.adapters.queries import Queries

__all__ = ["Question", "cursor_after", "found_incident"]

SHORTEST_PREFIX = 4
_INCIDENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_BAD = HTTPStatus.BAD_REQUEST


async def found_incident(queries: Queries, typed: str) -> str:
    """The one incident whose id is this, or begins like this (4 characters at least). Raises Problem."""
    name = typed.strip().lower()
    if not _INCIDENT.fullmatch(name):
        raise Problem(_BAD, "An incident's id has letters, digits, '-' and '_' only, for example 'k3vq7d2m5xab'.")
    found = await queries.names_like(name)
    if found == [name]:
        return name
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no incident {name!r}.")
    if len(name) < SHORTEST_PREFIX:
        raise Problem(_BAD, f"{name!r} is too short: give at least the first {SHORTEST_PREFIX} characters of the id.")
    if len(found) > 1:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"{name!r} begins the ids of several incidents: give more characters.",
            candidates=found[:10],
            more=len(found) > 10,
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class Question:
    """The parameters of a request. Only the named ones may be given."""

    given: Mapping[str, str]

    @classmethod
    def of(cls, request: Request, *known: str) -> "Question":
        if unknown := sorted(set(request.query_params) - set(known)):
            expected = f"it takes {', '.join(known)}" if known else "it takes none"
            raise Problem(_BAD, f"There is no parameter {unknown[0][:64]!r} here: {expected}.")
        return cls({name: value for name, value in request.query_params.items() if value != ""})

    def text(self, name: str, longest: int = 128) -> str | None:
        value = self.given.get(name)
        if value is not None and len(value) > longest:
            raise Problem(_BAD, f"Parameter {name} is longer than {longest} characters.")
        if value is not None and not value.isprintable():
            raise Problem(_BAD, f"Parameter {name} has characters that cannot be printed.")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.given.get(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,10}", value) or not least <= int(value) <= most:
            raise Problem(_BAD, f"Parameter {name} is a whole number from {least} to {most}.")
        return int(value)

    def yes_or_no(self, name: str) -> bool | None:
        value = self.given.get(name)
        if value is None:
            return None
        if value not in ("true", "false"):
            raise Problem(_BAD, f"Parameter {name} is 'true' or 'false'.")
        return value == "true"

    def place_in_list(self, name: str = "cursor") -> tuple[int, str] | None:
        """A cursor of the list of incidents."""
        read = self._cursor(name)
        if read is None:
            return None
        if not re.fullmatch(r"[0-9]{1,18}", read[0]):
            raise _bad_cursor(name)
        return int(read[0]), read[1]

    def place_in_time(self, name: str = "cursor") -> tuple[str, str] | None:
        """A cursor of a list by time."""
        return self._cursor(name)

    def _cursor(self, name: str) -> tuple[str, str] | None:
        value = self.text(name, 400)
        if value is None:
            return None
        try:
            text = base64.urlsafe_b64decode(value.encode() + b"=" * (-len(value) % 4)).decode()
        except (binascii.Error, UnicodeError, ValueError):
            raise _bad_cursor(name) from None
        place, separator, rest = text.partition(" ")
        if not separator or "\x00" in text:
            raise _bad_cursor(name)
        return place, rest


def cursor_after(place: int | str, name: str) -> str:
    """What the answer gives so that the next request goes on after this item. Its content is ours to change."""
    return base64.urlsafe_b64encode(f"{place} {name}".encode()).rstrip(b"=").decode()


def _bad_cursor(name: str) -> Problem:
    return Problem(_BAD, f"Parameter {name} is not one that an answer of ours gave.")
