"""The arguments of one Web API call: from the query, a form or a JSON body, as Slack reads them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["Arguments", "Json", "RefusedError", "read_arguments"]

Json = dict[str, Any]  # Any: JSON from outside, checked where it is used


class RefusedError(Exception):
    """Slack would answer `{"ok": false, "error": …}`."""

    def __init__(self, error: str, detail: str = "") -> None:
        self.error = error
        self.detail = detail
        super().__init__(f"{error} {detail}".strip())


@dataclass(frozen=True, slots=True)
class Arguments:
    values: Json
    warnings: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """The argument as text; empty when it is missing."""
        value = self.values.get(name)
        if value is None:
            return ""
        if isinstance(value, dict | list):
            raise RefusedError("invalid_arguments", f"{name} must be a string")
        return str(value)

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in {"true", "1"}

    def structure(self, name: str, otherwise: str) -> object:
        """A list or object, which a form carries as JSON text. What cannot be read is refused with `otherwise`."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            read: object = json.loads(value)
        except ValueError as error:
            raise RefusedError(otherwise, f"{name} is not JSON") from error
        return read


def read_arguments(query: Mapping[str, str], content_type: str | None, body: bytes) -> Arguments:
    """Query and body together. Multipart forms, which only file uploads need, are refused."""
    if not body:
        return Arguments(dict(query))
    if content_type is None:
        raise RefusedError("missing_post_type", "a body without a Content-Type")
    kind, _, parameters = content_type.lower().partition(";")
    match kind.strip():
        case "application/json":
            warnings = () if "charset=" in parameters else ("missing_charset",)
            return Arguments({**query, **_read_json(body)}, warnings)
        case "application/x-www-form-urlencoded":
            return Arguments({**query, **_read_form(body)})
        case _:
            raise RefusedError("invalid_post_type", content_type)


def _read_json(body: bytes) -> Json:
    try:
        values = json.loads(body)
    except ValueError as error:
        raise RefusedError("invalid_json", str(error)) from error
    if not isinstance(values, dict):
        raise RefusedError("json_not_object", type(values).__name__)
    return values


def _read_form(body: bytes) -> Json:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict"))
    except ValueError as error:
        raise RefusedError("invalid_form_data", str(error)) from error
