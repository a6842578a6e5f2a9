"""How fast a place may be written to: a token bucket, as one moment (GCRA: the bucket is full again at `full_at`)."""

from dataclasses import dataclass

from tocsin_playbook.model.channels import Channel

__all__ = ["Rate", "rate_of", "take"]


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` messages at once, and one more each `interval` seconds."""

    burst: int
    interval: float


_OWN = {
    "slack": Rate(4, 1.0)
}  # about one a second and channel, short bursts are let through: docs.slack.dev/rate-limits
_OTHERS = Rate(60, 1.0)
_FURTHEST = 60.0
"""Seconds that a bucket may be overdrawn by."""


def rate_of(channel: Channel) -> Rate:
    """What the playbook says the channel bears, else what channels of its kind do."""
    limit = channel.rate_limit
    if limit is None:
        return _OWN.get(channel.kind, _OTHERS)
    return Rate(limit.messages, limit.per.total_seconds() / limit.messages)


def take(full_at: float, now: float, rate: Rate, *, patient: bool) -> tuple[float, float]:
    """Take one message's place: (seconds to wait for it, when the bucket is full again).

    Who is `patient` takes nothing while the bucket is empty, and comes again; who is not takes a place in any case.
    A `full_at` that cannot be (written by a clock that was wrong) counts as a bucket that has been emptied.
    """
    start = max(min(full_at, now + rate.burst * rate.interval + _FURTHEST), now)
    wait = max(0.0, start - (rate.burst - 1) * rate.interval - now)
    return (wait, start) if patient and wait > 0 else (wait, start + rate.interval)
