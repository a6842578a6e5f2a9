"""Messages made new: other moments, other names, the same content."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from recording_builders import ADA, NOW, SECOND, Message, asked, fired, published, recorded

from tocsin_rehearsal.recording import Input, inputs_of
from tocsin_rehearsal.recording.renew import Renewal
from tocsin_schemas import encode
from tocsin_schemas.commands import Silence
from tocsin_schemas.envelope import decode
from tocsin_schemas.events import AlertFired
from tocsin_schemas.moments import LATEST


def one(message: Message) -> Input:
    (found,) = [*(inputs := inputs_of(recorded(message))).messages, *inputs.playbooks]
    return found


def alert_of(message: Message, run: str | None, after: timedelta = timedelta()) -> AlertFired:
    data = Renewal(run).moved(one(message), NOW + after).data
    assert isinstance(data, AlertFired)
    return data


@given(st.timedeltas(min_value=timedelta(days=-365), max_value=timedelta(days=3650)))
def test_every_moment_moves_by_the_same_offset(offset: timedelta) -> None:
    before, moved = one(fired()).envelope, Renewal("run").moved(one(fired()), NOW + offset)
    assert moved.time == before.time + offset
    assert isinstance(before.data, AlertFired)
    assert isinstance(moved.data, AlertFired)
    assert moved.data.starts_at == before.data.starts_at + offset
    assert moved.data.expires_at == (before.data.expires_at or NOW) + offset


def test_moments_of_commands_move_too_and_stay_within_what_can_be_said() -> None:
    silence = Silence(match=('service="a"',), until=LATEST - SECOND, because="b", by=ADA)
    moved = Renewal(None).moved(one(asked(silence)), NOW + 60 * SECOND)
    assert isinstance(moved.data, Silence)
    assert moved.data.until == LATEST


def test_new_names_follow_from_the_old_ones_and_the_replay() -> None:
    first, again = (Renewal("one").moved(one(fired()), NOW) for _ in range(2))
    other = Renewal("two").moved(one(fired()), NOW)
    assert first == again
    assert len({first.id, other.id, fired()[1].id}) == 3
    assert alert_of(fired(), "one").episode != alert_of(fired(), "two").episode
    assert alert_of(fired(), "one").fingerprint == alert_of(fired(), None).fingerprint


def test_names_are_kept_when_asked_for() -> None:
    kept = Renewal(None).moved(one(fired()), NOW + SECOND)
    assert kept.id == fired()[1].id
    assert kept.traceparent == fired()[1].traceparent
    data = fired()[1].data
    assert isinstance(data, AlertFired)
    assert alert_of(fired(), None).episode == data.episode


def test_a_firing_began_once_however_fast_its_renewals_follow() -> None:
    renewal = Renewal("run")
    first, renewed = one(fired(cause="1")), one(fired(cause="2"))
    one_word, another = renewal.moved(first, NOW), renewal.moved(renewed, NOW - 40 * SECOND)
    assert isinstance(one_word.data, AlertFired)
    assert isinstance(another.data, AlertFired)
    assert one_word.data.starts_at == another.data.starts_at
    assert another.data.expires_at == (one_word.data.expires_at or NOW) - 40 * SECOND


def test_what_is_renewed_can_be_read() -> None:
    for message in (fired(), published()):
        renewed = Renewal("run").moved(one(message), NOW)
        assert decode(*encode(renewed)) == renewed
