"""What can be ordered, and why something cannot be: every answer to a silence and to an override."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from escalator_playbooks import MATRIX, STOREFRONT
from escalator_world import START, fired, person
from hypothesis import given
from hypothesis import strategies as st

from tocsin_escalator.core.muting import mutes_of
from tocsin_escalator.core.standing import LONGEST, MOST, decide_order, order_id
from tocsin_playbook import Playbook
from tocsin_playbook.model.references import parse_matcher
from tocsin_playbook.standing_orders import NO_ORDERS, StandingOrders, under_orders
from tocsin_schemas import Event
from tocsin_schemas.commands import LiftOverride, LiftSilence, OverrideOnCall, Silence
from tocsin_schemas.events import OrderRejected, OverrideLifted, OverrideSet, SilenceLifted, SilenceSet

HOUR = timedelta(hours=1)
BOSS = person("boss")


def open_to_all(playbook: Playbook) -> Playbook:
    """The playbook, with every access for those whom it does not name."""
    return playbook.model_copy(update={"oncall": playbook.oncall.model_copy(update={"others": "admin"})})


BOOKS = (open_to_all(MATRIX.playbook), open_to_all(STOREFRONT.playbook))
NARROW = st.sampled_from(['service="shop"', 'pod=~"web-.*"', 'zone=~"eu|us.+"'])
WIDE = st.sampled_from([
    'service=""', 'service!=""', 'service!="shop"', 'service!~"web"', 'service!~".+"', 'service=~""', 'service=~".*"',
    'service=~".+"', 'service=~".*.+"', 'service=~"web|"', 'service=~"web|.*"', 'service=~"web|.+"',
])  # fmt: skip


def silence(*match: str, **fields: object) -> Silence:
    return Silence.model_validate(
        {"match": match or ('service="shop"',), "until": START + HOUR, "because": "an upgrade", "by": BOSS, **fields}
    )


def override(**fields: object) -> OverrideOnCall:
    return OverrideOnCall.model_validate(
        {"schedule": "primary", "person": "omar", "until": START + HOUR, "by": BOSS, **fields}
    )


def decided(
    command: Silence | LiftSilence | OverrideOnCall | LiftOverride,
    orders: StandingOrders = NO_ORDERS,
    books: Sequence[Playbook] = BOOKS,
) -> Event:
    return decide_order(orders, command, books, "abc", START)


def reason(event: Event, by: str = "boss") -> str:
    assert isinstance(event, OrderRejected)
    assert event.by == person(by)
    return event.reason


# --- silences --------------------------------------------------------------------------------------------------------


def test_a_silence_is_set_at_once_or_when_it_is_to_begin() -> None:
    at_once = decided(silence())
    assert at_once == SilenceSet(
        silence="abc",
        match=('service="shop"',),
        begins_at=START,
        ends_at=START + HOUR,
        because="an upgrade",
        by=BOSS,
    )
    later = decided(silence(begins_at=START + HOUR / 2))
    assert isinstance(later, SilenceSet)
    assert later.begins_at == START + HOUR / 2


def test_what_was_to_begin_in_the_past_begins_when_it_is_decided_on() -> None:
    late = decided(silence(begins_at=START - HOUR))
    assert isinstance(late, SilenceSet)
    assert late.begins_at == START


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (silence("shop"), "match: shop: this is no matcher; expected a matcher like service="),
        (silence('pod=~"web-[0-9]+"'), "the pattern is more than alternatives"),
        (silence('service!="shop"'), "the silence could match every alert"),
        (silence(until=START), "until: 2026-03-02T12:00:00Z has passed"),
        (silence(begins_at=START + HOUR, until=START + HOUR), "it ends at 2026-03-02T13:00:00Z, before it begins"),
        (silence(until=START + LONGEST + timedelta(seconds=1)), "more than 365 days ahead"),
        (LiftSilence(silence="nope", by=BOSS), "there is no silence nope, or it is over"),
        (LiftOverride(override="nope", by=BOSS), "there is no override nope, or it is over"),
        (override(schedule="tertiary"), "no playbook in force has a schedule tertiary"),
        (override(person="ada"), "no playbook in force with the schedule primary has a person ada"),
        (override(until=START), "until: 2026-03-02T12:00:00Z has passed"),
        (override(begins_at=START + 2 * HOUR), "before it begins"),
        (override(until=START + LONGEST + HOUR), "more than 365 days ahead"),
    ],
)
def test_what_cannot_be_is_answered_with_the_reason(
    command: Silence | LiftSilence | OverrideOnCall | LiftOverride, said: str
) -> None:
    answer = decided(command)
    assert said in reason(answer)
    assert isinstance(answer, OrderRejected)
    assert answer.command == type(command).__name__


def test_a_silence_may_last_a_year() -> None:
    assert isinstance(decided(silence(until=START + LONGEST)), SilenceSet)


@given(st.lists(WIDE, min_size=1, max_size=5))
def test_no_silence_that_could_match_everything_is_accepted(match: list[str]) -> None:
    assert "could match every alert" in reason(decided(silence(*match)))


@given(st.lists(WIDE | NARROW, min_size=1, max_size=5))
def test_what_is_accepted_leaves_alone_an_alert_without_labels_and_one_with_others(match: list[str]) -> None:
    answer = decided(silence(*match))
    if isinstance(answer, SilenceSet):
        matchers = [parse_matcher(text) for text in answer.match]
        strange = {matcher.label: "qqq" for matcher in matchers}
        assert not all(matcher.matches({}) for matcher in matchers)
        assert not all(matcher.matches(strange) for matcher in matchers)
    else:
        assert all(text not in ('service="shop"', 'pod=~"web-.*"', 'zone=~"eu|us.+"') for text in match)


def test_one_matcher_that_names_a_value_is_enough() -> None:
    assert isinstance(decided(silence('service=~".+"', 'zone="eu"')), SilenceSet)


def standing(count: int) -> StandingOrders:
    answers = (decide_order(NO_ORDERS, silence(), BOOKS, f"s{number}", START) for number in range(count))
    return StandingOrders(silences=tuple(each for each in answers if isinstance(each, SilenceSet)))


def test_there_is_an_end_to_how_many_silences_stand_and_those_that_are_over_do_not_count() -> None:
    assert f"{MOST} silences stand already" in reason(decided(silence(), standing(MOST)))
    late = decide_order(standing(MOST), silence(until=START + 2 * HOUR), BOOKS, "abc", START + HOUR)
    assert isinstance(late, SilenceSet)


def test_there_is_an_end_to_how_many_overrides_stand() -> None:
    one = decided(override())
    assert isinstance(one, OverrideSet)
    many = tuple(one.model_copy(update={"override": f"o{number}"}) for number in range(MOST))
    assert f"{MOST} overrides stand already" in reason(decided(override(), StandingOrders(overrides=many)))


def test_what_stands_is_lifted_and_what_is_over_is_not() -> None:
    set_ = decided(silence())
    orders = NO_ORDERS.after(set_)
    assert decided(LiftSilence(silence="abc", because="done", by=BOSS), orders) == SilenceLifted(
        silence="abc", because="done", by=BOSS
    )
    late = decide_order(orders, LiftSilence(silence="abc", by=BOSS), BOOKS, "x", START + HOUR)
    assert "or it is over" in reason(late)
    given = NO_ORDERS.after(decided(override()))
    assert decided(LiftOverride(override="abc", by=BOSS), given) == OverrideLifted(override="abc", by=BOSS)


def test_the_systems_own_alarms_are_never_muted() -> None:
    playbook = under_orders(BOOKS[1], NO_ORDERS.after(decided(silence('service="checkout"'))))
    own, other = fired("TocsinSourceDown"), fired("CheckoutErrors")
    mutes = mutes_of(playbook, ())
    assert mutes.of(other.rule, other.labels, "inc", START) is not None
    assert mutes.of(own.rule, own.labels, "inc", START) is None


def test_who_may_not_ask_for_it_is_told_so() -> None:
    assert "for more than 24 hours" in reason(decided(silence(by=person("olga"), until=START + 25 * HOUR)), by="olga")
    assert isinstance(decided(silence(by=person("olga"))), SilenceSet)


# --- overrides -------------------------------------------------------------------------------------------------------


def test_an_override_needs_one_playbook_that_has_both_the_schedule_and_the_person() -> None:
    assert isinstance(decided(override()), OverrideSet)
    assert "no playbook in force has a schedule" in reason(decided(override(), books=BOOKS[1:]))


def test_the_id_of_an_order_follows_from_the_command() -> None:
    assert order_id("one") == order_id("one") != order_id("two")
    assert len(order_id("one")) == 10


def test_matchers_are_kept_as_they_were_written_however_long() -> None:
    text = 'pod=~"' + r"a\." * 330 + '"'
    answer = decided(silence(text))
    assert isinstance(answer, SilenceSet)
    assert answer.match == (text,)


def test_hostile_text_is_answered_on_one_line() -> None:
    answer = decided(silence('a="' + "x" * 900 + '"z'))
    assert len(reason(answer)) < 1024
