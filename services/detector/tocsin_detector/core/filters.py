"""Filters of `GET /api/v2/alerts`: matchers as amtool and Alertmanager's own page write them."""

import re

from pydantic_core import PydanticCustomError

from tocsin_playbook.model.references import Matcher, parse_matcher

__all__ = ["read_filter"]

_UNQUOTED = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*([^"\s]*)\s*')
_QUOTED = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(".*")\s*', re.DOTALL)
_LONGEST = 1200


def read_filter(text: str) -> Matcher:
    """`name="value"`, also without quotes. Patterns are words with `.*` and `.+` in them, joined by `|`: whoever asks
    may be a stranger, and a regular expression could keep Python busy for ever. Raises ValueError."""
    shown = repr(text[:80])
    if len(text) > _LONGEST:
        raise ValueError(f"filter {shown}: {len(text)} characters; at most {_LONGEST} are allowed")
    if found := _QUOTED.fullmatch(text):
        name, operator, value = found.groups()
    elif found := _UNQUOTED.fullmatch(text):
        name, operator, value = found[1], found[2], f'"{found[3]}"'
    else:
        raise ValueError(f'filter {shown} is not of the form name="value"')
    try:
        return parse_matcher(f"{name}{operator}{value}")
    except PydanticCustomError as error:
        raise ValueError(f"filter {shown}: {error.message()}") from None
