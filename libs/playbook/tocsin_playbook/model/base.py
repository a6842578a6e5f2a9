"""What all parts of the model share: frozen, closed, and with errors written for the author of a playbook."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A part of a playbook: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )


def refuse(message: str, expected: str, *, offset: int | None = None) -> PydanticCustomError:
    """The error a validator raises: what is wrong, and what would have been right.

    `offset` is the place in a text the error is about, where it is not the whole.
    """
    context: dict[str, object] = {"problem": message, "expected": expected}
    if offset is not None:
        context["offset"] = offset
    return PydanticCustomError("playbook", "{problem}", context)


def exactly_one(section: BaseModel, *names: str) -> str:
    """The one of these fields that is set; anything else is refused."""
    given = [name for name in names if getattr(section, name) is not None]
    if len(given) == 1:
        return given[0]
    problem = f"{' and '.join(given)} exclude each other" if given else f"none of {', '.join(names)} is given"
    raise refuse(problem, f"exactly one of {', '.join(names)}")
