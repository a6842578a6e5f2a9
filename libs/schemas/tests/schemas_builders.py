"""Documents and payloads of every type: the golden ones, and any that the models' annotations allow."""

import enum
import json
import types
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from tocsin_schemas import PAYLOADS, Labels, Payload

GOLDEN = Path(__file__).with_name("golden") / "schemas_v1.json"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

Json = Any  # a JSON document, taken apart field by field
B = TypeVar("B", bound=BaseModel)


def golden() -> list[tuple[dict[str, str], dict[str, Json]]]:
    """Headers and data of every message that once was written and must stay readable."""
    return [(entry["headers"], entry["data"]) for entry in json.loads(GOLDEN.read_text(encoding="utf-8"))]


def example(type_name: str) -> tuple[dict[str, str], dict[str, Json]]:
    """Headers and data of one good message of this type."""
    return next((headers, data) for headers, data in GOOD if headers["ce-type"] == type_name)


GOOD = golden()


# --- places in a document ---------------------------------------------------------------------------------------------

Place = tuple[str | int, ...]


def leaves(document: Json, place: Place = ()) -> Iterator[tuple[Place, Json]]:
    """Every value that is no object and no array, and where it stands."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in inner:
        if isinstance(value, dict | list):
            yield from leaves(value, (*place, name))
        else:
            yield (*place, name), value


def with_value(document: Json, place: Place, value: Json) -> Json:
    """The document with another value at this place."""
    head, *rest = place
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[head] = with_value(copy[head], tuple(rest), value) if rest else value
    return copy


# --- any payload ------------------------------------------------------------------------------------------------------

_LONGEST = 400
_SAFE = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp"))
ANY_TEXT = st.text(_SAFE, min_size=1, max_size=40)
"""What may stand in an attribute."""

_LABEL_NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,20}", fullmatch=True)
LABELS = st.dictionaries(_LABEL_NAMES, st.text(_SAFE, max_size=20), max_size=5).map(Labels)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # naive bounds


def any_of(model: type[B]) -> st.SearchStrategy[B]:
    """Any value of this model, read off its annotations."""
    fields = {name: _any(field.annotation, tuple(field.metadata)) for name, field in model.model_fields.items()}
    return st.builds(model, **fields)


def any_payload() -> st.SearchStrategy[Payload]:
    """Any value of any type that may stand in an envelope."""
    return st.one_of([any_of(model) for model in PAYLOADS.values()])


def _any(annotation: Any, metadata: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:  # Any: annotations are anything
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _any(arguments[0], (*_flat(arguments[1:]), *metadata))
    if origin in (Union, types.UnionType):
        return st.one_of([_any(each) for each in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(_any(arguments[0]), min_size=_limits(metadata).get("min_length", 0), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(_any(arguments[0]), _any(arguments[1]), max_size=3)
    return _plain(annotation, _limits(metadata))


def _plain(kind: Any, limits: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if kind is type(None):
        return st.none()
    if kind is AwareDatetime:
        return MOMENTS
    if kind is Labels:
        return LABELS.filter(bool)
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    if issubclass(kind, BaseModel):
        return any_of(kind)
    if kind is str and (pattern := limits.get("pattern")):
        whole = pattern.removeprefix("^").removesuffix("$")
        return st.from_regex(whole, fullmatch=True, alphabet=_SAFE).filter(lambda text: len(text) <= _LONGEST)
    return {
        str: st.text(_SAFE, min_size=limits.get("min_length", 0), max_size=min(limits.get("max_length", 40), 40)),
        bool: st.booleans(),
        int: st.integers(limits.get("ge", 0), limits.get("le", 2**53)),
        float: st.floats(limits.get("ge"), limits.get("le"), allow_nan=False, allow_infinity=False),
        timedelta: st.timedeltas(timedelta(microseconds=1), limits.get("le", timedelta(days=30))),
    }[kind]


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for each in metadata:
        yield from each.metadata if isinstance(each, FieldInfo) else (each,)


def _limits(metadata: tuple[Any, ...]) -> dict[str, Any]:
    names = ("min_length", "max_length", "pattern", "ge", "le")
    return {
        name: value for each in _flat(metadata) for name in names if (value := getattr(each, name, None)) is not None
    }
