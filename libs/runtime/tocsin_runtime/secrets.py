"""Secrets that a playbook refers to: read at the last moment, from where they are kept, and shown to nobody."""

import os
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

from tocsin_playbook.model.references import SecretRef

__all__ = ["KEPT", "SecretMissingError", "reveal"]

KEPT: ContextVar[Callable[[SecretRef], str] | None] = ContextVar("kept", default=None)
"""Where secrets are kept instead, for what runs in this context: a rehearsal must neither need nor read real ones."""


class SecretMissingError(LookupError):
    """The secret is not where the playbook says. The message names the place, never the value."""


def reveal(value: str | SecretRef) -> str:
    """The text itself, or what the reference stands for. Raises SecretMissingError."""
    if isinstance(value, str):
        return value
    if (kept := KEPT.get()) is not None:
        return kept(value)
    if value.env:
        found = os.environ.get(value.env)
        if not found:
            raise SecretMissingError(f"the environment variable {value.env} is not set")
        return found
    try:
        found = Path(value.file or "").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissingError(f"the secret file {value.file} cannot be read: {type(error).__name__}") from None
    if not found:
        raise SecretMissingError(f"the secret file {value.file} is empty")
    return found
