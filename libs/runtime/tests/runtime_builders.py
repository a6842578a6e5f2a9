"""Facts for tests of the runtime."""

from datetime import UTC, datetime

from tocsin_schemas import Actor, Envelope, caused_by
from tocsin_schemas.events import NoteAdded

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Actor.person("ada", "cli")


def note(cause: str, text: str = "noted", position: int = 0, incident: str = "inc1") -> Envelope[NoteAdded]:
    """A note of the escalator about an incident."""
    return caused_by(cause, position, "escalator", incident, NOW, NoteAdded(text=text, by=ADA))
