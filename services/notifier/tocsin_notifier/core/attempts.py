"""How often one channel is tried for one message, and how long is waited in between."""

from dataclasses import dataclass

__all__ = ["Failure", "GiveUp", "Patience", "Retry", "after_failure"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt did not succeed."""

    reason: str
    is_permanent: bool = False
    """The channel will say the same next time."""
    retry_after: float | None = None
    """Seconds that the channel asks us to wait."""
    may_have_arrived: bool = False
    """The message was sent and the answer was lost."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What one channel is given, in seconds."""

    channel: float = 10.0
    """For all attempts together."""
    attempt: float = 4.0
    first_pause: float = 0.2
    unanswered: int = 2
    """How often a message is sent that may have arrived: one more than needed at most."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try this channel again after a pause of so many seconds."""

    pause: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """This channel does not take it now. `in_seconds`: when it asked to be tried again, if it did."""

    in_seconds: float | None = None


def after_failure(
    failure: Failure, attempts: int, unanswered: int, elapsed: float, patience: Patience
) -> Retry | GiveUp:
    """What follows from the `attempts`-th attempt's failure, `unanswered` of which may have arrived."""
    if failure.is_permanent or unanswered >= patience.unanswered:
        return GiveUp()
    pause = patience.first_pause * 2 ** (attempts - 1)
    if failure.retry_after is not None:
        pause = max(failure.retry_after, patience.first_pause)
    if elapsed + pause >= patience.channel:
        return GiveUp(failure.retry_after)
    return Retry(pause)
