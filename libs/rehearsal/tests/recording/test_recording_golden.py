"""Golden logs: what was written yesterday is read by today's code, and always will be."""

from pathlib import Path

import pytest

from tocsin_rehearsal.recording import inputs_of, read, read_meta
from tocsin_rehearsal.recording.format import encode_line, encode_meta
from tocsin_schemas import Event
from tocsin_schemas.subjects import parse_incident_subject

FOLDER = Path(__file__).parents[4] / "tests" / "golden"
GOLDEN = sorted([*FOLDER.glob("*.jsonl"), *FOLDER.glob("*.jsonl.gz")])
EACH = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)


def test_there_are_golden_logs() -> None:
    assert {"storefront-escalated.jsonl", "storefront-mitigated.jsonl"} <= {path.name for path in GOLDEN}


@EACH
def test_every_message_of_a_golden_log_can_be_read(path: Path) -> None:
    messages = list(read(path))
    assert messages
    for message in messages:
        envelope = message.decode()
        if message.stream == "INCIDENTS":
            assert isinstance(envelope.data, Event)
            where = parse_incident_subject(message.subject)
            assert (where.incident, where.service) == (envelope.incident, envelope.data.OWNER)


@EACH
def test_a_golden_log_would_be_written_in_the_same_bytes(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    assert encode_meta(read_meta(path)) == lines[0]
    assert [encode_line(message) for message in read(path)] == lines[1:]


@EACH
def test_a_golden_log_can_be_replayed(path: Path) -> None:
    inputs = inputs_of(read(path))
    assert inputs.playbooks
    assert inputs.alerts
    assert inputs.left_out == ()
