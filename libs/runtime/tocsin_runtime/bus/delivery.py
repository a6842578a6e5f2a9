"""One message as a handler sees it: decoded, with where it stands and how to settle it."""

from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, ConnectionReconnectingError, NotJSMessageError

from tocsin_schemas import Envelope, Payload

__all__ = ["Delivery", "Handed", "Position", "handed", "position"]

D = TypeVar("D", bound=Payload, covariant=True)

_TOKENS = 9
"""Of a reply subject in its first form."""

_UNSETTLED = (ConnectionClosedError, ConnectionReconnectingError)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a message stands: its stream's sequence, and how often it has been delivered."""

    stream: str
    sequence: int
    deliveries: int


class Handed(NamedTuple):
    """What a message's reply subject says (ADR-15 of NATS): its stream and place there, how often it was delivered,
    the consumer's own number for it, and how many messages are left."""

    stream: str
    deliveries: int
    sequence: int
    number: int
    left: int


def handed(reply: str) -> Handed:
    """Read a reply subject (`$JS.ACK.…`), without the moments that nats-py makes of it. Raises NotJSMessageError."""
    tokens = reply.split(".")
    if tokens[:2] != ["$JS", "ACK"] or len(tokens) < _TOKENS:
        raise NotJSMessageError
    at = 2 if len(tokens) == _TOKENS else 4  # a later form has the domain and the account before
    stream, _, deliveries, sequence, number, _, left = tokens[at : at + 7]
    return Handed(stream, int(deliveries), int(sequence), int(number), int(left))


def position(message: Msg) -> Position:
    """Where a message stands. Raises NotJSMessageError for a message of no stream."""
    said = handed(message.reply)
    return Position(said.stream, said.sequence, said.deliveries)


@dataclass(slots=True)
class Delivery(Generic[D]):
    """An input to be handled. Unsettled, it comes again after the consumer's ack wait."""

    envelope: Envelope[D]
    subject: str
    position: Position
    _message: Msg = field(repr=False)
    settled: bool = False

    async def ack(self) -> None:
        """Handled: never again. An acknowledgement that is lost brings the message again, which changes nothing."""
        await self._settle(b"+ACK")

    async def retry_in(self, seconds: float) -> None:
        """Not now: deliver it again after `seconds`."""
        await self._settle(b'-NAK {"delay": %d}' % int(seconds * 1e9))

    async def terminate(self) -> None:
        """Never again, although it was not handled: it is parked elsewhere."""
        await self._settle(b"+TERM")

    async def still_working(self) -> None:
        """Ask for another ack wait."""
        if not self.settled:
            await self._answer(b"+WPI")

    async def _settle(self, answer: bytes) -> None:
        if not self.settled:
            self.settled = True
            await self._answer(answer)

    async def _answer(self, answer: bytes) -> None:
        try:
            await self._message._client.publish(self._message.reply, answer)
        except _UNSETTLED:
            self.settled = False  # the server will deliver it again; ids make that harmless
