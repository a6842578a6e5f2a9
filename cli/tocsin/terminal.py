"""What all commands share at the terminal: where they print, the options that several have, and how they fail."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console

from tocsin.operator import NotReachableError, ProblemError
from tocsin_runtime import BusUnavailableError

__all__ = ["HERE", "Folder", "Incident", "Json", "err", "fail", "guarded", "out"]

out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
err = Console(stderr=True, highlight=False, soft_wrap=True)

Folder = Annotated[Path, typer.Option("--data", envvar="TOCSIN_DATA", help="Folder of an embedded Tocsin.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")]
Incident = Annotated[str, typer.Argument(help="The incident's id, or the beginning of it.")]
HERE = Path(".tocsin")
_EMPTY = ("too_short", "string_too_short")


def guarded(action: Callable[[], None]) -> None:
    """Do it; whatever stands in the way is one line, and exit status 1."""
    try:
        with _only_our_words():
            action()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        wrong = "it is empty" if first["type"] in _EMPTY else first["msg"].removeprefix("Value error, ")
        fail(f"{'.'.join(map(str, first['loc']))}: {wrong}")
    except (NotReachableError, ProblemError, BusUnavailableError, TimeoutError) as error:
        fail(str(error) or "NATS does not answer")


def fail(message: str) -> NoReturn:
    err.print(message, style="red", markup=False)
    raise typer.Exit(1)


@contextmanager
def _only_our_words() -> Iterator[None]:
    """What the connection logs is for the operators of services; a person reads the one line that follows from it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
