"""Facts for tests of the runtime."""

from datetime import UTC, datetime

from tocsin_runtime import Address, Connection
from tocsin_schemas import Actor, Envelope, caused_by
from tocsin_schemas.events import NoteAdded
from tocsin_testkit.nats import NatsServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Actor.person("ada", "cli")


def note(cause: str, text: str = "noted", position: int = 0, incident: str = "inc1") -> Envelope[NoteAdded]:
    """A note of the escalator about an incident."""
    return caused_by(cause, position, "escalator", incident, NOW, NoteAdded(text=text, by=ADA))


async def connected(server: NatsServer, name: str = "test") -> Connection:
    connection = Connection(Address(server.url), name)
    await connection.open()
    return connection
