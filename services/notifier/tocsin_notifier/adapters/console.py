"""Lines on the terminal; for trying things out."""

import sys
from typing import Protocol, TextIO

from tocsin_notifier.adapters.sending import Letter, permanent
from tocsin_notifier.core.message import plain_text
from tocsin_schemas.text import clean_text

__all__ = ["ConsoleSender", "Terminal", "TextTerminal"]


class Terminal(Protocol):
    """Where lines go: standard output, or what a simulation has in its place."""

    def show(self, letter: Letter, lines: str) -> None:
        """Lines of one message, each with its end."""
        ...


class TextTerminal:
    """A text stream; standard output as it is at the moment, where none is given."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def show(self, letter: Letter, lines: str) -> None:
        out = sys.stdout if self._out is None else self._out
        out.write(lines)
        out.flush()


class ConsoleSender:
    """Writes lines."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    async def send(self, letter: Letter) -> str:
        """The message, each line with the channel's prefix."""
        console = letter.channel.console
        if console is None:
            raise permanent(f"{letter.channel.name} is not a terminal")
        prefix = f"{console.prefix} " if console.prefix else ""
        lines = clean_text(plain_text(letter.message)).rstrip("\n").split("\n")
        self._terminal.show(letter, "".join(f"{prefix}{line}".rstrip() + "\n" for line in lines))
        return ""
