"""Lines on the terminal; for trying things out."""

import sys
from typing import TextIO

from tocsin_notifier.adapters.sending import Letter, permanent
from tocsin_notifier.core.message import plain_text
from tocsin_schemas.text import clean_text

__all__ = ["ConsoleSender"]


class ConsoleSender:
    """Writes to standard output, or to what it is given."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    async def send(self, letter: Letter) -> str:
        """The message, each line with the channel's prefix."""
        console = letter.channel.console
        if console is None:
            raise permanent(f"{letter.channel.name} is not a terminal")
        prefix = f"{console.prefix} " if console.prefix else ""
        lines = clean_text(plain_text(letter.message)).rstrip("\n").split("\n")
        out = self._out or sys.stdout
        out.write("".join(f"{prefix}{line}".rstrip() + "\n" for line in lines))
        out.flush()
        return ""
