"""Alerts that fire for longer than the stream keeps what was said of them: told again in time, once, and unchanged."""

import asyncio
from datetime import timedelta

from detector_world import SHOP, START, Stream, at, fired

from tocsin_detector.core.kept import AGAIN_AFTER, decide_kept
from tocsin_detector.core.known import EMPTY, Word
from tocsin_detector.handlers import Leases
from tocsin_schemas import Labels
from tocsin_schemas.events import AlertFired

DOWN = Labels(alertname="Down")
LATER = AGAIN_AFTER.total_seconds()


def test_the_last_word_is_said_again_with_the_longest_lease() -> None:
    long, short = fired(DOWN, expires_at=at(LATER * 5)), fired(DOWN, expires_at=at(LATER * 2), summary="worse")
    known = EMPTY.with_words([Word(long, START), Word(short, START)])
    assert decide_kept(known, at(LATER - 1)) == ()
    assert decide_kept(known, at(LATER)) == (short.model_copy(update={"expires_at": long.expires_at}),)


def test_what_has_ended_and_what_a_rule_of_ours_says_is_left_to_be() -> None:
    ours = fired(Labels(alertname="Ours"), playbook=SHOP)
    assert decide_kept(EMPTY.with_words([Word(ours, START)]), at(LATER)) == ()


async def test_a_restart_after_a_week_still_knows_an_alert_that_fires_for_a_month() -> None:
    stream = Stream()
    book = stream.book()
    grace = timedelta(seconds=15)
    leases = Leases(book, stream.clock, grace=grace, patience=timedelta())
    await book.tell(book.wrap([fired(DOWN, expires_at=at(30 * 86_400))], book.known))
    for _ in range(7):
        stream.clock.move(86_400)
        await asyncio.gather(leases.end(), leases.end())
    assert stream.story == ["fired None"] * 3
    week = timedelta(days=7)
    stream.log = [envelope for envelope in stream.log if stream.clock.now() - envelope.time < week]
    after = stream.book()
    await after.on_events(stream.log)
    (known,) = after.known.firing()
    assert isinstance(known.last, AlertFired)
    assert (known.episode, known.starts_at, known.expires_at) == ("e1", START, at(30 * 86_400))
    stream.clock.move(30 * 86_400)
    await Leases(after, stream.clock, grace=grace, patience=timedelta()).end()
    assert stream.story[-1] == "expired"
