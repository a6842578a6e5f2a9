"""Reading JSON bodies from strangers: each field by its rule, and nothing besides the fields that have one."""

import json
import re
from typing import NoReturn

from storefront.errors import BadFieldError, ShopError


class Fields:
    """The fields of one request body; each `text`, `whole` or `number` reads one, `done` refuses the rest."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values
        self._known: list[str] = []

    def text(self, name: str, pattern: re.Pattern[str], rule: str) -> str:
        value = self._take(name, None)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise BadFieldError(name, rule)
        return value

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self._take(name, default)
        # True is an int to Python, but not to anyone who orders a kettle.
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise BadFieldError(name, f"a whole number from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        value = self._take(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise BadFieldError(name, f"a number from {low:g} to {high:g}")
        return float(value)

    def done(self) -> None:
        for name in self._values:
            if name not in self._known:
                shown, known = ascii(name[:40]), ", ".join(self._known) or "none"
                raise ShopError(422, f"{shown} is not a field here; known: {known}", shown)

    def _take(self, name: str, default: object) -> object:
        self._known.append(name)
        return self._values.get(name, default)


def read_fields(body: bytes) -> Fields:
    """The body as fields; an empty body has none. Raises ShopError if it is not a JSON object."""
    if not body.strip():
        return Fields({})
    try:
        values = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ShopError(400, "the body must be JSON", "body") from None
    if not isinstance(values, dict):
        raise BadFieldError("body", "a JSON object")
    return Fields(values)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
