"""The timeline: one incident's events in their order, numbered without a gap, each sealed with the one before.

An entry holds the facts as they were stated. Its hash is SHA-256 over the hash before it and the entry's canonical
bytes, so no stored byte can change, no entry can go and none can come between without the chain saying where.
What is worded for people (`sentences`) is not part of it: a better wording must not break an old chain.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tocsin_schemas import INCIDENT_EVENTS, Envelope, EnvelopeError, Event, Payload, decode
from tocsin_schemas.moments import format_moment

__all__ = ["GENESIS", "Broken", "Entry", "Head", "Verifier", "append", "ends_at", "read", "stored_id", "verify"]

GENESIS = "0" * 64
"""The hash before the first entry."""

_PLAIN_ID = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Head:
    """Where an incident's chain ends."""

    incident: str
    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Entry:
    """One event on the timeline. `seq` counts this incident's entries from 1, `stream_sequence` is its place in
    the log.

    `at` and `data` are text exactly as stored (RFC 3339, JSON): the hash is over these very characters.
    """

    incident: str
    seq: int
    stream_sequence: int
    id: str
    type: str
    service: str
    at: str
    cause: str
    data: str
    hash: str

    @property
    def head(self) -> Head:
        """The chain with this entry at its end."""
        return Head(self.incident, self.seq, self.hash)


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry at which a chain does not hold, and what is wrong there."""

    seq: int
    id: str
    reason: str


# --- writing ---------------------------------------------------------------------------------------------------------


def append(head: Head, envelope: Envelope[Event]) -> Entry:
    """The entry that this event makes at the end of this chain. It must be the event's first time there."""
    facts = {
        "incident": head.incident,
        "seq": head.seq + 1,
        "stream_sequence": envelope.sequence,
        "id": stored_id(envelope.id),
        "type": envelope.type,
        "service": envelope.data.OWNER,
        "at": format_moment(envelope.time),
        "cause": stored_id(envelope.cause) if envelope.cause else "",
        "data": envelope.data.to_json().decode(),
    }
    return Entry(**facts, hash=_seal(head.hash, facts))  # type: ignore[arg-type]  # the types are those above


def stored_id(given: str) -> str:
    """An event's id as it is kept: itself, or its digest where it is none that we would make.

    Ours are UUIDs. A foreign one may hold anything, also what a database refuses (U+0000) or cannot index.
    """
    if _PLAIN_ID.fullmatch(given):
        return given
    return "sha256-" + hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()


def _seal(before: str, facts: dict[str, object]) -> str:
    """JSON with its names in order is canonical here: every value is a text or a whole number."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{canonical}".encode()).hexdigest()


# --- checking --------------------------------------------------------------------------------------------------------


class Verifier:
    """Checks a chain piece by piece, so that an incident of any length needs little memory."""

    def __init__(self, incident: str) -> None:
        self.head = Head(incident)

    def check(self, entries: Iterable[Entry]) -> Broken | None:
        """The first of these at which the chain does not hold; none if it holds so far."""
        for entry in entries:
            if reason := _fault(self.head, entry):
                return Broken(entry.seq, entry.id, reason)
            self.head = entry.head
        return None


def verify(incident: str, entries: Iterable[Entry], end: Head | None = None) -> Broken | None:
    """The first entry at which this chain does not hold. `end` is where it is known to end."""
    verifier = Verifier(incident)
    broken = verifier.check(entries)
    return broken or (ends_at(verifier.head, end) if end else None)


def ends_at(found: Head, known: Head) -> Broken | None:
    """Entries that are missing at the end, or too many, leave the chain whole: only its known end tells."""
    if found == known:
        return None
    if found.seq < known.seq:
        return Broken(found.seq + 1, "", f"missing: the incident has {known.seq} entries and {found.seq} were found")
    return Broken(found.seq, "", f"the chain should end at {known.seq} with {known.hash[:12]}…, and does not")


def _fault(head: Head, entry: Entry) -> str | None:
    if entry.incident != head.incident:
        return f"belongs to incident {entry.incident!r}"
    if entry.seq != head.seq + 1:
        return f"stands where number {head.seq + 1} should"
    facts = {name: getattr(entry, name) for name in Entry.__slots__ if name != "hash"}
    if _seal(head.hash, facts) != entry.hash:
        return "does not match its hash: it, its hash or an entry before it was changed"
    return None


# --- reading ---------------------------------------------------------------------------------------------------------


def read(entry: Entry) -> Envelope[Event] | None:
    """The event in an entry, in today's shape; none where the stored text cannot be read (it was tampered with)."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": _escaped(entry.id),
        "ce-type": entry.type,
        "ce-source": f"tocsin/{entry.service}",
        "ce-time": entry.at,
        "ce-subject": entry.incident,
        "ce-causationid": _escaped(entry.cause),
    }
    try:
        found: Envelope[Payload] = decode(headers, entry.data.encode(), sequence=entry.stream_sequence, trusted=True)
    except (EnvelopeError, UnicodeEncodeError):
        return None
    return found if isinstance(found.data, INCIDENT_EVENTS) else None  # type: ignore[return-value]  # narrowed here


def _escaped(value: str) -> str:
    return value.replace("%", "%25")
