"""One message as a handler sees it: decoded, with where it stands and how to settle it."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, ConnectionReconnectingError

from tocsin_schemas import Envelope, Payload

__all__ = ["Delivery", "Position", "position"]

D = TypeVar("D", bound=Payload, covariant=True)

_UNSETTLED = (ConnectionClosedError, ConnectionReconnectingError)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a message stands: its stream's sequence, and how often it has been delivered."""

    stream: str
    sequence: int
    deliveries: int


def position(message: Msg) -> Position:
    """Read the position off the reply subject (`$JS.ACK.…`). Raises NotJSMessageError for a message of no stream."""
    metadata = message.metadata
    return Position(metadata.stream, metadata.sequence.stream, metadata.num_delivered or 1)


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
