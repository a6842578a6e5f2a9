"""What this process has just written: whoever follows the same stream here need not decode it again."""

from collections import OrderedDict
from collections.abc import Mapping

from tocsin_schemas import Envelope, Payload

__all__ = ["Recent"]

_KEPT = 2_000
_COMPARED = ("ce-time", "ce-type", "ce-source", "ce-subject", "ce-causationid", "ce-together", "traceparent")


class Recent:
    """By id, until it is asked for. What is not the same to the letter, another replica has written: it is decoded."""

    def __init__(self) -> None:
        self._written: OrderedDict[str, tuple[Mapping[str, str], bytes, Envelope[Payload]]] = OrderedDict()

    def note(self, headers: Mapping[str, str], body: bytes, envelope: Envelope[Payload]) -> None:
        """This is being written."""
        self._written[headers["ce-id"]] = (headers, body, envelope)
        if len(self._written) > _KEPT:
            self._written.popitem(last=False)

    def take(self, headers: Mapping[str, str] | None, body: bytes, sequence: int) -> Envelope[Payload] | None:
        """The message as it was written, now with its place; none if it is not known."""
        if not headers or (found := self._written.pop(headers.get("ce-id", ""), None)) is None:
            return None
        written, same, envelope = found
        if body != same or any(headers.get(name) != written.get(name) for name in _COMPARED):
            return None
        return envelope.at(sequence)
