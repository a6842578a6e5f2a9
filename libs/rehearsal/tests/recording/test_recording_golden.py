"""Golden logs: what was written yesterday is read by today's code and decided as it was, always."""

import gzip
from pathlib import Path

import pytest
from golden_decisions import GOLDEN, accept, accepted, accepted_file, complaint, differences_today

from tocsin_rehearsal.recording import inputs_of, read, read_meta
from tocsin_rehearsal.recording.format import encode_line, encode_meta
from tocsin_schemas import Event
from tocsin_schemas.subjects import parse_incident_subject

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
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()
    assert encode_meta(read_meta(path)) == lines[0]
    assert [encode_line(message) for message in read(path)] == lines[1:]


@EACH
def test_a_golden_log_can_be_replayed(path: Path) -> None:
    inputs = inputs_of(read(path))
    assert inputs.playbooks
    assert inputs.alerts
    assert inputs.left_out == ()


# --- decisions --------------------------------------------------------------------------------------------------------


@EACH
def test_a_golden_log_is_decided_as_it_was_or_the_change_says_so(path: Path) -> None:
    if problem := complaint(path, differences_today(path), accepted(path)):
        pytest.fail(problem, pytrace=False)


def test_a_change_that_does_not_say_so_is_told_event_by_event_and_how_to_say_so() -> None:
    said = complaint(Path("night.jsonl"), ["one", "two"], ["one"])
    assert said.splitlines() == [
        "night.jsonl: today's code does not decide as it did when this was recorded.",
        "  two",
        "",
        "Not meant? Then it is a regression; `tocsin replay tests/golden/night.jsonl` shows it.",
        "Meant? Then say so: `.venv/bin/python libs/rehearsal/tests/recording/golden_decisions.py` writes "
        "tests/golden/night.differences;",
        "commit it with the change, and tell what decides otherwise in CHANGELOG.md.",
    ]


def test_a_difference_that_is_gone_is_told_as_well() -> None:
    assert "  one\n" in complaint(Path("night.jsonl"), [], ["one"])
    assert "in another order" in complaint(Path("night.jsonl"), ["one", "two"], ["two", "one"])
    assert complaint(Path("night.jsonl"), ["one"], ["one"]) == ""


def test_a_changed_decision_is_found_by_both_ways_of_deciding_and_can_be_accepted(tmp_path: Path) -> None:
    text = next(path for path in GOLDEN if "escalated" in path.name).read_text()
    night = tmp_path / "night.jsonl"
    night.write_text(text.replace('"severity":"P0"', '"severity":"P1"'))
    today = differences_today(night)
    assert any(line.startswith("all services: ") for line in today)
    assert any(line.startswith("escalator's core: ") for line in today)
    accept(night, today)
    assert complaint(night, today, accepted(night)) == ""
    accept(night, [])
    assert not accepted_file(night).exists()
    assert accepted(night) == []
