"""Whether an answer is what the playbook expects."""

from pydantic import JsonValue

from tocsin_playbook.model import Expect
from tocsin_schemas.strict_json import StrictJsonError, loads
from tocsin_schemas.text import clean_line

__all__ = ["mismatch", "needs_body"]


def needs_body(expect: Expect) -> bool:
    """Whether the expectation is about more than the status."""
    return bool(expect.json_values) or expect.contains is not None


def mismatch(expect: Expect, status: int, body: bytes, *, whole: bool = True) -> str | None:
    """Why the answer is not as expected; none if it is. `whole`: the body was read to its end.

    The reason names places and what was expected there, never what the answer holds: that may be a secret.
    """
    if status not in expect.status:
        return f"status {status}, expected {' or '.join(map(str, expect.status))}"
    if not needs_body(expect):
        return None
    if not whole:
        return "the answer is too long to be checked"
    if expect.contains is not None and expect.contains not in body.decode("utf-8", "replace"):
        return clean_line(f"the answer does not contain {expect.contains!r}", 400)
    if not expect.json_values:
        return None
    try:
        document = loads(body)
    except StrictJsonError as error:
        return clean_line(f"the answer is not JSON: {error.reason}", 400)
    for path, wanted in expect.json_values.items():
        found, value = _at(document, path)
        if not found:
            return clean_line(f"the answer has nothing at {path}", 400)
        if not _same(value, wanted):
            return clean_line(f"the answer has another value at {path}, expected {wanted!r}", 400)
    return None


def _at(document: JsonValue, path: str) -> tuple[bool, JsonValue]:
    """The value at `checks.database` or `items.0.state`, and whether there is one."""
    value = document
    for key in path.split("."):
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isascii() and key.isdigit() and int(key[:9]) < len(value):
            value = value[int(key[:9])]
        else:
            return False, None
    return True, value


def _same(value: JsonValue, wanted: JsonValue) -> bool:
    """As JSON means it: 1 equals 1.0, but true does not equal 1."""
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
