"""JSON that two readers cannot read in two ways.

RFC 8259 leaves open what duplicate names mean, and Python's reader takes NaN, Infinity and 1e999. Each of these
has made two systems disagree about one message; here they are refused, with the place named.
"""

import json
import math
from typing import NoReturn

from pydantic import JsonValue

__all__ = ["MAX_BYTES", "MAX_DEPTH", "StrictJsonError", "loads"]

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
_MAX_DIGITS = 64


class StrictJsonError(ValueError):
    """The document is refused. `reason` says why in one sentence, with the field or position where it is known."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def loads(document: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JsonValue:
    """Read one JSON document.

    Raises StrictJsonError for: more than `max_bytes`, nesting deeper than `max_depth`, text that is not UTF-8,
    duplicate names, NaN and infinities (also as 1e999), numbers of more than 64 digits, lone surrogates,
    anything that is not exactly one JSON document.
    """
    if len(document) > max_bytes:
        raise StrictJsonError(f"{len(document)} bytes; at most {max_bytes} are allowed")
    _check_depth(document, max_depth)
    try:
        text = document.decode("utf-8")
        if text.startswith("\ufeff"):
            raise StrictJsonError("not JSON: it begins with a byte order mark")
        value: JsonValue = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise StrictJsonError(f"not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise StrictJsonError("contains a lone surrogate, which is no character") from None
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    return value


def _check_depth(document: bytes, max_depth: int) -> None:
    if document.count(b"[") + document.count(b"{") <= max_depth:
        return
    depth, in_string, escaped = 0, False, False
    for byte in document:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            if depth > max_depth:
                raise StrictJsonError(f"nested deeper than {max_depth} levels")
        elif byte in b"]}":
            depth -= 1


def _unique_names(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise StrictJsonError(f"field {name[:64]!r} is given twice")
            seen.add(name)
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise StrictJsonError(f"{constant} is not a JSON number")


def _finite(text: str) -> float:
    if len(text) > _MAX_DIGITS or not math.isfinite(value := float(text)):
        raise StrictJsonError(f"number {text[:16]}… is out of range")
    return value


def _short(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise StrictJsonError(f"number {text[:16]}… has {len(text)} digits; at most {_MAX_DIGITS} are allowed")
    return int(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_names, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_short
)
"""One for all: making it takes as long as reading a short document."""
