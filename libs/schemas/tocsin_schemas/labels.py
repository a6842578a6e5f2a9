"""Label sets: the identity of an alert. Immutable, sorted, bounded, hashable."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from tocsin_schemas.text import _check_text

__all__ = ["MAX_LABELS", "MAX_LABEL_NAME", "MAX_LABEL_VALUE", "Labels"]

MAX_LABELS = 64
MAX_LABEL_NAME = 128
MAX_LABEL_VALUE = 1024

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Labels(Mapping[str, str]):
    """A set of labels. Names are Prometheus label names; a label with an empty value is the same as no label.

    Raises ValueError naming the label for: more than 64 labels, a name that is no label name or is over 128
    characters, a value over 1,024 characters or with control or direction characters.
    """

    __slots__ = ("_hash", "_pairs")

    def __init__(self, labels: Mapping[str, str] | None = None, **more: str) -> None:
        given = {**(labels or {}), **more}
        if len(given) > MAX_LABELS:
            raise ValueError(f"{len(given)} labels; at most {MAX_LABELS} are allowed")
        for name, value in given.items():
            _check_label(name, value)
        self._pairs = {name: given[name] for name in sorted(given) if given[name] != ""}
        self._hash: int | None = None

    def __getitem__(self, name: str) -> str:
        return self._pairs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(tuple(self._pairs.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Labels):
            return self._pairs == other._pairs
        return NotImplemented

    def __getstate__(self) -> tuple[dict[str, str]]:
        return (self._pairs,)  # another process has other hashes

    def __setstate__(self, state: tuple[dict[str, str]]) -> None:
        (self._pairs,) = state
        self._hash = None

    def __repr__(self) -> str:
        return "{" + ", ".join(f'{name}="{value}"' for name, value in self._pairs.items()) + "}"

    def with_labels(self, **more: str) -> "Labels":
        """These labels and `more`, which win."""
        return Labels({**self._pairs, **more})

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        read = core_schema.no_info_after_validator_function(
            cls, core_schema.dict_schema(core_schema.str_schema(), core_schema.str_schema())
        )
        return core_schema.json_or_python_schema(
            json_schema=read,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), read]),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "object",
            "description": "Labels by name",
            "maxProperties": MAX_LABELS,
            "propertyNames": {"pattern": f"^{_LABEL_NAME.pattern}$", "maxLength": MAX_LABEL_NAME},
            "additionalProperties": {"type": "string", "maxLength": MAX_LABEL_VALUE},
        }


@lru_cache(maxsize=2048)
def _check_label(name: str, value: str) -> None:
    if len(name) > MAX_LABEL_NAME or not _LABEL_NAME.fullmatch(name):
        raise ValueError(f"{name[:MAX_LABEL_NAME]!r} is not a label name ({_LABEL_NAME.pattern})")
    if len(value) > MAX_LABEL_VALUE:
        raise ValueError(f"label {name!r}: {len(value)} characters; at most {MAX_LABEL_VALUE} are allowed")
    try:
        _check_text(value)
        value.encode()
    except ValueError as error:
        raise ValueError(f"label {name!r}: {error}") from None
