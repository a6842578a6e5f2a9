"""The fold of what was said of alerts: late, repeated and unknown words, episodes, forgetting."""

from datetime import timedelta

import pytest
from detector_world import REMEMBER, SHOP, START, Stream, at, fired, resolved
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin_detector.core.known import EMPTY, AlertEvent, KnownAlerts, Word, after_word
from tocsin_schemas import Labels
from tocsin_schemas.events import IncidentClosed
from tocsin_schemas.ids import fingerprint

A = Labels(alertname="A")
MARK = fingerprint(A)


def known(*events: AlertEvent) -> KnownAlerts:
    return EMPTY.with_words(Word(event, at(second)) for second, event in enumerate(events))


def test_what_fired_is_firing_until_it_is_resolved() -> None:
    assert [alert.episode for alert in known(fired(A)).firing()] == ["e1"]
    assert not list(known(fired(A), resolved(A)).firing())


def test_a_word_about_an_episode_that_is_over_changes_nothing() -> None:
    over = known(fired(A), resolved(A))
    assert over.with_words([Word(fired(A), at(9))]) == over
    next_one = known(fired(A), resolved(A), fired(A, "e2"))
    assert next_one.with_words([Word(resolved(A), at(9)), Word(fired(A), at(9))]) == next_one


def test_a_resolution_that_comes_before_its_firing_is_remembered() -> None:
    early = known(resolved(A), fired(A))
    assert not list(early.firing())


def test_a_renewal_never_shortens_the_lease() -> None:
    alert = known(fired(A, expires_at=at(100)), fired(A, expires_at=at(50))).get(MARK)
    assert alert is not None
    assert alert.expires_at == at(100)
    assert alert.words == 2


def test_other_events_are_passed_over() -> None:
    assert EMPTY.with_words([Word(IncidentClosed(), START)]) == EMPTY
    with pytest.raises(TypeError, match="IncidentClosed is not said of an alert"):
        after_word(None, Word(IncidentClosed(), START))


def test_what_a_rule_has_firing_is_found_by_playbook_and_rule() -> None:
    ours, theirs = fired(A, playbook=SHOP), fired(Labels(alertname="A", s="x"))
    assert [alert.labels for alert in known(ours, theirs).firing_of("shop", "A")] == [A]


def test_only_alerts_that_ended_long_ago_are_forgotten() -> None:
    still = fired(Labels(alertname="still"), "s1")
    state = known(fired(A), resolved(A), still)
    late = START + REMEMBER
    assert len(state.without_forgotten(late).alerts) == 2
    assert list(state.without_forgotten(late + timedelta(seconds=2)).alerts) == [fingerprint(still.labels)]


def test_who_has_forgotten_names_the_next_episode_as_who_has_not() -> None:
    state = known(fired(A), resolved(A))
    now = START + REMEMBER + timedelta(seconds=2)
    assert state.next_episode(MARK, now) == state.without_forgotten(now).next_episode(MARK, now)


def test_an_end_in_the_distant_past_does_not_count_as_long_ago() -> None:
    """The sender's clock says when it ended, ours when we heard of it."""
    state = known(fired(A), resolved(A, ends_at=START - timedelta(days=400)))
    assert state.next_episode(MARK, at(2)) == known(fired(A), resolved(A)).next_episode(MARK, at(2))


async def test_the_book_takes_what_it_is_shown_twice_once() -> None:
    stream = Stream()
    book, other = stream.book(), stream.book()
    await book.tell(book.wrap([fired(A)], book.known))
    await stream.show(other)
    await stream.show(other)
    alert = other.known.get(MARK)
    assert alert is not None
    assert alert.words == 1


async def test_the_book_knows_its_own_word_before_the_stream_shows_it_and_holds_it_for_its_own_after() -> None:
    stream = Stream()
    book, other = stream.book(), stream.book()
    await book.tell(book.wrap([fired(A)], book.known))
    for after in (False, True):
        if after:
            await stream.show(book)
            await stream.show(other)
        alert = book.known.get(MARK)
        assert alert is not None
        assert alert.heard_at is None
    heard = other.known.get(MARK)
    assert heard is not None
    assert heard.heard_at == START


async def test_the_same_word_told_by_two_replicas_is_in_the_stream_once() -> None:
    stream = Stream()
    one, other = stream.book(), stream.book()
    for book in (one, other):
        await book.tell(book.wrap([fired(A, severity="P2"), fired(A, severity="P1"), resolved(A)], book.known))
    assert stream.story == ["fired P2", "fired P1", "resolved"]


async def test_a_severity_that_returns_within_an_episode_is_told_again() -> None:
    """Its first telling must not be taken for the same message."""
    stream = Stream()
    book = stream.book()
    for severity in ("P1", "P2", "P1"):
        await book.tell(book.wrap([fired(A, severity=severity)], book.known))
    assert stream.story == ["fired P1", "fired P2", "fired P1"]


WORDS = st.lists(
    st.tuples(st.sampled_from(["e1", "e2", "e3"]), st.booleans(), st.integers(0, 50)).map(
        lambda drawn: fired(A, drawn[0], expires_at=at(drawn[2])) if drawn[1] else resolved(A, drawn[0])
    ),
    max_size=12,
)


@given(WORDS, st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_folding_at_once_is_folding_in_parts(words: list[AlertEvent], cut: int) -> None:
    said = [Word(event, at(second)) for second, event in enumerate(words)]
    assert EMPTY.with_words(said) == EMPTY.with_words(said[:cut]).with_words(said[cut:])


@given(WORDS)
@settings(max_examples=100, deadline=None)
def test_an_episode_that_was_resolved_never_fires_again(words: list[AlertEvent]) -> None:
    state = EMPTY
    over: set[str] = set()
    for second, event in enumerate(words):
        state = state.with_words([Word(event, at(second))])
        alert = state.get(MARK)
        assert alert is not None
        if not alert.firing:
            over.add(alert.episode)
        assert not (alert.firing and alert.episode in over)
