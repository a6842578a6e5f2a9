"""What is known about an attempt after its answer, or after the answer that never came.

Three things can be known: it was carried out, it was certainly not, or nobody can say. The third must never be
taken for the second: a mitigation that is repeated on a guess is run twice.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tocsin_playbook.model import Expect, HttpAction, OutcomeProbe, Step
from tocsin_remediator.core.expectation import mismatch

__all__ = [
    "SETTLE_AT_MOST",
    "Answered",
    "Found",
    "Lost",
    "NotSent",
    "Reply",
    "Verdict",
    "judge",
    "judge_probe",
    "outcome_span",
    "sends_allowed",
    "settle_time",
]

_REFUSED_EARLY = {425, 429}
"""The request was not processed: Too Early (RFC 8470 §5.2), Too Many Requests (RFC 6585 §4)."""
_CANNOT_TELL = {408, 409}
"""Request Timeout; Conflict, which is also what a target says of a key that it is working on."""
_NOT_FOUND = {404, 410}

GRACE = timedelta(seconds=2)
"""What machines may differ in, and what recording an outcome may take."""
SETTLE_AT_MOST = timedelta(seconds=10)
PROBE_TIMEOUT = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request left us: no connection, no such host, no valid certificate, no secret."""

    reason: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer came. `whole`: its body was read to the end."""

    status: int
    body: bytes = b""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Lost:
    """The request left, at least in part, and no answer came."""

    reason: str


Reply = NotSent | Answered | Lost


class Found(StrEnum):
    CARRIED_OUT = "carried_out"
    NOT_CARRIED_OUT = "not_carried_out"
    CANNOT_SAY = "cannot_say"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known, and the words for it."""

    found: Found
    reason: str


def judge(action: HttpAction, reply: Reply, *, sent_before: bool = False) -> Verdict:
    """What a reply to the action says. `sent_before`: the same execution was sent before without an answer, so
    that only a success says anything: whatever refuses the repetition says nothing about the first time.
    """
    verdict = _judge_first(action.expect, reply)
    if sent_before and verdict.found is Found.NOT_CARRIED_OUT:
        return Verdict(Found.CANNOT_SAY, f"sent before without an answer; then {verdict.reason}")
    return verdict


def _judge_first(expect: Expect, reply: Reply) -> Verdict:
    match reply:
        case NotSent(reason):
            return Verdict(Found.NOT_CARRIED_OUT, reason)
        case Lost(reason):
            return Verdict(Found.CANNOT_SAY, reason)
        case Answered(status):
            wrong = mismatch(expect, status, reply.body, whole=reply.whole)
            if wrong is None:
                return Verdict(Found.CARRIED_OUT, f"status {status}")
            if status in _REFUSED_EARLY or (400 <= status < 500 and status not in _CANNOT_TELL):
                return Verdict(Found.NOT_CARRIED_OUT, f"the target refused it: {wrong}")
            return Verdict(Found.CANNOT_SAY, wrong)


def judge_probe(probe: OutcomeProbe, reply: Reply) -> Verdict:
    """What the target says about an execution. Only that it knows nothing of it proves that it was not carried out."""
    match reply:
        case Answered(status):
            wrong = mismatch(probe.expect, status, reply.body, whole=reply.whole)
            if wrong is None:
                return Verdict(Found.CARRIED_OUT, "the target says that it was carried out")
            if status in _NOT_FOUND:
                return Verdict(Found.NOT_CARRIED_OUT, f"the target knows nothing of it (status {status})")
            return Verdict(Found.CANNOT_SAY, f"asked the target, but {wrong}")
        case NotSent(reason) | Lost(reason):
            return Verdict(Found.CANNOT_SAY, f"asked the target, but {reason}")


# --- how long it may take --------------------------------------------------------------------------------------------


def sends_allowed(step: Step) -> int:
    """How often one execution may be sent: more than once only where the target honours its key."""
    return step.retry.attempts if step.http is not None and step.http.idempotency == "key" else 1


def settle_time(step: Step) -> timedelta:
    """How long after a lost answer the target may still be at it, so that its not knowing of it proves nothing."""
    return min(step.timeout, SETTLE_AT_MOST)


def outcome_span(step: Step, valid: timedelta) -> timedelta:
    """By when after its claim an outcome is in the log, if the claimant lives. `valid`: until when it may start."""
    sends = sends_allowed(step)
    pauses = sum((step.retry.pause_before(number) for number in range(1, sends + 1)), timedelta())
    asks = settle_time(step) + PROBE_TIMEOUT if step.http is not None and step.http.probe is not None else timedelta()
    return valid + sends * (step.timeout + asks) + pauses + GRACE
