"""The chain of entries: numbered without a gap, each sealed with the one before; any change is found where it is."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorder_builders import INCIDENT, a_whole_incident, after, as_log, envelope, every_event, paged

from tocsin_recorder.core.timeline import GENESIS, Entry, Head, append, read, stored_id, verify
from tocsin_schemas import Envelope, Event


def chain(events: list[Envelope[Event]]) -> list[Entry]:
    entries: list[Entry] = []
    for event in events:
        entries.append(append(entries[-1].head if entries else Head(INCIDENT), event))
    return entries


WHOLE = chain(as_log(a_whole_incident()))


def test_entries_count_from_one_without_a_gap_and_each_names_its_place_in_the_log() -> None:
    assert [entry.seq for entry in WHOLE] == list(range(1, 27))
    assert [entry.stream_sequence for entry in WHOLE] == list(range(1, 27))


def test_a_chain_that_nobody_touched_holds() -> None:
    assert verify(INCIDENT, WHOLE) is None
    assert verify(INCIDENT, WHOLE, WHOLE[-1].head) is None
    assert verify(INCIDENT, [], Head(INCIDENT)) is None


def test_the_same_log_makes_the_same_chain_everywhere() -> None:
    assert chain(as_log(a_whole_incident())) == WHOLE
    assert len({entry.hash for entry in WHOLE}) == len(WHOLE)
    assert GENESIS not in {entry.hash for entry in WHOLE}


def test_a_seal_is_never_computed_otherwise() -> None:
    """Old databases hold it: an entry of the first version holds in every later one."""
    entry = Entry(
        incident="inc1",
        seq=1,
        stream_sequence=7,
        id="0b6f3c1e-8a53-5b6e-9c0e-2f6f3f4f5a6b",
        type="tocsin.NoteAdded.v1",
        service="escalator",
        at="2026-03-01T12:00:01.500000Z",
        cause="",
        data='{"text":"Zürich 北京","by":{"kind":"person","name":"ada"}}',
        hash="e4004a8dc0a5f49494aec041805fbf61d895c58fb235c7f202a4287e3a19ae64",
    )
    assert verify("inc1", [entry]) is None


@given(st.data())
def test_any_changed_character_is_found_at_its_entry(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(WHOLE) - 1))
    entry = WHOLE[position]
    name = data.draw(st.sampled_from(Entry.__slots__))
    changed = replace(entry, **{name: data.draw(another(getattr(entry, name)))})
    broken = verify(INCIDENT, [*WHOLE[:position], changed, *WHOLE[position + 1 :]])
    assert broken is not None
    assert (broken.seq, broken.id) == (changed.seq, changed.id)


def another(value: Any) -> st.SearchStrategy[Any]:
    """A value that differs: another number, or a text with one character changed, added or taken away."""
    if isinstance(value, int):
        return st.integers(-5, 100_000).filter(lambda number: number != value)
    places = st.integers(0, max(len(value) - 1, 0))
    character = st.characters(codec="utf-8")
    changed = st.builds(lambda at, new: value[:at] + new + value[at + 1 :], places, character)
    added = st.builds(lambda at, new: value[:at] + new + value[at:], places, character)
    taken = places.map(lambda at: value[:at] + value[at + 1 :])
    return st.one_of(changed, added, taken).filter(lambda text: text != value)


@given(st.integers(0, len(WHOLE) - 2))
def test_an_entry_that_was_taken_out_is_found(position: int) -> None:
    broken = verify(INCIDENT, WHOLE[:position] + WHOLE[position + 1 :])
    assert broken is not None
    assert broken.seq == position + 2
    assert f"where number {position + 1} should" in broken.reason


@given(st.integers(0, len(WHOLE) - 2))
def test_two_entries_that_were_swapped_are_found(position: int) -> None:
    swapped = [*WHOLE[:position], WHOLE[position + 1], WHOLE[position], *WHOLE[position + 2 :]]
    assert verify(INCIDENT, swapped) is not None


@given(st.integers(0, len(WHOLE) - 1))
def test_entries_missing_at_the_end_are_found_where_the_end_is_known(kept: int) -> None:
    broken = verify(INCIDENT, WHOLE[:kept], WHOLE[-1].head)
    assert broken is not None
    assert broken.seq == kept + 1
    assert "missing" in broken.reason


def test_entries_too_many_at_the_end_are_found_where_the_end_is_known() -> None:
    broken = verify(INCIDENT, WHOLE, WHOLE[-2].head)
    assert broken is not None
    assert broken.seq == 26


def test_a_chain_of_another_incident_does_not_hold_for_this_one() -> None:
    broken = verify("other", WHOLE)
    assert broken is not None
    assert broken.seq == 1


@pytest.mark.parametrize("event", every_event(), ids=lambda event: type(event).__name__)
def test_every_event_is_read_back_as_it_was_stated(event: Event) -> None:
    given = envelope(event, at=3.25, sequence=9)
    found = read(append(Head(INCIDENT), given))
    assert found is not None
    assert found.data == event
    assert (found.id, found.time, found.incident, found.cause, found.sequence) == (
        given.id, given.time, given.incident, given.cause, given.sequence,
    )  # fmt: skip


@pytest.mark.parametrize(
    "tampering",
    [
        {"data": "{"},
        {"data": '{"page": 1}'},
        {"data": "\ud800"},
        {"type": "tocsin.Nonsense.v1"},
        {"type": "tocsin.AlertFired.v1"},
        {"at": "yesterday"},
        {"id": ""},
    ],
)
def test_an_entry_that_cannot_be_read_is_none_and_no_error(tampering: dict[str, str]) -> None:
    assert read(replace(WHOLE[4], **tampering)) is None


@pytest.mark.parametrize("strange", ["", "a b", "\x00", "ä", "x" * 129, "\ud800", "\u202e", "a\nb"])
def test_an_id_that_a_database_may_not_take_is_kept_as_its_digest(strange: str) -> None:
    assert re.fullmatch(r"sha256-[0-9a-f]{64}", stored_id(strange))
    assert stored_id(strange) == stored_id(strange)


def test_our_own_ids_are_kept_as_they_are() -> None:
    name = envelope(paged()).id
    assert stored_id(name) == name


def test_the_moment_is_kept_to_the_microsecond() -> None:
    given = replace(envelope(paged()), time=after(0.000_001))
    assert append(Head(INCIDENT), given).at == "2026-03-01T12:00:00.000001Z"
