"""Requests a playbook makes, and what it expects of their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema, model_validator

from tocsin_playbook.model.base import Section, refuse
from tocsin_playbook.model.references import SecretRef, parse_secret
from tocsin_playbook.model.scalars import Line, Text, Url

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~\-]{1,100}")
_SENSITIVE = {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token", "private-token"}
_EXECUTION_ID = "{execution_id}"


def _header_name(value: str) -> str:
    if _HEADER_NAME.fullmatch(value):
        return value
    raise refuse("this is no header name", "a name like X-Request-Id")


def _header_value(value: object) -> str | SecretRef:
    if not isinstance(value, str):
        return parse_secret(value)
    if len(value) <= 1024 and value.isprintable() and value.isascii() and value == value.strip():
        return value
    raise refuse("this is no header value", "printable ASCII, or a secret as {env: NAME}")


def _no_bare_secrets(headers: Mapping[str, str | SecretRef]) -> Mapping[str, str | SecretRef]:
    if len(headers) > 50:
        raise refuse(f"{len(headers)} headers", "at most 50 headers")
    for name, value in headers.items():
        if name.lower() in _SENSITIVE and isinstance(value, str):
            raise refuse(f"the header {name} holds a secret in the playbook itself", "{env: NAME} or {file: /path}")
    return headers


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[
    str | SecretRef,
    BeforeValidator(_header_value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}], "description": "A text or a secret."}),
]
Headers = Annotated[Mapping[HeaderName, HeaderValue], AfterValidator(_no_bare_secrets)]


def _statuses(value: object) -> tuple[int, ...]:
    expected = "a status like 200, or a list of them"
    given = value if isinstance(value, list | tuple) else (value,)
    for status in given:
        if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
            raise refuse("this is no HTTP status", expected)
    if not 0 < len(given) <= 50:
        raise refuse("no status at all" if not given else "too many statuses", expected)
    return tuple(given)


_STATUS = {"type": "integer", "minimum": 100, "maximum": 599}
Statuses = Annotated[
    tuple[int, ...],
    BeforeValidator(_statuses),
    WithJsonSchema({"anyOf": [_STATUS, {"type": "array", "items": _STATUS, "minItems": 1}]}),
]
SUCCESS = (200, 201, 202, 204)


class Expect(Section):
    """What an answer must be like."""

    status: Statuses = Field(default=SUCCESS, description="The status, or several; default 200, 201, 202 or 204.")
    json_values: Mapping[Line, JsonValue] = Field(
        default={},
        alias="json",
        max_length=50,
        description="Values in the JSON answer by dotted path: `checks.database: ok`, `items.0.state: ready`.",
    )
    contains: Line | None = Field(default=None, description="A text that the answer contains.")


class HttpCheck(Section):
    """A request that only looks."""

    url: Url = Field(description="Where to look; http or https.")
    method: Literal["GET", "HEAD", "POST"] = Field(default="GET", description="The method; default GET.")
    headers: Headers = Field(default={}, description="Headers; secrets by reference.")
    expect: Expect = Field(default=Expect(), description="What tells that all is well.")


class OutcomeProbe(Section):
    """How to ask the target whether it carried out an action, when the answer to the action itself was lost."""

    url: Url = Field(description="An address with {execution_id} in it, asked with GET.")
    headers: Headers = Field(default={}, description="Headers; secrets by reference.")
    expect: Expect = Field(default=Expect(status=(200,)), description="The answer that says: it was carried out.")

    @model_validator(mode="after")
    def _asks_for_one_execution(self) -> OutcomeProbe:
        if _EXECUTION_ID in self.url:
            return self
        raise refuse("the probe does not ask for one execution", f"a url with {_EXECUTION_ID} in it")

    def url_of(self, execution_id: str) -> str:
        """The address that tells about this execution. Ids are ours: letters, digits and `-`."""
        if not re.fullmatch(r"[A-Za-z0-9\-]{1,100}", execution_id):
            raise ValueError("an execution id is letters, digits and `-`")
        return self.url.replace(_EXECUTION_ID, execution_id)


class HttpAction(Section):
    """A request that changes something."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(
        default="POST", description="The method; default POST."
    )
    url: Url = Field(description="The address; http or https.")
    headers: Headers = Field(default={}, description="Headers; secrets by reference.")
    body: Text | None = Field(default=None, description="The request's body as text.")
    json_body: JsonValue | None = Field(default=None, alias="json", description="The request's body as JSON.")
    expect: Expect = Field(default=Expect(), description="The answer that says: done. Anything else is a failure.")
    idempotency: Literal["none", "key"] = Field(
        default="none",
        description="`key`: the target honours the Idempotency-Key header, so a request may be repeated. Default none.",
    )
    probe: OutcomeProbe | None = Field(
        default=None, description="How to find out what happened when no answer came. None: a person must look."
    )

    @model_validator(mode="after")
    def _one_body(self) -> HttpAction:
        if self.body is not None and self.json_body is not None:
            raise refuse("body and json exclude each other", "one of body and json")
        return self
