"""What every channel's sender is given, and how it says that it failed."""

from dataclasses import dataclass
from typing import Protocol

from tocsin_notifier.core.attempts import Failure
from tocsin_notifier.core.message import Message
from tocsin_playbook.model.channels import Channel
from tocsin_schemas.text import clean_line

__all__ = ["Letter", "SendError", "Sender", "permanent", "temporary"]

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way through one channel."""

    message: Message
    channel: Channel
    address: str
    thread: str | None = None
    """The incident's first message at this address, in the channel's own name for it."""


class SendError(Exception):
    """The channel did not take the letter, or did not say that it did."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Sender(Protocol):
    """One kind of channel."""

    async def send(self, letter: Letter) -> str:
        """Hand it over; the answer is the channel's own name for the message. Raises SendError."""
        ...


def permanent(reason: str) -> SendError:
    """The channel will say the same next time."""
    return SendError(Failure(clean_line(reason, _LONGEST), is_permanent=True))


def temporary(reason: str, *, retry_after: float | None = None, may_have_arrived: bool = False) -> SendError:
    """It may go better the next time."""
    return SendError(Failure(clean_line(reason, _LONGEST), retry_after=retry_after, may_have_arrived=may_have_arrived))
