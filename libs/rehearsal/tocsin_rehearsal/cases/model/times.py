"""Times in a test, counted from its start, and the shorthands its author may use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Self, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from tocsin_playbook.model.base import Section, refuse
from tocsin_playbook.model.durations import format_duration, parse_duration

T = TypeVar("T")

Span = tuple[timedelta, timedelta | None]
"""From when until when; None: until the test ends."""

WHOLE: Span = (timedelta(), None)
NONE = "none"
"""The word for: nothing of this kind."""

_TIME_SCHEMA: dict[str, object] = {"type": "string", "examples": ["0s", "15s", "1h30m"]}
_SPAN_SCHEMA: dict[str, object] = {
    "type": "array",
    "items": _TIME_SCHEMA,
    "minItems": 2,
    "maxItems": 2,
    "examples": [["5m", "10m"]],
}


def parse_offset(value: object) -> timedelta:
    """`"1h30m"` after the start → timedelta."""
    if isinstance(value, str) and value.startswith("-"):
        raise refuse(f"{value[:40]!r} lies before the start", "a time after the start, such as 5m")
    return parse_duration(value)


def parse_span(value: object) -> tuple[timedelta, timedelta]:
    """`["5m", "10m"]` → two times, the second not before the first."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise refuse("this is no span of time", "two times, such as [5m, 10m]")
    begin, end = parse_offset(value[0]), parse_offset(value[1])
    if end < begin:
        raise refuse("the span ends before it begins", f"[{value[1]}, {value[0]}]")
    return begin, end


def parse_throughout(value: object) -> Span:
    """`true`, or a span."""
    if value is True or value == WHOLE:
        return WHOLE
    if isinstance(value, list | tuple):
        return parse_span(value)
    raise refuse("this is no span of time", "true for the whole test, or two times, such as [5m, 10m]")


def _format_span(span: Span) -> object:
    return True if span[1] is None else [format_duration(span[0]), format_duration(span[1])]


Offset = Annotated[
    timedelta,
    BeforeValidator(parse_offset),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_TIME_SCHEMA),
]
"""A time after the start of the test."""

Between = Annotated[
    tuple[timedelta, timedelta],
    PlainValidator(parse_span),
    PlainSerializer(_format_span),
    WithJsonSchema(_SPAN_SCHEMA),
]

Throughout = Annotated[
    Span,
    PlainValidator(parse_throughout),
    PlainSerializer(_format_span),
    WithJsonSchema({"anyOf": [{"const": True}, _SPAN_SCHEMA]}),
]


class Spell(Section):
    """Something that lasts for a while."""

    begins: Offset = Field(default=timedelta(), alias="from", description="From when; default: from the start.")
    until: Offset | None = Field(default=None, description="Until when; default: until the end.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.until is None or self.begins < self.until:
            return self
        raise refuse("this ends before it begins", "`until` after `from`")


# --- shorthands ------------------------------------------------------------------------------------------------------


class Otherwise:
    """In the JSON Schema: what is written out, or one of these."""

    def __init__(self, make: Callable[[JsonSchemaValue], list[JsonSchemaValue]]) -> None:
        self._make = make

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        written_out = handler(core)
        return {"anyOf": [written_out, *self._make(written_out)]}


def or_text(field: str) -> tuple[BeforeValidator, Otherwise]:
    """A mapping, or for short the text of one of its keys: `acknowledge: ada` is `acknowledge: {by: ada}`."""

    def spelled_out(value: object) -> object:
        return {field: value} if isinstance(value, str) else value

    return BeforeValidator(spelled_out), Otherwise(
        lambda _: [{"type": "string", "description": f"for short: `{field}`"}]
    )


def listed(value: object) -> object:
    """A list as it is, anything else as the list of it alone."""
    return value if isinstance(value, list | tuple) else [value]


def _listed_or_none(value: object) -> object:
    if value is None:
        raise refuse("nothing stands here", f"what is expected, or {NONE}")
    return [] if value == NONE else listed(value)


def item_of(schema: JsonSchemaValue) -> JsonSchemaValue:
    """The schema of a list's items."""
    arrays = [schema, *schema.get("anyOf", [])]
    item: JsonSchemaValue = next(each["items"] for each in arrays if "items" in each)
    return item


OneOrMore = Annotated[
    tuple[T, ...],
    Field(min_length=1, max_length=1000),
    BeforeValidator(listed),
    Otherwise(lambda schema: [item_of(schema)]),
]
"""A list, or its only item."""

ListedOrNone = Annotated[
    tuple[T, ...] | None,
    BeforeValidator(_listed_or_none),
    Otherwise(lambda schema: [item_of(schema), {"const": NONE, "description": "nothing of the kind"}]),
]
"""A list, its only item, or `none`. As the field's default, None: nothing is asked."""


def shown(time: timedelta) -> str:
    """A time for people: `2.5s`, `1m30s`, `1h5m`."""
    minutes, seconds = divmod(time.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{seconds:.3f}".rstrip("0").rstrip(".")
    parts = (f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{tail}s" if tail != "0" else "")
    return "".join(parts) or "0s"
