"""What plain text, without quotes, means in YAML 1.2, and what older readers would take for something else."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

Value = str | int | float | bool | None

_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOTHING = frozenset(("", "~", "null", "Null", "NULL"))
_OLD_SWITCH = re.compile(r"yes|no|on|off", re.IGNORECASE)
_NON_DECIMAL = re.compile(r"[-+]?0[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
_NO_MERE_WORD = frozenset("+-.0123456789nNoOyY")
"""What the text of a number or of an old switch begins with."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Text that has no meaning in a playbook: what is wrong, and what to write instead."""

    message: str
    expected: str


def meaning(text: str, *, is_key: bool) -> Value | Ambiguous:
    """The value of plain text. As a key, `on` is a word like any other."""
    if text in _NOTHING:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if text[0] not in _NO_MERE_WORD:
        return text
    if _OLD_SWITCH.fullmatch(text):
        expected = f'quote it if it is a word ("{text}"), or write true or false'
        return text if is_key else Ambiguous(f"{text} is a word to some YAML readers and a switch to others", expected)
    if _NON_DECIMAL.fullmatch(text):
        return Ambiguous(f"{shown(text)} is octal to some YAML readers", "quote it, or write a decimal number")
    if _NOT_FINITE.fullmatch(text):
        return Ambiguous(f"{text} is not a finite number", "a finite number")
    if _INTEGER.fullmatch(text):
        return _finite(text) if len(text) > 18 else int(text)
    return _finite(text) if _FLOAT.fullmatch(text) else text


def shown(text: str) -> str:
    """The text as a message quotes it, at most its first 40 characters."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _finite(text: str) -> float | Ambiguous:
    if len(text) <= 40 and math.isfinite(number := float(text)):
        return number
    return Ambiguous(f"{shown(text)} is too large or too long a number", "a finite number")
