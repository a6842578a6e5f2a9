"""The tables of the timeline. Types that SQLite and PostgreSQL both have; moments are RFC 3339 text, which sorts."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text

__all__ = [
    "SCHEMA_VERSION",
    "breaks",
    "dead_letters",
    "entries",
    "incidents",
    "metadata",
    "positions",
    "schema_version",
]

SCHEMA_VERSION = 1

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

positions = Table(
    "positions",
    metadata,
    Column("stream", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False),  # the last message of the stream that is stored here
    Column("message_id", String(128), nullable=False),  # and its id: tells whether the stream is still the same
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("first_sequence", BigInteger, nullable=False),  # of its first entry: the order of the list
    Column("entries", Integer, nullable=False),
    Column("head_hash", String(64), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("severity", String(128), nullable=False),
    Column("fold_version", Integer, nullable=False),
    Column("summary", Text, nullable=False),  # JSON of core.summary.Summary; made anew when the fold has changed
    Index("incidents_by_age", "first_sequence", "id"),
)

entries = Table(
    "entries",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("stream_sequence", BigInteger, nullable=False),
    Column("id", String(128), nullable=False, unique=True),
    Column("type", String(128), nullable=False),
    Column("service", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("cause", String(128), nullable=False),
    Column("data", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("at", String(32), nullable=False),
    Column("service", String(128), nullable=False),
    Column("stream", String(128), nullable=False),
    Column("stream_sequence", BigInteger, nullable=False),
    Column("subject", String(1024), nullable=False),
    Column("incident", String(64), nullable=False),  # empty where it is about none
    Column("reason", Text, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("payload", Text, nullable=False),  # its beginning, as text; whole it is in the stream
    Index("dead_letters_by_age", "at", "id"),
    Index("dead_letters_by_incident", "incident"),
)

breaks = Table(
    "log_breaks",
    metadata,
    Column("at", String(32), primary_key=True),
    Column("stream", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),  # how far the timeline was
    Column("found", Text, nullable=False),  # what the log has there instead
)
