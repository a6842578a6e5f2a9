"""Ids are derived from causes, never random.

The same input handled twice, by two replicas or after a crash, yields the same ids, and the log takes each id
once. UUIDv5 (RFC 9562 section 5.5) over a namespace of ours.
"""

import base64
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

from tocsin_schemas.labels import Labels

__all__ = [
    "alert_episode",
    "derive_id",
    "event_id",
    "fingerprint",
    "group_key_digest",
    "incident_id",
    "span_id",
    "trace_id",
]

_NAMESPACE = UUID("5a3f7a52-3c1c-5d6e-9a53-70c51b0a7e11")
_NAMESPACE_BYTES = _NAMESPACE.bytes
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_NO_SPAN = "0" * 16  # the standard forbids it
_SEPARATOR = "\x1f"  # cannot stand in any part: text of ours is free of control characters


def derive_id(*parts: str | int) -> str:
    """A UUIDv5 of these parts. Parts are separated, so ("a", "b1") and ("ab", "1") differ."""
    return _derived(_SEPARATOR.join(map(str, parts)))


@lru_cache(maxsize=8192)
def _derived(name: str) -> str:
    """Whoever sees a message derives the same ids from it: other replicas, audits, and who repeats what got lost."""
    # What uuid.uuid5 does, without building a UUID object: ids are the largest single cost of a decision.
    text = hashlib.sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def event_id(cause_id: str, scope: str, event_type: str, position: int) -> str:
    """The id of the event that `cause_id` brought about.

    `scope` is the incident (or "" outside of one), `position` counts the events of one decision from 0.
    """
    return derive_id("event", cause_id, scope, event_type, position)


@lru_cache(maxsize=4096)
def incident_id(group_key: str, episode: int) -> str:
    """The id of the `episode`-th incident (from 0) of a group: twelve characters of lower-case base32.

    All replicas name the next incident of a group alike; the log's sequence check lets one of them open it.
    """
    digest = hashlib.sha256(f"incident{_SEPARATOR}{group_key}{_SEPARATOR}{episode}".encode()).digest()
    return base64.b32encode(digest[:8]).decode()[:12].lower()


def group_key_digest(pairs: Iterable[tuple[str, str]], scope: str) -> str:
    """A short stable name of a group: which playbook (`scope`) and which label values."""
    text = _SEPARATOR.join([scope, *(f"{name}{_SEPARATOR}{value}" for name, value in pairs)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=4096)
def fingerprint(labels: Labels) -> str:
    """The alert's fingerprint as Prometheus and Alertmanager compute it.

    FNV-1a, 64 bits, over each name and value in name order, each followed by the byte 0xFF
    (prometheus/common model.LabelSet.Fingerprint): links of Grafana and karma match ours. 16 hex digits.
    """
    digest = 0xCBF29CE484222325
    for name, value in labels.items():
        for byte in b"%b\xff%b\xff" % (name.encode(), value.encode()):
            digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def alert_episode(alert_fingerprint: str, started: str) -> str:
    """One firing of one alert, from `started` (a moment as text, or an ordinal) until it resolves."""
    return derive_id("episode", alert_fingerprint, started)


@lru_cache(maxsize=4096)
def trace_id(incident: str) -> str:
    """The W3C trace id (32 hex digits) of an incident: the incident is the trace."""
    return derive_id("trace", incident).replace("-", "")


def span_id(event: str) -> str:
    """The W3C span id (16 hex digits) of an event."""
    first = UUID(event).hex[:16]
    return first if first != _NO_SPAN else "0000000000000001"
