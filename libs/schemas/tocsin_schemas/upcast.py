"""Old shapes to new: a log written years ago is read by today's code.

Adding an optional field needs nothing. A change of meaning gets a new version (`VERSION = 2`) and one function
here that turns the stored document of the version before into the next one. Upcasters are chained.
"""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

__all__ = ["UPCASTERS", "Document", "UpcastLoopError", "Upcaster", "upcast"]

Document = dict[str, JsonValue]
Upcaster = Callable[[Document], tuple[str, Document]]
"""From a stored document to the next type's name and document."""

UPCASTERS: Mapping[str, Upcaster] = {}
"""By stored type name. Empty as long as every type is in its first version."""

_MAX_STEPS = 100


class UpcastLoopError(RuntimeError):
    """Upcasters lead in a circle: a mistake of ours, not of the document."""


def upcast(type_name: str, document: Document, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> tuple[str, Document]:
    """Follow the upcasters from `type_name` to the newest type. Raises UpcastLoopError when they never end."""
    for _ in range(_MAX_STEPS):
        step = upcasters.get(type_name)
        if step is None:
            return type_name, document
        type_name, document = step(document)
    raise UpcastLoopError(f"upcasters of {type_name} lead in a circle")
