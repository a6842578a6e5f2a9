"""Whether an action helped: enough good looks in a row, within the time that the playbook gives."""

from dataclasses import dataclass, replace
from datetime import timedelta

from tocsin_playbook.model import Verify

__all__ = ["Watch", "is_settled", "looked", "looks_needed"]

LOOKS = 2
"""One good answer may be luck."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What has been seen so far. Moments are times since the watching began, so that no clock's step matters."""

    in_a_row: int = 0
    since: timedelta = timedelta()
    at: timedelta = timedelta()
    last_problem: str = "never looked"


def looked(watch: Watch, problem: str | None, at: timedelta) -> Watch:
    """After a look at `at`: good if there was no problem."""
    if problem is not None:
        return Watch(at=at, last_problem=problem)
    if watch.in_a_row == 0:
        return replace(watch, in_a_row=1, since=at, at=at)
    return replace(watch, in_a_row=watch.in_a_row + 1, at=at)


def looks_needed(verify: Verify) -> int:
    """Good answers in a row: two, or one where there is no time for a second."""
    return LOOKS if verify.every <= verify.within else 1


def is_settled(watch: Watch, verify: Verify, within: timedelta) -> bool | None:
    """True: it helped. False: it did not in time. None: look again.

    `within` is the time that is left of the playbook's. When it is over, a row of good looks that has begun may
    be completed, so that a restart just then does not turn a mitigation that works into one that failed.
    """
    if watch.in_a_row >= looks_needed(verify) and watch.at - watch.since >= verify.lasting:
        return True
    if watch.in_a_row == 0 and watch.at >= within:
        return False
    return False if watch.at >= within + max(verify.lasting, verify.every * LOOKS) else None
