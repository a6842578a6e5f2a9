"""Headers with the secrets that a playbook points at, read at the last moment and kept nowhere."""

import re
from collections.abc import Mapping

from tocsin_playbook.model import SecretRef
from tocsin_runtime.secrets import SecretMissingError, reveal

__all__ = ["SecretError", "reveal_headers"]

_LONGEST = 8192
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")


class SecretError(Exception):
    """A secret cannot be used. The message names where it is kept, never what it is."""


def reveal_headers(headers: Mapping[str, str | SecretRef]) -> dict[str, str]:
    """The headers with their secrets. Raises SecretError."""
    return {name: value if isinstance(value, str) else _reveal(value) for name, value in headers.items()}


def _reveal(reference: SecretRef) -> str:
    try:
        value = reveal(reference)
    except SecretMissingError as error:
        raise SecretError(str(error)) from None
    if len(value) > _LONGEST or not _VALUE.fullmatch(value):
        raise SecretError(f"the secret in the {reference} cannot be a header's value")
    return value
