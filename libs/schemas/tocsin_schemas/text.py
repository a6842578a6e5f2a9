"""Text that people and programs can trust: bounded, and free of control and bidirectional characters.

A label, a name or a note travels into terminals, chat, mail and HTML. Characters that move a cursor or turn the
reading direction (Unicode TR36, "Trojan Source" CVE-2021-42574) are refused where the text enters, with the
field named, so that nothing behind the door has to think of them.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

__all__ = ["MAX_LINE", "MAX_NAME", "MAX_TEXT", "Id", "Line", "Name", "Text", "Token", "clean_line", "clean_text"]

MAX_NAME = 128
MAX_LINE = 1024
MAX_TEXT = 4096

_C0_C1_BIDI = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
_BAD_IN_TEXT = re.compile(f"[{_C0_C1_BIDI}]")
_BAD_IN_LINE = re.compile(f"[{_C0_C1_BIDI}\t\n]")


def _refuse(pattern: re.Pattern[str], value: str) -> str:
    if found := pattern.search(value):
        code = f"U+{ord(found.group()):04X}"
        raise ValueError(f"contains the control or direction character {code} at position {found.start()}")
    return value


def _check_text(value: str) -> str:
    return _refuse(_BAD_IN_TEXT, value)


def _check_line(value: str) -> str:
    return _refuse(_BAD_IN_LINE, value)


def clean_line(value: str, limit: int = MAX_LINE) -> str:
    """Make one displayable line of foreign text: bad characters become U+FFFD, the rest is cut with an ellipsis.

    For text that must be kept whatever it holds (an error message of another system), never for identities.
    """
    line = _BAD_IN_LINE.sub("\ufffd", value.encode("utf-8", "replace").decode())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def clean_text(value: str, limit: int = MAX_TEXT) -> str:
    """As `clean_line`, but line breaks and tabs stay."""
    text = _BAD_IN_TEXT.sub("\ufffd", value.replace("\r\n", "\n").encode("utf-8", "replace").decode())
    return text if len(text) <= limit else text[: limit - 1] + "…"


Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME), AfterValidator(_check_line)]
"""A short name on one line: a rule, a person, a channel, a severity. 1 to 128 characters."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_check_line)]
"""A name that a service has made and others only compare: 1 to 64 characters."""

Line = Annotated[str, StringConstraints(max_length=MAX_LINE), AfterValidator(_check_line)]
"""One line of text for people, at most 1,024 characters."""

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT), AfterValidator(_check_text)]
"""Several lines of text for people, at most 4,096 characters; tabs and line feeds are allowed."""

Token = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""What may stand as one token of a NATS subject: made by us, never taken from outside."""
