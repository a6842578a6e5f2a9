"""Text that enters is bounded and moves no cursor; what must be kept all the same is made harmless."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tocsin_schemas.text import MAX_LINE, MAX_NAME, MAX_TEXT, Id, Line, Name, Text, Token, clean_line, clean_text

NAME, LINE, TEXT, TOKEN = (TypeAdapter[str](kind) for kind in (Name, Line, Text, Token))
ID: TypeAdapter[str] = TypeAdapter(Id)

C0_C1 = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
BIDI = [*"\u061c\u200e\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]
INVISIBLE = [*"\u200b\u2028\u2029\ufeff"]
ANYTHING = st.text(st.characters())  # lone surrogates too


@pytest.mark.parametrize("bad", [*C0_C1, *BIDI, *INVISIBLE], ids=lambda c: f"U+{ord(c):04X}")
def test_a_character_that_moves_the_cursor_or_turns_the_text_is_refused_with_its_place(bad: str) -> None:
    for kind in (NAME, LINE, ID, *([] if bad in "\t\n" else [TEXT])):
        with pytest.raises(ValidationError, match=rf"U\+{ord(bad):04X} at position 2"):
            kind.validate_python(f"ab{bad}c")


def test_the_list_of_direction_characters_is_unicodes_own() -> None:
    """Bidi_Control of Unicode: every character whose only work is to set a direction."""
    controls = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
    marks = {"\u061c", "\u200e", "\u200f"}  # they are of an ordinary direction themselves
    assert set(BIDI) == marks | {c for c in map(chr, range(0x110000)) if unicodedata.bidirectional(c) in controls}


@pytest.mark.parametrize(
    "good",
    ["Zürich", "Оплата", "שלום", "👩‍🚒 on it", "e" + "\u0301" * 50, "a\u00a0b", "<script>", "{{7*7}}"],
)
def test_what_people_write_is_taken_as_it_is(good: str) -> None:
    for kind in (NAME, LINE, TEXT):
        assert kind.validate_python(good) == good


def test_only_a_text_may_have_several_lines() -> None:
    assert TEXT.validate_python("a\n\tb") == "a\n\tb"
    with pytest.raises(ValidationError):
        LINE.validate_python("a\nb")


@pytest.mark.parametrize(
    ("kind", "shortest", "longest"), [(NAME, 1, MAX_NAME), (LINE, 0, MAX_LINE), (TEXT, 0, MAX_TEXT), (ID, 1, 64)]
)
def test_lengths_are_bounded(kind: TypeAdapter[str], shortest: int, longest: int) -> None:
    for size in (shortest, longest):
        kind.validate_python("a" * size)
    for size in (shortest - 1, longest + 1):
        if size >= 0:
            with pytest.raises(ValidationError):
                kind.validate_python("a" * size)


@pytest.mark.parametrize("lone", ["\ud800", "a\udfff"])
def test_half_a_character_is_refused(lone: str) -> None:
    for kind in (NAME, LINE, TEXT, TOKEN):
        with pytest.raises(ValidationError):
            kind.validate_python(lone)


@pytest.mark.parametrize("bad", ["", "A", "a.b", "a*", ">", "a b", "a\n", "-a", "ä", "a" * 65, "٣"])
def test_a_token_is_made_by_us(bad: str) -> None:
    TOKEN.validate_python("a0-_z")
    with pytest.raises(ValidationError):
        TOKEN.validate_python(bad)


@given(ANYTHING, st.integers(1, 60))
def test_whatever_is_cleaned_can_be_put_into_an_event(foreign: str, limit: int) -> None:
    line, text = clean_line(foreign, limit), clean_text(foreign, limit)
    assert LINE.validate_python(line) == line
    assert TEXT.validate_python(text) == text
    assert max(len(line), len(text)) <= limit


@given(ANYTHING)
def test_cleaning_twice_changes_nothing_more(foreign: str) -> None:
    assert clean_line(clean_line(foreign)) == clean_line(foreign)
    assert clean_text(clean_text(foreign)) == clean_text(foreign)


def test_cleaning_shows_what_was_there_and_that_something_is_missing() -> None:
    assert clean_line("\x1b[2Jgone\r\nover") == "\ufffd[2Jgone\ufffd\ufffdover"
    assert clean_text("one\r\ntwo\x00") == "one\ntwo\ufffd"
    assert clean_line("abcdef", 4) == "abc…"
