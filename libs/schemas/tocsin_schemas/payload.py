"""What every event and command has in common, and the table of all of them."""

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

__all__ = ["Command", "Event", "Payload", "by_type"]

T = TypeVar("T", bound="Payload")


class Payload(BaseModel):
    """The data of one message: frozen, finite, with a type name and the version of its shape.

    Unknown fields are ignored, so that an older reader understands a newer writer; what must be understood
    differently gets a new version and an upcaster (`tocsin_schemas.upcast`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, ser_json_inf_nan="null")

    VERSION: ClassVar[int] = 1

    @classmethod
    def type_name(cls) -> str:
        """The CloudEvents type, for example `tocsin.AlertFired.v1`."""
        return f"tocsin.{cls.__name__}.v{cls.VERSION}"

    def to_json(self) -> bytes:
        """Compact JSON in UTF-8; fields that hold nothing are left out."""
        return self.model_dump_json(exclude_none=True).encode()


class Event(Payload):
    """A fact, named in the past tense. `OWNER` is the only service that may state it."""

    OWNER: ClassVar[str]
    SLUG: ClassVar[str]
    """The last token of its subject, for example `severity_changed`."""


class Command(Payload):
    """What somebody asks for, named as an imperative. `OWNER` is the service that carries it out."""

    OWNER: ClassVar[str]
    SLUG: ClassVar[str]


def by_type(models: Iterable[type[T]]) -> dict[str, type[T]]:
    """Models by their type name."""
    return {model.type_name(): model for model in models}
