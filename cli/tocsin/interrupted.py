"""Ctrl-C, wherever it comes. Imports next to nothing: the time in which a command is imported counts as well."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["INTERRUPTED", "ends_quietly"]

INTERRUPTED = 130
"""The exit status of what a terminal has interrupted: 128 and the number of SIGINT."""


@contextmanager
def ends_quietly() -> Iterator[None]:
    """Where this is interrupted, the process ends with status 130 and says nothing. Raises SystemExit."""
    try:
        yield
    except KeyboardInterrupt:
        warnings.simplefilter("ignore")  # coroutines that are dropped here are no mistake
        raise SystemExit(INTERRUPTED) from None
